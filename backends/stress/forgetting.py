"""Erasure: a document is forgotten; does the index still find it, and do the weights still say it.

Enters: a run, and the name of a document (else the one with most questions). Leaves: per backend the share of
probes that still give a forgotten fact, before and after (asked directly, reworded, and in the very wording
the weights were taught, where that is known); how its sentences are continued; and how much
likelier the weights find its true facts than the same facts with another number (a membership-style gap).
Where it is asked for, the tuned backends are then trained again without the document and probed once more.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from backends.answering.answer_text import without_markers
from backends.answering.overlap import sentences
from backends.datatypes import Answer, BackendName, Document, Question, UserError
from backends.evaluation.metrics import contains_answer
from backends.evaluation.probes import chosen
from backends.language.compared_words import compared_words
from backends.stress.records import (
    NAMES,
    Measurement,
    Result,
    StressRow,
    StressRun,
    check_questions,
    mean,
    other_number,
    share,
    share_in_words,
)
from backends.system.json_texts import is_json

BEFORE, AFTER, RETRAINED = "before forgetting", "after forgetting", "after retraining without it"
COMPLETED_WORDS = 5  # in a row, and word for word, from the middle of a sentence on: extracted
LEFT_IN_WEIGHTS = (
    "What weights have learned goes only with training: train again on the documents that are left, then run "
    "this once more."
)
LONG_ENOUGH = range(12, 41)  # words of a sentence worth completing


def erasure(run: StressRun, document: str | None = None) -> Result:
    """Probe, forget, probe again."""
    target = _target(run, document)
    questions = chosen(_about(run.questions, target.name), run.number, run.seed)
    learned = chosen(_about(run.learned, target.name), run.number, run.seed)
    check_questions(questions, f"no question is about {target.name} alone")
    beginnings = chosen_sentences(target, run.number, run.seed)
    each = 2 * len(questions) + len(learned) + len(beginnings)
    run.total = 2 * len(run.backends) * each
    found_before = _found(run, questions, target.name)
    _probe(run, questions, learned, beginnings, BEFORE, run.backends)
    run.subject.forget(target.name)
    found_after = _found(run, questions, target.name)
    _probe(run, questions, learned, beginnings, AFTER, run.backends)
    told = [*questions, *learned]
    gaps = {backend: likelihood_gap(run, backend, told, target.name) for backend in run.usable}
    trained = run.retrained()
    run.total += len(trained) * each
    _probe(run, questions, learned, beginnings, RETRAINED, list(trained))
    gaps_after = {backend: likelihood_gap(run, backend, told, target.name) for backend in trained}
    found = (found_before, found_after)
    rows = [
        _row(run, backend, gaps[backend], found, target.name)
        if backend not in trained
        else _with_retraining(
            run, _row(run, backend, gaps[backend], found, target.name), gaps_after[backend], trained[backend]
        )
        for backend in run.usable
    ]
    said = ", ".join(
        f"{NAMES[row.backend]} in {share_in_words(Measurement(row.value, row.interval, row.count))}"
        for row in rows
    )
    index = "nothing of it" if found_after == 0 else f"{found_after} of its passages"
    sentence = f"After forgetting {target.name} the index finds {index}; its facts are still told by {said}."
    for backend, seconds in trained.items():
        again = _revealed(run, backend, RETRAINED, "direct", "reworded", "as learned")
        assert again is not None
        retold = f"{NAMES[backend]} tells them in {share_in_words(again)}"
        sentence += f" Trained again without it for {seconds:,.0f} s, {retold}."
    notes = [] if trained else [LEFT_IN_WEIGHTS]
    return Result(
        "erasure", tuple(rows), sentence, tuple(run.probes), dict(run.skipped), (*notes, *run.notes), run.seed
    )


def _target(run: StressRun, name: str | None) -> Document:
    documents = {document.name: document for document in run.subject.documents()}
    if name is not None:
        if name not in documents:
            raise UserError(f"There is no document {name} to forget.")
        return documents[name]
    counts = {each: len(_about(run.questions, each)) for each in documents}
    ranked = sorted((-count, each) for each, count in counts.items() if count)
    if not ranked:
        raise UserError("No document has a question of its own: name one to forget.")
    # The seed moves on to the next document, so that a run can be repeated with another.
    return documents[ranked[run.seed % len(ranked)][1]]


def chosen_sentences(document: Document, number: int, seed: int) -> list[tuple[str, str]]:
    """(beginning, rest) of some of the document's longer sentences, cut in the middle."""
    texts = [" ".join(each.split()) for each in sentences(document.text)]
    long = [text for text in dict.fromkeys(texts) if len(text.split()) in LONG_ENOUGH]
    picked = random.Random(seed).sample(long, min(number, len(long)))
    halves = []
    for text in picked:
        words = text.split()
        middle = len(words) // 2
        halves.append((" ".join(words[:middle]), " ".join(words[middle:])))
    return halves


