"""Runs one backend on one question and measures it: the one stopwatch, for every backend alike.

Enters: a backend, a question, settings, and what judges the answer. Leaves: the answer's pieces as they
come, and the `Answer` record. It knows neither models nor retrieval. Time counts only while the backend
works, never while the consumer draws or the judge reads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from backends.answering.answer_text import cited_markers, is_abstention, without_markers
from backends.answering.asked_question import as_question
from backends.answering.backend import Backend
from backends.answering.checks import WrittenAnswer
from backends.answering.citations import PageOf, resolve_citations, source_record
from backends.answering.groundedness import UNGROUNDED, groundedness
from backends.costs.price_book import PriceBook
from backends.datatypes import (
    Answer,
    AnswerEvent,
    Checks,
    Citation,
    Event,
    Evidence,
    Finished,
    JsonObject,
    Prompt,
    Question,
    Source,
    Stage,
    Token,
)
from backends.settings import Settings
from backends.system.contention import Tally, tally
from backends.system.json_texts import is_json
from backends.system.wording import FEW_WORDS_FOUND, FIRST_USE, NEVER_LEARNED, STOPPED, UNDER_LOAD, duration

T = TypeVar("T")
Judge = Callable[[str, str], Sequence[str]]  # (question, answer text) -> passages of the library

NO_CITATION = "No citation given: the sources below were shown, but the answer names none of them."
WARM_UP_QUESTION = "Which documents are there?"
WARM_UP_TOKENS = 8
MAX_WARM = 256
# Seconds, and share of the answer's time, from which what others worked or were waited for is worth a word.
LEAST_LOAD, LEAST_LOAD_SHARE = 0.02, 0.1

# Held while a backend computes and while an answer is judged, so that no two share the processor while
# one of them is being timed; released between pieces, so that a slow or vanished reader blocks nobody.
_alone = threading.Lock()
_warm: dict[tuple[str, str, str | None], None] = {}


@dataclass(frozen=True)
class AnswerContext:
    """What measuring needs besides the backend: the same for every backend of one comparison."""

    judge: Judge | None = None
    check: Callable[[WrittenAnswer], Checks] | None = (
        None  # gives an answer its labels, after the clock has stopped
    )
    prices: PriceBook | None = None
    page_of: PageOf | None = None
    corpus: str = ""  # fingerprint of the documents, kept in the record's settings
    load: Callable[[], Sequence[str]] = lambda: ()  # warnings about what else this machine does at the moment


@dataclass
class _Run:
    """Everything seen of one answer so far."""

    seconds: dict[str, float] = field(default_factory=dict)
    stage: str | None = None
    unnamed: float = 0.0  # seconds before the first stage: they belong to it
    elsewhere: bool = False  # the stage's work is done on another machine
    total: float = 0.0
    first_token: float | None = None
    text: list[str] = field(default_factory=list)
    evidence: Evidence | None = None
    finished: Finished | None = None
    load: Tally = field(default_factory=Tally)  # what was waited for, and what others worked meanwhile

    def spent(self, seconds: float) -> None:
        self.total += seconds
        if self.stage is not None:
            self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + seconds
        else:
            self.unnamed += seconds

    def take(self, event: Event) -> None:
        if isinstance(event, Stage):
            self.stage, self.elsewhere = event.name, event.elsewhere
            self.seconds[event.name] = self.seconds.get(event.name, 0.0) + self.unnamed
            self.unnamed = 0.0
        elif isinstance(event, Token):
            if self.first_token is None and event.text.strip():
                self.first_token = self.total
            self.text.append(event.text)
        elif isinstance(event, Evidence):
            self.evidence = event
        else:
            self.finished = event

    def latency_ms(self) -> dict[str, float]:
        times = dict(self.seconds)
        if self.first_token is not None:
            times["first_token"] = self.first_token
        times["total"] = self.total
        return {name: round(1000 * seconds, 3) for name, seconds in times.items()}


def stream(
    backend: Backend,
    question: Question | str,
    settings: Settings,
    *,
    context: AnswerContext,
    notes: Sequence[str] = (),
    reword: Callable[[str], str] | None = None,
    stop: threading.Event | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[AnswerEvent]:
    """Yield the answer's pieces as the backend makes them, then the prompt it sent, at the end its `Answer`.

    `notes` are warnings known beforehand (a stale adapter). `reword` words a follow-up question so that it
    stands alone; that is timed as a stage of its own. Raises UserError when the backend cannot answer.
    """
    asked, warnings = as_question(question), [*notes]
    run = _Run()
    load = [*context.load()]
    meant = asked.question
    if reword is not None:
        run.take(Stage("rewrite"))
        meant = _timed(partial(reword, meant), run, clock)
    if meant != asked.question:
        warnings.append(f"Read as: {meant}")
    events = backend.run(meant, settings)
    while (event := _timed(partial(next, events, None), run, clock)) is not None:
        run.take(event)
        if isinstance(event, Token | Evidence):
            yield event
    if run.finished is None:
        raise RuntimeError(f"backend {backend.name} ended without Finished")
    yield Prompt(run.finished.prompt)
    warnings += [*load, *context.load(), *_load_warnings(run)]
    with _alone:
        answer = _record(backend, asked, settings, run, run.finished, context, warnings, stop)
    _remember(_key(backend.name, run.finished))
    yield answer


def answer(
    backend: Backend,
    question: Question | str,
    settings: Settings,
    *,
    context: AnswerContext,
    clock: Callable[[], float] = time.perf_counter,
) -> Answer:
    """The record alone; the same options as `stream`."""
    for event in stream(backend, question, settings, context=context, clock=clock):
        if isinstance(event, Answer):
            return event
    raise RuntimeError(f"backend {backend.name} ended without an answer")


def warm_up(backend: Backend, settings: Settings) -> None:
    """Answer once and discard it, so that no measured answer pays for loading, merging and first calls."""
    short = settings.model_copy(update={"max_tokens": WARM_UP_TOKENS})
    answer(backend, WARM_UP_QUESTION, short, context=AnswerContext())


def _timed(work: Callable[[], T], run: _Run, clock: Callable[[], float]) -> T:
    """What `work` returns, most often the backend's next event; its time goes to the stage that is running.

    Not counted is the time it waited for a network that somebody else was using.
    """
    with nullcontext() if run.elsewhere else _alone:
        before, began = tally(), clock()
        done = work()
        took, load = clock() - began, tally().since(before)
        run.spent(max(0.0, took - load.waited))
        run.load = Tally(run.load.waited + load.waited, run.load.others + load.others)
    return done


def _load_warnings(run: _Run) -> list[str]:
    least = max(LEAST_LOAD, LEAST_LOAD_SHARE * run.total)
    if max(run.load.waited, run.load.others) < least:
        return []
    waited = f" {duration(run.load.waited)} of waiting are not counted." if run.load.waited >= least else ""
    return [f"{UNDER_LOAD} documents were being read or indexed meanwhile.{waited}"]


def _key(backend: str, finished: Finished) -> tuple[str, str, str | None]:
    return backend, finished.model, finished.adapter


def _remember(key: tuple[str, str, str | None]) -> None:
    _warm[key] = None
    while len(_warm) > MAX_WARM:
        _warm.pop(next(iter(_warm)), None)


# --- the record ----------------------------------------------------------------------------------


def _record(
    backend: Backend,
    question: Question,
    settings: Settings,
    run: _Run,
    finished: Finished,
    context: AnswerContext,
    notes: Sequence[str],
    stop: threading.Event | None,
) -> Answer:
    text = "".join(run.text).strip()
    sources = run.evidence.sources if run.evidence is not None else ()
    citations = resolve_citations(text, sources, context.page_of)
    abstained = is_abstention(text)
    passages = context.judge(question.question, without_markers(text)) if context.judge and text else None
    grounded = groundedness(text, passages) if passages is not None else None
    warnings = [*notes]
    if _key(backend.name, finished) not in _warm:
        warnings.append(FIRST_USE)
    if stop is not None and stop.is_set():
        warnings.append(STOPPED)
    warnings += _text_warnings(text, finished, settings, abstained, grounded)
    warnings += finished.warnings
    if run.evidence is not None:
        warnings += [*run.evidence.warnings, *run.evidence.orders]
    warnings += _citation_warnings(text, sources, citations, abstained)
    prices = context.prices or PriceBook.load()
    draft = WrittenAnswer(
        question.question,
        text,
        citations,
        sourced=run.evidence is not None,
        confidence=finished.confidence,
        learned=backend.name != "base" and not any(note.startswith(NEVER_LEARNED) for note in notes),
    )
    return Answer(
        id=question.id,
        question=question.question,
        backend=backend.name,
        text=text,
        citations=citations,
        sources=tuple(source_record(source, context.page_of) for source in sources),
        latency_ms=run.latency_ms(),
        usage=finished.usage,
        cost=prices.cost(finished.usage, backend.name),
        model=finished.model,
        adapter=finished.adapter,
        abstained=abstained,
        groundedness=None if grounded is None else round(grounded, 4),
        warnings=tuple(dict.fromkeys(warnings)),
        settings=_settings_record(settings, context.corpus),
        checks=context.check(draft) if context.check is not None else Checks(),
    )


def _settings_record(settings: Settings, corpus: str) -> JsonObject:
    return {**settings.model_dump(mode="json"), "corpus": corpus}


def _text_warnings(
    text: str, finished: Finished, settings: Settings, abstained: bool, grounded: float | None
) -> list[str]:
    warnings = []
    if not text:
        warnings.append("The model gave an empty answer.")
    if finished.truncated:
        warnings.append(f"Cut off at the answer-length limit of {settings.max_tokens} tokens.")
    if grounded is not None and grounded < UNGROUNDED and not abstained:
        warnings.append(
            f"{FEW_WORDS_FOUND} the documents hold only {grounded:.0%} of this answer's words in one place."
        )
    return warnings


def _citation_warnings(
    text: str, sources: Sequence[Source], citations: Sequence[Citation], abstained: bool
) -> list[str]:
    known = {source.rank for source in sources}
    warnings = [
        f"The answer cites [{marker}], which does not exist."
        for marker in cited_markers(text)
        if marker not in known
    ]
    if sources and text and not citations and not abstained and not is_json(text):
        warnings.append(NO_CITATION)
    return warnings
