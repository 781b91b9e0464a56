"""The recipe of the embedded model: it trains on what serving shows, and never on the sample corpus."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import pytest

from backends.documents.parsing import parse_file
from backends.language.answer_text import cited_markers
from backends.language.generation import LanguageModel
from backends.language.loading import EMBEDDED
from backends.language.prompts import NOT_IN_DOCUMENTS, NOT_KNOWN, build_messages

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models"))

import companies  # noqa: E402
import families  # noqa: E402
import prepare  # noqa: E402
import tables  # noqa: E402
import tasks as drawing  # noqa: E402

COLOURS = ("red", "blue", "late", "first")
PROSE = [("Notes", [f"The {word} report names seven points about the old harbour." for word in COLOURS])]
QUESTIONS = [
    {
        "title": "Tides",
        "question": "When is the tide high?",
        "answers": ["at noon"],
        "sentences": ["The tide is high at noon.", "Boats leave early.", "Nets are dried on the wall."],
        "scores": [0.8, 0.2, 0.1],
    },
    {
        "title": "Tides",
        "question": "Who owns the boats?",
        "answers": [],
        "sentences": ["The tide is high at noon.", "Boats leave early."],
        "scores": [0.3, 0.2],
    },
]
KINDS = sorted({kind for stage in prepare.STAGES.values() for kind in stage["mix"]} - {"reading"})


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def windows(text: str, size: int = 8) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + size]) for i in range(len(found) - size + 1)}


def test_every_invented_sentence_holds_its_answer() -> None:
    for fact in companies.facts(random.Random(3), 800):
        assert fact.short.lower() in fact.sentence.lower()


def test_invented_companies_do_not_repeat() -> None:
    sentences = [fact.sentence for fact in companies.facts(random.Random(4), 500)]
    assert len(set(sentences)) > 490


@pytest.mark.parametrize("kind", KINDS)
def test_answers_cite_the_line_that_holds_them(kind: str) -> None:
    tasks = drawing.Tasks(PROSE, QUESTIONS, random.Random(5))
    for _ in range(40):
        example = prepare.draw(tasks, {kind: 1.0})
        for answer in (example.answer, *(said for _, said in example.later)):
            if answer in (NOT_IN_DOCUMENTS, NOT_KNOWN):
                continue
            for marker in cited_markers(answer):
                line = example.evidence[marker - 1]
                assert line.startswith(f"[{marker}] ")
                # Each cited part shares its words with the line it names.
                part = answer.split(f" [{marker}]")[0].split("] ")[-1]
                assert len(set(words(part)) & set(words(line))) >= min(2, len(set(words(part))))


def test_every_statement_of_a_paper_holds_its_answer() -> None:
    rng = random.Random(8)
    for family in families.load_families() + families.load_families(held_out=True):
        paper = families.Writer(family, rng).paper(9)
        assert len(paper.statements) == len(family["facts"])
        for statement in paper.statements:
            assert "{" not in statement.sentence + paper.title + "".join(statement.questions)
            if not statement.is_yes_no:
                assert statement.short.lower() in statement.sentence.lower()
                assert statement.short.lower() in statement.quotation.lower()


def test_families_kept_for_development_are_not_trained_on() -> None:
    trained = {family["family"] for family in families.load_families()}
    kept = {family["family"] for family in families.load_families(held_out=True)}
    assert len(kept) >= 8 and not trained & kept


def test_every_row_of_a_table_is_named_by_its_questions() -> None:
    rng = random.Random(9)
    for kind in tables.load_tables() + tables.load_tables(held_out=True):
        table = tables.draw_table(kind, rng)
        cells = [row.text.split("; ") for row in table.rows]
        names = [first.partition(": ")[2] for first, *_ in cells]
        assert len(set(names)) == len(names) >= 2
        assert len({tuple(cell.partition(": ")[0] for cell in row) for row in cells}) == 1
        assert "{" not in table.title + "".join(row.text + "".join(row.questions) for row in table.rows)
        for name, row in zip(names, table.rows, strict=True):
            assert len(row.questions) == 6 * row.text.count("; ")
            assert all(name.lower() in question.lower() for question in row.questions)


def test_tables_kept_for_development_are_not_trained_on() -> None:
    trained = {kind["table"] for kind in tables.load_tables()}
    kept = {kind["table"] for kind in tables.load_tables(held_out=True)}
    assert len(kept) >= 5 and not trained & kept


def test_a_question_about_a_missing_statement_is_declined() -> None:
    tasks = drawing.Tasks(PROSE, QUESTIONS, random.Random(11))
    declined = 0
    for _ in range(400):
        example = tasks.paper()
        if example.answer == NOT_IN_DOCUMENTS:
            declined += 1
            assert example.evidence
    assert 0.03 < declined / 400 < 0.12


def test_training_prompt_is_the_serving_prompt() -> None:
    model = LanguageModel.load(EMBEDDED)
    example = drawing.Example("What does it cost?", "It costs 5 EUR. [1]", ("[1] Prices: It costs 5 EUR.",))
    ids, kinds = prepare.encode(model.tokenizer, example)
    prompt = model.render(build_messages(example.question, example.evidence))
    assert model.tokenizer.decode([i for i, kind in zip(ids, kinds, strict=True) if kind == 1]) == prompt
    assert (
        model.tokenizer.decode([i for i, kind in zip(ids, kinds, strict=True) if kind == 2])
        == example.answer + "<|end|>"
    )


def test_packing_loses_and_splits_nothing() -> None:
    model = LanguageModel.load(EMBEDDED)
    tasks = drawing.Tasks(PROSE, QUESTIONS, random.Random(6))
    tokens, kinds = prepare.pack(model.tokenizer, tasks, {"fact": 1.0}, length=512, budget=4096)
    end = model.tokenizer.convert_tokens_to_ids("<|end|>")
    system = model.tokenizer.convert_tokens_to_ids("<|system|>")
    for row, kind in zip(tokens, kinds, strict=True):
        assert (row == end).sum() == (row == system).sum() > 0
        used = (kind != 0).sum()
        assert (kind[:used] != 0).all() and row[used - 1] == end


def test_no_sample_sentence_is_invented() -> None:
    sample: set[tuple[str, ...]] = set()
    for path in sorted((ROOT / "sample_corpus" / "documents").iterdir()):
        for line in parse_file(path).text.splitlines():
            sample |= windows(line)
    assert len(sample) > 5000
    rng = random.Random(7)
    for fact in companies.facts(rng, 3000):
        assert not windows(f"{fact.sentence}") & sample
    for family in families.load_families() + families.load_families(held_out=True):
        for _ in range(4):
            paper = families.Writer(family, rng).paper(9)
            for text in (*paper.neighbours, *(s.sentence for s in paper.statements)):
                assert not windows(text) & sample
    for kind in tables.load_tables() + tables.load_tables(held_out=True):
        for row in tables.draw_table(kind, rng).rows:
            assert not windows(row.text) & sample
