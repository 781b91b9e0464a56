"""`python -m benchmarks.labels`: fits the rule behind an answer's labels, and measures how often it is right.

Enters: benchmarks/development_answers.jsonl (made by `benchmarks.development_answers`, of all backends) and
benchmarks/statements.jsonl. Leaves: models/checks/rule.json with weights, thresholds and the measured
reliability that the labels show in their help, and the table in docs/results.md: of answers as they are
labelled once all backends have answered, and of each alone. What is measured was not fitted on: five folds,
all answers to one question in one of them; whether an answer is right is what its gold answers say of its
first sentence. Support is measured on statements made by hand, their thresholds chosen on
the other folds.
"""

from __future__ import annotations

import itertools
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from backends.answering.agreement import SETTLED, GivenAnswer, agreement_features, judged_beside
from backends.answering.answer_text import is_abstention
from backends.answering.checks import (
    RULE,
    AnswerFindings,
    LabelRule,
    LogisticRule,
    WrittenAnswer,
    declined_features,
    features,
    findings,
    supported,
    warning_of,
)
from backends.datatypes import BackendName, Checks, Citation, Question
from backends.evaluation.first_minutes import in_short
from backends.evaluation.metrics import is_right
from backends.retrieval.retriever import Retriever
from backends.retrieval.span_reader import SPAN_READER, SpanReader
from backends.settings import make_settings
from benchmarks.development_answers import ROOT, STORED, collections, opened

STATEMENTS = ROOT / "benchmarks" / "statements.jsonl"
RESULTS = ROOT / "docs" / "results.md"
STARTS, ENDS = "<!-- labels:start -->", "<!-- labels:end -->"
FOLDS = 5
STRENGTH = 0.1  # inverse of the penalty on standardised weights
WRONG = 1.1  # what a wrong answer without a warning weighs against a right one with it
BACKED = (-4.0, -3.0, -2.0)
BEHIND = (1.5, 2.0, 2.5, 3.0)
STRANGE = (0.45, 0.55, 0.65, 1.0)
CONTRADICTED = (0.0, 1.0)


@dataclass(frozen=True)
class Labelled:
    """One answer with what was found about it and whether it is right."""

    group: str  # of the question: its answers are fitted or measured together
    backend: BackendName
    draft: WrittenAnswer
    found: AnswerFindings
    right: bool

    @cached_property
    def features(self) -> Mapping[str, float]:
        return features(self.draft, self.found)

    @property
    def declines(self) -> bool:
        return is_abstention(self.draft.text)

    def given(self, support: LabelRule) -> GivenAnswer:
        settled = warning_of(self.draft, self.found, support) in SETTLED
        return GivenAnswer(self.backend, self.draft.text, self.draft.learned and not settled)

    def checks(self, rule: LabelRule) -> Checks:
        """Its labels alone, without the passage."""
        warning = warning_of(self.draft, self.found, rule)
        if self.declines:
            return Checks(warning=warning)
        answers = rule.right.probability(self.features)
        return Checks(answers, supported(self.draft, self.found, rule)[0], warning=warning)


@dataclass(frozen=True)
class Statement:
    draft: WrittenAnswer
    found: AnswerFindings
    expected: str


