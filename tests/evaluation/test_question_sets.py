"""Question sets of other tools become the same questions as ours."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from backends.datatypes import Question, UserError
from backends.evaluation.questions import load_questions

CONFIG = """
description: a help desk
prompts: ["{{question}}"]
providers: [openai:some-model]
defaultTest:
  vars: {tone: formal}
tests:
  - vars: {question: 'How long is the warranty?'}
    assert:
      - {type: icontains, value: 24 months}
      - {type: llm-rubric, value: is polite}
    metadata: {category: lookup, documents: [warranty.md]}
  - vars: {question: 'Who may sign?', context: x}
    assert:
      - type: assert-set
        assert:
          - {type: contains-any, value: "Ada Park, Noor Diaz"}
  - vars: {question: 'Who won in 1931?'}
    assert: [{type: is-refusal}]
  - vars: {question: 'Is it good?'}
    assert: [{type: llm-rubric, value: is helpful}]
  - vars: {question: ['What is A?', 'What is B?'], answer: a letter}
  - file://more.csv
"""


def test_promptfoo_configuration(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "promptfooconfig.yaml").write_text(CONFIG)
    (tmp_path / "more.csv").write_text("question,__expected\nHow far?,equals: 7 km\nHow near?,2 km\n")
    with caplog.at_level(logging.WARNING):
        made = load_questions(tmp_path / "promptfooconfig.yaml")
    assert made == [
        Question("test-1", "How long is the warranty?", ("24 months",), ("warranty.md",), "lookup"),
        Question("test-2", "Who may sign?", ("Ada Park", "Noor Diaz")),
        Question("test-3", "Who won in 1931?"),
        Question("test-5-1", "What is A?", ("a letter",)),
        Question("test-5-2", "What is B?", ("a letter",)),
        Question("test-6", "How far?", ("7 km",)),
        Question("test-7", "How near?", ("2 km",)),
    ]
    assert "1 tests without literal gold answers were left out" in caplog.text


@pytest.mark.parametrize(
    ("row", "question", "answers"),
    [
        ({"user_input": "Why?", "reference": "Because."}, "Why?", ("Because.",)),  # RAGAS
        ({"input": "Why?", "expected_output": "Because."}, "Why?", ("Because.",)),  # DeepEval
        ({"query": "Why?", "generation_gt": ["Because.", "So."]}, "Why?", ("Because.", "So.")),  # AutoRAG
        ({"question": "Why?", "answer": "Because."}, "Why?", ("Because.",)),
        ({"question": "Why?", "reference": " "}, "Why?", ()),
        ({"question": "Why?", "answers": ["A"], "answer": "B"}, "Why?", ("A",)),
    ],
)
def test_rows_of_other_tools(
    tmp_path: Path, row: dict[str, object], question: str, answers: tuple[str, ...]
) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "rows.json").write_text(json.dumps([row], indent=2))
    for name in ("rows.jsonl", "rows.json"):
        (made,) = load_questions(tmp_path / name)
        assert (made.question, made.answers) == (question, answers)


def test_csv_with_the_columns_of_ragas(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('user_input,reference\nWhy?,"Because, of course."\nWho?,\n')
    assert [q.answers for q in load_questions(tmp_path / "rows.csv")] == [("Because, of course.",), ()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tests: [", "not valid YAML"),
        ("providers: []", 'it has no "tests"'),
        ("tests: file://tests.py", "only YAML, JSON, JSONL and CSV"),
        ("tests: file://none.yaml", "There is no file"),
        ("tests: [{vars: {a: x, b: y}}]", "no variable `question`; it has: a, b"),
        ("tests: [{vars: {question: 'Why?'}}]", "words to judge an answer by"),
        ("tests: [3]", "must be a list of tests"),
        ("tests: !!python/object/apply:os.system [echo]", "not valid YAML"),
    ],
)
def test_bad_configurations_are_told_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "promptfooconfig.yaml").write_text(text)
    with pytest.raises(UserError, match=said):
        load_questions(tmp_path / "promptfooconfig.yaml")
