"""Declining by rule: the words of a doubtful answer are held back until it is known whether they stand."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from backends.answering.answerability import (
    RULE,
    Abstainer,
    AbstentionRule,
    Signs,
    log_odds,
    passage_of,
)
from backends.answering.final_text import final_text
from backends.datatypes import Chunk, Event, Finished, Hit, Sentence, Source, Stage, Token, Usage, UserError
from backends.language.prompts import NOT_IN_DOCUMENTS
from backends.retrieval.span_reader import Span

EVEN = AbstentionRule(reader=1.0, cross_encoder=0.5, confidence=1.0, offset=0.0, threshold=0.5)
QUESTION = "How long do refunds take?"


class FakeReader:
    """Every passage scores the same, or what its question says."""

    def __init__(self, score: float) -> None:
        self.score = score
        self.seen: list[str] = []

    def read(self, question: str, passages: Sequence[str]) -> list[Span]:
        self.seen += passages
        return [Span(0, 1, p[:1], self.score, 1 / (1 + math.exp(self.score))) for p in passages]


def source(logit: float | None) -> Source:
    chunk = Chunk("d.md", 1, 0, 99, "Refunds take 14 days.", None, 0, title="Returns", heading="Money > Back")
    return Source(1, Hit(chunk, 1, 1.0), (Sentence(0, 21, "Refunds take 14 days.", logit=logit),))


def events(confidence: float | None, text: str = "14 days. [1]") -> Iterator[Event]:
    yield Stage("queue")
    yield Token(text[:3])
    yield Token(text[3:])
    yield Finished(Usage(9, 3), prompt="p", model="m", adapter=None, confidence=confidence)


def told(reader: FakeReader, logit: float | None, written: Iterator[Event]) -> tuple[str, Finished, int]:
    """(text, the last event, events before the first word)."""
    made = list(final_text(written, QUESTION, [source(logit)], Abstainer(reader, EVEN)))
    assert isinstance(made[-1], Finished)
    first = next(n for n, event in enumerate(made) if isinstance(event, Token))
    return "".join(e.text for e in made if isinstance(e, Token)), made[-1], first


def test_signs_for_an_answer_let_it_stream() -> None:
    made = final_text(events(0.1), "What is allowed?", [source(20.0)], Abstainer(FakeReader(-1.5), EVEN))
    next(made)
    assert next(made) == Token("14 ")  # before the model is done


def test_signs_against_it_and_an_unsure_model_decline_with_a_reason() -> None:
    text, finished, _ = told(FakeReader(-3.0), -2.0, events(0.5))
    assert text == NOT_IN_DOCUMENTS
    assert finished.warnings == (
        "Declined: by what the passages hold and by how sure the model was, the chance that the documents "
        "answer is 2%.",
    )
    assert finished.usage == Usage(9, 3)


def test_a_sure_model_is_heard_all_the_same() -> None:
    assert told(FakeReader(-1.0), -1.0, events(0.97))[0] == "14 days. [1]"
    assert told(FakeReader(-1.0), -1.0, events(0.7))[0] == NOT_IN_DOCUMENTS


@pytest.mark.parametrize(
    ("logit", "confidence", "text"),
    [(None, 0.01, "14 days. [1]"), (-9.0, None, "14 days. [1]"), (-9.0, 0.01, "The documents do not say.")],
)
def test_nothing_is_decided_without_all_signs_and_a_refusal_stays_without_a_reason(
    logit: float | None, confidence: float | None, text: str
) -> None:
    said, finished, _ = told(FakeReader(-9.0), logit, events(confidence, text))
    assert said.startswith(text) and finished.warnings == ()  # sentences may follow


def test_the_best_span_and_the_best_sentence_are_the_signs_and_sources_are_read_once() -> None:
    reader = FakeReader(4.0)
    sources = [source(1.0), source(3.0)]
    assert Abstainer(reader, EVEN).signs(QUESTION, sources) == Signs(4.0, 3.0)
    assert Abstainer(reader, EVEN).signs(QUESTION, []) is None
    assert reader.seen[0] == passage_of(source(1.0)) == "Returns. Money. Back: Refunds take 14 days."
    again = FakeReader(4.0)
    list(final_text(events(0.5), QUESTION, sources, Abstainer(again, EVEN)))
    assert len(again.seen) == 2


def test_more_of_any_sign_speaks_for_an_answer() -> None:
    base = EVEN.judge(Signs(0.0, 0.0), 0.5)
    assert base.probability == 0.5 and not base.declines
    for signs, confidence in ((Signs(1, 0), 0.5), (Signs(0, 1), 0.5), (Signs(0, 0), 0.6)):
        assert EVEN.judge(signs, confidence).probability > 0.5
    assert log_odds(0.0) == -log_odds(1.0)
    assert 0 <= EVEN.judge(Signs(-1e6, 0), 0.0).probability < EVEN.judge(Signs(1e6, 0), 1.0).probability <= 1


def test_a_rule_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"rule\.json"):
        AbstentionRule.load(tmp_path / "rule.json")
    (tmp_path / "rule.json").write_text(json.dumps({"rule": {"reader": "much"}}))
    with pytest.raises(UserError, match=r"rule\.json"):
        AbstentionRule.load(tmp_path / "rule.json")


@pytest.mark.skipif(not RULE.is_file(), reason="no rule was fitted yet")
def test_the_shipped_rule_weighs_no_sign_against_an_answer() -> None:
    rule = AbstentionRule.load()
    assert min(rule.reader, rule.cross_encoder, rule.confidence) >= 0 and 0 < rule.threshold < 1
    assert json.loads(RULE.read_text())["questions"] > 0
