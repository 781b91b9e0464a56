"""Freshness: facts are edited in the documents; who answers with the new fact, and after how long.

Enters: a run. Leaves: per backend the share of answers with the new, the old or neither fact, before and
after the edits, and where it is asked for, after the tuned backends were trained again. Edits are made from
the questions (a number in a gold answer is changed) or given.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from backends.datatypes import Answer, BackendName, Document, Question
from backends.evaluation.metrics import contains_answer
from backends.evaluation.probes import chosen
from backends.stress.records import (
    NAMES,
    Result,
    StressRow,
    StressRun,
    check_questions,
    other_number,
    phrase_pattern,
    share,
    share_in_words,
)

BEFORE, AFTER, RETRAINED = "before the edit", "after the edit", "after retraining"


@dataclass(frozen=True)
class Edit:
    """One changed fact: every wording in `old` becomes `new` in these documents."""

    question: str
    old: tuple[str, ...]
    new: str
    documents: tuple[str, ...]


def plan_edits(
    documents: Sequence[Document], questions: Sequence[Question], number: int, seed: int
) -> list[Edit]:
    """Edits of facts that hold a number and stand in their documents; the seed draws facts and numbers."""
    texts = {document.name: document.text for document in documents}
    draw = random.Random(seed)
    taken: set[tuple[str, str]] = set()
    edits: list[Edit] = []
    for question in chosen(questions, len(questions), seed):
        if not question.answers or question.category == "structured" or not question.documents:
            continue
        held = tuple(
            name
            for name in question.documents
            if name in texts and any(phrase_pattern(gold).search(texts[name]) for gold in question.answers)
        )
        new = other_number(question.answers[0], draw)
        if not held or new is None or contains_answer(new, question.answers):
            continue
        keys = {(name, gold) for name in held for gold in question.answers}
        if keys & taken or any(contains_answer(question.question, [gold]) for gold in question.answers):
            continue
        taken |= keys
        edits.append(Edit(question.question, question.answers, new, held))
    picked = draw.sample(range(len(edits)), min(number, len(edits)))
    return [edits[index] for index in sorted(picked)]


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with all these facts changed."""
    for edit in edits:
        for gold in sorted(edit.old, key=len, reverse=True):
            text = phrase_pattern(gold).sub(edit.new.replace("\\", r"\\"), text)
    return text


def freshness(run: StressRun, edits: Sequence[Edit] | None = None) -> Result:
    """Ask, edit, ask again."""
    documents = run.subject.documents()
    edits = list(edits) if edits is not None else plan_edits(documents, run.questions, run.number, run.seed)
    check_questions([Question("", edit.question) for edit in edits], "no fact with a number can be edited")
    run.total = 2 * len(edits) * len(run.backends)
    _ask(run, edits, BEFORE, run.backends)
    seconds, characters = _apply(run, documents, edits)
    waited = _ask(run, edits, AFTER, run.backends)
    trained = run.retrained()
    run.total += len(edits) * len(trained)
    _ask(run, edits, RETRAINED, list(trained))
    rows = [
        _row(run, backend, edits, seconds, waited[backend], characters, trained) for backend in run.usable
    ]
    said = ", ".join(
        f"{NAMES[row.backend]} in {share_in_words(share(run.probes_of(row.backend, AFTER), 'new'))}"
        for row in rows
    )
    facts = "1 fact was" if len(edits) == 1 else f"{len(edits)} facts were"
    sentence = f"{facts} edited and could be found {seconds:.1f} s later; the new fact was given by {said}."
    for backend, took in trained.items():
        again = share_in_words(share(run.probes_of(backend, RETRAINED), "new"))
        sentence += f" Trained again for {took:,.0f} s, {NAMES[backend]} gave it in {again}."
    return Result(
        "freshness", tuple(rows), sentence, tuple(run.probes), dict(run.skipped), tuple(run.notes), run.seed
    )


def _apply(run: StressRun, documents: Sequence[Document], edits: Sequence[Edit]) -> tuple[float, int]:
    """(seconds until all edits can be found, characters of the documents edited)."""
    seconds, characters = 0.0, 0
    for document in documents:
        own = [edit for edit in edits if document.name in edit.documents]
        if own:
            seconds += run.subject.put(document.name, edited(document.text, own))
            characters += len(document.text)
    return seconds, characters


def _ask(
    run: StressRun, edits: Sequence[Edit], condition: str, backends: Sequence[BackendName]
) -> dict[BackendName, list[float]]:
    """Seconds of the answers that gave the new fact, by backend."""
    took: dict[BackendName, list[float]] = {name: [] for name in backends}
    for edit in edits:
        for backend in backends:
            ask = partial(run.subject.answer, edit.question, backend)
            probe = run.asked(backend, condition, edit.question, ask, partial(_judged, edit))
            if probe is not None and probe.verdict == "new":
                took[backend].append(probe.seconds)
    return took


def _judged(edit: Edit, answer: Answer) -> str:
    """`new`, `old` or `neither`."""
    if contains_answer(answer.text, [edit.new]):
        return "new"
    return "old" if contains_answer(answer.text, edit.old) else "neither"


def _row(
    run: StressRun,
    backend: BackendName,
    edits: Sequence[Edit],
    seconds: float,
    took: list[float],
    characters: int,
    trained: Mapping[BackendName, float],
) -> StressRow:
    after, before = run.probes_of(backend, AFTER), run.probes_of(backend, BEFORE)
    new = share(after, "new")
    again = run.probes_of(backend, RETRAINED)
    retrained = {
        "new_after_retraining": share(again, "new"),
        "old_after_retraining": share(again, "old"),
        "seconds_to_retrain": round(trained[backend], 1),
    } if again else {}  # fmt: skip
    return StressRow(
        "freshness", backend, "answers that give the new fact after the edit",
        new.value, new.interval, new.count,
        {
            "old": share(after, "old"),
            "neither": share(after, "neither"),
            "old_before": share(before, "old"),
            "seconds_until_found": round(seconds, 3),
            "seconds_until_answered": round(seconds + median(took), 3) if took else None,
            "edits": len(edits),
            "cost_of_a_change": run.subject.change_cost(backend, characters // len(edits)),
            **retrained,
        },
    )  # fmt: skip
