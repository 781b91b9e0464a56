"""Format and style: is an answer JSON by a schema, are its fields right, does prose keep the house style.

Enters: a run. Leaves: per backend the share of valid JSON and of right fields when the prompt alone asks for
it, with examples in the prompt, and with decoding constrained to the schema, and the share of answers in
house style. Fine-tuned and hybrid are the tuned forms of the base model and of RAG: what tuning brings is
seen beside the rest. Without questions that ask for JSON, the documents' own are asked for a small object.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from backends.datatypes import Answer, BackendName, JsonObject, JsonValue, Question
from backends.evaluation.metrics import field_accuracy
from backends.evaluation.probes import chosen
from backends.evaluation.scoring import schema_of
from backends.evaluation.style import follows_style
from backends.stress.records import (
    NAMES,
    TUNED,
    Measurement,
    Result,
    StressRow,
    StressRun,
    check_questions,
    mean,
    share,
    share_in_words,
)
from backends.system.json_texts import follows_schema, is_json

PLAIN, FEW_SHOT, CONSTRAINED, PROSE = "prompt only", "few-shot", "constrained decoding", "prose"
EXAMPLES = 2
Fields = dict[tuple[str, str], list[float]]  # shares of right fields by backend and way of asking
OWN_SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "document": {"type": "string"}},
    "required": ["answer", "document"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Task:
    """A question whose answer has to be JSON, and the right one."""

    question: Question  # carries its schema
    gold: JsonObject
    examples: str = ""


@dataclass(frozen=True)
class FormComparison:
    """How one backend does in one way of asking for JSON."""

    backend: BackendName
    how: str
    valid: Measurement
    fields: Measurement


def form(run: StressRun) -> Result:
    """Ask for JSON in each way, then for prose."""
    tasks = chosen_tasks(run)
    prose = chosen([q for q in run.questions if q.answers and not _structured(q)], run.number, run.seed)
    check_questions([*prose, *(task.question for task in tasks)], "no question has an answer")
    shown = [task for task in tasks if task.examples]
    run.total = len(run.backends) * (2 * len(tasks) + len(shown) + len(prose))
    fields: Fields = {}
    for backend in run.backends:
        for task in tasks:
            _ask_json(run, backend, PLAIN, task, fields)
            if task.examples:
                _ask_json(run, backend, FEW_SHOT, task, fields)
            _ask_json(run, backend, CONSTRAINED, task, fields)
        for question in prose:
            text = question.question
            run.asked(backend, PROSE, text, partial(run.subject.answer, text, backend), _style)
    rows = tuple(_row(run, backend, fields) for backend in run.usable)
    return Result("format", rows, _sentence(rows), tuple(run.probes), dict(run.skipped), seed=run.seed)


def side_by_side(rows: Sequence[StressRow]) -> list[FormComparison]:
    """Every backend in every way of asking that was measured."""
    found: list[FormComparison] = []
    for row in rows:
        valid = Measurement(row.value, row.interval, row.count)
        ways = ((PLAIN, valid, "fields_right"),
                (FEW_SHOT, row.details["few_shot_valid"], "few_shot_fields_right"),
                (CONSTRAINED, row.details["constrained_valid"], "constrained_fields_right"))  # fmt: skip
        tuned = "tuned, " if row.backend in TUNED else ""
        found += [
            FormComparison(row.backend, tuned + how, measured, row.details[key])
            for how, measured, key in ways
            if measured is not None
        ]
    return found


def _sentence(rows: Sequence[StressRow]) -> str:
    compared = side_by_side(rows)
    groups = {
        "with the prompt alone": [c for c in compared if c.how == PLAIN],
        "with examples": [c for c in compared if c.how == FEW_SHOT],
        "tuned": [c for c in compared if c.how == f"tuned, {PLAIN}"],
        "with constrained decoding": [c for c in compared if c.how.endswith(CONSTRAINED)],
    }
    said = [
        f"{how} {', '.join(f'{NAMES[each.backend]} {share_in_words(each.valid)}' for each in group)}"
        for how, group in groups.items()
        if group
    ]
    return f"Answers that keep the JSON schema: {'; '.join(said)}."


def _style(answer: Answer) -> str:
    return {None: "does not apply", True: "kept", False: "broken"}[follows_style(answer.text)]


def _ask_json(run: StressRun, backend: BackendName, condition: str, task: Task, fields: Fields) -> None:
    text = (task.examples if condition == FEW_SHOT else "") + task.question.question
    asked = replace(task.question, question=text)
    schema = schema_of(task.question)
    probe = run.asked(
        backend, condition, text,
        lambda: run.subject.answer(asked, backend, constrained=condition == CONSTRAINED),
        lambda answer: "valid" if follows_schema(answer.text, schema) else "not valid",
    )  # fmt: skip
    if probe is not None:
        fields.setdefault((backend, condition), []).append(field_accuracy(probe.answer, task.gold))


def chosen_tasks(run: StressRun) -> list[Task]:
    """The questions that ask for JSON; where there are none, others with a small JSON object asked for."""
    structured = [q for q in run.questions if _structured(q)]
    picked = chosen(structured, run.number, run.seed)
    if picked:
        return [_task(question, [q for q in structured if q not in picked]) for question in picked]
    others = [q for q in run.questions if q.answers and q.documents]
    order = ' Answer as a JSON object with the keys "answer" and "document", and nothing else.'
    made = [
        replace(q, question=q.question + order, answers=(_own_gold(q),), schema=OWN_SCHEMA) for q in others
    ]
    picked = chosen(made, run.number, run.seed)
    return [_task(question, [q for q in made if q not in picked]) for question in picked]


def _own_gold(question: Question) -> str:
    return json.dumps({"answer": question.answers[0], "document": question.documents[0]})


def _structured(question: Question) -> bool:
    return bool(question.answers) and is_json(question.answers[0])


def _task(question: Question, spare: Sequence[Question]) -> Task:
    alike = [q for q in spare if _kind(q) == _kind(question)][:EXAMPLES]
    examples = "".join(f"{q.question} -> {q.answers[0]} ; " for q in alike)
    question = replace(question, schema=schema_of(question))
    return Task(question, json.loads(question.answers[0]), examples)


def _kind(question: Question) -> tuple[str, ...]:
    """Questions of one kind ask for the same keys."""
    return tuple(sorted(json.loads(question.answers[0])))


def _row(run: StressRun, backend: BackendName, fields: Fields) -> StressRow:
    valid = share(run.probes_of(backend, PLAIN), "valid")
    judged = [p for p in run.probes_of(backend, PROSE) if p.verdict != "does not apply"]
    shots = run.probes_of(backend, FEW_SHOT)
    return StressRow(
        "format", backend, "answers that keep the JSON schema", valid.value, valid.interval, valid.count,
        {
            "fields_right": mean(fields[backend, PLAIN]),
            "style_kept": share(judged, "kept") if judged else None,
            "few_shot_valid": share(shots, "valid") if shots else None,
            "few_shot_fields_right": mean(fields[backend, FEW_SHOT]) if shots else None,
            "constrained_valid": share(run.probes_of(backend, CONSTRAINED), "valid"),
            "constrained_fields_right": mean(fields[backend, CONSTRAINED]),
        },
    )  # fmt: skip