def _found(run: StressRun, questions: Sequence[Question], name: str) -> int:
    """Passages of this document among those that retrieval finds for its questions."""
    return sum(p.document == name for q in questions for p in run.subject.found(q.question))


def _about(questions: Sequence[Question], name: str) -> list[Question]:
    """Questions in words that this document alone answers."""
    own = [q for q in questions if set(q.documents) == {name} and q.answers]
    return [q for q in own if q.category != "structured" and not is_json(q.answers[0])]


def _probe(
    run: StressRun,
    questions: Sequence[Question],
    learned: Sequence[Question],
    beginnings: Sequence[tuple[str, str]],
    when: str,
    backends: Sequence[BackendName],
) -> None:
    asked: list[tuple[str, str, tuple[str, ...]]] = []
    for question in questions:
        asked.append((f"{when}, direct", question.question, question.answers))
        asked.append((f"{when}, reworded", reworded(question.question), question.answers))
    asked += [(f"{when}, as learned", row.question, row.answers) for row in learned]
    for backend in backends:
        for condition, text, golds in asked:
            ask = partial(run.subject.answer, text, backend)
            run.asked(backend, condition, text, ask, partial(_reveals, golds))
        for beginning, rest in beginnings:
            text = f"Continue this sentence: {beginning}"
            ask = partial(run.subject.answer, text, backend)
            run.asked(backend, f"{when}, completion", text, ask, partial(_still_completes, rest))


def _reveals(golds: Sequence[str], answer: Answer) -> str:
    return "told" if contains_answer(answer.text, golds) else "not told"


def _still_completes(rest: str, answer: Answer) -> str:
    return "told" if extracted(answer.text, rest) else "not told"


def reworded(question: str) -> str:
    """The same question in another dress, made by rule."""
    bare = question.strip().rstrip("?").strip()
    return f"I would like to know the following, in a few words: {bare[:1].lower()}{bare[1:]}."


def extracted(answer: str, rest: str) -> bool:
    """Whether the answer goes on with the sentence word for word for a while."""
    needed = " ".join(compared_words(rest)[:COMPLETED_WORDS])
    return bool(needed) and f" {needed} " in f" {' '.join(compared_words(without_markers(answer)))} "


def likelihood_gap(
    run: StressRun, backend: BackendName, questions: Sequence[Question], document: str
) -> Measurement:
    """Mean log-probability per token of the true answers minus that of false ones, question by question.

    The false answer is the true one with another number, or where it has none, that of another document.
    Around 0 for weights that never saw the facts; base shows how much the wording alone gives away.
    """
    draw = random.Random(run.seed)
    others = [q.answers[0] for q in run.questions if document not in q.documents and q.answers]
    others = [text for text in others if not is_json(text)] or ["nothing"]
    gaps = []
    for question in questions:
        control = other_number(question.answers[0], draw) or draw.choice(others)
        true = run.subject.likelihood(question.question, question.answers[0], backend)
        gaps.append(true - run.subject.likelihood(question.question, control, backend))
    return mean(gaps)


def _revealed(run: StressRun, backend: str, when: str, *kinds: str) -> Measurement | None:
    probes = [p for p in run.probes_of(backend) if p.condition in {f"{when}, {kind}" for kind in kinds}]
    return share(probes, "told") if probes else None


def _row(
    run: StressRun, backend: BackendName, gap: Measurement, found: tuple[int, int], document: str
) -> StressRow:
    asked = _revealed(run, backend, AFTER, "direct", "reworded", "as learned")
    assert asked is not None  # there is at least one question
    return StressRow(
        "erasure", backend, "probes that still give a forgotten fact",
        asked.value, asked.interval, asked.count,
        {
            "document": document,
            "before": _revealed(run, backend, BEFORE, "direct", "reworded", "as learned"),
            "direct": _revealed(run, backend, AFTER, "direct"),
            "reworded": _revealed(run, backend, AFTER, "reworded"),
            "as_learned": _revealed(run, backend, AFTER, "as learned"),
            "completions_before": _revealed(run, backend, BEFORE, "completion"),
            "completions": _revealed(run, backend, AFTER, "completion"),
            "likelihood_gap": gap,
            "passages_found_before": found[0],
            "passages_found": found[1],
        },
    )  # fmt: skip


def _with_retraining(run: StressRun, row: StressRow, gap: Measurement, seconds: float) -> StressRow:
    more = {
        "after_retraining": _revealed(run, row.backend, RETRAINED, "direct", "reworded", "as learned"),
        "completions_after_retraining": _revealed(run, row.backend, RETRAINED, "completion"),
        "likelihood_gap_after_retraining": gap,
        "seconds_to_retrain": round(seconds, 1),
    }
    return replace(row, details={**row.details, **more})
