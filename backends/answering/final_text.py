"""What a model wrote from sources becomes the answer: declined, in other words, or followed by sentences.

Enters: the events of a model that read numbered sources. Leaves: the same events with the text as it is told.
Where the text may have to be taken back, it is held until it is known how sure the model was; otherwise words
go out as they come. It asks no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backends.answering.answerability import Abstainer
from backends.answering.pointed_words import gives_way, holds, pointed_words
from backends.answering.support_text import is_unsure, support
from backends.datatypes import Event, Finished, Source, Token
from backends.language.prompts import NOT_IN_DOCUMENTS


def final_text(
    written: Iterator[Event], question: str, sources: Sequence[Source], abstainer: Abstainer | None
) -> Iterator[Event]:
    """The events as they are told; without an `abstainer` nothing is declined or pointed at."""
    spans = abstainer.read(question, sources) if abstainer is not None else []
    doubts = abstainer.doubts(spans, sources) if abstainer is not None else None
    pointed = pointed_words(spans, sources) if abstainer is not None else None
    held = doubts is not None or pointed is not None
    said: list[str] = []
    for event in written:
        if isinstance(event, Token):
            said.append(event.text)
            if held and doubts is None and pointed is not None and holds(_whole_words(said), pointed):
                held, event = False, Token("".join(said))
            if held:
                continue
        elif isinstance(event, Finished):
            text = "".join(said)
            declined = abstainer.declined(text, event, doubts) if abstainer and doubts else None
            if declined is not None:
                text, event = NOT_IN_DOCUMENTS, declined
            elif pointed is not None and gives_way(text, event, pointed):
                text = pointed
            if held:
                yield Token(text)
            if is_unsure(event):
                yield from (Token(f" {sentence}") for sentence in support(question, text, sources))
        yield event


def _whole_words(said: Sequence[str]) -> str:
    """What was written so far, without its last word, which may go on."""
    return "".join(said).rpartition(" ")[0]
