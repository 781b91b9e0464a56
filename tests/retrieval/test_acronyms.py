"""Abbreviations are taken from where the documents explain them, and from nowhere else."""

from __future__ import annotations

import pytest

from backends.retrieval.acronyms import Acronyms, definitions, with_other_forms


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("Claim the early shift bonus (ESB) by hand.", [("ESB", "early shift bonus")]),
        ("The Board of Appeal (BA) meets.", [("BA", "Board of Appeal")]),
        ("MTBF (mean time between failures) is 9 years.", [("MTBF", "mean time between failures")]),
        ("The price (EUR) is fixed.", []),
        ("The head office (Oslo) moved.", []),
        ("Send the form (Page 2) to us.", []),
        ("early shift\nbonus (ESB)", []),  # no pair across lines
    ],
)
def test_pairs_are_explained_in_the_text(text, pairs):
    assert list(definitions(text)) == pairs


@pytest.mark.parametrize(
    ("question", "both"),
    [
        ("When does the Early Shift Bonus lapse?", "When does the Early Shift Bonus (ESB) lapse?"),
        ("When does the ESB lapse?", "When does the ESB (early shift bonus) lapse?"),
        ("who gets esb", "who gets esb (early shift bonus)"),
        ("Is the early shift bonus (ESB) taxed?", "Is the early shift bonus (ESB) taxed?"),
        ("Who is in the ba?", "Who is in the ba?"),  # two letters count in capitals only
        ("Do it with BA.", "Do it with BA (Board of Appeal)."),
        ("What are ESBs?", "What are ESBs?"),
    ],
)
def test_a_question_gets_the_other_form(question, both):
    acronyms = Acronyms()
    acronyms.add("a", "The early shift bonus (ESB) and the Board of Appeal (BA).")
    assert with_other_forms(question, acronyms.used_in(question)) == both
    acronyms.remove("a")
    assert acronyms.used_in(question) == []


def test_a_sentence_gets_the_other_form_of_what_the_question_uses():
    acronyms = Acronyms()
    acronyms.add("a", "The early shift bonus (ESB) and the Board of Appeal (BA).")
    pairs = acronyms.used_in("When does the early shift bonus lapse?")
    assert with_other_forms("BA says: ESB lapses.", pairs) == "BA says: ESB (early shift bonus) lapses."
