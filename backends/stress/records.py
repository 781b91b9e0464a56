"""What a stress test is given and what it leaves: a subject to probe, rows with intervals, one sentence.

Enters: nothing. Leaves: the records and small helpers that all stress tests share. It runs no backend.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from backends.datatypes import Answer, BackendName, Document, JsonObject, Question, UserError
from backends.evaluation.statistics import Interval, bootstrap_interval, wilson_interval
from backends.system.reporting import Report, no_report

StressTest = Literal["freshness", "erasure", "format", "noise", "injection", "latency"]
STRESS_TESTS: tuple[StressTest, ...] = get_args(StressTest)
RETRIEVING = frozenset({"rag", "hybrid"})
TUNED = frozenset({"fine_tuned", "hybrid"})
NAMES: dict[str, str] = {"rag": "RAG", "fine_tuned": "Fine-tuned", "hybrid": "Hybrid", "base": "Base"}
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class ShownPassage:
    """A piece of a document as a prompt shows it."""

    document: str
    title: str
    text: str


@dataclass(frozen=True)
class Retraining:
    """Train tuned backends again on the documents as they are then; `epochs` None: as many as they had."""

    epochs: int | None = None


@dataclass(frozen=True)
class SearchTimes:
    """One search: the best document, seconds to find passages, seconds to pick sentences of them."""

    document: str
    search: float
    choose: float


class StressSubject(Protocol):
    """A private copy of some documents, and the backends that answer from it: nothing done to it lasts."""

    def documents(self) -> Sequence[Document]:
        """The documents as they are now."""
        ...

    def answer(
        self,
        question: Question | str,
        backend: BackendName,
        *,
        constrained: bool | None = None,
        ignore_orders: bool | None = None,
    ) -> Answer:
        """Constrained decoding and the defence against orders as given, else as set.

        Raises UserError when this backend cannot answer.
        """
        ...

    def answer_from(self, question: str, backend: BackendName, passages: Sequence[ShownPassage]) -> Answer:
        """The answer of a retrieving backend that finds exactly these passages, in this order."""
        ...

    def put(self, name: str, text: str) -> float:
        """A new version of a document, or a new document; returns the seconds until it can be found."""
        ...

    def forget(self, name: str) -> None:
        """Remove a document for good."""
        ...

    def found(self, question: str) -> Sequence[ShownPassage]:
        """What retrieval finds."""
        ...

    def searcher(self, passages: int, seed: int) -> Callable[[str], SearchTimes]:
        """Finds passages and picks sentences among so many made-up passages, as for a real answer."""
        ...

    def likelihood(self, question: str, answer: str, backend: BackendName) -> float:
        """Mean log-probability of a token of `answer` by this backend's weights, shown no document."""
        ...

    def retrain(
        self, backend: BackendName, how: Retraining, report: Callable[[str], None], cancelled: threading.Event
    ) -> float:
        """Train this backend's adapter again, for this subject alone; returns the seconds it took."""
        ...

    def change_cost(self, backend: BackendName, characters: int) -> JsonObject:
        """What following a change of a document of that length costs: amount, currency, basis, tokens."""
        ...


@dataclass(frozen=True)
class Probe:
    """One question put to one backend under one condition, and how the answer was judged."""

    backend: str
    condition: str
    question: str
    answer: str
    verdict: str
    seconds: float


@dataclass(frozen=True)
class Measurement:
    """A mean with its 95 % interval over `count` answers."""

    value: float
    interval: Interval
    count: int


