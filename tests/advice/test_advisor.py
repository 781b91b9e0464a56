"""The advisor's rules: each answer pulls one way only, every sentence names what it rests on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.advice.advisor import (
    APPROACHES,
    ASK,
    ASKS,
    CRITERIA,
    GUIDES,
    LEVEL_MARKS,
    NAMES,
    Advice,
    Answers,
    Finding,
    MeasuredFindings,
    Prefilled,
    advise,
    chosen,
    flip_words,
    marks,
    prefill,
    recommend,
    robustness,
    scored,
    unknown,
    weighted,
)
from backends.datatypes import BackendName, UserError


def findings(key: str, rag: float, hybrid: float, tuned: float, run: str = "run-1") -> tuple[Finding, ...]:
    values = dict(zip(APPROACHES, (rag, hybrid, tuned), strict=True))
    return tuple(Finding(key, name, value, None, None, run) for name, value in values.items())


MEASURED = MeasuredFindings(
    findings("right", 0.5, 0.6, 0.3)
    + findings("format", 0.4, 0.9, 1.0, "run-2")
    + findings("seconds", 1.4, 1.5, 0.6)
    + findings("fresh", 0.8, 0.6, 0.1, "freshness-1")
    + findings("told", 0.1, 0.3, 0.7, "erasure-1")
    + findings("cost_fixed", 1.0, 30.0, 20.0, "costs")
    + findings("cost_answer", 2e-3, 2.4e-3, 0.4e-3, "costs")
)
level = st.sampled_from([0, 1, 2])
weightings = st.fixed_dictionaries({c.key: st.floats(0, 5) for c in CRITERIA})
evidences = st.sampled_from([MeasuredFindings(), MEASURED])


@st.composite
def answered(draw: st.DrawFn) -> Answers:
    given_: dict[str, Any] = {
        ask.key: draw(level if ask.levels else st.floats(ask.low, ask.high)) for ask in ASKS
    }
    return replace(Answers(), **given_)


def raised(answers: Answers, key: str, up: float) -> Answers:
    """The answer moved the share `up` of the way to the end of its range."""
    ask, here = ASK[key], getattr(answers, key)
    if ask.levels:
        return replace(answers, **{key: min(2, here + 1 + int(up > 0.5))})
    return replace(answers, **{key: here + up * (ask.high - here)})


def lead(answers: Answers, evidence: MeasuredFindings, weights: dict[str, float], name: BackendName) -> float:
    totals = weighted(list(scored(answers, evidence, weights)))
    return totals[name] - totals["rag"]


# --- each rule pulls one way -------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("key", ["changes", "attribution", "erasure", "access"])
@given(answers=answered(), weights=weightings, evidence=evidences, up=st.floats(0, 1))
def test_raising_it_never_moves_the_recommendation_away_from_rag(
    key: str, answers: Answers, weights: dict[str, float], evidence: MeasuredFindings, up: float
) -> None:
    if chosen(answers, evidence, weights) == "rag":
        assert chosen(raised(answers, key, up), evidence, weights) == "rag"


@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("key", ["missing", "rows", "expertise", "weeks"])
@given(answers=answered(), weights=weightings, evidence=evidences, up=st.floats(0, 1))
def test_raising_it_never_moves_the_recommendation_to_rag(
    key: str, answers: Answers, weights: dict[str, float], evidence: MeasuredFindings, up: float
) -> None:
    if chosen(answers, evidence, weights) != "rag":
        assert chosen(raised(answers, key, up), evidence, weights) != "rag"


@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize(("key", "sign"), [("strictness", 1), ("seconds", -1), ("volume", 1)])
@given(answers=answered(), weights=weightings, up=st.floats(0, 1))
def test_measured_criteria_pull_towards_whoever_does_better(
    key: str, sign: int, answers: Answers, weights: dict[str, float], up: float
) -> None:
    """Tuned was measured to keep the form better, to be faster and to cost less per answer than RAG."""
    before = lead(answers, MEASURED, weights, "fine_tuned")
    after = lead(raised(answers, key, up), MEASURED, weights, "fine_tuned")
    assert sign * (after - before) >= -1e-9


@settings(max_examples=30, deadline=None)
@given(answers=answered(), weights=weightings, better=st.floats(0, 1))
def test_a_better_measured_rival_never_moves_the_recommendation_to_rag(
    answers: Answers, weights: dict[str, float], better: float
) -> None:
    now = MeasuredFindings(findings("right", 0.5, 0.5 * better, 0.2))
    later = MeasuredFindings(findings("right", 0.5, 0.5 * better + 0.3, 0.2))
    if chosen(answers, now, weights) == "hybrid":
        assert chosen(answers, later, weights) == "hybrid"


@pytest.mark.parametrize("key", LEVEL_MARKS)
def test_marks_by_level_move_one_way_from_rag(key: str) -> None:
    for approach in (1, 2):
        distance = [row[approach] - row[0] for row in LEVEL_MARKS[key]]
        assert distance in (sorted(distance), sorted(distance, reverse=True))


def test_stress_tests_replace_the_guides_view() -> None:
    answers = Answers(changes=1_000, erasure=1)
    fresh = marks("freshness", answers, MEASURED)
    assert fresh == {"rag": 1.0, "hybrid": pytest.approx(0.75), "fine_tuned": pytest.approx(0.125)}
    assert marks("freshness", answers, MeasuredFindings()) == {"rag": 1.0, "hybrid": 0.7, "fine_tuned": 0.0}
    # A hybrid that happens to be right more often is not fresher than the index it reads.
    lucky = MeasuredFindings(findings("fresh", 0.5, 0.7, 0.0))
    assert marks("freshness", answers, lucky) == {"rag": 1.0, "hybrid": 1.0, "fine_tuned": 0.0}
    # RAG tells a tenth by chance; nobody's mark rises because little was told.
    assert marks("erasure", answers, MeasuredFindings(findings("told", 0.1, 0.1, 1.0))) == {
        "rag": 1.0, "hybrid": 0.7, "fine_tuned": 0.5,
    }  # fmt: skip
    duty = replace(answers, erasure=2)
    assert marks("erasure", duty, MeasuredFindings(findings("told", 0.0, 0.8, 1.0))) == {
        "rag": 1.0, "hybrid": pytest.approx(0.2), "fine_tuned": 0.0,
    }  # fmt: skip


# --- RAG first ---------------------------------------------------------------------------------------


def test_rag_by_default_and_without_any_measurement() -> None:
    assert advise(Answers(), MeasuredFindings()).recommended == "rag"


def test_a_small_lead_is_no_reason_to_leave_rag() -> None:
    assert recommend({"rag": 0.70, "hybrid": 0.72, "fine_tuned": 0.1}, set()) == "rag"
    assert recommend({"rag": 0.70, "hybrid": 0.74, "fine_tuned": 0.1}, set()) == "hybrid"
    assert recommend({"rag": 0.70, "hybrid": 0.74, "fine_tuned": 0.1}, {"hybrid"}) == "rag"


TUNE = Answers(
    missing=2, changes=0, attribution=0, strictness=2, rows=5_000, expertise=2, weeks=30, seconds=0.5
)


def test_tuning_where_behaviour_form_and_examples_call_for_it() -> None:
    assert advise(TUNE, MEASURED).recommended == "fine_tuned"


@pytest.mark.parametrize(
    ("change", "out"),
    [({"rows": 199}, {"hybrid", "fine_tuned"}), ({"attribution": 2}, {"fine_tuned"}),
     ({"erasure": 2}, {"fine_tuned"}), ({"expertise": 0}, {"hybrid", "fine_tuned"})],
)  # fmt: skip
def test_rules_exclude_whatever_the_marks_say(change: dict[str, Any], out: set[str]) -> None:
    advice = advise(replace(TUNE, **change), MEASURED)
    assert {each.approach for each in advice.excluded} == out
    assert advice.recommended not in out


# --- traceable ---------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(answers=answered(), weights=weightings, evidence=evidences)
def test_every_sentence_names_an_answer_a_stored_run_or_a_guide(
    answers: Answers, weights: dict[str, float], evidence: MeasuredFindings
) -> None:
    advice = advise(answers, evidence, weights)
    runs = {finding.run for finding in evidence.findings}
    for reason in (*advice.reasons, *advice.against, advice.gap):
        assert reason.bases
        for basis in reason.bases:
            if basis.kind == "input":
                assert basis.reference in ASK
            elif basis.kind == "run":
                assert basis.reference in runs
            else:
                assert set(basis.reference) <= set(GUIDES)


@settings(max_examples=30, deadline=None)
@given(answers=answered(), weights=weightings, evidence=evidences)
def test_no_reason_contradicts_the_recommendation(
    answers: Answers, weights: dict[str, float], evidence: MeasuredFindings
) -> None:
    advice = advise(answers, evidence, weights)
    name, second = NAMES[advice.recommended], NAMES[advice.runner_up]
    assert name != second and advice.headline.startswith(f"Use {name}: ")
    compared = [reason.text for reason in advice.reasons if " favours " in reason.text]
    assert all(f" favours {name} over {second}: " in text for text in compared)
    assert all(f" favours {second} over {name}: " in reason.text for reason in advice.against)
    out = {each.approach for each in advice.excluded}
    assert advice.recommended not in out
    assert advice.runner_up not in out or len(out) == 2 or out | {advice.recommended} == set(APPROACHES)


def test_a_hybrid_is_recommended_for_what_favours_it() -> None:
    both = replace(TUNE, missing=1, attribution=2)
    advice = advise(both, MEASURED)
    assert advice.recommended == "hybrid" and advice.runner_up == "rag"
    assert any(
        text.text.startswith("Facts or behaviour favours Hybrid over RAG: ") for text in advice.reasons
    )
    assert "both facts and a way of answering are missing" in advice.headline


def test_what_is_not_measured_is_named_and_not_marked() -> None:
    assert set(unknown(MeasuredFindings())) == {
        "right", "format", "fresh", "told", "seconds", "cost_fixed", "cost_answer",
    }  # fmt: skip
    assert list(unknown(MEASURED)) == []
    keys = {score.criterion.key for score in advise(Answers(), MeasuredFindings()).scores}
    assert "right" not in keys and "cost" not in keys
    assumed = [s for s in advise(Answers(), MeasuredFindings()).scores if not s.measured]
    assert {score.criterion.key for score in assumed} == {"format", "latency", "freshness", "erasure"}


# --- what would flip it ------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(answers=answered(), weights=weightings)
def test_each_flip_flips(answers: Answers, weights: dict[str, float]) -> None:
    advice: Advice = advise(answers, MEASURED, weights)
    for flip in advice.flips:
        value: Any = int(flip.value) if ASK[flip.ask].levels else flip.value
        other = chosen(replace(answers, **{flip.ask: value}), MEASURED, weights)
        assert other == flip.becomes != advice.recommended


def test_flips_in_words() -> None:
    said = {flip.ask: flip_words(flip, TUNE) for flip in advise(TUNE, MEASURED).flips}
    assert said["attribution"] == (
        "Answering “Useful” to “Must an answer show where it comes from?” would make it Hybrid."
    )
    assert " examples or fewer, instead of 5,000, would make it " in said["rows"]


# --- robustness --------------------------------------------------------------------------------------


def test_robustness_is_a_share_of_all_weightings_and_repeats_itself() -> None:
    advice = advise(TUNE, MEASURED)
    assert sum(advice.robustness.values()) == pytest.approx(1)
    assert advise(TUNE, MEASURED).robustness == advice.robustness
    assert robustness(advice.scores, set(), seed=1) != advice.robustness
    # Excluded approaches are never recommended.
    assert robustness(advice.scores, {"hybrid", "fine_tuned"}) == {"rag": 1, "hybrid": 0, "fine_tuned": 0}


def test_robustness_equals_the_rule_applied_one_by_one() -> None:
    import numpy as np

    scores = advise(TUNE, MEASURED).scores
    draws = np.random.default_rng(0).dirichlet(np.ones(len(scores)), 10_000)[:300]
    slow = [
        recommend(weighted([replace(s, weight=w) for s, w in zip(scores, draw, strict=True)]), set())
        for draw in draws
    ]
    assert set(slow) <= set(APPROACHES)
    share = slow.count("fine_tuned") / 300
    assert robustness(scores, set())["fine_tuned"] == pytest.approx(share, abs=0.12)


# --- answers -----------------------------------------------------------------------------------------


def test_known_answers_take_the_place_of_defaults_within_their_range() -> None:
    known = {"rows": Prefilled(945, "adapter"), "changes": Prefilled(5_000, "history")}
    assert prefill(known) == Answers(rows=945, changes=1_000)


def test_an_answer_out_of_range_is_refused() -> None:
    with pytest.raises(UserError, match="How many seconds may an answer take"):
        advise(Answers(seconds=0.001), MeasuredFindings())
