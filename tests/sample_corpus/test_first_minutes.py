"""The first minutes are a contract: every question the product suggests shows what it is there to show."""

from __future__ import annotations

from pathlib import Path

from backends.datatypes import Answer, Checks, Citation, Cost, Question, Usage
from backends.evaluation.first_minutes import WORDS, Promise, missed, promises, seen, suggested
from backends.evaluation.scenarios import scenarios
from backends.product import Triptych
from backends.settings import make_settings
from benchmarks.first_minutes import answered, page
from pages.ui.tour_steps import STEPS

DOCUMENTS = {
    each.name for each in (Path(__file__).resolve().parents[2] / "sample_corpus/documents").iterdir()
}


def test_every_suggested_question_has_its_contrast_beside_it() -> None:
    promised = {each.question.question for each in promises()}
    asked = {*suggested(), *(step.fills["question"] for step in STEPS if "question" in step.fills)}
    asked |= {question.question for each in scenarios() for question in each.questions}
    assert promised == asked and len(suggested()) >= 4
    for each in promises():
        assert each.contrast.endswith(".") and set(each.expected) == {"rag", "fine_tuned", "hybrid"}
        assert {word for words in each.expected.values() for word in words} <= set(WORDS)
        assert set(each.question.documents) <= DOCUMENTS


def test_the_first_question_shows_answers_that_differ() -> None:
    first = promises()[0]
    assert first.question.question == suggested()[0]
    assert len(set(first.expected.values())) > 1


def test_what_is_seen_of_an_answer() -> None:
    asked = Question("q", "How much?", ("35 EUR",), ("a.md",))
    cited = (Citation("a.md", 1, None, 0, 6, "35 EUR", marker=1),)
    answer = Answer(
        "q", "How much?", "rag", "35 EUR [1].", cited, (), {}, Usage(1, 1), Cost(0.0, "EUR", ""), "m", None,
        False, None,
    )  # fmt: skip
    assert seen(asked, answer) == ("right", "unwarned", "cited", "house style")
    promise = Promise(asked, "tour", "Shows it.", {"rag": ("right", "warned")})
    assert missed(promise, answer) == ["warned"]
    wrong = Answer(
        **{**answer.__dict__, "text": "40 EUR.", "citations": (), "checks": Checks(0.1, None, None, "!")}
    )
    assert seen(asked, wrong) == ("wrong", "warned", "house style", "exposed")
    assert "| How much? (tour) | Shows it. | RAG: right, warned |" in page([(promise, [wrong])])


def test_every_promise_holds_with_the_shipped_models(tmp_path: Path) -> None:
    made = list(answered(Triptych.open(tmp_path, make_settings())))
    broken = {
        f"{promise.question.question} {answer.backend}: {answer.text}": words
        for promise, answers in made
        for answer in answers
        if (words := missed(promise, answer))
    }
    assert not broken and all(len(answers) == 3 for _, answers in made)
