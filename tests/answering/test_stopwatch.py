"""The stopwatch with a scripted backend and a scripted clock; citations, warnings and the record."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from backends.answering import stopwatch
from backends.answering.asked_question import as_question
from backends.answering.citations import resolve_citations
from backends.answering.stopwatch import NO_CITATION, AnswerContext, answer, stream
from backends.datatypes import (
    Answer,
    BackendName,
    Chunk,
    Event,
    Evidence,
    Finished,
    Hit,
    Prompt,
    Question,
    Sentence,
    Source,
    Stage,
    Token,
    Usage,
    UserError,
)
from backends.settings import make_settings
from backends.system.contention import WatchedLock
from backends.system.wording import FIRST_USE, STOPPED, UNDER_LOAD

SETTINGS = make_settings()
TEXT = "Returns. Customers return goods within 30 days. Shipping costs 5 euros."


def source(rank: int = 1, text: str = TEXT, at: int = 100) -> Source:
    """A source whose passage begins at character `at` of its document."""
    chunk = Chunk(f"doc{rank}.md", 2, at, at + len(text), text, 4, 10, title="Doc")
    parts, start = [], 0
    for part in text.split(". "):
        part = part if part.endswith(".") else part + "."
        parts.append(Sentence(at + start, at + start + len(part), part, 0.5))
        start += len(part) + 1
    return Source(rank, Hit(chunk, rank, 0.7), tuple(parts))


class Clock:
    """Stands still but when a scripted backend says that time passes."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scripted:
    """Yields events; a number between them is milliseconds of work."""

    script: Sequence[Event | float]
    clock: Clock
    name: BackendName = "rag"

    def run(self, question: str, settings: Any) -> Iterator[Event]:
        for item in self.script:
            if isinstance(item, int | float):
                self.clock.now += item / 1000
            else:
                yield item


def finished(**options: Any) -> Finished:
    return Finished(Usage(10, 5), prompt="p", model="tiny", adapter=None, **options)


def recorded(backend: Scripted, question: Question | str, **options: Any) -> Answer:
    """The last event of an answer: its record."""
    (made,) = (e for e in stream(backend, question, SETTINGS, **options) if isinstance(e, Answer))
    return made


def ask(
    *script: Event | float, name: BackendName = "rag", context: AnswerContext | None = None, **options: Any
) -> Answer:
    clock = Clock()
    events = [event if not isinstance(event, str) else Token(event) for event in script]
    options = {"clock": clock, "context": context or AnswerContext(), **options}
    return recorded(Scripted(events, clock, name), Question("q7", "How long?"), **options)


# --- the stopwatch -------------------------------------------------------------------------------


def test_every_millisecond_goes_to_the_stage_that_was_running() -> None:
    got = ask(
        2, Stage("retrieve"), 30, Stage("rerank"), 20, Evidence((source(),)), 1, Stage("generate"), 40,
        Token("30 days "), 7, Token("[1]"), 5, finished(), 3,
    )  # fmt: skip
    assert got.latency_ms == {
        "retrieve": 32.0,
        "rerank": 21.0,
        "generate": 55.0,
        "first_token": 93.0,
        "total": 108.0,
    }


def test_a_stage_that_did_not_run_is_absent() -> None:
    got = ask(Stage("generate"), 4, finished(), name="base")
    assert got.latency_ms == {"generate": 4.0, "total": 4.0}  # no text, so no first token either


def test_the_consumers_and_the_judges_time_does_not_count() -> None:
    clock = Clock()

    def slow_judge(question: str, text: str) -> list[str]:
        clock.now += 1000
        return [TEXT]

    backend = Scripted([Stage("generate"), 5, Token("30 "), 5, Token("days"), finished()], clock)
    got = None
    for event in stream(backend, "How long?", SETTINGS, context=AnswerContext(judge=slow_judge), clock=clock):
        clock.now += 77
        got = event
    assert isinstance(got, Answer)
    assert got.latency_ms == {"generate": 10.0, "first_token": 5.0, "total": 10.0}


def test_the_prompt_comes_once_the_text_is_whole_and_before_the_record() -> None:
    script: list[Event | float] = [Stage("generate"), Token("30 "), Token("days"), finished()]
    events = list(stream(Scripted(script, Clock()), "How long?", SETTINGS, context=AnswerContext()))
    assert events[:-1] == [Token("30 "), Token("days"), Prompt("p")]
    assert isinstance(events[-1], Answer)


