"""A question as it may be asked: checked, and with an id.

Enters: text. Leaves: a `Question`, or a UserError in one sentence.
"""

from __future__ import annotations

import hashlib

from backends.datatypes import Question, UserError
from backends.settings import MAX_QUESTION_CHARACTERS


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
