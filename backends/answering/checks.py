"""Whether an answer answers its question, and what the documents say of it: the labels of an answer.

Enters: a question, an answer as written, its citations, a library to search. Leaves: `Checks`. The library is
searched with the question and with the answer's own statement; of the sentences found, those that state the
answer are held against those that answer the question best, as the cross-encoder and the span reader judge
them. A logistic rule over these findings, fitted by `benchmarks.labels`, gives the probability that the
answer is right, a second one that an answer which declines overlooks something. It knows no backend and runs
no language model.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

from backends.answering.answer_text import is_abstention
from backends.answering.asked_column import columns_ahead
from backends.answering.asked_kind import kind_fit
from backends.answering.part_by_part import answered_parts
from backends.answering.short_answers import (
    disagrees_with_its_sentence,
    said_in,
    same_answer,
    short_answer,
    stated_in,
    verdict_of,
)
from backends.datatypes import Checks, Citation, Excerpt, Hit, JsonObject, RetrievalMode, Sentence, Support
from backends.retrieval.passages import passage_text
from backends.retrieval.sentence_choice import sentence_text, sentences_of
from backends.retrieval.statements import same_statement, statement_of
from backends.system.files import MODELS
from backends.system.json_texts import is_json

RULE = MODELS / "checks" / "rule.json"
SEARCHED = 8  # passages of each of the two searches
FURTHER = 8  # sentences that state the answer, or hold figures of its units, judged beside the best
MOST_SEARCHED = 500  # characters of question and answer that are searched with
STEM = 5  # letters that two forms of a name share
PHRASE = 3  # content words from which an answer is hardly found by chance
READ = 3  # of the sentences that answer the question best, those that the reader reads
LEAST, MOST = -6.0, 6.0  # log-odds beyond these tell nothing more

DECLINED = "It declines, but this passage seems to answer the question."
CONTRADICTED = "The documents seem to say otherwise."
INVENTED = "Likely invented: no passage found says this."
DOUBTFUL = "It may not answer the question."
WRONG_VERDICT = "Its Yes or No does not go with the sentence behind it."

_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|often|old|far|high|deep|heavy|big|large|fast|quickly|soon|late|early)\b|"
    r"\b(?:what|which) (?:\w+ )?(?:number|amount|price|sum|percentage|share|rate|cost|weight|date|year)\b|"
    r"\bwhen\b|\b(?:by|until|at) what (?:time|date|age)\b|\bcosts?\b",
    re.IGNORECASE,
)
_ASKS_PERSON = re.compile(r"\b(?:who|whom|whose)\b", re.IGNORECASE)

Found = tuple[Hit, Sentence]


class Searcher(Protocol):
    """What is needed of `retrieval.retriever.Retriever`."""

    def search(self, question: str, *, top_k: int, mode: RetrievalMode) -> list[Hit]: ...

    def best_sentences(
        self, question: str, hits: Sequence[Hit], *, cross_encoder: bool = True
    ) -> tuple[list[Found], object]:
        """The sentences of these hits that fit best, and how well the best one does."""
        ...

    def judged(self, question: str, found: Sequence[Found]) -> list[Found]: ...


class SpanFound(Protocol):
    """What is needed of `retrieval.span_reader.Span`."""

    @property
    def text(self) -> str: ...

    @property
    def score(self) -> float: ...


Read = Callable[[str, Sequence[str]], Sequence[SpanFound]]
PageAt = Callable[[str, int, int], int | None]  # page of a document's version at this offset


@dataclass(frozen=True)
class WrittenAnswer:
    """An answer as it was written, before it is checked."""

    question: str
    text: str
    citations: Sequence[Citation] = ()
    sourced: bool = False  # passages were shown to the model
    confidence: float | None = None  # geometric mean of the probabilities of its tokens
    learned: bool = True  # of an answer from weights: whether these learned what the question is about


@dataclass(frozen=True)
class AnswerFindings:
    """What the library holds for a question and for the answer that was given to it."""

    ranked: Sequence[Found]  # sentences that may answer the question, best first
    holder: Found | None  # of those that state the answer, the one that answers the question best
    rival: Found | None  # of those that could state such an answer and do not, the same
    cited: Citation | None  # the first cited sentence that states the answer
    replaced: Found | None = None  # a later edition of what states the answer, with other figures
    unknown: Sequence[str] = ()  # names in the question that no passage found holds
    strange: float = 0.0  # share of the question's words that no passage found holds
    spans: Sequence[SpanFound] = ()  # what the reader takes from the best sentences

    @property
    def best(self) -> Found | None:
        """The best sentence; None where nothing was found."""
        return self.ranked[0] if self.ranked else None


@dataclass(frozen=True)
class LogisticRule:
    """Log-odds by feature, on features as they are."""

    weights: Mapping[str, float]
    intercept: float

    def probability(self, features: Mapping[str, float]) -> float:
        """Of findings with these features, 0 to 1: logistic."""
        odds = self.intercept + sum(self.weights.get(name, 0.0) * value for name, value in features.items())
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))


@dataclass(frozen=True)
class LabelRule:
    """The fitted rules and their thresholds."""

    right: LogisticRule  # of an answer that asserts something
    overlooked: LogisticRule  # of one that declines: that the documents do answer
    together: LogisticRule  # of one that asserts something, once the other backends have answered too
    answers_from: float  # probability from which an answer is said to answer its question
    declined_from: float  # probability from which a declining answer is warned of
    backed_from: float  # log-odds from which a sentence that states the answer backs it
    behind_at_most: float  # how much less likely than the best it may be
    strange_at_most: float  # share of the question's words that no passage holds, beyond which none says it
    contradicted_from: float  # log-odds from which a sentence that answers otherwise contradicts
    reliability: JsonObject


@cache
def shipped_rule(path: Path = RULE) -> LabelRule:
    """The rule of models/checks."""
    read = json.loads(path.read_text(encoding="utf-8"))
    right, overlooked, together = (
        LogisticRule(**read.pop(name)) for name in ("right", "overlooked", "together")
    )
    return LabelRule(right, overlooked, together, **read)


def answers_it(checks: Checks) -> bool | None:
    """Whether the answer is said to answer its question; None where that was not judged."""
    return None if checks.answers is None else checks.answers >= shipped_rule().answers_from


def check(
    draft: WrittenAnswer, library: Searcher, mode: RetrievalMode, page_at: PageAt, read: Read | None
) -> Checks:
    """The labels of one answer; an answer part by part gets those of its worst part."""
    pairs = answered_parts(draft.question, draft.text)
    if not pairs:
        return _check(draft, library, mode, page_at, read)
    made = [
        _check(replace(draft, question=part.question, text=text), library, mode, page_at, read)
        for part, text in pairs
    ]
    worst = min(made, key=_order)
    answers = [each.answers for each in made if each.answers is not None]
    warned = [
        f"{part.heading.rstrip('?')}: {each.warning}"
        for (part, _), each in zip(pairs, made, strict=True)
        if each.warning is not None
    ]
    return replace(worst, answers=min(answers, default=None), warning=" ".join(warned) or None)


def _order(checks: Checks) -> tuple[bool, int]:
    """The worse the earlier: with a warning, then contradicted, not mentioned, backed."""
    worse: dict[Support | None, int] = {"contradicted": 0, "not mentioned": 1, "backed": 2, None: 3}
    return checks.warning is None, worse[checks.support]


def _check(
    draft: WrittenAnswer, library: Searcher, mode: RetrievalMode, page_at: PageAt, read: Read | None
) -> Checks:
    """Of an answer that declines only whether something seems to answer."""
    if not draft.text:
        return Checks()
    rule, found = shipped_rule(), findings(draft, library, mode, read)
    warning = warning_of(draft, found, rule)
    if is_abstention(draft.text):
        return Checks(passage=_excerpt(found.best, page_at) if warning else None, warning=warning)
    support, passage = supported(draft, found, rule)
    shown = passage if passage is not None or warning is None else found.best
    probability = round(rule.right.probability(features(draft, found)), 4)
    return Checks(probability, support, _excerpt(shown, page_at), warning)


def warning_of(draft: WrittenAnswer, found: AnswerFindings, rule: LabelRule) -> str | None:
    """What has to be said of the answer, in one sentence; None where nothing speaks against it."""
    if is_abstention(draft.text):
        overlooked = rule.overlooked.probability(declined_features(draft.question, found))
        return DECLINED if overlooked >= rule.declined_from else None
    support, _ = supported(draft, found, rule)
    if disagrees_with_its_sentence(draft.text) is not None:
        return WRONG_VERDICT
    if support == "contradicted":
        return CONTRADICTED
    if rule.right.probability(features(draft, found)) >= rule.answers_from:
        return None
    return INVENTED if support == "not mentioned" else DOUBTFUL


# --- what is found --------------------------------------------------------------------------------


def findings(
    draft: WrittenAnswer, library: Searcher, mode: RetrievalMode, read: Read | None = None
) -> AnswerFindings:
    """Searches with the question, and with it and the answer; for one that declines with the question."""
    hits = library.search(draft.question, top_k=SEARCHED, mode=mode)
    ranked, _ = library.best_sentences(draft.question, hits)
    spans = _spans(draft.question, ranked, read)
    if is_abstention(draft.text):
        return AnswerFindings(ranked, None, None, None, spans=spans)
    short = short_answer(draft.text)
    known = {_key(hit) for hit in hits}
    own = library.search(f"{draft.question} {short}"[:MOST_SEARCHED], top_k=SEARCHED, mode=mode)
    hits = [*hits, *(hit for hit in own if _key(hit) not in known)]
    unread = _unread(ranked, hits)
    stating = library.judged(draft.question, [each for each in unread if _states(each, draft)][:FURTHER])
    units = [each for each in unread if _same_units(draft, each) and not _states(each, draft)]
    others = [
        *(each for each in ranked if not _states(each, draft)),
        *library.judged(draft.question, units[:FURTHER]),
    ]
    holder = max([*(each for each in ranked if _states(each, draft)), *stating], key=odds, default=None)
    unknown, strange = _unknown(draft.question, hits)
    return AnswerFindings(
        ranked,
        holder,
        rival=max((each for each in others if _comparable(draft, each)), key=odds, default=None),
        cited=next((c for c in draft.citations if stated_in(short, c.text, draft.question)), None),
        replaced=_replaced(holder, ranked, draft) if holder is not None else None,
        unknown=unknown,
        strange=strange,
        spans=spans,
    )


def _unread(ranked: Sequence[Found], hits: Sequence[Hit]) -> list[Found]:
    """The sentences of these passages that were not judged yet."""
    judged = {(hit.chunk.document, sentence.start) for hit, sentence in ranked}
    return [
        (hit, sentence)
        for hit in hits
        for sentence in sentences_of(hit.chunk)
        if (hit.chunk.document, sentence.start) not in judged
    ]


def _unknown(question: str, hits: Sequence[Hit]) -> tuple[list[str], float]:
    """What the question asks about that stands in none of these passages or above them: its names, and the
    share of its words. Abbreviations do not count: the documents may write them out. Neither do names that
    stand there in a longer or shorter form: German, Germany."""
    known = set[str]().union(*(said_in(passage_text(hit.chunk)).words for hit in hits))
    asked = said_in(question)
    names = {
        name
        for name in asked.names - known
        if not re.search(rf"\b{re.escape(name.upper())}\b", question)
        and not any(_same_beginning(name, word) for word in known)
    }
    return sorted(names), len(asked.words - known) / max(1, len(asked.words))


def _same_beginning(name: str, word: str) -> bool:
    """Whether the shorter one is the beginning of the longer, and long enough to be no chance."""
    return min(len(name), len(word)) >= STEM and (name.startswith(word) or word.startswith(name))


def _spans(question: str, ranked: Sequence[Found], read: Read | None) -> Sequence[SpanFound]:
    if read is None or not ranked:
        return ()
    return read(question, [sentence_text(hit.chunk, sentence) for hit, sentence in ranked[:READ]])


def _states(found: Found, draft: WrittenAnswer) -> bool:
    hit, sentence = found
    return stated_in(draft.text, sentence_text(hit.chunk, sentence), draft.question)


def _replaced(holder: Found, ranked: Sequence[Found], draft: WrittenAnswer) -> Found | None:
    """The later edition of the statement that holds the answer; retrieval puts it in front of the earlier."""
    said = statement_of(holder[0].chunk, holder[1])
    for other in ranked:
        if other[1] == holder[1]:
            return None
        if same_statement(statement_of(other[0].chunk, other[1]), said) and not _states(other, draft):
            return other
    return None


def _key(hit: Hit) -> tuple[str, int, int]:
    return hit.chunk.document, hit.chunk.start, hit.chunk.end


def odds(found: Found | None) -> float:
    """Log-odds that the sentence answers, within LEAST and MOST; LEAST where there is none."""
    if found is None or found[1].logit is None:
        return LEAST
    return max(LEAST, min(MOST, found[1].logit))


# --- what it comes to -----------------------------------------------------------------------------


def features(draft: WrittenAnswer, found: AnswerFindings) -> dict[str, float]:
    """What the rule weighs: log-odds, shares and yes or no as 1 or 0."""
    holder, rival = odds(found.holder), odds(found.rival)
    short = short_answer(draft.text)
    sure = draft.confidence
    spans = _surest(found.spans)
    agreeing = [s for s in spans if s.text and same_answer(short, s.text, draft.question)]
    return {
        "held": float(found.holder is not None),
        "holder": holder,
        "behind": max(0.0, rival - holder) if found.holder is not None else 0.0,
        "unknown": float(bool(found.unknown)),
        "unlearned": float(not draft.sourced and not draft.learned),
        "confidence": log_odds(sure) if sure is not None else 0.0,
        "confidence_unknown": float(sure is None),
        "kind_fits": float(_kind_fits(draft.question, short)),
        "other_kind": float(kind_fit(draft.question, short) < 0),
        "other_column": float(_columns_ahead(draft, found)),
        "wrong_verdict": float(disagrees_with_its_sentence(draft.text) is not None),
        "structured": float(is_json(draft.text)),
        "reader_first_agrees": float(bool(spans) and spans[0] in agreeing),
        "reader_agrees": max(LEAST, min(MOST, agreeing[0].score)) if agreeing else (LEAST if spans else 0.0),
    }


def declined_features(question: str, found: AnswerFindings) -> dict[str, float]:
    """What is weighed where an answer declines: the best sentence and the reader's surest words."""
    spans = _surest(found.spans)
    scores = [max(LEAST, min(MOST, span.score)) for span in spans]
    return {
        "best": _best_odds(found),
        "reader_best": scores[0] if scores else 0.0,
        "reader_second": scores[1] if len(scores) > 1 else 0.0,
        "reader_kind": kind_fit(question, spans[0].text) if spans and spans[0].text else 0.0,
    }


