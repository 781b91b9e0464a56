"""The offline judges, by hand: RAGAS' and ALCE's measures on texts of a few words."""

from __future__ import annotations

import pytest

from backends.evaluation.style import broken_rules, follows_style
from backends.evaluation.support import (
    citation_precision,
    citation_recall,
    claims_of,
    context_precision,
    context_recall,
    faithfulness,
    noise_sensitivity,
    supports_claim,
)

RETURNS = "A customer may return a monitor within 30 days of delivery. The sensor must be complete."
BATTERY = "The battery lasts 14 months. The warranty lasts 24 months."
PARKING = "Visitors park behind the building."


def test_a_claim_is_borne_out_by_seven_in_ten_words_and_every_number() -> None:
    assert supports_claim("Return the monitor within 30 days of delivery.", RETURNS)
    assert not supports_claim("Return the monitor within 45 days of delivery.", RETURNS)
    # {return, monitor, cost, refund}: two of four
    assert not supports_claim("Returned monitors cost a refund.", RETURNS)
    # {return, monitor, deliveri, day, colour, 30}: five of six
    assert supports_claim("Return a monitor of any colour in 30 days of delivery.", RETURNS)
    assert not supports_claim("It is.", RETURNS)


def test_claims_are_sentences_that_assert_something() -> None:
    assert claims_of("30 days [1]. The sensor must be complete. [2]") == [
        "30 days.",
        "The sensor must be complete.",
    ]
    assert claims_of("The documents do not say.") == []
    assert claims_of('{"risk": "low"}') == []
    assert claims_of("It is so.") == []


def test_faithfulness() -> None:
    answer = "Returns within 30 days of delivery. The battery lasts 14 months. Parking costs 5 euros."
    assert faithfulness(answer, [RETURNS, BATTERY, PARKING]) == pytest.approx(2 / 3)
    assert faithfulness(answer, []) is None
    assert faithfulness("I do not know.", [RETURNS]) is None


def test_context_precision_and_recall() -> None:
    # "14 months" stands in the second and fourth: (1/2 + 2/4) / 2
    shown = [RETURNS, BATTERY, PARKING, BATTERY]
    assert context_precision(shown, ["14 months"]) == pytest.approx(0.5)
    assert context_precision([PARKING], ["14 months"]) == 0
    assert context_precision(shown, []) is None
    assert context_recall(shown, ["14 weeks", "14 months"]) == 1
    assert context_recall([PARKING], ["14 months"]) == 0
    assert context_recall([PARKING], []) is None


def test_noise_sensitivity_counts_what_was_taken_from_a_passage_without_the_answer() -> None:
    golds, shown = ["24 months"], [RETURNS, BATTERY]
    taken = "Returns within 30 days of delivery. It is purple velvet."
    assert noise_sensitivity(taken, shown, golds, right=False) == 0.5
    assert (
        noise_sensitivity("The battery lasts 14 months.", shown, golds, right=False) == 0
    )  # from the right one
    assert noise_sensitivity("The warranty lasts 24 months.", shown, golds, right=True) == 0
    assert noise_sensitivity("I do not know.", shown, golds, right=False) is None


def test_citation_recall_by_hand() -> None:
    sources = [RETURNS, BATTERY]
    answer = "Returns within 30 days of delivery [1]. The battery lasts 14 months [1]. It lasts 24 months."
    # the first is borne out by [1], the second is not, the third cites nothing
    assert citation_recall(answer, sources) == pytest.approx(1 / 3)
    assert citation_recall("The battery lasts 14 months. [2]", sources) == 1
    assert citation_recall("The battery lasts 14 months [7].", sources) == 0
    assert citation_recall("The documents do not say.", sources) is None
    assert citation_recall("The battery lasts 14 months.", []) is None


def test_citation_precision_by_hand() -> None:
    sources = [RETURNS, BATTERY, PARKING]
    # [2] alone bears it out; [3] neither alone nor as a missing piece: one of two works
    assert citation_precision("The battery lasts 14 months [2][3].", sources) == 0.5
    # Both are needed together.
    joint = "Within 30 days of delivery customers may return a monitor whose battery lasts 14 months [1][2]."
    assert citation_precision(joint, sources) == 1
    assert citation_precision("The battery lasts 99 months [2].", sources) == 0
    assert citation_precision("The battery lasts 14 months.", sources) is None


def test_house_style() -> None:
    assert follows_style("8 hours. An access token of the cloud API is valid for 8 hours. [1]") is True
    assert follows_style("The documents do not say.") is None
    assert follows_style('{"team": "Data Desk"}') is None
    assert broken_rules("Certainly! Your smart device " + "works " * 20) == [
        "at most 20 words in a sentence",
        "no exclamation mark",
        "ends with a full stop",
        "begins with the answer, not with padding",
        "no word the brand guide bans",
    ]
    assert broken_rules("One. Two. Three. Four. Five.") == ["at most four sentences"]
