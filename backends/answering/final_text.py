"""What a model wrote from sources becomes the answer: declined, or followed by sentences.

Enters: the events of a model that read numbered sources. Leaves: the same events with the text as it is told.
Where the text may have to be taken back, it is held until it is known how sure the model was; otherwise words
go out as they come. It asks no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backends.answering.answerability import Abstainer
from backends.answering.support_text import is_unsure, support
from backends.datatypes import Event, Finished, Source, Token
from backends.language.prompts import NOT_IN_DOCUMENTS


def final_text(
    written: Iterator[Event], question: str, sources: Sequence[Source], abstainer: Abstainer | None
) -> Iterator[Event]:
    """The events as they are told; without an `abstainer` nothing is declined."""
    doubts = abstainer.doubts(question, sources) if abstainer is not None else None
    said: list[str] = []
    for event in written:
        if isinstance(event, Token):
            said.append(event.text)
            if doubts is not None:
                continue
        elif isinstance(event, Finished):
            text = "".join(said)
            declined = abstainer.declined(text, event, doubts) if abstainer and doubts else None
            if declined is not None:
                text, event = NOT_IN_DOCUMENTS, declined
            if doubts is not None:
                yield Token(text)
            if is_unsure(event):
                yield from (Token(f" {sentence}") for sentence in support(question, text, sources))
        yield event