@dataclass(frozen=True)
class StressRow:
    """One backend's result: the main measure, and everything else in `details`."""

    test: StressTest
    backend: BackendName
    measure: str  # what `value` is a share of, in words; for latency, milliseconds
    value: float
    interval: Interval
    count: int
    details: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """A finished stress test. `sentence` says it in plain words; `skipped` says who could not be asked."""

    test: StressTest
    rows: tuple[StressRow, ...]
    sentence: str
    probes: tuple[Probe, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seed: int = 0


@dataclass
class StressRun:
    """One run of a test: whom to ask, how many questions, and how far it is."""

    subject: StressSubject
    backends: Sequence[BackendName]
    questions: Sequence[Question]  # to choose from
    number: int = 6
    seed: int = 0
    retraining: Retraining | None = None
    learned: Sequence[Question] = ()  # training rows as questions: the wording the weights were taught
    progress: Report = no_report
    cancelled: threading.Event = field(default_factory=threading.Event)
    probes: list[Probe] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    total: int = 0
    done: int = 0

    def asked(
        self,
        backend: BackendName,
        condition: str,
        question: str,
        ask: Callable[[], Answer],
        judge: Callable[[Answer], str],
    ) -> Probe | None:
        """Ask, judge and note it; None from a backend that cannot answer, which is then skipped."""
        if self.cancelled.is_set():
            raise UserError("Cancelled.")
        self.progress(self.done, self.total, f"{NAMES[backend]}, {condition}")
        self.done += 1
        if backend in self.skipped:
            return None
        try:
            answer = ask()
        except UserError as error:
            self.skipped[backend] = str(error)
            return None
        seconds = answer.latency_ms["total"] / 1000
        probe = Probe(backend, condition, question, answer.text, judge(answer), seconds)
        self.probes.append(probe)
        return probe

    def retrained(self) -> dict[BackendName, float]:
        """Seconds of each training run, by backend; those that cannot be trained are left out and noted."""
        seconds: dict[BackendName, float] = {}
        if self.retraining is None:
            return seconds
        for backend in [name for name in self.usable if name in TUNED]:
            if self.cancelled.is_set():
                raise UserError("Cancelled.")

            def report(what: str, backend: BackendName = backend) -> None:
                self.progress(self.done, self.total, f"training {NAMES[backend]} again: {what}")

            report("preparing")
            try:
                seconds[backend] = self.subject.retrain(backend, self.retraining, report, self.cancelled)
            except UserError as error:
                if self.cancelled.is_set():
                    raise
                self.notes.append(f"{NAMES[backend]} was not trained again: {error}")
        return seconds

    def probes_of(self, backend: str, condition: str | None = None) -> list[Probe]:
        """What a backend was asked, under one condition or all."""
        return [p for p in self.probes if p.backend == backend and condition in (None, p.condition)]

    @property
    def usable(self) -> list[BackendName]:
        """The backends that answered everything they were asked."""
        return [name for name in self.backends if name not in self.skipped]


def share(probes: Sequence[Probe], verdict: str) -> Measurement:
    """Share of the probes with this verdict, with its Wilson interval. Raises UserError without probes."""
    if not probes:
        raise UserError("Nothing could be asked: no question fits this test on these documents.")
    hits = sum(probe.verdict == verdict for probe in probes)
    return Measurement(hits / len(probes), wilson_interval(hits, len(probes)), len(probes))


def mean(values: Sequence[float]) -> Measurement:
    """The mean with its bootstrap interval."""
    return Measurement(sum(values) / len(values), bootstrap_interval(values), len(values))


def share_in_words(measured: Measurement) -> str:
    """`5 of 8`."""
    return f"{round(measured.value * measured.count)} of {measured.count}"


def other_number(text: str, draw: random.Random) -> str | None:
    """The text with its first number changed, its digits and separators kept; None where there is none."""
    found = NUMBER.search(text)
    if found is None:
        return None
    old = found[0]
    for _ in range(100):
        digits = [
            character if not character.isdigit() else str(draw.randint(1 if i == 0 else 0, 9))
            for i, character in enumerate(old)
        ]
        if (new := "".join(digits)) != old:
            return text[: found.start()] + new + text[found.end() :]
    return None


def phrase_pattern(phrase: str) -> re.Pattern[str]:
    """Finds a phrase as whole words, whatever the spaces between them."""
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    return re.compile(rf"(?<!\w)(?<!\d[.,]){words}(?!\w)(?![.,]\d)")


def check_questions(questions: Sequence[Question], what: str) -> None:
    """Raise UserError when there are none to ask."""
    if not questions:
        raise UserError(f"These documents and questions leave nothing to test: {what}.")
