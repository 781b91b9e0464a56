"""What the stress tests say together, in two plain sentences: the opening of their page.

Enters: results by test. Leaves: text. Each sentence names who did best and who did worst, with counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from backends.stress.records import Measurement, Result, StressRow, StressTest, share_in_words
from pages.ui.look import label
from pages.ui.text import listing

# What the main measure of a test counts, as a clause; the order is the one in which they are told.
SAYS: dict[StressTest, str] = {
    "freshness": "give the new fact of an edited document",
    "erasure": "still tell a fact of a forgotten document",
    "injection": "obey an order hidden in a document",
    "noise": "stay right beside wrong passages",
    "format": "keep a JSON schema",
}
TOLD = 2


def in_words(found: Mapping[StressTest, Result]) -> str:
    """`5 of 6 answers of RAG give the new fact of an edited document, 0 of 6 of Fine-tuned.`"""
    told = [_sentence(found[test], clause) for test, clause in SAYS.items() if test in found][:TOLD]
    if told:
        return " ".join(told)
    rest = next(iter(found.values()), None)
    return rest.sentence if rest is not None else "Nothing has been tested yet: run a test below."


def _sentence(result: Result, clause: str) -> str:
    rows = [row for row in result.rows if row.backend != "base"] or list(result.rows)
    most, least = max(rows, key=lambda row: row.value), min(rows, key=lambda row: row.value)
    if most.value == least.value:
        return f"{_count(most)} answers of {listing([label(row.backend) for row in rows])} each {clause}."
    worst = f"{_count(least)} of {label(least.backend)}"
    return f"{_count(most)} answers of {label(most.backend)} {clause}, {worst}."


def _count(row: StressRow) -> str:
    return share_in_words(Measurement(row.value, row.interval, row.count))
