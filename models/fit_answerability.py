"""Fits the rule that declines, on development questions, and writes its curve; or checks it on others.

Enters: the product with its shipped models, the sample's development questions, answered and not. Every
second answered one is asked once more without the sentences that answer it: what is left of the documents
does not. Leaves: models/answerability.json and the curve between the markers of docs/results.md: of
the questions that the documents answer how many are declined, of the others how many, at every threshold. The
curve is cross-validated by question; a model's own refusals count as declined on both sides.

`--check` fits nothing: it asks the product, with the rule in place, the sample's test questions and those of
benchmarks/corpora, and prints what is declined, with Wilson intervals. Answers are kept in <work>, by the
sha256 of all models involved, so that an interrupted run goes on and a new model is asked anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from backends.answering.answer_text import is_abstention
from backends.answering.answerability import (
    RULE,
    AbstentionRule,
    Reader,
    log_odds,
    passage_of,
)
from backends.answering.backend import Backend
from backends.datatypes import BackendName, Evidence, Finished, Question, Token
from backends.evaluation.metrics import contains_answer
from backends.evaluation.probes import sample_questions
from backends.evaluation.statistics import wilson_interval
from backends.product import Triptych
from backends.retrieval.cross_encoder import shipped
from backends.retrieval.retriever import Retriever
from backends.retrieval.span_reader import SPAN_READER, SpanReader
from backends.settings import Settings, make_settings
from backends.system.files import ROOT, append_line

BACKENDS: tuple[BackendName, ...] = ("rag", "hybrid")
FALSE_DECLINES = 0.06  # of answered development questions, at most: 8 % is the promise
FOLDS = 10
UNKNOWN = 0.5  # the confidence of a model that was not asked: log-odds 0, which no coefficient can weigh
CORPORA = ("clinic", "marina")
SECTION = """## When the documents do not say

RAG and the hybrid decline where a rule over three signs (the span reader, the cross-encoder, how sure the
model was) puts the chance that the documents answer below a threshold. On the sample's development questions,
each asked also without the sentences that answer it, cross-validated, 95 % Wilson intervals: declined of the
questions that the evidence answers (false) and of the others (caught). `python models/fit_answerability.py
--work WORK` fits and measures it again."""
STARTS, ENDS = "<!-- declining:start -->", "<!-- declining:end -->"


@dataclass(frozen=True)
class Outcome:
    """One answer of one backend before any rule, and what the signs are made of."""

    question: str
    answerable: bool
    backend: str
    passages: Sequence[str]  # as the reader sees them
    cross_encoder: float
    confidence: float
    declined: bool  # by the model itself

    def signs(self, reader: Reader) -> list[float]:
        """In the order of the rule's coefficients."""
        best = max(span.score for span in reader.read(self.question, self.passages))
        return [best, self.cross_encoder, log_odds(self.confidence)]


class Kept:
    """Outcomes on disk, by what was asked of which models."""

    def __init__(self, path: Path, models: str) -> None:
        self._path, self._models = path, models
        self._known: dict[str, Outcome] = {}
        for line in path.read_text(encoding="utf8").splitlines() if path.exists() else ():
            row = json.loads(line)
            self._known[row["key"]] = Outcome(**row["outcome"])

    def answer(self, asked: str, make: Callable[[], Outcome | None]) -> Outcome | None:
        key = hashlib.sha256(f"{self._models} {asked}".encode()).hexdigest()
        if key not in self._known:
            if (made := make()) is None:
                return None
            self._known[key] = made
            append_line(self._path, json.dumps({"key": key, "outcome": asdict(made)}))
        return self._known[key]


def answered(question: Question, backend: Backend, settings: Settings, quick: bool) -> Outcome | None:
    """Run a backend that has no rule, if `quick` up to its evidence alone; None where nothing was found or a
    sign is missing."""
    text, evidence, confidence = "", None, UNKNOWN if quick else None
    for event in backend.run(question.question, settings):
        if isinstance(event, Token):
            text += event.text
        elif isinstance(event, Evidence):
            evidence = event
            if quick:
                break
        elif isinstance(event, Finished):
            confidence = event.confidence
    if evidence is None or confidence is None:
        return None
    shown = [sentence for source in evidence.sources for sentence in source.sentences]
    logits = [sentence.logit for sentence in shown if sentence.logit is not None]
    answerable = contains_answer("\n".join(sentence.text for sentence in shown), question.answers)
    if not logits or (question.answers and not answerable):
        return None  # of what is there but was not found neither side can be said
    return Outcome(
        question.question,
        answerable,
        backend.name,
        [passage_of(source) for source in evidence.sources],
        max(logits),
        confidence,
        is_abstention(text),
    )


