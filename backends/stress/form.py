"""Format and voice: does an answer keep a JSON schema, are its fields right, does prose keep the house style.

Enters: a run. Leaves: per backend the share of valid JSON, the share of right fields, the share of answers in
house style; for the untuned model also with examples in the prompt. Without questions that ask for JSON, the
documents' own questions are asked for a small JSON object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from backends.datatypes import Answer, BackendName, Question
from backends.evaluation.metrics import field_accuracy, follows_schema
from backends.evaluation.probes import chosen
from backends.evaluation.scoring import schema_of
from backends.evaluation.style import follows_style
from backends.language.answer_text import is_json
from backends.stress.records import NAMES, Measurement, Result, Row, Run, check_questions, mean, of, share

PLAIN, FEW_SHOT, PROSE = "JSON asked for", "JSON asked for, with examples", "prose"
EXAMPLES = 2
OWN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "document": {"type": "string"}},
    "required": ["answer", "document"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Task:
    question: str
    gold: Mapping[str, Any]
    schema: Mapping[str, Any]
    examples: str = ""


def form(run: Run) -> Result:
    """Ask for JSON with and without examples, then for prose."""
    tasks = chosen_tasks(run)
    prose = chosen([q for q in run.questions if q.answers and not _structured(q)], run.number, run.seed)
    check_questions([*prose, *(Question("", t.question) for t in tasks)], "no question has an answer")
    shots = [name for name in run.backends if name == "base"]
    run.total = len(run.backends) * (len(tasks) + len(prose)) + len(shots) * len(tasks)
    fields: dict[tuple[str, str], list[float]] = {}
    for backend in run.backends:
        for task in tasks:
            _ask_json(run, backend, PLAIN, task.question, task, fields)
            if backend in shots and task.examples:
                _ask_json(run, backend, FEW_SHOT, task.examples + task.question, task, fields)
        for question in prose:
            text = question.question
            run.asked(backend, PROSE, text, partial(run.subject.answer, text, backend), _style)
    rows = [_row(run, backend, fields) for backend in run.usable]
    said = ", ".join(
        f"{NAMES[row.backend]} {of(Measurement(row.value, row.interval, row.count))}" for row in rows
    )
    sentence = f"Answers that keep the JSON schema: {said}."
    return Result("format", tuple(rows), sentence, tuple(run.probes), dict(run.skipped), seed=run.seed)


def _style(answer: Answer) -> str:
    return {None: "does not apply", True: "kept", False: "broken"}[follows_style(answer.text)]


def _ask_json(
    run: Run,
    backend: BackendName,
    condition: str,
    text: str,
    task: Task,
    fields: dict[tuple[str, str], list[float]],
) -> None:
    probe = run.asked(
        backend, condition, text,
        lambda: run.subject.answer(text, backend),
        lambda answer: "valid" if follows_schema(answer.text, task.schema) else "not valid",
    )  # fmt: skip
    if probe is not None:
        fields.setdefault((backend, condition), []).append(field_accuracy(probe.answer, task.gold))


def chosen_tasks(run: Run) -> list[Task]:
    """The questions that ask for JSON; where there are none, others with a small JSON object asked for."""
    structured = [q for q in run.questions if _structured(q)]
    picked = chosen(structured, run.number, run.seed)
    if picked:
        return [_task(question, [q for q in structured if q not in picked]) for question in picked]
    others = [q for q in run.questions if q.answers and q.documents]
    order = ' Answer as a JSON object with the keys "answer" and "document", and nothing else.'
    made = [
        Question(
            q.id, q.question + order, (json.dumps({"answer": q.answers[0], "document": q.documents[0]}),)
        )
        for q in others
    ]
    picked = chosen(made, run.number, run.seed)
    return [_task(question, [q for q in made if q not in picked]) for question in picked]


def _structured(question: Question) -> bool:
    return bool(question.answers) and is_json(question.answers[0])


def _task(question: Question, spare: Sequence[Question]) -> Task:
    alike = [q for q in spare if _kind(q) == _kind(question)][:EXAMPLES]
    examples = "".join(f"{q.question} -> {q.answers[0]} ; " for q in alike)
    return Task(question.question, json.loads(question.answers[0]), _schema(question), examples)


def _kind(question: Question) -> tuple[str, ...]:
    """Questions of one kind ask for the same keys."""
    return tuple(sorted(json.loads(question.answers[0])))


def _schema(question: Question) -> Mapping[str, Any]:
    if _kind(question) == ("answer", "document"):
        return OWN_SCHEMA
    return schema_of(question)


def _row(run: Run, backend: BackendName, fields: Mapping[tuple[str, str], list[float]]) -> Row:
    valid = share(run.of(backend, PLAIN), "valid")
    judged = [p for p in run.of(backend, PROSE) if p.verdict != "does not apply"]
    shots = run.of(backend, FEW_SHOT)
    return Row(
        "format", backend, "answers that keep the JSON schema", valid.value, valid.interval, valid.count,
        {
            "fields_right": mean(fields[backend, PLAIN]),
            "style_kept": share(judged, "kept") if judged else None,
            "few_shot_valid": share(shots, "valid") if shots else None,
            "few_shot_fields_right": mean(fields[backend, FEW_SHOT]) if shots else None,
        },
    )  # fmt: skip
