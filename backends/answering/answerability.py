"""Whether the documents answer a question: one calibrated rule over three signs, and declining by it.

Enters: a question, the sources shown for it, what a model wrote and how sure it was. Leaves: whether it is
declined, and why. The signs: the span reader's
best log-odds over the sources, the cross-encoder's best logit of a sentence shown, and the model's confidence
(the geometric mean of its tokens' probabilities). It is fitted by models/fit_answerability.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

from backends.answering.answer_text import is_abstention
from backends.datatypes import Finished, Source, UserError
from backends.retrieval.sentence_choice import context_of
from backends.retrieval.span_reader import Span, SpanReader
from backends.system.files import MODELS
from backends.system.wording import CHANCE_OF_AN_ANSWER

RULE = MODELS / "answerability.json"
MOST_DOUBT = 0.5  # probability that a passage does not answer up to which its best words are pointed at
SUREST = 0.99  # confidences beyond it, and below 1 - SUREST, say no more


class Reader(Protocol):
    """Anything that finds the best span of passages: `retrieval.span_reader.SpanReader`."""

    def read(self, question: str, passages: Sequence[str]) -> list[Span]:
        """The span of each passage that answers the question best, and how likely it does."""
        ...


@dataclass(frozen=True)
class Signs:
    """What is known before a model is asked, both as log-odds."""

    reader: float
    cross_encoder: float


@dataclass(frozen=True)
class Answerability:
    """The probability that the documents answer, and whether it is low enough to decline."""

    probability: float
    declines: bool


@dataclass(frozen=True)
class AbstentionRule:
    """Logistic regression: log-odds = reader x sign + cross_encoder x sign + confidence x log-odds of the
    model's confidence + offset; below `threshold`, a probability, it declines."""

    reader: float
    cross_encoder: float
    confidence: float
    offset: float
    threshold: float

    @classmethod
    def load(cls, path: Path = RULE) -> AbstentionRule:
        """Raises UserError when the file is missing or no rule."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))["rule"]
            return cls(**{name: float(value) for name, value in fields.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"The rule for declining cannot be read from {path.name}: {error}.") from error

    def judge(self, signs: Signs, confidence: float) -> Answerability:
        """What these signs say together; `confidence` is a probability."""
        logit = self.reader * signs.reader + self.cross_encoder * signs.cross_encoder
        logit += self.confidence * log_odds(confidence) + self.offset
        probability = 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))
        return Answerability(probability, probability < self.threshold)

    def answers_anyhow(self, signs: Signs) -> bool:
        """Whether no confidence of the model could make it decline: then nothing need be held back."""
        return not any(self.judge(signs, confidence).declines for confidence in (0.0, 1.0))


@dataclass(frozen=True)
class Abstainer:
    """The rule and the reader it needs."""

    reader: Reader
    rule: AbstentionRule

    def signs(self, question: str, sources: Sequence[Source]) -> Signs | None:
        """The best span's score and the best sentence's logit; None where no cross-encoder read sources."""
        logits = [each.logit for source in sources for each in source.sentences if each.logit is not None]
        if not logits:
            return None
        spans = self.reader.read(question, [passage_of(each) for each in sources])
        return Signs(max(span.score for span in spans), max(logits))

    def answering_words(self, question: str, passage: str) -> tuple[int, int] | None:
        """The characters of a passage that answer; None where it rather does not."""
        [span] = self.reader.read(question, [passage])
        return (span.start, span.end) if span.no_answer < MOST_DOUBT else None

    def doubts(self, question: str, sources: Sequence[Source]) -> Signs | None:
        """The signs, where some confidence of the model could make it decline; else None."""
        signs = self.signs(question, sources)
        return None if signs is None or self.rule.answers_anyhow(signs) else signs

    def declined(self, said: str, event: Finished, signs: Signs) -> Finished | None:
        """The last event of a declined answer, which says why; None where the answer stands.

        A model that does not say how sure it was is believed.
        """
        if event.confidence is None or is_abstention(said):
            return None
        found = self.rule.judge(signs, event.confidence)
        return replace(event, warnings=(*event.warnings, reason(found))) if found.declines else None


def reason(found: Answerability) -> str:
    """Why an answer was declined, for the reader of it."""
    return (
        f"{CHANCE_OF_AN_ANSWER} by what the passages hold and by how sure the model was, "
        f"the chance that the documents answer is {found.probability:.0%}."
    )


def passage_of(source: Source) -> str:
    """A source as the reader sees it: title and headings, then its sentences as the prompt shows them."""
    head = ". ".join(context_of(source.hit.chunk))
    body = " ".join(each.text for each in source.sentences)
    return f"{head}: {body}" if head else body


def log_odds(probability: float) -> float:
    """Of a probability held within 1 - SUREST and SUREST."""
    held = min(max(probability, 1 - SUREST), SUREST)
    return math.log(held / (1 - held))


@cache
def shipped() -> Abstainer | None:
    """The rule and reader of this process; None as long as no rule was fitted: then models alone decline."""
    return Abstainer(SpanReader.load(), AbstentionRule.load()) if RULE.is_file() else None
