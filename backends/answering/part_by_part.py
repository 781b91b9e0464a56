"""A backend that is asked questions of several parts: each is asked alone, and the answers stand together.

Enters: any backend. Leaves: its events for every part as one stream, with the sources numbered through, and a
warning for each part that got no answer. A question of one part passes untouched. It knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from backends.answering.answer_text import is_abstention
from backends.answering.backend import Backend
from backends.datatypes import BackendName, Event, Evidence, Finished, Source, Token, Usage
from backends.retrieval.comparisons import compared
from backends.retrieval.decompose import decompose
from backends.retrieval.follow_ups import standalone
from backends.settings import Settings

MISSING = "One part got no answer"


@dataclass(frozen=True)
class QuestionPart:
    """A question that can be asked alone, and what its answer is headed with."""

    heading: str
    question: str


def parts_of(question: str) -> list[QuestionPart]:
    """The parts of a question, in order; empty when it is one question."""
    if things := compared(question):
        return [QuestionPart(f"{thing[:1].upper()}{thing[1:]}", asked) for thing, asked in things]
    parts = decompose(question)  # "... and how heavy is it?" is asked about what the part before names
    return [QuestionPart(asked, standalone(asked, parts[:at])) for at, asked in enumerate(parts)]


def answered_parts(question: str, text: str) -> list[tuple[QuestionPart, str]]:
    """The parts of a question, each with its answer out of the whole; empty for an answer in one piece."""
    parts, lines = parts_of(question), text.splitlines()
    if len(parts) != len(lines):
        return []
    pairs = list(zip(parts, lines, strict=True))
    if not all(
        line.startswith(f"{part.heading} ") or line.startswith(f"{part.heading}: ") for part, line in pairs
    ):
        return []
    return [(part, line[len(part.heading) :].lstrip(": ")) for part, line in pairs]


@dataclass(frozen=True)
class PartByPart:
    """A backend that answers each part of a question alone."""

    inner: Backend

    @property
    def name(self) -> BackendName:
        return self.inner.name

    def run(self, question: str, settings: Settings) -> Iterator[Event]:
        parts = parts_of(question) if settings.multi_step else []
        if not parts:
            yield from self.inner.run(question, settings)
            return
        sources: tuple[Source, ...] = ()
        ends: list[Finished] = []
        missing: list[str] = []
        for number, part in enumerate(parts):
            yield Token(
                f"{'' if number == 0 else chr(10)}{part.heading}{'' if part.heading[-1:] == '?' else ':'} "
            )
            said: list[str] = []
            numbers = _Renumbered(len(sources))
            for event in self.inner.run(part.question, settings):
                if isinstance(event, Token):
                    said.append(event.text)
                    yield from numbers.take(event.text.replace("\n", " "))
                elif isinstance(event, Evidence):
                    sources += tuple(replace(each, rank=each.rank + numbers.by) for each in event.sources)
                    yield replace(event, sources=sources)
                elif isinstance(event, Finished):
                    ends.append(event)
                else:
                    yield event
            yield from numbers.rest()
            if not "".join(said).strip() or is_abstention("".join(said)):
                missing.append(part.question)
        yield _together(ends, missing)


class _Renumbered:
    """Markers of a part as numbers of the whole: [1] becomes [4] behind three sources."""

    def __init__(self, by: int) -> None:
        self.by = by
        self._held = ""  # may be the beginning of a marker

    def take(self, text: str) -> Iterator[Token]:
        text = self._held + text
        cut = text.rfind("[")
        open_ = cut >= 0 and re.fullmatch(r"\[\d{0,2}", text[cut:]) is not None
        self._held, text = (text[cut:], text[:cut]) if open_ else ("", text)
        if text:
            yield Token(re.sub(r"\[(\d{1,2})\]", lambda match: f"[{int(match[1]) + self.by}]", text))

    def rest(self) -> Iterator[Token]:
        if self._held:
            yield Token(self._held)
            self._held = ""


def _together(ends: Sequence[Finished], missing: Sequence[str]) -> Finished:
    """What the parts came to; the whole is as sure as its least sure part."""
    sure = [end.confidence for end in ends]
    warnings = [*dict.fromkeys(warning for end in ends for warning in end.warnings)]
    warnings += [f"{MISSING}: “{question}”" for question in missing]
    return replace(
        ends[-1],
        usage=Usage(
            sum(end.usage.prompt_tokens for end in ends), sum(end.usage.completion_tokens for end in ends)
        ),
        prompt="\n\n".join(end.prompt for end in ends),
        truncated=any(end.truncated for end in ends),
        confidence=None if None in sure else min(each for each in sure if each is not None),
        warnings=tuple(warnings),
    )
