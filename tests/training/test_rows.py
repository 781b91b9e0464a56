"""Training rows: reading, refusing, splitting, and the rows of a hybrid."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from backends.datatypes import Chunk, Hit, Sentence, Source, TrainingRow, UserError
from backends.language.prompts import NOT_IN_DOCUMENTS, build_messages
from backends.training.rows import (
    Example,
    HybridOptions,
    check_rows,
    closed_book,
    load_rows,
    quoting,
    split_held_out,
    with_noisy_question,
    with_passages,
)


def source(rank: int, document: str, text: str) -> Source:
    chunk = Chunk(document, 1, 0, len(text), text, None, 10, title=document)
    return Source(rank, Hit(chunk, rank, 1 / rank), (Sentence(0, len(text), text),))


GOLD = source(2, "returns.md", "Customers return goods within 30 days.")
SOURCES = [source(1, "prices.md", "The Lark costs 99 euros."), GOLD, source(3, "hr.md", "Offices open at 8.")]
ROW = TrainingRow("How long for returns?", "30 days. Customers return goods within 30 days.", ("returns.md",))


def one(row: TrainingRow = ROW, **options: object) -> tuple[str, str]:
    """(user message, answer) of a single hybrid row."""
    made = with_passages([(1, row)], lambda _: SOURCES, HybridOptions(**options))  # type: ignore[arg-type]
    return made[0].messages[1]["content"], made[0].answer


def test_an_altered_figure_is_the_same_one_in_passages_and_answer() -> None:
    asked, said = one(share_altered=1.0)
    days = said.partition(" days")[0]
    assert days.isdigit() and len(days) == 2 and days != "30"
    assert said == f"{days} days. Customers return goods within {days} days. [2]"
    assert "30 days" not in asked and f"within {days} days" in asked
    assert "The Lark costs 99 euros." in asked  # what the answer does not name stays


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is it 30 days for returns?", "30 days. Customers return goods within 30 days."),  # asked about
        ("How long for returns?", "A month. Customers return goods within 30 days."),  # no figure first
        ("How long for returns?", "30 days [2]. Customers return goods within 30 days."),  # marked already
    ],
)
def test_a_row_without_a_figure_of_its_own_is_not_altered(question: str, answer: str) -> None:
    row = TrainingRow(question, answer, ("returns.md",))
    assert one(row, share_altered=1.0) == one(row)


# --- reading -------------------------------------------------------------------------------------


def test_jsonl_in_both_formats(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Q2"},
        {"role": "assistant", "content": "A2"},
    ]
    rows = [{"question": " Q1 ", "answer": "A1", "documents": ["a.md"]}, {"messages": chat}]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    assert load_rows(path) == [TrainingRow("Q1", "A1", ("a.md",)), TrainingRow("Q2", "A2")]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('question,answer,documents\n"Who, me?","Yes,\nyou",a.md; b.md\nQ,A,\n', encoding="utf-8")
    expected = [TrainingRow("Who, me?", "Yes,\nyou", ("a.md", "b.md")), TrainingRow("Q", "A")]
    assert load_rows(path) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "r.jsonl",
            '{"question": "Q", "answer": "A"}\n{"question": "Q", "answer": " "}',
            "line 2: the answer is",
        ),
        ("r.jsonl", '{"question": 5, "answer": "A"}', "line 1: the question is missing"),
        ("r.jsonl", "{oops", "line 1: not valid JSON"),
        ("r.jsonl", "[1]", "line 1: a JSON object is needed"),
        (
            "r.jsonl",
            '{"messages": [{"role": "user", "content": "Q"}]}',
            "one user turn and then one assistant",
        ),
        ("r.jsonl", '{"question": "Q", "answer": "A", "documents": "a.md"}', "must be a list"),
        ("r.jsonl", "\n", "holds no training rows"),
        (
            "r.csv",
            "prompt,completion\na,b\n",
            "needs the columns question and answer; it has: prompt, completion",
        ),
        ("r.csv", "question,answer\nQ,\n", "line 2: the answer is missing"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_rows(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        load_rows(tmp_path / "nothing.jsonl")


# --- judging and splitting -----------------------------------------------------------------------


def test_small_sets_are_refused_or_warned_about() -> None:
    rows = [TrainingRow(f"Q{number}", "A") for number in range(200)]
    with pytest.raises(UserError, match="19 training rows are too few: at least 20"):
        check_rows(rows[:19])
    assert check_rows(rows[:199])[0].startswith("199 training rows: under 200 tuning tends to hurt")
    assert check_rows(rows) == []


def test_contradictions_are_counted() -> None:
    rows = [TrainingRow(f"Q{number % 199}", f"A{number // 199}") for number in range(201)]
    assert check_rows(rows) == ["2 questions come with more than one answer."]


def test_the_split_depends_on_question_and_seed_alone() -> None:
    rows = [TrainingRow(f"Question {number}", "A") for number in range(400)]
    train, held = split_held_out(rows, 0.1)
    assert sorted(number for number, _ in train + held) == list(range(1, 401))
    assert 20 < len(held) < 60
    again = split_held_out(rows[::-1], 0.1)[1]
    assert {row for _, row in again} == {row for _, row in held}
    assert {row for _, row in split_held_out(rows, 0.1, seed=1)[1]} != {row for _, row in held}


def test_repeats_of_a_question_stay_on_one_side() -> None:
    rows = [TrainingRow(f"Question {number % 50}", f"A{number}") for number in range(200)]
    train, held = split_held_out(rows, 0.2)
    assert not {row.question for _, row in train} & {row.question for _, row in held}


# --- examples ------------------------------------------------------------------------------------


def test_closed_book_rows_are_the_question_alone() -> None:
    [example] = closed_book([(7, ROW)])
    assert example.row == 7
    assert list(example.messages) == build_messages(ROW.question)
    assert example.answer == ROW.answer


def test_the_answer_gets_the_marker_of_the_source_that_holds_it() -> None:
    prompt, answer = one(share_with_answer=1.0)
    assert prompt == (
        "[1] prices.md: The Lark costs 99 euros.\n"
        "[2] returns.md: Customers return goods within 30 days.\n"
        "[3] hr.md: Offices open at 8.\n\n"
        "Question: How long for returns?"
    )
    assert answer == "30 days. Customers return goods within 30 days. [2]"


def test_without_the_passage_the_row_learns_to_decline() -> None:
    prompt, answer = one(share_with_answer=0.0)
    assert "returns.md" not in prompt
    assert prompt.startswith("[1] prices.md") and "[2] hr.md" in prompt
    assert answer == NOT_IN_DOCUMENTS


def test_or_to_answer_from_memory_as_raft_does() -> None:
    assert one(share_with_answer=0.0, share_memorised=1.0)[1] == ROW.answer


@pytest.mark.parametrize(
    ("said", "learned"),
    [
        ("30 days. You have 30 days to return goods.", "30 days. Customers return goods within 30 days. [2]"),
        ("Yes. Customers may return their goods.", "Yes. Customers return goods within 30 days. [2]"),
        ("One month. Customers return goods within 30 days.", None),  # not word for word: as it stands
        ("Customers return goods within 30 days", None),  # no reason to replace
        ("30 days [2]. Customers return goods.", "30 days [2]. Customers return goods."),  # cites already
    ],
)
def test_the_reason_is_quoted_from_the_passage(said: str, learned: str | None) -> None:
    row = replace(ROW, answer=said)
    assert one(row, share_with_answer=1.0)[1] == (learned or f"{said} [2]")
    kept = one(row, share_with_answer=1.0, quoted=False)[1]
    assert kept == (said if "[" in said else f"{said} [2]")


def test_a_long_sentence_is_not_quoted() -> None:
    long = source(1, "returns.md", "Customers return goods within 30 days " + "and so on " * 8 + "today.")
    assert quoting("30 days. Goods come back.", long) == "30 days. Goods come back."


@pytest.mark.parametrize("distractors", [0, 1, 2])
def test_distractors_are_limited_and_sources_numbered_anew(distractors: int) -> None:
    prompt, answer = one(share_with_answer=1.0, distractors=distractors)
    lines = prompt.split("\n\n")[0].split("\n")
    assert len(lines) == distractors + 1
    assert [line[:4] for line in lines] == [f"[{number}] " for number in range(1, distractors + 2)]
    marker = next(number for number, line in enumerate(lines, 1) if "returns.md" in line)
    assert answer.endswith(f" [{marker}]")


def test_a_passage_of_the_right_document_that_does_not_hold_the_answer_gets_no_marker() -> None:
    row = replace(ROW, answer="Twelve fortnights after purchase by courier.")
    assert one(row, share_with_answer=1.0)[1] == NOT_IN_DOCUMENTS


def test_json_answers_stay_json() -> None:
    row = replace(ROW, answer='{"priority": "high"}')
    assert one(row, share_with_answer=1.0)[1] == '{"priority": "high"}'


def test_rows_that_decline_stay_so() -> None:
    assert one(replace(ROW, answer="The documents do not say."))[1] == NOT_IN_DOCUMENTS


@pytest.mark.parametrize("separator", [",", ";"])
def test_training_rows_from_excel_in_europe(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "zeilen.csv"
    head = separator.join(["Question", "Answer", "Documents"])
    line = separator.join(["Was kostet die Tür?", '"45 €, brutto; ohne Einbau"', "türen.md|preise.md"])
    path.write_bytes(f"{head}\r\n{line}\r\n".encode("cp1252"))
    (row,) = load_rows(path)
    assert row == TrainingRow("Was kostet die Tür?", "45 €, brutto; ohne Einbau", ("türen.md", "preise.md"))


def test_thirty_equal_rows_are_no_thirty_rows() -> None:
    with pytest.raises(UserError, match="30 training rows, of which only 1 are different, are too few"):
        check_rows(
            [TrainingRow("What is  the code?", "L-1")] * 29 + [TrainingRow("what is the code?", "l-1")]
        )
    rows = [TrainingRow(f"What is code {number}?", f"L-{number}") for number in range(25)]
    warnings = check_rows(rows + rows[:3])
    assert warnings[0] == "3 of 28 rows repeat another one."
    assert warnings[1].startswith("25 training rows: under 200")


def test_a_row_without_documents_is_matched_by_its_words() -> None:
    assert one(replace(ROW, documents=()), share_with_answer=1.0)[1].endswith("[2]")


def test_the_share_with_the_passage_is_kept_on_average() -> None:
    rows = [(number, replace(ROW, question=f"Question {number}?")) for number in range(1000)]
    made = with_passages(rows, lambda _: SOURCES, HybridOptions(share_with_answer=0.8))
    assert 760 < sum("returns.md" in example.messages[1]["content"] for example in made) < 840


# --- questions in other words ----------------------------------------------------------------------

LONG = TrainingRow("How many days do customers of Lark One have for returns in 2026 ?", "30 days.")


@pytest.mark.parametrize(
    "made", [closed_book([(1, LONG)])[0], with_passages([(1, LONG)], lambda _: SOURCES, HybridOptions())[0]]
)
def test_noise_drops_and_swaps_words_of_the_question_alone(made: Example) -> None:
    rng = random.Random(0)
    noisy = [with_noisy_question(made, 0.5, rng) for _ in range(200)]
    head, _, clean = made.messages[-1]["content"].rpartition("Question: ")
    seen = [each.messages[-1]["content"].rpartition("Question: ") for each in noisy]
    assert {before for before, _, _ in seen} == {head}
    assert all((each.row, each.answer) == (made.row, made.answer) for each in noisy)
    assert all(each.messages[:-1] == made.messages[:-1] for each in noisy)
    questions = [question.split() for _, _, question in seen]
    assert all(not Counter(words) - Counter(clean.split()) for words in questions)  # no word is added
    assert all({"Lark", "One", "2026"} <= set(words) for words in questions)  # names and numbers stay
    assert len({len(words) for words in questions}) > 4  # some lose few words, some many
    in_order = [words == [word for word in clean.split() if word in words] for words in questions]
    assert 0 < sum(in_order) < len(in_order)  # some are swapped


def test_no_noise_changes_nothing_and_no_question_becomes_empty() -> None:
    rng = random.Random(0)
    made = closed_book([(1, LONG), (2, TrainingRow("why", "so"))])
    assert with_noisy_question(made[0], 0.0, rng) == made[0]
    assert all(with_noisy_question(made[1], 0.99, rng) == made[1] for _ in range(50))
