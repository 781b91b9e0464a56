"""Finds faults in training rows: repeats, leaks, contradictions, answers that no document supports.

Enters: rows, which of them are held out, and the texts of their documents. Leaves: `RowIssue`s, row by row.
It changes nothing and knows no model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from backends.answering.answer_text import is_abstention
from backends.answering.overlap import content_tokens, recall, sentences
from backends.datatypes import TrainingRow
from backends.training.rows import FEW_ROWS, FEWEST_ROWS

Kind = Literal["repeat", "leak", "contradiction", "unsupported", "empty", "echo"]
NEAR = 0.85  # share of content words that two questions have in common to count as the same question
SUPPORT = 0.5  # share of an answer's content words that its documents must hold
RELIABLE_ROWS, TYPICAL_ROWS = 1000, 500


@dataclass(frozen=True)
class RowIssue:
    """What is wrong with a row (numbers count from 0), in words; `other` is the row it clashes with."""

    row: int
    kind: Kind
    message: str
    other: int | None = None


def review(
    rows: Sequence[TrainingRow],
    held_out: Collection[int] = (),
    texts: Mapping[str, str] | None = None,
) -> list[RowIssue]:
    """Everything that stands out, by row. A leak is a held-out question that is also trained on."""
    held = set(held_out)
    found: list[RowIssue] = []
    for index, row in enumerate(rows):
        found += _alone(index, row, texts or {})
    for one, two in near_pairs([row.question for row in rows]):
        same = _same_answer(rows[one].answer, rows[two].answer)
        if not same:
            message = f"Row {one + 1} asks the same and answers otherwise."
            found.append(RowIssue(two, "contradiction", message, one))
        if (one in held) != (two in held):
            trained = one if two in held else two
            message = "Nearly the same question is held out for the test: it is left out of training."
            found.append(RowIssue(trained, "leak", message, two if trained == one else one))
        elif same:
            found.append(RowIssue(two, "repeat", f"Nearly the same as row {one + 1}.", one))
    return sorted(found, key=lambda finding: (finding.row, finding.kind))


def _alone(index: int, row: TrainingRow, texts: Mapping[str, str]) -> Iterator[RowIssue]:
    if not row.question.strip() or not row.answer.strip():
        yield RowIssue(index, "empty", "The question or the answer is empty.")
        return
    if set(content_tokens(row.answer)) <= set(content_tokens(row.question)) and content_tokens(row.answer):
        yield RowIssue(index, "echo", "The answer says nothing that the question does not.")
    known = [texts[name] for name in row.documents if name in texts]
    if known and not is_abstention(row.answer) and not row.answer.startswith(("{", "[")):
        best = max(recall(row.answer, text) for text in known)
        if best < SUPPORT:
            message = f"Its document holds {best:.0%} of the answer's words: is the answer right?"
            yield RowIssue(index, "unsupported", message)


def rows_to_leave_out(rows: Sequence[TrainingRow], held_out: Collection[int]) -> set[int]:
    """Rows to leave out of training: nearly the same question is held out."""
    held = set(held_out)
    return {
        one if two in held else two
        for one, two in near_pairs([row.question for row in rows])
        if (one in held) != (two in held)
    }


def _same_answer(one: str, two: str) -> bool:
    """The same amounts, and half of the shorter answer's words in the longer."""
    first, second = Counter(content_tokens(one)), Counter(content_tokens(two))
    if not first or not second:
        return one.strip().lower() == two.strip().lower()
    return (first & second).total() >= 0.5 * min(first.total(), second.total()) and (
        _numbers(first) <= _numbers(second) or _numbers(second) <= _numbers(first)
    )


def _numbers(tokens: Counter[str]) -> set[str]:
    return {token for token in tokens if token[0].isdigit()}


def near_pairs(questions: Sequence[str], least: float = NEAR) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of questions whose content words overlap by Jaccard `least`, numbers all equal.

    Exact: two sets with that overlap must share one of their rarest words (prefix filter of Bayardo et al.
    2007), so only those pairs are compared.
    """
    sets = [frozenset(content_tokens(question)) for question in questions]
    plain = [" ".join(question.lower().split()) for question in questions]
    often = Counter(token for each in sets for token in each)
    index: dict[str, list[int]] = {}
    exact: dict[str, int] = {}
    for later, words in enumerate(sets):
        if not words:  # nothing but small words: only the same text is the same question
            if plain[later] in exact:
                yield exact[plain[later]], later
            exact.setdefault(plain[later], later)
            continue
        rare = sorted(words, key=lambda token: (often[token], token))
        prefix = rare[: len(rare) - math.ceil(least * len(rare)) + 1]
        candidates = {earlier for token in prefix for earlier in index.get(token, ())}
        for earlier in sorted(candidates):
            other = sets[earlier]
            shared = len(words & other)
            if shared >= least * len(words | other) and _digits(words) == _digits(other):
                yield earlier, later
        for token in prefix:
            index.setdefault(token, []).append(later)


def _digits(words: Collection[str]) -> set[str]:
    return {word for word in words if any(each.isdigit() for each in word)}


def count_advice(rows: int) -> str:
    """What the number of rows means, by the rules of thumb of practitioners."""
    if rows < FEWEST_ROWS:
        return f"{rows} rows are too few to train on: at least {FEWEST_ROWS} are needed."
    if rows < FEW_ROWS:
        return f"{rows} rows: under {FEW_ROWS}, tuning tends to hurt more than it helps. Expect little."
    if rows < TYPICAL_ROWS:
        return f"{rows} rows: a start; 500 to 5,000 are typical, and under {RELIABLE_ROWS:,} rarely reliable."
    if rows < RELIABLE_ROWS:
        return f"{rows} rows: a typical size; under {RELIABLE_ROWS:,} the result is rarely reliable."
    return f"{rows:,} rows: enough, if they are right; a thousand good rows beat ten thousand noisy ones."


# --- documents that have changed since -----------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What a new version of a document lacks and brings, sentence by sentence."""

    gone: tuple[str, ...]
    new: tuple[str, ...]


def changes(old: str, new: str) -> Change:
    """Sentences (and lines) of only one of two versions."""
    before, after = (list(dict.fromkeys(" ".join(s.split()) for s in sentences(text))) for text in (old, new))
    return Change(
        tuple(each for each in before if each not in set(after)),
        tuple(each for each in after if each not in set(before)),
    )


def at_risk(rows: Sequence[TrainingRow], document: str, old: str, new: str) -> list[TrainingRow]:
    """Rows of this document whose answer stood in what is gone, and stands in the new version less well."""
    change = changes(old, new)
    kept = sentences(new)
    return [
        row
        for row in rows
        if document in row.documents
        and not is_abstention(row.answer)
        and (was := max((recall(row.answer, each) for each in change.gone), default=0.0)) >= SUPPORT
        and max((recall(row.answer, each) for each in kept), default=0.0) < was
    ]
