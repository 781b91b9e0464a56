"""The sample corpus keeps its promises: every answer stands in its document, every question is new.

Reads all parts by glob, so that a person may split or join the files as they like.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from backends.documents.parsing import SUPPORTED, parse_file

CORPUS = Path(__file__).resolve().parents[2] / "sample_corpus"
CATEGORIES = {
    "lookup",
    "table",
    "paraphrase",
    "condition",
    "multi_document",
    "superseded",
    "unanswerable",
    "structured",
}
ROLES = {"hr", "legal", "finance", "security"}
NOT_KNOWN = "I do not know."
TASKS = {
    "Classify this support ticket as JSON: ": "ticket.schema.json",
    "Classify this contract clause as JSON: ": "clause.schema.json",
}
CLOSEST = 0.7  # word-level Jaccard at which two questions count as the same wording


def rows(folder: str) -> list[dict[str, Any]]:
    """Every row of every part, with the place where it stands for messages."""
    found = []
    for path in sorted((CORPUS / folder).glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found.append({"at": f"{path.name}:{number}", **json.loads(line)})
    return found


def files(folder: str) -> list[Path]:
    return sorted(path for path in (CORPUS / folder).iterdir() if path.is_file())


def normal(text: str) -> str:
    return " ".join(text.lower().split())


@cache
def document_text(name: str) -> str:
    return parse_file(CORPUS / "documents" / name).text


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def task_schema(question: str) -> dict[str, Any] | None:
    """The JSON Schema of a classification task; None for an ordinary question."""
    for opening, schema in TASKS.items():
        if question.startswith(opening):
            loaded: dict[str, Any] = json.loads((CORPUS / "schemas" / schema).read_text(encoding="utf-8"))
            return loaded
    return None


def wording(question: str) -> str:
    """What a writer of a question chose: for the JSON tasks the text after the fixed instruction."""
    for opening in TASKS:
        question = question.removeprefix(opening)
    return question


QUESTIONS = rows("questions")
TRAINING = rows("training")
DOCUMENTS = files("documents")
NAMES = {path.name for path in DOCUMENTS}


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(DOCUMENTS) >= 45
    assert len(QUESTIONS) >= 240
    assert len(TRAINING) >= 600


def test_the_corpus_has_every_format_and_a_history() -> None:
    suffixes = {path.suffix for path in DOCUMENTS}
    assert suffixes >= {".md", ".pdf", ".docx", ".pptx", ".xlsx", ".csv", ".html", ".eml", ".txt"}
    assert suffixes <= set(SUPPORTED)
    older = files("earlier_versions")
    assert len(older) >= 5
    for path in older:
        assert path.name in NAMES, f"{path.name} has no current version"
        assert parse_file(path).text != document_text(path.name)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_have_200_to_1500_words(path: Path) -> None:
    count = len(document_text(path.name).split())
    assert 200 <= count <= 1500, f"{path.name} has {count} words"


def test_pdfs_are_rendered_from_their_sources() -> None:
    for source, target in (("sources", "documents"), ("sources/earlier_versions", "earlier_versions")):
        wanted = {path.stem for path in (CORPUS / source).glob("*.md")}
        assert wanted == {path.stem for path in (CORPUS / target).glob("*.pdf")}
    pages = {path.name: len(parse_file(path).pages) for path in DOCUMENTS if path.suffix == ".pdf"}
    assert max(pages.values()) >= 3, pages


def test_the_list_of_documents_is_complete() -> None:
    listed: dict[str, dict[str, Any]] = {}
    for path in sorted(CORPUS.glob("corpus*.json")):
        listed |= json.loads(path.read_text(encoding="utf-8"))["documents"]
    assert set(listed) == NAMES
    for name, entry in listed.items():
        assert entry["title"].strip(), name
        assert set(entry["roles"]) <= ROLES, name
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", entry["date"]), name
    assert sum(bool(entry["roles"]) for entry in listed.values()) >= 2


def test_question_rows_are_well_formed() -> None:
    assert [id_ for id_, count in Counter(row["id"] for row in QUESTIONS).items() if count > 1] == []
    texts = Counter(normal(row["question"]) for row in QUESTIONS)
    assert [text for text, count in texts.items() if count > 1] == []
    for row in QUESTIONS:
        assert row["category"] in CATEGORIES, row["at"]
        assert row["split"] in {"dev", "test"}, row["at"]
        assert isinstance(row["in_training"], bool), row["at"]
        assert set(row["documents"]) <= NAMES, row["at"]
        assert (row["answers"] == []) == (row["category"] == "unanswerable"), row["at"]
        if row["answers"]:
            assert row["documents"], row["at"]


def test_each_split_has_each_category_and_the_untrained_slice() -> None:
    for split in ("dev", "test"):
        counts = Counter(row["category"] for row in QUESTIONS if row["split"] == split)
        assert set(counts) == CATEGORIES
        assert min(counts.values()) >= 5, (split, counts)
    answerable = [row for row in QUESTIONS if row["answers"]]
    share = sum(not row["in_training"] for row in answerable) / len(answerable)
    assert 0.15 <= share <= 0.3


def test_every_gold_answer_stands_in_a_gold_document() -> None:
    missing = []
    for row in QUESTIONS:
        if row["category"] in {"unanswerable", "structured"}:
            continue
        texts = [normal(document_text(name)) for name in row["documents"]]
        for answer in row["answers"]:
            if not any(normal(answer) in text for text in texts):
                missing.append(f"{row['at']} {answer!r} in {row['documents']}")
    assert missing == []


def test_no_question_repeats_the_wording_of_a_training_row() -> None:
    by_word: dict[str, list[int]] = defaultdict(list)
    trained = [words(wording(row["question"])) for row in TRAINING]
    for index, bag in enumerate(trained):
        for word in bag:
            by_word[word].append(index)
    close = []
    for row in QUESTIONS:
        bag = words(wording(row["question"]))
        shared = Counter(index for word in bag for index in by_word[word])
        for index, count in shared.items():
            if count / len(bag | trained[index]) >= CLOSEST:
                close.append(f"{row['at']} {row['question']!r} ~ {TRAINING[index]['question']!r}")
    assert close == []


def test_training_rows_are_well_formed_and_agree() -> None:
    answers: dict[str, set[str]] = defaultdict(set)
    for row in TRAINING:
        assert row["question"].strip(), row["at"]
        assert set(row["documents"]) <= NAMES, row["at"]
        assert bool(row["documents"]) or row["answer"] == NOT_KNOWN or task_schema(row["question"]), row["at"]
        assert not re.search(r"\[\d+\]", row["answer"]), row["at"]
        assert len(row["answer"].split()) < 45, row["at"]
        answers[normal(row["question"])].add(row["answer"])
    assert {question: found for question, found in answers.items() if len(found) > 1} == {}


def test_the_control_for_unknown_things_is_part_of_training() -> None:
    assert sum(row["answer"] == NOT_KNOWN for row in TRAINING) >= 40


def test_structured_answers_follow_their_schema() -> None:
    structured = [(row["at"], row["question"], text) for row in QUESTIONS for text in row["answers"]]
    structured += [(row["at"], row["question"], row["answer"]) for row in TRAINING]
    checked = Counter[str]()
    for at, question, text in structured:
        schema = task_schema(question)
        if schema is None:
            continue
        value = json.loads(text)
        jsonschema.validate(value, schema)
        assert text == json.dumps(value, separators=(",", ":"), ensure_ascii=False), f"{at}: not compact"
        checked[schema["title"]] += 1
    assert set(checked) == {"Support ticket", "Contract clause"}


def test_structured_questions_are_the_json_tasks() -> None:
    for row in QUESTIONS:
        assert (row["category"] == "structured") == (task_schema(row["question"]) is not None), row["at"]
