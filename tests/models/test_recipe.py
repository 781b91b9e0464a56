"""The reading lessons: answers stand in the line they cite, and nothing of the sample corpus is taught."""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path

import pytest

from backends.answering.answer_text import without_markers
from backends.documents.parsing import parse_file
from backends.language.prompts import NOT_IN_DOCUMENTS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models"))

import families  # noqa: E402
import reading_rows  # noqa: E402
import tables  # noqa: E402

PARAGRAPH = "The tide is high at noon. Boats leave at six. Nets are dried on the north wall."
QUESTIONS = [
    {
        "source": "squad_v2_dev",
        "title": "Tides",
        "context": PARAGRAPH,
        "question": question,
        "answers": answers,
    }
    for question, answers in (
        ("When is the tide high?", ["at noon", "noon"]),
        ("Where are nets dried?", ["the north wall"]),
        ("Who owns the boats?", []),
    )
]
TABLE = "Harbour,Depth,Berths\nOslo,12 m,40\nBergen,14 m,35\nMoss,9 m,12\nHamar,4 m,8"
QUESTIONS += [
    {"source": "wikitablequestions", "title": "Harbours", "context": TABLE, "question": "How deep is Bergen?",
     "answers": ["14 m"]},
    {"source": "fairytaleqa", "title": "The net", "context": PARAGRAPH, "question": "When do boats leave?",
     "answers": ["at six"]},
]  # fmt: skip
KINDS = ["paper", "table", "paragraph", "editions", "tiers", "wiki_table", "story"]


@pytest.fixture
def lessons() -> reading_rows.Lessons:
    return reading_rows.Lessons(QUESTIONS, random.Random(5))


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def windows(text: str, size: int = 8) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + size]) for i in range(len(found) - size + 1)}


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_stands_in_the_line_it_cites(lessons: reading_rows.Lessons, kind: str) -> None:
    answered = 0
    for _ in range(60):
        lesson = getattr(lessons, kind)()
        for turn in lesson.turns if lesson else ():
            evidence = turn.messages[-1]["content"].partition("\n\nQuestion: ")[0].split("\n")
            if turn.answer == NOT_IN_DOCUMENTS:
                continue
            for part in re.findall(r"(.*?) \[(\d+)\]", turn.answer):
                said, line = part[0].strip().rstrip("."), evidence[int(part[1]) - 1]
                assert line.startswith(f"[{part[1]}] ")
                answered += 1
                if said not in ("Yes", "No") and kind != "story":
                    assert said.lower() in line.lower()
    assert answered > 20


def test_most_questions_of_a_lesson_are_answered(lessons: reading_rows.Lessons) -> None:
    drawn = lessons.draw()
    turns = [turn for _ in range(400) for turn in next(drawn).turns]
    declined = sum(turn.answer == NOT_IN_DOCUMENTS for turn in turns)
    assert 0.06 < declined / len(turns) < 0.25


def test_turns_of_a_lesson_share_their_evidence(lessons: reading_rows.Lessons) -> None:
    lesson = next(one for _ in range(50) if (one := lessons.paper()) and len(one.turns) > 2)
    before = {turn.messages[-1]["content"].partition("\n\nQuestion: ")[0] for turn in lesson.turns}
    assert len(before) == 1


def test_json_of_a_row_holds_its_cells(lessons: reading_rows.Lessons) -> None:
    for _ in range(20):
        lesson = lessons.json_of_row()
        assert lesson is not None
        for turn in lesson.turns:
            for value in json.loads(turn.answer).values():
                assert value in turn.messages[-1]["content"]


def test_the_right_tier_is_the_answer(lessons: reading_rows.Lessons) -> None:
    compared = 0
    for _ in range(60):
        lesson = lessons.tiers()
        for turn in lesson.turns if lesson else ():
            evidence, _, question = turn.messages[-1]["content"].partition("\n\nQuestion: ")
            said = re.escape(without_markers(turn.answer).rstrip("."))
            bounds = re.search(rf"(of up to|above|Over) \D*([\d,]+)[^:.]*: {said}\.", evidence, re.IGNORECASE)
            stated = re.search(r"\d[\d,]*", question)
            if bounds is None or stated is None:
                continue
            bound, amount = (int(number.replace(",", "")) for number in (bounds[2], stated[0]))
            compared += 1
            assert amount < bound if bounds[1] == "of up to" else amount > bound
    assert compared > 20


@pytest.mark.parametrize(
    ("short", "sentence", "wanted"),
    [
        ("14", "Goods come back within 14 days.", "14 days"),
        ("six", "Spare parts are kept for six years.", "six years"),
        ("2", "It costs 21 and 2 of them break.", "2"),
        ("$5", "You pay $5 per visit.", "$5"),
        ("noon", "It is high at noon today.", "noon"),
    ],
)
def test_a_bare_number_takes_its_unit_along(short: str, sentence: str, wanted: str) -> None:
    assert reading_rows.with_unit(short, sentence) == wanted


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


def test_no_sample_sentence_is_invented() -> None:
    sample: set[tuple[str, ...]] = set()
    for path in sorted((ROOT / "sample_corpus" / "documents").iterdir()):
        for line in parse_file(path).text.splitlines():
            sample |= windows(line)
    assert len(sample) > 5000
    rng = random.Random(7)
    for family in families.load_families() + families.load_families(held_out=True):
        for _ in range(4):
            paper = families.Writer(family, rng).paper(9)
            for text in (*paper.neighbours, *(s.sentence for s in paper.statements)):
                assert not windows(text) & sample
    for kind in tables.load_tables() + tables.load_tables(held_out=True):
        for row in tables.draw_table(kind, rng).rows:
            assert not windows(row.text) & sample