class Libraries:
    """The documents of each collection, opened when they are first needed."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._settings = make_settings()
        self._collections = {each.name: each for each in collections()}
        self._opened: dict[str, Retriever] = {}
        self._read = SpanReader.load().read if (SPAN_READER / "card.json").is_file() else None

    def question(self, corpus: str, id_: str) -> Question:
        return next(each for each in self._collections[corpus].questions if each.id == id_)

    def found(self, corpus: str, draft: WrittenAnswer) -> AnswerFindings:
        if corpus not in self._opened:
            made = opened(self._collections[corpus], self._workspace, self._settings)
            self._opened[corpus] = made.library.retriever(self._settings)
        return findings(draft, self._opened[corpus], self._settings.mode, self._read)


def labelled(libraries: Libraries) -> Iterator[Labelled]:
    for row in _rows(STORED):
        question = libraries.question(row["corpus"], row["question"])
        draft = WrittenAnswer(
            question.question,
            row["text"],
            tuple(Citation(**each) for each in row["citations"]),
            sourced=row["backend"] in ("rag", "hybrid"),
            confidence=row["confidence"],
            learned=row["backend"] == "fine_tuned" and row["corpus"] == "sample",
        )
        found = libraries.found(row["corpus"], draft)
        right = is_right(question, in_short(draft.text))
        yield Labelled(f"{row['corpus']} {question.id}", row["backend"], draft, found, right)


def statements(libraries: Libraries) -> Iterator[Statement]:
    for row in _rows(STATEMENTS):
        draft = WrittenAnswer(row["question"], row["answer"])
        yield Statement(draft, libraries.found(row["corpus"], draft), row["expected"])


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf8").splitlines() if line]


# --- support --------------------------------------------------------------------------------------


def fitted_support(made: Sequence[Statement]) -> LabelRule:
    """The thresholds that judge most statements rightly; of equals the ones in the middle."""
    rules = [
        LabelRule(*[LogisticRule({}, 0.0)] * 3, 0.5, 0.5, *cuts, {})
        for cuts in itertools.product(BACKED, BEHIND, STRANGE, CONTRADICTED)
    ]
    scores = [sum(_judged_rightly(each, rule) for each in made) for rule in rules]
    best = [rule for rule, score in zip(rules, scores, strict=True) if score == max(scores)]
    return best[len(best) // 2]


def _judged_rightly(made: Statement, rule: LabelRule) -> bool:
    return supported(made.draft, made.found, rule)[0] == made.expected


def measured_support(made: Sequence[Statement]) -> int:
    """How many statements are judged rightly by thresholds that were chosen on the others."""
    right = 0
    for fold in range(FOLDS):
        rule = fitted_support([each for place, each in enumerate(made) if place % FOLDS != fold])
        right += sum(_judged_rightly(each, rule) for each in made[fold::FOLDS])
    return right


# --- answers --------------------------------------------------------------------------------------


def fitted(rows: Sequence[Labelled], support: LabelRule) -> LabelRule:
    """The logistic rules, of answers that assert something and of those that decline, and their cuts."""
    said = [row for row in rows if not row.declines]
    declined = [row for row in rows if row.declines]
    right = _logistic([row.features for row in said], [row.right for row in said])
    overlooked = _logistic([_declined(row) for row in declined], [not row.right for row in declined])
    others = beside(rows, support)
    agreeing = [
        agreement_features(
            row.draft.question,
            row.given(support),
            right.probability(row.features),
            others[row.group, row.backend],
        )
        for row in said
    ]
    return replace(
        support,
        right=right,
        overlooked=overlooked,
        together=_logistic(agreeing, [row.right for row in said]),
        answers_from=_cut([row.right for row in said], WRONG),
        declined_from=_cut([not row.right for row in declined], 1 / WRONG),
    )


def beside(rows: Sequence[Labelled], support: LabelRule) -> dict[tuple[str, BackendName], list[GivenAnswer]]:
    """What the other backends answered, by question and backend."""
    asked: dict[str, list[GivenAnswer]] = {}
    for row in rows:
        asked.setdefault(row.group, []).append(row.given(support))
    return {
        (row.group, row.backend): [each for each in asked[row.group] if each.backend != row.backend]
        for row in rows
    }


def _declined(row: Labelled) -> Mapping[str, float]:
    return declined_features(row.draft.question, row.found)


def _logistic(table: Sequence[Mapping[str, float]], yes: Sequence[bool]) -> LogisticRule:
    """Fitted on standardised features, given for features as they are; without weights where all are one.

    Yes and no weigh alike in the fit, whichever is the rarer; the intercept then brings the probabilities
    back to how often yes is true.
    """
    from sklearn.linear_model import LogisticRegression

    if len(set(yes)) < 2:
        return LogisticRule({}, 0.0)
    names = list(table[0])
    values = np.array([[each[name] for name in names] for each in table])
    middle, spread = values.mean(0), np.maximum(values.std(0), 1e-6)
    model = LogisticRegression(C=STRENGTH, max_iter=2000, class_weight="balanced")
    model.fit((values - middle) / spread, yes)
    weights = model.coef_[0] / spread
    return LogisticRule(
        {name: round(float(weight), 5) for name, weight in zip(names, weights, strict=True)},
        round(float(model.intercept_[0] - weights @ middle) + math.log(sum(yes) / (len(yes) - sum(yes))), 5),
    )


def _cut(yes: Sequence[bool], weight: float) -> float:
    """The probability from which yes is said: how often it is true, in odds times `weight`.

    A cut searched for among so few answers would follow their chances.
    """
    if len(set(yes)) < 2:
        return 0.5
    odds = weight * sum(yes) / (len(yes) - sum(yes))
    return round(odds / (1 + odds), 3)


@dataclass(frozen=True)
class Outcome:
    backend: str
    right: bool
    warned: bool  # once all backends have answered
    warned_alone: bool


def measured(rows: Sequence[Labelled], support: LabelRule) -> list[Outcome]:
    """Whether each answer carries a warning, by a rule fitted on the answers to other questions."""
    others = beside(rows, support)
    groups = sorted({row.group for row in rows})
    fold_of = {group: place % FOLDS for place, group in enumerate(groups)}
    outcomes = []
    for fold in range(FOLDS):
        rule = fitted([row for row in rows if fold_of[row.group] != fold], support)
        for row in rows:
            if fold_of[row.group] == fold:
                alone, said = row.checks(rule), others[row.group, row.backend]
                judged = judged_beside(row.draft.question, row.given(support), alone, said, rule)
                warned = (judged.warning is not None, alone.warning is not None)
                outcomes.append(Outcome(row.backend, row.right, *warned))
    return outcomes


def reliability(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How often warning and gold agree, and shares of wrong answers without a warning, of right with one."""
    right = [each for each in outcomes if each.right]
    wrong = [each for each in outcomes if not each.right]
    return {
        "answers": len(outcomes),
        "agree": _share([each.right != each.warned for each in outcomes]),
        "wrong_unwarned": _share([not each.warned for each in wrong]),
        "right_warned": _share([each.warned for each in right]),
    }


