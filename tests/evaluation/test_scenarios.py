"""Scenarios stand on documents and questions that exist, and check answers by rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.datatypes import Question
from backends.evaluation.scenarios import available_scenarios, checks, find, scenarios

DOCUMENTS = {
    path.name for path in (Path(__file__).resolve().parents[2] / "sample_corpus/documents").iterdir()
}
LABEL = Question("l", "Label", ('{"clause_type":"payment","risk":"high","action":"escalate"}',), ("p.md",))
MARGIN = Question("m", "Margin?", ("46.5 %",), ("q.pdf",))


def test_four_scenarios_on_what_the_sample_holds() -> None:
    assert [each.title for each in scenarios()] == [
        "Support desk", "Clause to risk label", "Report in the brand voice", "Protocol and record",
    ]  # fmt: skip
    for each in scenarios():
        assert each.documents <= DOCUMENTS and len(each.questions) >= 2
        assert all(find(question.question) == (each, question) for question in each.questions)
    assert len({q.id for each in scenarios() for q in each.questions}) == 8


def test_a_scenario_without_its_documents_is_not_offered() -> None:
    assert available_scenarios(DOCUMENTS) == list(scenarios()) and available_scenarios(set()) == []
    without = available_scenarios(DOCUMENTS - {"contract-review-playbook.md"})
    assert [each.title for each in without] == ["Support desk", "Protocol and record"]


@pytest.mark.parametrize(
    ("question", "text", "said"),
    [
        (LABEL, LABEL.answers[0], ["keeps the JSON schema", "3 of 3 fields right"]),
        (
            LABEL,
            '{"clause_type":"payment","risk":"low","action":"escalate"}',
            ["keeps the JSON schema", "2 of 3 fields right"],
        ),
        (LABEL, "High risk.", ["does not keep the JSON schema", "0 of 3 fields right"]),
        (MARGIN, "46.5 %. It stands in the report.", ["gives “46.5 %”", "in house style"]),
        (MARGIN, "45 %!", ["does not give “46.5 %”", "breaks a house rule (no exclamation mark)"]),
        (MARGIN, "I do not know.", ["does not give “46.5 %”"]),
    ],
)
def test_checks_by_hand(question: Question, text: str, said: list[str]) -> None:
    assert checks(question, text) == said


def test_other_questions_are_no_scenario() -> None:
    assert find("What is the meaning of life?") is None
