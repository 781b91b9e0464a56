"""Scores one answer on every measure, and many answers per backend: numbers with their intervals.

Enters: a question, an answer, the passages that were found. Leaves: `MEASURES`, the one list of what is
measured, from which command line, page, reports and README take their names, and `Scoreboard`s. A measure
that does not apply to an answer is None and does not count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from backends.answering.schemas import asked_schema, known_schemas
from backends.datatypes import Answer, JsonObject, Question
from backends.evaluation import metrics, ranking, style, support
from backends.evaluation.statistics import Interval, bootstrap_interval, percentile, wilson_interval
from backends.system.json_texts import follows_schema, is_json
from backends.system.wording import untypical

PERCENTILES = (10, 50, 90)
SCORES_VERSION = 2  # of the definitions below: runs scored by others are not compared silently

Kind = Literal["share", "mean"]  # of yes or no, or of numbers
Group = Literal["quality", "grounding", "retrieval"]
Scores = Mapping[str, float]  # by measure; what does not apply is absent


@dataclass(frozen=True)
class Passage:
    """A passage as retrieval ranked it for a question, before any trimming."""

    document: str
    version: int
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Judged:
    """What one answer's scores are computed from."""

    question: Question
    answer: Answer
    found: Sequence[Passage] = ()  # the whole top k, best first; empty where nothing was retrieved
    relevancy: float | None = None  # cosine of question and answer

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return metrics.is_right(self.question, self.answer.text)

    @property
    def structured(self) -> bool:
        """Whether there are gold answers and all are JSON."""
        return bool(self.question.answers) and all(is_json(gold) for gold in self.question.answers)

    @property
    def golds(self) -> tuple[str, ...]:
        """Gold answers to compare words with; none for JSON labels."""
        return () if self.structured else self.question.answers

    @property
    def shown(self) -> list[str]:
        """Texts of the passages that the prompt showed."""
        return [source.text for source in self.answer.sources]


@dataclass(frozen=True)
class Measure:
    """One thing that is measured: how it is called, read and computed."""

    key: str
    label: str
    help: str  # one plain sentence
    group: Group
    kind: Kind
    compute: Callable[[Judged], float | bool | None]
    higher_is_better: bool = True
    gate: bool = False  # a significant drop against a baseline fails the check


def _if_golds(score: Callable[[str, Sequence[str]], float | bool]) -> Callable[[Judged], float | None]:
    return lambda j: float(score(j.answer.text, j.golds)) if j.golds else None


def _facts(trained: bool) -> Callable[[Judged], float | None]:
    return lambda j: float(j.right) if j.golds and j.question.in_training is trained else None


def _documents(score: Callable[..., float | None], *, at_k: bool) -> Callable[[Judged], float | None]:
    """A ranking measure over documents; each ranks where its best passage does."""

    def share_of(j: Judged) -> float | None:
        if not j.found or not j.question.documents:
            return None
        depth = (len(j.found),) if at_k else ()
        return score([passage.document for passage in j.found], j.question.documents, *depth)

    return share_of


def _passage_precision(j: Judged) -> float | None:
    if not j.found or not j.question.documents:
        return None
    return sum(passage.document in j.question.documents for passage in j.found) / len(j.found)


def _cites_gold(j: Judged) -> bool | None:
    if not j.golds or j.answer.abstained or not j.answer.sources:
        return None
    return any(citation.document in j.question.documents for citation in j.answer.citations)


def _relevancy(j: Judged) -> float | None:
    if j.structured or j.relevancy is None:
        return None
    return 0.0 if j.answer.abstained else max(0.0, j.relevancy)


def _follows_schema(j: Judged) -> bool | None:
    return follows_schema(j.answer.text, schema_of(j.question)) if j.structured else None


def _style(j: Judged) -> bool | None:
    return None if j.structured else style.follows_style(j.answer.text)


