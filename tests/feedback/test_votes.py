"""Votes: kept, changed, counted, turned into preference pairs, and gone with a forgotten document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.erasure.forget import _in_record
from backends.erasure.redact import Traces
from backends.evaluation.statistics import wilson_interval
from backends.feedback.votes import (
    NONE,
    TIE,
    Vote,
    VotedAnswer,
    Votes,
    as_jsonl,
    preference_pairs,
    win_rates,
)
from backends.system.data_holder import REMOVED

SECRET = "The vault behind the third bookcase opens with the number 7781 on Sundays."
RAG = VotedAnswer("rag", "Within 30 days [1].", ("returns.md",))
TUNED = VotedAnswer("fine_tuned", "Within 45 days.")
HYBRID = VotedAnswer("hybrid", "30 days from delivery [1] [2].", ("returns.md", "terms.md"))


def vote(name: str, choice: str, *answers: VotedAnswer, blind: bool = False) -> Vote:
    return Vote(name, "How long?", choice, blind, answers or (RAG, TUNED, HYBRID))


def test_votes_come_back_as_they_were_given(tmp_path: Path) -> None:
    votes = Votes(tmp_path)
    assert (votes.all(), votes.vote_on("a"), votes.clear()) == ([], None, 0)
    given = [vote("a", "rag", blind=True), vote("b", TIE)]
    for each in given:
        votes.record(each)
    assert Votes(tmp_path).all() == given
    assert votes.vote_on("b") == given[1]
    assert votes.clear() == 2
    assert votes.all() == []


def test_a_changed_vote_counts_once_and_is_no_longer_blind(tmp_path: Path) -> None:
    votes = Votes(tmp_path)
    votes.record(vote("a", "rag", blind=True))
    votes.record(vote("a", "hybrid", blind=True))
    assert votes.all() == [vote("a", "hybrid", blind=False)]


def test_win_rates_count_the_votes_a_backend_took_part_in() -> None:
    cast = [vote("a", "rag"), vote("b", "rag", RAG, TUNED), vote("c", TIE), vote("d", NONE)]
    rates = {rate.backend: rate for rate in win_rates(cast)}
    assert {name: (rate.won, rate.votes) for name, rate in rates.items()} == {
        "rag": (2, 4), "fine_tuned": (0, 4), "hybrid": (0, 3),
    }  # fmt: skip
    assert rates["rag"].share == 0.5
    assert rates["hybrid"].interval == wilson_interval(0, 3)


def test_pairs_hold_the_chosen_answer_against_each_other_one_without_markers() -> None:
    same = VotedAnswer("base", "Within 30 days.")
    cast = [vote("a", "rag", RAG, TUNED, HYBRID, same), vote("b", TIE), vote("c", NONE)]
    pairs = [json.loads(line) for line in as_jsonl(preference_pairs(cast)).splitlines()]
    assert pairs == [
        {"prompt": "How long?", "chosen": "Within 30 days.", "rejected": "Within 45 days."},
        {"prompt": "How long?", "chosen": "Within 30 days.", "rejected": "30 days from delivery."},
    ]


@pytest.mark.parametrize("choice", ["rag", "fine_tuned"])
def test_a_forgotten_document_takes_its_answers_along_and_leaves_the_count(
    tmp_path: Path, choice: str
) -> None:
    votes = Votes(tmp_path / "visitors" / "ada")
    looked_up = VotedAnswer("rag", "On Sundays [1].", ("vault.md",))
    recited = VotedAnswer("fine_tuned", SECRET)
    votes.record(vote("a", choice, looked_up, recited, HYBRID))
    assert _in_record(votes.path, Traces.from_texts("vault.md", [SECRET], []))
    (left,) = votes.all()
    assert [answer.text for answer in left.answers] == [REMOVED, REMOVED, HYBRID.text]
    assert left.choice == choice
    assert preference_pairs([left]) == []
    assert b"7781" not in votes.path.read_bytes()