def test_wording_a_follow_up_anew_is_a_stage_and_is_told() -> None:
    clock, heard = Clock(), []

    def reword(question: str) -> str:
        clock.now += 0.009
        return f"{question} And when?" if question == "How long?" else question

    class Hearing(Scripted):
        def run(self, question: str, settings: Any) -> Iterator[Event]:
            heard.append(question)
            yield from super().run(question, settings)

    for question in ("How long?", "Who?"):
        backend = Hearing([Stage("generate"), 5, Token("x"), finished()], clock)
        got = recorded(backend, question, context=AnswerContext(), reword=reword, clock=clock)
        assert (got.latency_ms["rewrite"], got.latency_ms["total"], got.question) == (9.0, 14.0, question)
        assert ("Read as: How long? And when?" in got.warnings) == (question == "How long?")
    assert heard == ["How long? And when?", "Who?"]


def test_first_token_is_the_first_text_that_shows() -> None:
    got = ask(Stage("generate"), 5, Token(" "), 5, Token("Yes"), finished())
    assert got.latency_ms["first_token"] == 10.0
    assert got.text == "Yes"


def test_backends_never_compute_at_the_same_time() -> None:
    running, worst = 0, 0

    @dataclass
    class Busy:
        name: BackendName = "base"

        def run(self, question: str, settings: Any) -> Iterator[Event]:
            nonlocal running, worst
            for _ in range(10):
                running += 1
                worst = max(worst, running)
                time.sleep(0.001)
                running -= 1
                yield Token("x")
            yield finished()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: answer(Busy(), "q", SETTINGS, context=AnswerContext()), range(8)))
    assert worst == 1
    assert {each.text for each in answers} == {"x" * 10}


def test_a_reader_that_goes_away_blocks_nobody() -> None:
    abandoned = stream(Scripted([Token("a"), finished()], Clock()), "q", SETTINGS, context=AnswerContext())
    assert next(abandoned) == Token("a")
    assert ask(Token("b"), finished()).text == "b"


# --- the record ------------------------------------------------------------------------------------


def test_the_record_of_a_cited_answer() -> None:
    context = AnswerContext(
        judge=lambda question, text: [TEXT], page_of=lambda source, offset: offset, corpus="c0ffee"
    )
    evidence = Evidence((source(1), source(2, "Other things. Lamps cost 9.")))
    got = ask(
        evidence, Token("30 days. Customers return goods within 30 days. [1]"), finished(), context=context
    )
    assert (got.id, got.question, got.backend, got.model, got.adapter) == (
        "q7",
        "How long?",
        "rag",
        "tiny",
        None,
    )
    [citation] = got.citations
    assert (citation.marker, citation.document, citation.version, citation.page) == (1, "doc1.md", 2, 109)
    assert citation.text == "Customers return goods within 30 days."
    assert TEXT[citation.start - 100 : citation.end - 100] == citation.text
    assert [(each.rank, each.start, each.end, each.text) for each in got.sources] == [
        (1, 100, 171, TEXT),
        (2, 100, 127, "Other things. Lamps cost 9."),
    ]
    assert (got.groundedness, got.abstained) == (1.0, False)
    assert got.cost.amount > 0
    assert got.settings == {**SETTINGS.model_dump(mode="json"), "corpus": "c0ffee"}


def test_each_marker_is_resolved_by_the_sentence_that_carries_it() -> None:
    text = "Goods go back within 30 days. [1] Shipping costs 5 euros [1]. Returns. [3]"
    citations = resolve_citations(text, [source(1), source(3)])
    assert [(each.marker, each.text) for each in citations] == [
        (1, "Customers return goods within 30 days."),
        (1, "Shipping costs 5 euros."),
        (3, "Returns."),
    ]


def test_nothing_is_attributed_without_a_marker() -> None:
    evidence = Evidence((source(),))
    got = ask(evidence, Token("Customers return goods within 30 days."), finished())
    assert got.citations == ()
    assert NO_CITATION in got.warnings