def _best_odds(found: AnswerFindings) -> float:
    return max((odds(each) for each in found.ranked), default=LEAST)


def _surest(spans: Sequence[SpanFound]) -> list[SpanFound]:
    return sorted(spans, key=lambda span: -span.score)


def log_odds(share: float) -> float:
    """Of a probability, as far as it tells something."""
    share = min(0.999, max(0.001, share))
    return math.log(share / (1 - share))


def _kind_fits(question: str, short: str) -> bool:
    """A question for a number or date wants one, a question for a person a name."""
    said = said_in(short, question)
    if _ASKS_NUMBER.search(question):
        return bool(said.numbers)
    if _ASKS_PERSON.search(question):
        return bool(said.names) or short[:1].isupper()
    return True


def _columns_ahead(draft: WrittenAnswer, found: AnswerFindings) -> int:
    """Of an answer that stands in a table row; beyond two columns the difference says no more."""
    if found.holder is None:
        return 0
    return min(2, columns_ahead(draft.question, short_answer(draft.text), found.holder[1].text))


def supported(
    draft: WrittenAnswer, found: AnswerFindings, rule: LabelRule
) -> tuple[Support | None, Found | Citation | None]:
    """What the documents say of the answer, and the words that say it; None for JSON, which none holds."""
    if is_json(draft.text) or not short_answer(draft.text):
        return None, None
    if found.replaced is not None:
        return "contradicted", found.replaced
    if found.unknown or found.strange > rule.strange_at_most:
        return "not mentioned", None
    if _bare(draft):
        return _support_of_verdict(draft, found, rule)
    rival, backing = found.rival, odds(found.holder)
    behind = rule.behind_at_most * (2 if _is_phrase(draft) else 1)
    if backing >= rule.backed_from and odds(rival) - backing <= behind:
        return "backed", found.cited or found.holder
    if odds(rival) >= rule.contradicted_from:
        return "contradicted", rival
    return "not mentioned", None


