"""Compares: backends of one run with each other, and a run with a baseline; in plain words first.

Enters: stored runs. Leaves: `Difference`s with intervals, paired tests corrected for their number, and a
sentence each. Only questions that both sides answered count, and only with the same text and gold answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from backends.datatypes import BACKEND_NAMES, Question, UserError
from backends.evaluation.archive import Entry, Run
from backends.evaluation.paired import Paired, chance, correct, number, swapped
from backends.evaluation.scoring import BY_KEY, MEASURES, Measure, Scoreboard, Scores, scoreboard
from backends.system.wording import untypical

LABELS = {"rag": "RAG", "fine_tuned": "Fine-tuned", "hybrid": "Hybrid", "base": "Base"}
MISSING_NAMED = 5  # gold documents that are named before "and more"
COMPARED = ("right", "f1", "groundedness")  # what backends of one run are tested on


@dataclass(frozen=True, kw_only=True)
class Difference(Paired):
    """Two arms on one of our measures."""

    measure: str
    before: bool = False  # the second is the same backend in a baseline run

    @property
    def better(self) -> bool:
        """Whether the first is ahead, significant or not."""
        return (self.difference > 0) == BY_KEY[self.measure].higher_is_better and self.difference != 0

    @property
    def regressed(self) -> bool:
        """Significantly worse than before."""
        return self.before and self.significant and not self.better

    @property
    def sentence(self) -> str:
        """The finding in plain words."""
        return sentence(self)


class Board:
    """A run's numbers: one scoreboard per arm, and the differences between arms."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.questions: Mapping[str, Question] = {q.id: q for q in run.record.questions}

    @cached_property
    def arms(self) -> dict[str, Scoreboard]:
        """Scoreboards of the arms that answered anything, in the run's order."""
        return {
            arm.name: board
            for arm in self.run.record.arms
            if (board := self.scoreboard(arm.name)) is not None
        }

    def scoreboard(self, arm: str, questions: frozenset[str] | None = None) -> Scoreboard | None:
        """The arm over some of the questions, or all; None when it answered none of them."""
        entries = [
            e for e in self.run.entries_of(arm).values() if questions is None or e.question in questions
        ]
        scored = [(self.questions[e.question], e.answer, e.scores) for e in entries if e.answer is not None]
        return scoreboard(scored, failed=len(entries) - len(scored)) if scored else None

    def scores(self, arm: str) -> dict[str, Scores]:
        """Scores by question id, of the questions that were answered."""
        return {name: e.scores for name, e in self.run.entries_of(arm).items() if e.answer is not None}

    @cached_property
    def differences(self) -> list[Difference]:
        """Every pair of arms on the compared measures, the higher first, Holm-corrected measure by measure.

        Of a sweep, only arms of the same backend against the best one of it.
        """
        sweep = self.run.record.sweep
        pairs = self._sweep_pairs() if sweep else list(combinations(self.arms, 2))
        tests: list[Difference] = []
        for measure in ("right",) if sweep else COMPARED:
            made = [
                difference(BY_KEY[measure], self.scores(one), self.scores(other), one, other)
                for one, other in pairs
            ]
            tests += correct([d if d.difference >= 0 else swapped(d) for d in made if d is not None])
        return tests

    def _sweep_pairs(self) -> list[tuple[str, str]]:
        pairs = []
        for backend in dict.fromkeys(arm.backend for arm in self.run.record.arms):
            names = [a.name for a in self.run.record.arms if a.backend == backend and a.name in self.arms]
            if names:
                best = max(names, key=lambda name: self.arms[name].scores["right"].value)
                pairs += [(best, name) for name in names if name != best]
        return pairs

    @property
    def notes(self) -> list[str]:
        """What to know before the numbers are read."""
        return [*self._missing_documents(), *self._loaded()]

    def _missing_documents(self) -> list[str]:
        """Gold documents that nobody could find."""
        there = self.run.record.setting.documents
        missing = {
            name: question.id
            for question in reversed(self.run.record.questions)
            for name in question.documents
            if name not in there
        }
        if not missing:
            return []
        asking = sum(any(name in missing for name in q.documents) for q in self.run.record.questions)
        named = [f"{name} (question {missing[name]})" for name in sorted(missing)]
        more = f" and {len(named) - MISSING_NAMED} more" if len(named) > MISSING_NAMED else ""
        return [
            f"{asking} of {len(self.run.record.questions)} questions name a gold document that is not among "
            f"the documents asked: {', '.join(named[:MISSING_NAMED])}{more}. It cannot be found or cited, so "
            "these questions lower recall, precision and citations for every approach."
        ]

    def _loaded(self) -> list[str]:
        """Answers whose times are not those of the backend alone."""
        answers = [entry.answer for entry in self.run.entries if entry.answer is not None]
        loaded = sum(untypical(answer.warnings) for answer in answers)
        left = "they do not count for latency" if loaded < len(answers) else "no latency here is typical"
        return [f"{loaded} of {len(answers)} answers came cold or under load: {left}."] if loaded else []

    def verdicts(self) -> list[str]:
        """Who answers right, in plain words: RAG against fine-tuned, then the clearest; the control last."""
        right = [d for d in self.differences if d.measure == "right"]
        return [d.sentence for d in sorted(right, key=_order)]

    def conclusion(self) -> str:
        """Who answers most questions right, and whether that lead may be chance."""
        arms = {name: board for name, board in self.arms.items() if name != "base"} or self.arms
        scores = {name: board.scores["right"].value for name, board in arms.items()}
        if not scores:
            return "No answer yet."
        first, *rest = sorted(scores, key=scores.__getitem__, reverse=True)
        most = f"{arm_label(first)} answers {100 * scores[first]:.0f} of 100 questions right"
        if not rest:
            return f"{most}."
        second = f"{arm_label(rest[0])} {100 * scores[rest[0]]:.0f}"
        tests = [d for d in self.differences if {d.first, d.second} == {first, rest[0]}]
        sure = any(d.measure == "right" and d.significant for d in tests)
        chance_words = "is unlikely to be chance" if sure else "may be chance"
        if scores[first] == scores[rest[0]]:
            return f"{most}, {arm_label(rest[0])} as many."
        others = "".join(f", {arm_label(name)} {100 * scores[name]:.0f}" for name in rest[1:])
        return f"{most}, {second}{others}; the lead over {arm_label(rest[0])} {chance_words}."