MEASURES: tuple[Measure, ...] = (
    Measure(
        "right", "Answered right",
        "A gold answer is contained, an unanswerable question is declined, or a JSON label is equal.",
        "quality", "share", lambda j: j.right, gate=True,
    ),
    Measure(
        "contained", "Gold answer contained", "Of the questions that the documents answer in words.",
        "quality", "share", _if_golds(metrics.contains_answer),
    ),
    Measure(
        "trained_right", "Right on trained facts", "Facts that the training rows hold.",
        "quality", "share", _facts(True),
    ),
    Measure(
        "untrained_right", "Right on untrained facts", "Facts that only the documents hold.",
        "quality", "share", _facts(False),
    ),
    Measure(
        "exact_match", "Exact match", "The answer is the gold answer and nothing else (after SQuAD).",
        "quality", "share", _if_golds(metrics.exact_match),
    ),
    Measure(
        "f1", "Word overlap (F1)", "Words shared by the answer and the gold answer (after SQuAD).",
        "quality", "mean", _if_golds(metrics.f1), gate=True,
    ),
    Measure(
        "rouge_l", "ROUGE-L", "Longest common run of words with the gold answer, gaps allowed.",
        "quality", "mean", _if_golds(metrics.rouge_l),
    ),
    Measure(
        "declined", "Declined although answerable", "It said it does not know, but the documents do.",
        "quality", "share", lambda j: j.answer.abstained if j.golds else None, higher_is_better=False,
    ),
    Measure(
        "abstention_recall", "Unanswerable questions declined",
        "Of the questions the documents do not answer, how many it declined.",
        "quality", "share", lambda j: j.answer.abstained if not j.question.answers else None, gate=True,
    ),
    Measure(
        "abstention_precision", "Refusals that were right",
        "Of the questions it declined, how many the documents really do not answer.",
        "quality", "share", lambda j: not j.question.answers if j.answer.abstained else None,
    ),
    Measure(
        "json_valid", "JSON valid by schema", "Of the questions that ask for JSON.",
        "quality", "share", _follows_schema, gate=True,
    ),
    Measure(
        "style", "House style kept",
        "Breaks none of the checkable rules: short sentences, answer first, no banned words.",
        "quality", "share", _style, gate=True,
    ),
    Measure(
        "groundedness", "Groundedness",
        "Share of the answer's words that the library's passages hold in one place, for every backend alike.",
        "grounding", "mean", lambda j: j.answer.groundedness, gate=True,
    ),
    Measure(
        "faithfulness", "Faithfulness",
        "Share of the answer's sentences that the passages it was shown bear out (RAGAS, judged offline).",
        "grounding", "mean", lambda j: support.faithfulness(j.answer.text, j.shown),
    ),
    Measure(
        "answer_relevancy", "Answer relevancy",
        "Likeness in meaning of question and answer, 0 when it declines (after RAGAS, judged offline).",
        "grounding", "mean", _relevancy,
    ),
    Measure(
        "citation_recall", "Citation recall",
        "Share of the sentences that their own citations bear out (ALCE, judged offline).",
        "grounding", "mean", lambda j: support.citation_recall(j.answer.text, j.shown),
    ),
    Measure(
        "citation_precision", "Citation precision",
        "Share of the citations that do some work (ALCE, judged offline).",
        "grounding", "mean", lambda j: support.citation_precision(j.answer.text, j.shown),
    ),
    Measure(
        "cites_gold", "Cites a gold document", "Of the answers given, those that cite a gold document.",
        "grounding", "share", _cites_gold,
    ),
    Measure(
        "noise_sensitivity", "Misled by passages",
        "Share of the sentences that are wrong and come from a passage without the answer (RAGAS).",
        "grounding", "mean",
        lambda j: support.noise_sensitivity(j.answer.text, j.shown, j.golds, right=j.right),
        higher_is_better=False,
    ),
    Measure(
        "recall_at_k", "Recall at k", "Share of the gold documents among the passages found.",
        "retrieval", "mean", _documents(ranking.recall_at, at_k=True), gate=True,
    ),
    Measure(
        "precision_at_k", "Precision at k", "Share of the passages found that are from a gold document.",
        "retrieval", "mean", _passage_precision,
    ),
    Measure(
        "mrr", "MRR", "1 / rank of the first gold document found.",
        "retrieval", "mean", _documents(ranking.reciprocal_rank, at_k=False),
    ),
    Measure(
        "ndcg", "nDCG at k", "How early the gold documents stand, against the best possible order.",
        "retrieval", "mean", _documents(ranking.ndcg_at, at_k=True),
    ),
    Measure(
        "context_precision", "Context precision",
        "How early the passages with the gold answer stand among those shown (after RAGAS).",
        "retrieval", "mean", lambda j: support.context_precision(j.shown, j.golds),
    ),
    Measure(
        "context_recall", "Context recall",
        "Whether a passage that was shown holds the gold answer (after RAGAS).",
        "retrieval", "mean", lambda j: support.context_recall(j.shown, j.golds) if j.answer.sources else None,
    ),
)  # fmt: skip
BY_KEY = {measure.key: measure for measure in MEASURES}


