"""A question as it may be asked: checked, and with an id.

Enters: text. Leaves: a `Question`, or a UserError in one sentence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from backends.datatypes import Question, UserError
from backends.settings import MAX_QUESTION_CHARACTERS

_SMALL_TALK = frozenset(
    """
    hello hi hey hiya yo greetings good morning afternoon evening day night moin servus hallo bonjour hola
    ciao thanks thank you thx ty please cheers welcome ok okay yes no bye goodbye test testing ping there all
    everyone everybody team how are doing it is going whats what's up nice to meet very much so
    """.split()  # noqa: SIM905
)


def asks_nothing(text: str) -> bool:
    """Whether a text is a greeting, thanks or marks alone: no document can answer it."""
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)?", text.casefold().replace("’", "'"))
    return all(word in _SMALL_TALK for word in words)


def what_can_be_asked(titles: Sequence[str]) -> str:
    """What to say to a text that asks nothing: a sentence with documents that can be asked about."""
    about = " or ".join(f"“{title}”" for title in titles[:2])
    return f"That asks nothing. Ask what the documents say{f', for example in {about}' if about else ''}."


def check_question(text: str) -> str:
    """The question without surrounding space; raises UserError when it is empty or too long."""
    text = text.strip()
    if not text:
        raise UserError("The question is empty: ask something in words.")
    if len(text) > MAX_QUESTION_CHARACTERS:
        raise UserError(
            f"The question has {len(text):,} characters; the longest that can be asked has "
            f"{MAX_QUESTION_CHARACTERS:,}."
        )
    return text


def as_question(question: Question | str) -> Question:
    """A bare text gets an id made of its words, the same each time."""
    if isinstance(question, Question):
        return question
    return Question(id=f"q-{hashlib.sha256(question.encode()).hexdigest()[:8]}", question=question)
