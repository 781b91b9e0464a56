"""Noise and retrieval failure: the right passage among wrong ones, missing, moved, or contradicted.

Enters: a run. Leaves: per backend the share of right answers over 0 to 8 distractors and by position of the
gold passage, how often it declines when that passage is missing, and how often it believes a passage that
states another number. Backends that retrieve nothing are asked once: no passage reaches them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from backends.answering.overlap import sentences
from backends.datatypes import Answer, BackendName, Document, Question
from backends.evaluation.metrics import contains_answer
from backends.stress.records import (
    NAMES,
    RETRIEVING,
    Result,
    ShownPassage,
    StressRow,
    StressRun,
    check_questions,
    other_number,
    phrase_pattern,
    share,
    share_in_words,
)

DISTRACTORS = (0, 1, 2, 4, 8)
AROUND = 4  # distractors around a moved, missing or contradicted passage
MISSING, CONTRADICTED = "gold passage missing", "gold passage contradicted"
POSITIONS = {"first": 0.0, "middle": 0.5, "last": 1.0}
NOT_SHOWN = "no passages shown"


@dataclass(frozen=True)
class NoiseCase:
    """A question with its gold passage, the same with another number, and wrong passages."""

    question: Question
    gold: ShownPassage
    false: ShownPassage
    false_answer: str
    distractors: tuple[ShownPassage, ...]


def plan_cases(
    documents: Sequence[Document], questions: Sequence[Question], number: int, seed: int
) -> list[NoiseCase]:
    """Cases whose answer holds a number and stands in one sentence of a gold document."""
    draw = random.Random(seed)
    pool = [
        ShownPassage(document.name, document.title, s) for document in documents for s in _sentences(document)
    ]
    cases = []
    for question in questions:
        gold = next((p for p in _holding(documents, question)), None)
        if gold is None or not question.answers:
            continue
        answer = next(each for each in question.answers if phrase_pattern(each).search(gold.text))
        false = other_number(answer, draw)
        if false is None:
            continue
        wrong = _wrong(pool, question, draw)
        if len(wrong) < max(DISTRACTORS):
            continue
        text = phrase_pattern(answer).sub(false.replace("\\", r"\\"), gold.text)
        changed = ShownPassage(gold.document, gold.title, text)
        cases.append(NoiseCase(question, gold, changed, false, tuple(wrong[: max(DISTRACTORS)])))
    picked = draw.sample(range(len(cases)), min(number, len(cases)))
    return [cases[index] for index in sorted(picked)]


def _wrong(pool: Sequence[ShownPassage], question: Question, draw: random.Random) -> list[ShownPassage]:
    """Passages without the answer, of other documents first."""
    without = [
        p for p in pool if not any(phrase_pattern(answer).search(p.text) for answer in question.answers)
    ]
    drawn = draw.sample(without, len(without))
    return sorted(drawn, key=lambda passage: passage.document in question.documents)


def _sentences(document: Document) -> list[str]:
    return [" ".join(s.split()) for s in sentences(document.text) if len(s.split()) in range(6, 60)]


def _holding(documents: Sequence[Document], question: Question) -> list[ShownPassage]:
    """Sentences of the gold documents that hold the answer."""
    return [
        ShownPassage(document.name, document.title, sentence)
        for document in documents
        if document.name in question.documents
        for sentence in _sentences(document)
        if any(phrase_pattern(answer).search(sentence) for answer in question.answers)
    ]


def conditions(case: NoiseCase) -> dict[str, list[ShownPassage]]:
    """What is shown under each condition, in this order."""
    wrong = list(case.distractors)
    shown = {f"{count} distractors": _placed(case.gold, wrong[:count], 0.5) for count in DISTRACTORS}
    shown |= {
        f"gold passage {where}": _placed(case.gold, wrong[:AROUND], at) for where, at in POSITIONS.items()
    }
    shown[MISSING] = wrong[:AROUND]
    shown[CONTRADICTED] = _placed(case.false, wrong[:AROUND], 0.5)
    return shown


def _placed(passage: ShownPassage, others: list[ShownPassage], at: float) -> list[ShownPassage]:
    where = round(at * len(others))
    return [*others[:where], passage, *others[where:]]


def noise(run: StressRun) -> Result:
    """Every backend under every condition."""
    cases = plan_cases(run.subject.documents(), run.questions, run.number, run.seed)
    check_questions([case.question for case in cases], "no answer with a number stands in one sentence")
    each = len(conditions(cases[0]))
    run.total = len(cases) * sum(each if name in RETRIEVING else 1 for name in run.backends)
    for case in cases:
        for backend in run.backends:
            _ask(run, case, backend)
    rows = [_row(run, backend) for backend in run.usable]
    said = "; ".join(_words(run, row.backend) for row in rows if row.backend in RETRIEVING)
    sentence = said[:1].upper() + said[1:] + "." if said else "None of these backends reads passages."
    return Result("noise", tuple(rows), sentence, tuple(run.probes), dict(run.skipped), seed=run.seed)


def _ask(run: StressRun, case: NoiseCase, backend: BackendName) -> None:
    text = case.question.question

    def judge(answer: Answer) -> str:
        if contains_answer(answer.text, case.question.answers):
            return "right"
        if contains_answer(answer.text, [case.false_answer]):
            return "believed"
        return "declined" if answer.abstained else "wrong"

    if backend not in RETRIEVING:
        run.asked(backend, NOT_SHOWN, text, lambda: run.subject.answer(text, backend), judge)
        return
    for condition, passages in conditions(case).items():
        run.asked(backend, condition, text, partial(run.subject.answer_from, text, backend, passages), judge)


def _words(run: StressRun, backend: BackendName) -> str:
    none, most = (share(run.probes_of(backend, f"{n} distractors"), "right") for n in (0, max(DISTRACTORS)))
    believed = share(run.probes_of(backend, CONTRADICTED), "believed")
    return (
        f"{NAMES[backend]} was right in {share_in_words(none)} with the right passage alone, "
        f"in {share_in_words(most)} among {max(DISTRACTORS)} wrong ones, "
        f"and believed a wrong document in {share_in_words(believed)}"
    )


def _row(run: StressRun, backend: BackendName) -> StressRow:
    if backend not in RETRIEVING:
        right = share(run.probes_of(backend, NOT_SHOWN), "right")
        return StressRow(
            "noise", backend, "right answers, no passage shown", right.value, right.interval, right.count
        )
    levels = [f"{count} distractors" for count in DISTRACTORS]
    right = share([p for p in run.probes_of(backend) if p.condition in levels], "right")
    return StressRow(
        "noise", backend, "right answers over 0 to 8 distractors", right.value, right.interval, right.count,
        {
            "distractors": {
                str(n): share(run.probes_of(backend, f"{n} distractors"), "right") for n in DISTRACTORS
            },
            "position": {w: share(run.probes_of(backend, f"gold passage {w}"), "right") for w in POSITIONS},
            "declined_when_missing": share(run.probes_of(backend, MISSING), "declined"),
            "believed_when_contradicted": share(run.probes_of(backend, CONTRADICTED), "believed"),
        },
    )  # fmt: skip
