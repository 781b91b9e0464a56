"""What a model wrote from sources becomes the answer: declined, or followed by sentences.

Enters: the events of a model that read numbered sources. Leaves: the same events with the text as it is told.
Where the text may have to be taken back, it is held until it is whole and it is known how sure the model was;
otherwise words go out as they come. It asks no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from backends.answering.answerability import Abstainer
from backends.answering.right_kind import corrected, may_be_corrected
from backends.answering.support_text import is_unsure, support
from backends.datatypes import Event, Finished, Source, Token
from backends.language.prompts import NOT_IN_DOCUMENTS


def final_text(
    written: Iterator[Event], question: str, sources: Sequence[Source], abstainer: Abstainer | None
) -> Iterator[Event]:
    """The events as they are told; without an `abstainer` nothing is declined."""
    doubts = abstainer.doubts(question, sources) if abstainer is not None else None
    held = abstainer is not None and (doubts is not None or may_be_corrected(question, sources))
    said: list[str] = []
    for event in written:
        if isinstance(event, Token):
            said.append(event.text)
            if held:
                continue
        elif isinstance(event, Finished):
            text = "".join(said)
            declined = abstainer.declined(text, event, doubts) if abstainer and doubts else None
            if declined is not None:
                text, event = NOT_IN_DOCUMENTS, declined
            elif held and (other := corrected(question, text, sources)) is not None:
                text, event = other.text, replace(event, warnings=(*event.warnings, other.reason))
            if held:
                yield Token(text)
            if is_unsure(event):
                yield from (Token(f" {sentence}") for sentence in support(question, text, sources))
        yield event