def alone(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """As the answers are labelled where only one backend is asked."""
    return [replace(each, warned=each.warned_alone) for each in outcomes]


def _share(values: Sequence[bool]) -> float:
    return round(sum(values) / len(values), 3) if values else 0.0


def table(outcomes: Sequence[Outcome], support: Mapping[str, int]) -> str:
    lines = [
        "| answers of | answers | label agrees with gold | wrong without a warning | right with one |",
        "|---|---|---|---|---|",
    ]
    by = {"all": list(outcomes)}
    for each in outcomes:
        by.setdefault(each.backend, []).append(each)
    by["all, each labelled alone"] = alone(outcomes)
    for name, found in by.items():
        row = reliability(found)
        shares = (f"{row[key]:.0%}".replace("%", " %") for key in ("agree", "wrong_unwarned", "right_warned"))
        lines.append(f"| {name} | {row['answers']} | {' | '.join(shares)} |")
    return "\n".join(
        [
            *lines,
            "",
            f"Backed, contradicted, not mentioned: {support['right']} of {support['statements']} right.",
        ]
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        libraries = Libraries(Path(folder))
        made = list(statements(libraries))
        rows = list(labelled(libraries))
    told, outcomes = write(made, rows)
    print(told)
    print(f"{len(outcomes)} answers; the rule is in {RULE.relative_to(ROOT)}.")


def write(made: Sequence[Statement], rows: Sequence[Labelled]) -> tuple[str, list[Outcome]]:
    """Fit on everything, measure by folds, and put both where they are used."""
    support = fitted_support(made)
    outcomes = measured(rows, support)
    judged = {"statements": len(made), "right": measured_support(made)}
    measured_as = {"answers": reliability(outcomes), "alone": reliability(alone(outcomes)), "support": judged}
    rule = replace(fitted(rows, support), reliability=measured_as)
    RULE.write_text(json.dumps(asdict(rule), indent=1) + "\n", "utf8")
    told = table(outcomes, judged)
    text = RESULTS.read_text("utf8")
    before, after = text.split(STARTS)[0], text.split(ENDS)[1]
    RESULTS.write_text(f"{before}{STARTS}\n{told}\n{ENDS}{after}", "utf8")
    return told, outcomes


if __name__ == "__main__":
    main()