def lacking(retriever: Retriever, answers: Sequence[str]) -> Retriever:
    """The same retriever, blind to sentences that hold one of these answers."""
    other = retriever.fresh()

    def best_sentences(_: Retriever, *given: Any, **options: Any) -> Any:
        ranked, fit = retriever.best_sentences(*given, **options)
        return [each for each in ranked if not contains_answer(each[1].text, answers)], fit

    other.best_sentences = MethodType(best_sentences, other)  # type: ignore[method-assign]
    return other


def outcomes(work: Path, backends: Sequence[BackendName], limit: int, quick: bool) -> Iterator[Outcome]:
    """Development questions of the sample: as they are, and every second of the answered ones once more
    without the sentences that answer it."""
    settings = make_settings()
    triptych = Triptych.open(work / "workspace", settings)
    retriever = triptych.library.retriever(settings)
    asked = [q for q in sample_questions("dev") if q.category != "structured"][:limit]
    for name in backends:
        backend: Any = triptych.backend(name, settings)
        backend = replace(backend, abstainer=None)
        models = [shipped().fingerprint, triptych.model(settings).fingerprint, weights_of(backend)]
        models += ["evidence alone"] if quick else []
        kept = Kept(work / "outcomes.jsonl", " ".join(models))
        for number, question in enumerate(asked):
            whole = replace(backend, retriever=retriever.fresh())
            found = [
                kept.answer(
                    f"{name} {question.question}", partial(answered, question, whole, settings, quick)
                )
            ]
            if question.answers and number % 2:
                less = replace(backend, retriever=lacking(retriever, question.answers))
                silent = replace(question, answers=())
                key = f"{name} without {question.question}"
                found.append(kept.answer(key, partial(answered, silent, less, settings, quick)))
            yield from (each for each in found if each is not None)


def weights_of(backend: Any) -> str:
    """SHA-256 of a backend's adapter; "" for one that has none."""
    if (adapter := getattr(backend, "adapter", None)) is None:
        return ""
    return hashlib.sha256((adapter / "adapter_model.safetensors").read_bytes()).hexdigest()


@dataclass(frozen=True)
class Fitted:
    rule: AbstentionRule
    probabilities: np.ndarray  # cross-validated, (outcomes,)


def fit(found: Sequence[Outcome], reader: Reader) -> Fitted:
    """Coefficients, and the highest threshold that keeps false declines, the models' own included, within
    FALSE_DECLINES. A sign that would count against an answer, as the others say it already, is left out."""
    said = np.array([each.answerable for each in found])
    signs = np.array([each.signs(reader) for each in found])
    columns = _counting_for(signs, said)
    model, folds = LogisticRegression(), GroupKFold(FOLDS)
    groups = [each.question for each in found]
    given = signs[:, columns]
    probabilities = cross_val_predict(model, given, said, groups=groups, cv=folds, method="predict_proba")
    model.fit(given, said)
    weights = np.zeros(3)
    weights[columns] = model.coef_[0]
    own = np.array([each.declined for each in found])
    promised = max(FALSE_DECLINES, float(own[said].mean()))
    threshold = next(
        (
            t
            for t in np.arange(0.95, 0.0, -0.01)
            if (own | (probabilities[:, 1] < t))[said].mean() <= promised
        ),
        0.0,
    )
    numbers = [round(float(each), 4) for each in (*weights, model.intercept_[0], threshold)]
    return Fitted(AbstentionRule(*numbers), probabilities[:, 1])


def _counting_for(signs: np.ndarray, said: np.ndarray) -> list[int]:
    """The columns of `signs` whose coefficients together are not negative."""
    columns = list(range(signs.shape[1]))
    while len(columns) > 1:
        weights = LogisticRegression().fit(signs[:, columns], said).coef_[0]
        if weights.min() >= 0:
            break
        del columns[int(weights.argmin())]
    return columns


