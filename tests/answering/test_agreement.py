"""Labels once all backends have answered, by a rule that is written down here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backends.answering.agreement import GivenAnswer, agreement_features, judged_beside, judged_together
from backends.answering.checks import (
    CONTRADICTED,
    DECLINED,
    DOUBTFUL,
    INVENTED,
    WRONG_VERDICT,
    LabelRule,
    LogisticRule,
    shipped_rule,
)
from backends.answering.part_by_part import parts_of
from backends.datatypes import BACKEND_NAMES, Answer, BackendName, Checks, Cost, Excerpt, Usage
from backends.language.prompts import NOT_IN_DOCUMENTS
from backends.system.wording import NEVER_LEARNED

ANY = LogisticRule({}, 0.0)
TOGETHER = LogisticRule(
    {"alone": 1.0, "readers_agree": 1.0, "weights_agree": 2.0, "weights_differ": -2.0}, 0.0
)
RULE = LabelRule(ANY, ANY, TOGETHER, 0.5, 0.5, -4.0, 2.0, 0.7, 0.0, {})
RAG = GivenAnswer("rag", "14 tonnes.", credible=True)
QUESTION = "How heavy may a yacht be for the crane?"
PASSAGE = Excerpt("rules.md", 1, None, 0, 42, "The crane lifts yachts of up to 14 tonnes.")


def answer(backend: BackendName, text: str, warnings: tuple[str, ...] = ()) -> Answer:
    declines = text == NOT_IN_DOCUMENTS
    return Answer(
        id="a", question=QUESTION, backend=backend, text=text, citations=(), sources=(),
        latency_ms={"total": 1.0}, usage=Usage(1, 1), cost=Cost(0.0, "USD", "input"), model="m", adapter=None,
        abstained=declines, groundedness=None, warnings=warnings,
        checks=Checks(None if declines else 0.6, "backed", PASSAGE),
    )  # fmt: skip


def together(*said: Answer) -> dict[str, Checks]:
    asked = {("m", name): made for name in BACKEND_NAMES for made in said if made.backend == name}
    return {name: made.checks for (_, name), made in judged_together(asked, RULE).items()}


def probability(checks: Checks) -> float:
    assert checks.answers is not None
    return checks.answers


def test_two_witnesses_that_agree_are_surer_than_one() -> None:
    alone = answer("rag", "14 tonnes.")
    assert together(alone)["rag"] == alone.checks
    found = together(alone, answer("fine_tuned", "Fourteen tonnes. The crane lifts them."))
    assert probability(found["rag"]) > 0.9 and found["rag"].warning is None
    assert probability(found["fine_tuned"]) > 0.75


def test_weights_that_say_something_else_raise_doubt() -> None:
    found = together(answer("rag", "14 tonnes."), answer("fine_tuned", "40 tonnes."))
    assert probability(found["rag"]) < 0.5 and found["rag"].warning == DOUBTFUL
    assert found["fine_tuned"].warning is None, "what the reader says is no reason to doubt the weights"


def test_weights_that_never_learned_the_documents_and_the_control_are_no_witnesses() -> None:
    rag = answer("rag", "14 tonnes.")
    guess = answer("fine_tuned", "40 tonnes.", warnings=(f"{NEVER_LEARNED} rules.md.",))
    found = together(rag, guess, answer("base", "14 tonnes."))
    assert probability(found["rag"]) == pytest.approx(0.6, abs=1e-4)


def test_two_that_read_the_same_passages_are_one_witness() -> None:
    found = together(answer("rag", "14 tonnes."), answer("hybrid", "14 tonnes."))
    assert probability(found["rag"]) == probability(found["hybrid"]) == pytest.approx(0.6, abs=1e-4)


def test_another_model_is_no_witness() -> None:
    rag, other = answer("rag", "14 tonnes."), answer("fine_tuned", "40 tonnes.")
    judged = judged_together({("one", "rag"): rag, ("other", "fine_tuned"): other}, RULE)
    assert judged["one", "rag"].checks == rag.checks


@pytest.mark.parametrize("warning", [CONTRADICTED, WRONG_VERDICT])
def test_agreement_does_not_lift_what_a_source_contradicts(warning: str) -> None:
    wrong = answer("hybrid", "14 tonnes.")
    wrong = replace(wrong, checks=replace(wrong.checks, support="contradicted", warning=warning))
    found = together(answer("rag", "14 tonnes."), answer("fine_tuned", "14 t."), wrong)
    assert found["hybrid"] == wrong.checks


def test_a_memory_that_a_source_contradicts_is_no_witness_against_it() -> None:
    old = answer("fine_tuned", "40 tonnes.")
    old = replace(old, checks=replace(old.checks, support="contradicted", warning=CONTRADICTED))
    rag = answer("rag", "14 tonnes.")
    assert probability(together(rag, old)["rag"]) == pytest.approx(0.6, abs=1e-4)
    assert probability(together(rag, answer("fine_tuned", "40 tonnes."))["rag"]) < 0.5


def test_what_declines_and_what_answers_part_by_part_keep_their_labels() -> None:
    declines = answer("rag", NOT_IN_DOCUMENTS)
    declines = replace(declines, checks=Checks(None, None, PASSAGE, DECLINED))
    found = together(declines, answer("fine_tuned", "14 tonnes."))
    assert found["rag"] == declines.checks
    question = "How heavy may a yacht be for the crane, and who chairs the club?"
    first, second = (part.heading for part in parts_of(question))
    alone = Checks(0.6, "backed", PASSAGE, None)
    other = [GivenAnswer("fine_tuned", "40 tonnes.", credible=True)]
    in_parts = f"{first} 14 tonnes.\n{second} Tove Lindal."
    assert judged_beside(question, replace(RAG, text=in_parts), alone, other, RULE) == alone
    assert judged_beside(question, RAG, alone, other, RULE) != alone


def test_a_new_warning_says_why_and_without_one_nothing_answers_instead() -> None:
    other = [GivenAnswer("fine_tuned", "40 tonnes.", credible=True)]
    unsaid = judged_beside(QUESTION, RAG, Checks(0.6, "not mentioned"), other, RULE)
    assert unsaid.warning == INVENTED
    same = [GivenAnswer("fine_tuned", "14 tonnes.", credible=True)]
    doubted = Checks(0.45, "not mentioned", PASSAGE, INVENTED)
    lifted = judged_beside(QUESTION, RAG, doubted, same, RULE)
    assert (lifted.warning, lifted.passage) == (None, None)
    backed = judged_beside(QUESTION, RAG, replace(doubted, support="backed"), same, RULE)
    assert backed.passage == PASSAGE


def test_the_shipped_rule_weighs_what_is_found() -> None:
    rule = shipped_rule()
    weights, hybrid = replace(RAG, backend="fine_tuned"), replace(RAG, backend="hybrid")
    found = agreement_features(QUESTION, weights, 0.5, [RAG, hybrid, replace(RAG, text=NOT_IN_DOCUMENTS)])
    assert {name: value for name, value in found.items() if value} == {"readers_agree": 2.0}
    assert set(rule.together.weights) == set(found)
    assert rule.together.weights["weights_agree"] > rule.together.weights["readers_agree"] > 0
    assert rule.together.weights["weights_differ"] < 0