def schema_of(question: Question) -> JsonObject:
    """The schema asked for, else one that the gold label follows, else the shape of that label."""
    if (asked := asked_schema(question)) is not None:
        return asked
    for schema in known_schemas():
        if follows_schema(question.answers[0], schema):
            return schema
    gold = json.loads(question.answers[0])
    return {
        "type": "object" if isinstance(gold, dict) else "array",
        "required": sorted(gold) if isinstance(gold, dict) else [],
    }


def scores_of(judged: Judged) -> dict[str, float]:
    """Every measure that applies to this answer."""
    values = {measure.key: measure.compute(judged) for measure in MEASURES}
    return {key: float(value) for key, value in values.items() if value is not None}


# --- many answers --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """A measure over `count` questions; `interval` is 95 %: Wilson for shares, bootstrap for means."""

    value: float
    interval: Interval
    count: int


def summarise(values: Sequence[float], kind: Kind) -> Score | None:
    """The mean with its interval; None when there is nothing to average."""
    if not values:
        return None
    if kind == "share":
        interval = wilson_interval(round(sum(values)), len(values))
    else:
        interval = bootstrap_interval(values)
    return Score(sum(values) / len(values), interval, len(values))


@dataclass(frozen=True)
class Scoreboard:
    """One backend (with one set of settings) over a set of questions."""

    scores: Mapping[str, Score]
    by_category: Mapping[str, Score]  # of "right"
    latency_ms: Mapping[str, Mapping[int, float]]  # stage -> percentile -> milliseconds
    prompt_tokens: float
    completion_tokens: float
    cost: float  # mean, of one answer
    currency: str
    answered: int
    failed: int = 0


def scoreboard(scored: Sequence[tuple[Question, Answer, Scores]], failed: int = 0) -> Scoreboard:
    """Averages over these answers; raises ValueError when there are none."""
    if not scored:
        raise ValueError("a scoreboard needs at least one answer")
    summaries = {
        measure.key: summarise([s[measure.key] for _, _, s in scored if measure.key in s], measure.kind)
        for measure in MEASURES
    }
    categories = sorted({question.category for question, _, _ in scored if question.category})
    by_category = {
        name: summarise([s["right"] for question, _, s in scored if question.category == name], "share")
        for name in categories
    }
    answers = [answer for _, answer, _ in scored]
    return Scoreboard(
        scores={key: score for key, score in summaries.items() if score is not None},
        by_category={name: score for name, score in by_category.items() if score is not None},
        latency_ms=_percentiles(answers),
        prompt_tokens=sum(answer.usage.prompt_tokens for answer in answers) / len(answers),
        completion_tokens=sum(answer.usage.completion_tokens for answer in answers) / len(answers),
        cost=sum(answer.cost.amount for answer in answers) / len(answers),
        currency=answers[0].cost.currency,
        answered=len(answers),
        failed=failed,
    )


def _percentiles(answers: Sequence[Answer]) -> dict[str, dict[int, float]]:
    """Of each stage, over the answers in which it ran; those that came cold or under load do not count, as
    long as there are others."""
    times: dict[str, list[float]] = {}
    for answer in [each for each in answers if not untypical(each.warnings)] or answers:
        for stage, milliseconds in answer.latency_ms.items():
            times.setdefault(stage, []).append(milliseconds)
    return {
        stage: {share: percentile(values, share) for share in PERCENTILES} for stage, values in times.items()
    }
