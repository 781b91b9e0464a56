"""What follows an unsure answer: the sentences it rests on, as they stand, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from backends.answering.final_text import final_text
from backends.answering.support_text import MOST_SENTENCES, SURE, support
from backends.datatypes import Chunk, Event, Finished, Hit, Sentence, Source, Token, Usage

DONE = Finished(Usage(9, 3), prompt="p", model="m", adapter=None)


def source(rank: int, *texts: str, likely: bool = False) -> Source:
    chunk = Chunk(f"d{rank}.md", 1, 0, 99, " ".join(texts), None, 0)
    return Source(rank, Hit(chunk, rank, 1.0), tuple(Sentence(0, len(t), t, likely=likely) for t in texts))


SOURCES = (
    source(1, "Orders of 100 EUR ship free.", likely=True),
    source(2, "Refunds take 14 days.", "Exchanges take 30 days."),
)


def events(text: str, confidence: float | None) -> Iterator[Event]:
    yield Token(text)
    yield replace(DONE, confidence=confidence)


def said(text: str, confidence: float | None) -> str:
    made = list(final_text(events(text, confidence), "How long do refunds take?", SOURCES, None))
    assert isinstance(made[-1], Finished)
    return "".join(event.text for event in made if isinstance(event, Token))


def test_an_unsure_answer_is_followed_by_its_sentence_and_the_likely_ones() -> None:
    assert said("14 days. [2]", SURE - 0.1) == (
        "14 days. [2] Refunds take 14 days. [2] Orders of 100 EUR ship free. [1]"
    )


def test_no_confidence_at_all_is_the_least_sure_of_all() -> None:
    assert said("14 days. [2]", 0.0) == said("14 days. [2]", SURE - 0.1)


@pytest.mark.parametrize("confidence", [SURE, 0.99, None])
def test_a_sure_answer_stands_alone(confidence: float | None) -> None:
    assert said("14 days. [2]", confidence) == "14 days. [2]"


@pytest.mark.parametrize("text", ["The documents do not say.", '{"days": 14}', ""])
def test_what_declines_or_is_json_stays_as_it_is(text: str) -> None:
    assert said(text, 0.1) == text


def test_a_sentence_is_not_said_twice() -> None:
    assert support("q", "Refunds take 14 days. [2]", SOURCES) == ["Orders of 100 EUR ship free. [1]"]


def test_at_most_so_many_sentences_follow() -> None:
    many = [source(n, f"Rule {n} is long.", likely=True) for n in range(1, 9)]
    assert len(support("q", "Eight. [3]", many)) == MOST_SENTENCES
    assert support("q", "Eight. [3]", many)[0] == "Rule 3 is long. [3]"


def test_a_marker_without_a_source_is_passed_over() -> None:
    assert support("q", "Eight. [9]", SOURCES) == ["Orders of 100 EUR ship free. [1]"]