def curve(found: Sequence[Outcome], fitted: Fitted) -> str:
    """Markdown: declined of the answered and of the unanswered, by backend and threshold."""
    lines = [
        "| declined below | "
        + " | ".join(f"{name}: answered | {name}: not answered" for name in BACKENDS)
        + " |",
        "|---|" + "---|" * 2 * len(BACKENDS),
    ]
    thresholds = sorted({0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, fitted.rule.threshold})
    for threshold in thresholds:
        cells = []
        for name in BACKENDS:
            for answerable in (True, False):
                chosen = [
                    each.declined or p < threshold
                    for each, p in zip(found, fitted.probabilities, strict=True)
                    if each.backend == name and each.answerable == answerable
                ]
                cells.append(share(sum(chosen), len(chosen)))
        mark = " (shipped)" if threshold == fitted.rule.threshold else ""
        lines.append(f"| {threshold:.2f}{mark} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def share(count: int, of: int) -> str:
    """`12 % (5-24)`, a Wilson interval; a dash of nothing."""
    if not of:
        return "-"
    low, high = wilson_interval(count, of)
    return f"{count / of:.0%} ({100 * low:.0f}-{100 * high:.0f})".replace("%", " %")


def publish(table: str) -> None:
    """Put the curve where the last one stood, or in a section of its own at the end."""
    path = ROOT / "docs" / "results.md"
    text = path.read_text(encoding="utf8")
    if STARTS not in text:
        text = f"{text.rstrip()}\n\n{SECTION}\n\n{STARTS}\n{ENDS}\n"
    before, _, rest = text.partition(STARTS)
    path.write_text(f"{before}{STARTS}\n{table}\n{ENDS}{rest.partition(ENDS)[2]}", encoding="utf8")


def check(work: Path) -> Iterator[dict[str, Any]]:
    """What the product declines: the sample's test questions, and the corpora written for benchmarks."""
    settings = make_settings()
    sets = {"sample": (None, [q for q in sample_questions("test") if q.category != "structured"])}
    for name in CORPORA:
        folder = ROOT / "benchmarks" / "corpora" / name
        sets[name] = (folder, questions_of(folder))
    for name, (folder, asked) in sets.items():
        documents = None if folder is None else copied(folder, work / name)
        triptych = Triptych.open(work / "workspace", settings, documents=documents)
        for backend in BACKENDS:
            declined: dict[bool, list[bool]] = {True: [], False: []}
            found: list[bool] = []  # of the answered, those whose passages hold the answer
            for question in asked:
                answer = triptych.answer(question, backend, settings)
                declined[bool(question.answers)].append(answer.abstained)
                if contains_answer("\n".join(s.text for s in answer.sources), question.answers):
                    found.append(answer.abstained)
            yield {
                "set": name,
                "backend": backend,
                "declined of the answered": share(sum(declined[True]), len(declined[True])),
                "declined of those whose passages hold the answer": share(sum(found), len(found)),
                "declined of the unanswered": share(sum(declined[False]), len(declined[False])),
                "questions": [len(declined[True]), len(declined[False])],
            }


def questions_of(folder: Path) -> list[Question]:
    """Answered and unanswerable ones of a corpus."""
    rows = [
        json.loads(line)
        for name in ("questions.jsonl", "unanswerable.jsonl")
        for line in (folder / name).read_text(encoding="utf8").splitlines()
    ]
    return [Question(str(n), row["question"], tuple(row["answers"])) for n, row in enumerate(rows)]


def copied(folder: Path, to: Path) -> Path:
    """The documents of a corpus without its questions."""
    to.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.suffix != ".jsonl":
            (to / path.name).write_bytes(path.read_bytes())
    return to


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=1000, help="questions, to try it out")
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--reader", type=Path, default=SPAN_READER)
    parser.add_argument("--collect", action="store_true", help="ask the models and fit nothing yet")
    parser.add_argument("--quick", action="store_true", help="by the evidence alone, without asking a model")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.check:
        for row in check(args.work):
            print(json.dumps(row), flush=True)
        return
    found = list(outcomes(args.work, args.backend or BACKENDS, args.limit, args.quick))
    if args.collect:
        return
    fitted = fit(found, SpanReader(args.reader))
    numbers = {"rule": asdict(fitted.rule), "questions": len({each.question for each in found})}
    RULE.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf8")
    publish(curve(found, fitted))
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