def _order(made: Difference) -> tuple[bool, bool, bool, float]:
    """The order in which differences are told."""
    pair = {made.first, made.second}
    return "base" in pair, pair != {"rag", "fine_tuned"}, not made.significant, made.p


def difference(
    measure: Measure,
    first: Mapping[str, Scores],
    second: Mapping[str, Scores],
    first_name: str,
    second_name: str,
    *,
    before: bool = False,
) -> Difference | None:
    """The paired comparison on one measure; None when no question has a score on both sides."""
    both = [q for q, s in first.items() if measure.key in s and measure.key in second.get(q, {})]
    if not both:
        return None
    return Difference.from_scores(
        [first[q][measure.key] for q in both],
        [second[q][measure.key] for q in both],
        share=measure.kind == "share",
        measure=measure.key,
        first=first_name,
        second=second_name,
        before=before,
    )


# --- a run and its baseline ----------------------------------------------------------------------


@dataclass(frozen=True)
class BaselineComparison:
    """A run measured against a baseline."""

    differences: tuple[Difference, ...]  # of the gated measures, Holm-corrected together
    shared: int  # questions that both runs asked
    notes: tuple[str, ...]  # what else is different: documents, model, settings

    @property
    def regressions(self) -> list[Difference]:
        """The differences that are regressions."""
        return [made for made in self.differences if made.regressed]

    @property
    def improvements(self) -> list[Difference]:
        """The significant gains."""
        return [made for made in self.differences if made.significant and made.better]


def compare_with_baseline(board: Board, baseline: Board) -> BaselineComparison:
    """Every gated measure of every backend that both runs have. UserError when they share nothing."""
    shared = frozenset(
        name for name, question in board.questions.items() if _same(question, baseline.questions.get(name))
    )
    arms = [name for name in board.arms if name in baseline.arms]
    if not shared or not arms:
        missing = "question" if not shared else "backend"
        raise UserError(f"The run and its baseline {baseline.run.record.run} share no {missing}.")
    found = [
        made
        for arm in arms
        for measure in MEASURES
        if measure.gate
        and (
            made := difference(
                measure, _only(board.scores(arm), shared), baseline.scores(arm), arm, arm, before=True
            )
        )
    ]
    return BaselineComparison(tuple(correct(found)), len(shared), tuple(_notes(board, baseline, len(shared))))