def _is_phrase(draft: WrittenAnswer) -> bool:
    """Whether the answer says several words: a sentence that holds them all does so hardly by chance."""
    said = said_in(short_answer(draft.text), draft.question)
    return len(said.words) >= PHRASE and not said.numbers


def _bare(draft: WrittenAnswer) -> bool:
    """Whether the answer is a Yes or No and nothing else."""
    return verdict_of(draft.text) is not None and len(short_answer(draft.text).split()) == 1


def _support_of_verdict(
    draft: WrittenAnswer, found: AnswerFindings, rule: LabelRule
) -> tuple[Support, Found | None]:
    """Of a bare Yes or No: whether the sentence that answers best affirms or denies."""
    if found.best is None or odds(found.best) < rule.contradicted_from:
        return "not mentioned", None
    denies = said_in(found.best[1].text).denies != said_in(draft.question).denies
    agrees = denies == (verdict_of(draft.text) == "no")
    return ("backed" if agrees else "contradicted"), found.best


def _comparable(draft: WrittenAnswer, found: Found) -> bool:
    """Whether the sentence could have stated such an answer: figures of the same units, names, words."""
    short = short_answer(draft.text)
    said, there = said_in(short, draft.question), said_in(found[1].text, draft.question)
    if verdict_of(short) is not None:
        return True
    if any(unit for _, unit in said.numbers):
        return _same_units(draft, found)
    if said.numbers:
        return bool(there.numbers)
    return bool(there.names) if said.names else bool(there.words)


def _same_units(draft: WrittenAnswer, found: Found) -> bool:
    """Whether the sentence holds a figure of a unit that the answer has one of."""
    units = {unit for _, unit in said_in(short_answer(draft.text), draft.question).numbers if unit}
    return bool(units & {unit for _, unit in said_in(found[1].text).numbers})


def _excerpt(found: Found | Citation | None, page_at: PageAt) -> Excerpt | None:
    if found is None:
        return None
    if isinstance(found, Citation):
        return Excerpt(found.document, found.version, found.page, found.start, found.end, found.text)
    chunk, sentence = found[0].chunk, found[1]
    page = page_at(chunk.document, chunk.version, sentence.start)
    return Excerpt(chunk.document, chunk.version, page, sentence.start, sentence.end, sentence.text)
