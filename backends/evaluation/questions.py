"""Reads question files: `{"id", "question", "answers", "documents", "category"}` a line, or the same as CSV.

Enters: a path. Leaves: validated `Question` records, or a UserError that names the line. In a CSV file the
columns carry the same names, and several answers or documents in one cell are parted by " | ". A question
without answers, or with blank ones alone, is one that the documents do not answer. Question sets of other
tools are taken too: `other_questions` knows their names. A row may carry the JSON `schema` of its answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from backends.answering.asked_question import check_question
from backends.answering.schemas import check_schema
from backends.datatypes import JsonObject, JsonValue, Question, UserError
from backends.evaluation.other_questions import QUESTION_NAMES, in_our_names, promptfoo_rows
from backends.language.compared_words import compared_words
from backends.system.csv_file import read_csv

Reader = Callable[[], JsonObject]


def load_questions(path: Path) -> list[Question]:
    """Questions of a JSONL, JSON or CSV file or of a promptfoo configuration, in order.

    A row without an id is called after its line (`line-3`).
    """
    questions: list[Question] = []
    lines_by_id: dict[str, int] = {}
    rows = {
        ".csv": _csv_rows,
        ".tsv": _csv_rows,
        ".json": _list_rows,
        ".yaml": _yaml_rows,
        ".yml": _yaml_rows,
    }.get(path.suffix.lower(), _json_rows)(path)
    for number, read in rows:
        try:
            question = _question(read(), default_id=f"line-{number}")
        except UserError as error:
            raise UserError(f"{path.name}, line {number}: {error}") from error
        if question.id in lines_by_id:
            raise UserError(
                f"{path.name}, line {number}: the id {question.id!r} is already used by "
                f"line {lines_by_id[question.id]}."
            )
        lines_by_id[question.id] = number
        questions.append(question)
    if not questions:
        raise UserError(f"{path.name} holds no questions.")
    return questions


def read_lines(path: Path) -> list[str]:
    """Lines of a UTF-8 text file; raises UserError when it is not there or not text."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; a file of questions is needed.")
    if not path.exists():
        raise UserError(f"There is no file {path}.")
    try:
        # Not str.splitlines: JSON strings may hold U+2028 and friends unescaped.
        return path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name} is not UTF-8 text (byte {error.start}).") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def _json_rows(path: Path) -> Iterator[tuple[int, Reader]]:
    """(line, how to read it) of every line that is not blank."""
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            yield number, partial(_json_object, line)


def _list_rows(path: Path) -> Iterator[tuple[int, Reader]]:
    """(place, how to read it) of the rows of a JSON list; a file of JSON lines may bear that ending too."""
    text = "\n".join(read_lines(path))
    try:
        rows = json.loads(text)
    except ValueError:
        yield from _json_rows(path)
        return
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], start=1):
        yield number, partial(_as_object, row)


def _yaml_rows(path: Path) -> Iterator[tuple[int, Reader]]:
    """(number of the test, how to read it) of a promptfoo configuration."""
    rows = promptfoo_rows(path, lambda file: "\n".join(read_lines(file)))
    for number, row in enumerate(rows, start=1):
        yield number, partial(_as_object, row)


def _csv_rows(path: Path) -> Iterator[tuple[int, Reader]]:
    """(line, how to read it)."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; a file of questions is needed.")
    columns, rows = read_csv(path)
    if not set(QUESTION_NAMES) & set(columns):
        raise UserError(f'{path.name} has no column "question" in its first line.')
    for number, row in rows:
        yield number, partial(_csv_object, row)


def _csv_object(row: Mapping[str, str]) -> JsonObject:
    cells: dict[str, JsonValue] = dict(row)
    for name in ("answers", "documents"):
        if name in cells:
            cells[name] = [part.strip() for part in cells[name].split("|") if part.strip()]
    if "schema" in cells:
        cells["schema"] = _json_object(cells["schema"]) if cells["schema"].strip() else None
    return cells


def _json_object(line: str) -> JsonObject:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"not valid JSON ({error.msg}, column {error.colno}).") from error
    return _as_object(row)


def _as_object(row: JsonValue) -> JsonObject:
    if not isinstance(row, Mapping):
        raise UserError('each line must be a JSON object such as {"id": "q1", "question": "..."}.')
    return row


def _question(row: JsonObject, default_id: str) -> Question:
    row = in_our_names(row)
    text = row.get("question")
    if not isinstance(text, str):
        raise UserError('the row has no "question" text.')
    identity = row.get("id")
    in_training = row.get("in_training")
    return Question(
        id=default_id if identity is None else str(identity),
        question=check_question(text),
        answers=_golds(row),
        documents=_texts(row, "documents"),
        category=str(row.get("category") or ""),
        in_training=in_training if isinstance(in_training, bool) else None,
        schema=None if row.get("schema") is None else check_schema(row["schema"]),
    )


def _golds(row: JsonObject) -> tuple[str, ...]:
    """The gold answers. Blank ones are none at all; one that nothing can be compared with is refused."""
    golds = tuple(gold for gold in _texts(row, "answers") if gold.strip())
    for gold in golds:
        if not compared_words(gold):
            raise UserError(
                f'the answer {gold!r} has no letter or digit to compare; leave "answers" empty where the '
                "documents do not answer."
            )
    return golds


def _texts(row: JsonObject, field: str) -> tuple[str, ...]:
    value = row.get(field)
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise UserError(f'"{field}" must be a list of texts, not {type(value).__name__}.')
    for item in value:
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise UserError(f'"{field}" must hold texts, not {json.dumps(item)[:40]}.')
    return tuple(str(item) for item in value)