def _same(question: Question, other: Question | None) -> bool:
    return other is not None and (question.question, question.answers) == (other.question, other.answers)


def _only(scores: Mapping[str, Scores], questions: frozenset[str]) -> dict[str, Scores]:
    return {name: each for name, each in scores.items() if name in questions}


def _notes(board: Board, baseline: Board, shared: int) -> list[str]:
    mine, theirs = board.run.record, baseline.run.record
    notes = []
    if shared < len(mine.questions):
        notes.append(
            f"{shared} of {len(mine.questions)} questions are in both runs; only these are compared."
        )
    if not theirs.complete:
        notes.append("The baseline was not run to its end.")
    if mine.setting.scores_version != theirs.setting.scores_version:
        notes.append("The baseline was scored by other definitions of the measures.")
    if mine.setting.corpus != theirs.setting.corpus:
        notes.append("The documents are not the same as in the baseline.")
    if mine.setting.model_fingerprint != theirs.setting.model_fingerprint:
        notes.append(f"The model is {mine.setting.model}, in the baseline it was {theirs.setting.model}.")
    for kind in sorted({*mine.setting.adapters, *theirs.setting.adapters}):
        if mine.setting.adapters.get(kind) != theirs.setting.adapters.get(kind):
            notes.append(f"The {kind.replace('_', '-')} adapter is another one.")
    return notes + _changed_settings(board, baseline)


def _changed_settings(board: Board, baseline: Board) -> list[str]:
    theirs = {arm.name: arm.settings for arm in baseline.run.record.arms}
    changed = {
        f"{name.replace('_', ' ')} {old[name]} -> {value}"
        for arm in board.run.record.arms
        if (old := theirs.get(arm.name)) is not None
        for name, value in arm.settings.items()
        if name in old and old[name] != value
    }
    return [f"Settings changed: {', '.join(sorted(changed))}."] if changed else []


# --- words ---------------------------------------------------------------------------------------


def arm_label(arm: str) -> str:
    """`RAG`, `Hybrid, chunk size 64, top k 4`."""
    backend, comma, rest = arm.partition(", ")
    return f"{LABELS.get(backend, backend)}{comma}{rest}"


def sentence(made: Difference) -> str:
    """The finding in plain words: how much, and whether it may be chance."""
    measure = BY_KEY[made.measure]
    first = f"{arm_label(made.first)} now" if made.before else arm_label(made.first)
    second = "before" if made.before else arm_label(made.second)
    if abs(made.difference) < 1e-12:
        text = f"{first} and {second} score the same on “{measure.label}”"
    elif measure.key == "right":
        points = abs(100 * made.difference)
        amount = f"{points:.0f}" if points >= 0.95 else f"{points:.1f}"
        more = "more" if made.difference > 0 else "fewer"
        than = "than before" if made.before else f"than {second}"
        text = f"{first} answers {amount} {more} of 100 questions right {than}"
    else:
        higher = "higher" if made.difference > 0 else "lower"
        than = "than before" if made.before else f"than {second}"
        values = f"{number(made.first_value, made)} against {number(made.second_value, made)}"
        text = f"{first} is {higher} {than} on “{measure.label}”: {values}"
    return f"{text}; {chance(made)}"


def clearly_best(board: Board, measure: str = "right") -> str | None:
    """The arm that is significantly ahead of every other one but the control, or None."""
    tests = [d for d in board.differences if d.measure == measure]
    names = [name for name in board.arms if name in BACKEND_NAMES and name != "base"]
    for name in names:
        mine = [d for d in tests if name in (d.first, d.second) and "base" not in (d.first, d.second)]
        if mine and len(names) > 1 and all(d.significant and d.first == name and d.better for d in mine):
            return name
    return None


def differing(run: Run, arms: Sequence[str]) -> list[str]:
    """Ids of the questions that some of these arms got right and some wrong."""
    entries: list[dict[str, Entry]] = [run.entries_of(arm) for arm in arms]
    return [
        question.id
        for question in run.record.questions
        if len({e[question.id].scores.get("right") for e in entries if question.id in e}) > 1
    ]