@pytest.mark.parametrize("text", ["The documents do not say.", '{"risk": "low"}'])
def test_declining_and_json_need_no_citation(text: str) -> None:
    assert NO_CITATION not in ask(Evidence((source(),)), Token(text), finished()).warnings


def test_invented_markers_are_named() -> None:
    got = ask(Evidence((source(),)), Token("30 days [1] or so [7]."), finished())
    assert "The answer cites [7], which does not exist." in got.warnings
    assert [each.marker for each in got.citations] == [1]
    alone = ask(Token("30 days [1]."), finished(), name="fine_tuned")
    assert alone.citations == ()
    assert "The answer cites [1], which does not exist." in alone.warnings


def test_warnings() -> None:
    ask(Token("x"), finished())
    low = Evidence((source(),), warnings=("Nothing fits well.",))
    got = ask(
        low,
        Token("Zebras sing [1]"),
        finished(truncated=True),
        context=AnswerContext(judge=lambda question, text: [TEXT]),
        notes=["The adapter is stale."],
    )
    assert got.warnings == (
        "The adapter is stale.",
        f"Cut off at the answer-length limit of {SETTINGS.max_tokens} tokens.",
        "Ungrounded: the documents hold only 0% of this answer's words in one place.",
        "Nothing fits well.",
    )
    assert got.groundedness == 0


def test_an_abstention_is_not_judged() -> None:
    got = ask(
        Token("The documents do not say."),
        finished(),
        context=AnswerContext(judge=lambda question, text: [TEXT]),
    )
    assert (got.abstained, got.groundedness) == (True, None)


def test_the_first_answer_is_marked_and_a_warm_up_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "_warm", {})  # what other tests have warmed up stays warm for them
    assert FIRST_USE in ask(Token("x"), finished()).warnings
    assert FIRST_USE not in ask(Token("x"), finished()).warnings
    monkeypatch.setattr(stopwatch, "_warm", {})
    stopwatch.warm_up(Scripted([Token("x"), finished()], Clock()), SETTINGS)
    assert FIRST_USE not in ask(Token("x"), finished()).warnings


def test_a_stopped_answer_says_so() -> None:
    stop = threading.Event()
    stop.set()
    assert STOPPED in ask(Token("x"), finished(), stop=stop).warnings


def test_an_error_of_the_backend_reaches_the_caller_and_frees_the_clock() -> None:
    @dataclass
    class Broken:
        name: BackendName = "base"

        def run(self, question: str, settings: Any) -> Iterator[Event]:
            yield Stage("generate")
            raise UserError("Too long.")

    with pytest.raises(UserError, match="Too long"):
        answer(Broken(), "q", SETTINGS, context=AnswerContext())
    assert ask(Token("x"), finished()).text == "x"


def test_a_bare_text_gets_the_same_id_each_time() -> None:
    ids = {as_question(text).id for text in ("Why?", "Why?", "How?")}
    assert len(ids) == 2


class Held:
    """A backend that needs a network which somebody else is using for a while."""

    name: BackendName = "rag"

    def __init__(self, lock: WatchedLock) -> None:
        self._lock = lock

    def run(self, question: str, settings: Any) -> Iterator[Event]:
        yield Stage("retrieve")
        with self._lock.held():
            yield Token("30 days")
        yield finished()


def test_waiting_for_the_embedder_is_no_time_of_the_answer_and_is_said() -> None:
    lock, holds = WatchedLock(), threading.Event()

    def index() -> None:
        with lock.held():
            holds.set()
            time.sleep(0.3)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(index)
        assert holds.wait(10)
        got = answer(Held(lock), "How long?", SETTINGS, context=AnswerContext())
    assert got.latency_ms["total"] < 150
    (warning,) = [each for each in got.warnings if each.startswith(UNDER_LOAD)]
    assert warning.startswith("Timed under load: documents were being read or indexed meanwhile. 0.")
    quiet = answer(Held(lock), "How long?", SETTINGS, context=AnswerContext())
    assert not any(each.startswith(UNDER_LOAD) for each in quiet.warnings)


def test_a_training_that_begins_during_an_answer_is_said() -> None:
    looks = iter([[], ["Timed under load: a training."]])
    assert (
        "Timed under load: a training."
        in ask(Token("x"), finished(), context=AnswerContext(load=lambda: next(looks))).warnings
    )
