"""What a month costs with each backend, and from which volume on one is cheaper than another.

Enters: measured tokens and seconds per question, a price `Book`, a `OperatingPlan` of how the product is
run. Leaves: monthly totals with intervals, crossover volumes with intervals or "never", and what moves them
most. With volume V, backend b costs fixed(b) + V * variable(b) a month; one-off costs are spread over
`OperatingPlan.months`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np

from backends.costs.prices import FIELDS, Book
from backends.datatypes import Answer, BackendName, JsonValue, UserError
from backends.system.wording import money, untypical

CLAIMED_VOLUME = 100_000  # questions a month from which tuning "typically" pays, says one guide
RESAMPLES = 5_000
RETRIEVING = frozenset({"rag", "hybrid"})
TUNED = frozenset({"fine_tuned", "hybrid"})
HOURS_A_MONTH = 730.0  # 365 days of 24 hours, by twelve
FEWEST = 2  # questions from which an interval can be told at all

NAMES: dict[str, str] = {"rag": "RAG", "fine_tuned": "Fine-tuned", "hybrid": "Hybrid", "base": "Base"}

# By the token; a machine paid while it works; machines that are paid day and night, working or not.
Serving = Literal["hosted", "self_hosted", "rented"]
Verdict = Literal["above", "below", "always", "never", "same"]


@dataclass(frozen=True)
class Measured:
    """What the answers of one backend took; position i of every tuple is question `ids[i]`."""

    ids: tuple[str, ...]
    prompt_tokens: tuple[float, ...]
    completion_tokens: tuple[float, ...]
    seconds: tuple[float, ...]

    def at(self, ids: Iterable[str]) -> Measured:
        """The rows of these questions, in this order."""
        where = {question: number for number, question in enumerate(self.ids)}
        rows = [where[question] for question in ids]
        return Measured(
            tuple(self.ids[row] for row in rows),
            tuple(self.prompt_tokens[row] for row in rows),
            tuple(self.completion_tokens[row] for row in rows),
            tuple(self.seconds[row] for row in rows),
        )


@dataclass(frozen=True)
class OperatingPlan:
    """How the product would be run. Measured where it can be, the rest is the user's input."""

    serving: Serving = "hosted"
    volume: float = 10_000.0  # questions a month; decides how many machines are rented
    busy_share: float = 0.5  # of a paid machine hour that is spent answering
    months: float = 12.0  # over which one-off costs are spread
    changes: float = 4.0  # documents that change in a month
    changes_per_retraining: float = 4.0  # changes that gather before an adapter is trained again
    training_hours: float = 0.2  # of one training run
    corpus_tokens: float = 0.0  # embedded once
    changed_tokens: float = 0.0  # embedded again with one change
    question_tokens: float = 16.0  # embedded with every question
    gigabytes: float = 0.0  # of stored vectors and passages
    setup_rag: float = 120.0  # hours of people, once: 2 to 4 weeks
    setup_tuned: float = 320.0  # hours of people, once: 6 to 10 weeks
    people_per_retraining: float = 4.0  # hours of people


@dataclass(frozen=True)
class CostCase:
    """Everything a total is made of."""

    measured: Mapping[BackendName, Measured]
    book: Book
    plan: OperatingPlan = field(default_factory=OperatingPlan)

    def __post_init__(self) -> None:
        if not 0 < self.plan.busy_share <= 1:
            raise UserError(
                f"The busy share must lie above 0 and at most at 1, not at {self.plan.busy_share:g}."
            )
        if self.plan.months <= 0 or self.plan.changes_per_retraining <= 0:
            raise UserError("Months and changes per retraining must be above 0.")


@dataclass(frozen=True)
class CostLine:
    """Monthly totals of one backend at some volumes, with the 95 % interval of the mean answer."""

    backend: BackendName
    volumes: np.ndarray
    totals: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Crossover:
    """Where `challenger` and `incumbent` cost the same.

    `verdict` says when the challenger is cheaper: above or below `volume`, always or never (or that both
    cost the same). `low` and `high` bound 95 % of the resamples; infinity stands for lines that never cross.
    """

    challenger: BackendName
    incumbent: BackendName
    verdict: Verdict
    volume: float | None
    low: float
    high: float
    crossing_share: float  # of the resamples in which the lines cross
    questions: int  # that both have answered; an interval needs `FEWEST`


@dataclass(frozen=True)
class Swing:
    """One input halved and doubled, and the crossover each gives; infinity means never."""

    name: str
    low_input: float
    high_input: float
    at_low: float
    at_high: float


def measured_of(answers: Iterable[Answer]) -> dict[BackendName, Measured]:
    """The tokens and seconds of these answers; of a question asked twice the last answer counts.

    Answers that were stopped, came cold or were timed under load are left out.
    """
    by_backend: dict[str, dict[str, Answer]] = {}
    for answer in answers:
        if untypical(answer.warnings):
            continue
        by_backend.setdefault(answer.backend, {})[answer.question] = answer
    return {
        name: Measured(  # type: ignore[misc]
            tuple(given),
            tuple(a.usage.prompt_tokens for a in given.values()),
            tuple(a.usage.completion_tokens for a in given.values()),
            tuple(a.latency_ms["total"] / 1000 for a in given.values()),
        )
        for name, given in by_backend.items()
    }


# --- what one month is made of -------------------------------------------------------------------


def training_run(book: Book, plan: OperatingPlan) -> float:
    """What one training run costs, people's time apart: hours of the training machine."""
    return plan.training_hours * book["training_hour"]


def change_cost(book: Book, plan: OperatingPlan, backend: BackendName, tokens: float) -> float:
    """What following one change of a document of so many tokens costs this backend.

    An index embeds the document again. A tuned backend is trained again once enough changes have gathered:
    one change bears its share of that run and of the people's time for it.
    """
    cost = tokens * book["embedding"] / 1e6 if backend in RETRIEVING else 0.0
    if backend in TUNED:
        people = plan.people_per_retraining * book["labour_hour"]
        cost += (training_run(book, plan) + people) / plan.changes_per_retraining
    return cost


def capacity(case: CostCase, backend: BackendName) -> float:
    """Questions that one rented machine answers in a month."""
    seconds = float(np.mean(case.measured[backend].seconds))
    return HOURS_A_MONTH * 3600 * case.plan.busy_share / max(seconds, 1e-9)


def machines(case: CostCase, backend: BackendName) -> int:
    """Rented machines that the planned volume needs, one at least."""
    return max(1, math.ceil(case.plan.volume / capacity(case, backend)))


def fixed_parts(case: CostCase, backend: BackendName) -> dict[str, float]:
    """What a month costs before the first question, by part."""
    book, plan = case.book, case.plan
    parts: dict[str, float] = {}
    if plan.serving == "rented":
        rent = machines(case, backend) * HOURS_A_MONTH * book["machine_hour"]
        parts["Rented machines, idle hours included"] = rent
    if backend in RETRIEVING:
        tokens = plan.corpus_tokens / plan.months + plan.changes * plan.changed_tokens
        parts["Embedding of documents"] = tokens * book["embedding"] / 1e6
        parts["Vector store"] = max(book["store_minimum"], plan.gigabytes * book["store_gigabyte"])
        parts["People, set-up of retrieval"] = plan.setup_rag * book["labour_hour"] / plan.months
    if backend in TUNED:
        runs = plan.changes / plan.changes_per_retraining
        run = training_run(book, plan)
        parts["First training"] = run / plan.months
        parts["Retraining"] = runs * run
        parts["People, set-up of tuning"] = plan.setup_tuned * book["labour_hour"] / plan.months
        parts["People, retraining"] = runs * plan.people_per_retraining * book["labour_hour"]
    return parts


def answer_parts(case: CostCase, backend: BackendName) -> dict[str, np.ndarray]:
    """What each measured answer costs, by part; one number per question."""
    book, plan, measured = case.book, case.plan, case.measured[backend]
    parts: dict[str, np.ndarray] = {}
    if plan.serving == "hosted":
        tuned = backend in TUNED
        prompt = book["prompt"] * (book["tuned_prompt"] if tuned else 1)
        completion = book["completion"] * (book["tuned_completion"] if tuned else 1)
        parts["Prompt tokens"] = np.asarray(measured.prompt_tokens, float) * prompt / 1e6
        parts["Answer tokens"] = np.asarray(measured.completion_tokens, float) * completion / 1e6
    elif plan.serving == "self_hosted":
        hour = book["machine_hour"] / plan.busy_share
        parts["Machine time"] = np.asarray(measured.seconds, float) * hour / 3600
    if backend in RETRIEVING:
        each = plan.question_tokens * book["embedding"] / 1e6
        parts["Embedding of questions"] = np.full(len(measured.ids), each)
    return parts


def fixed(case: CostCase, backend: BackendName) -> float:
    """What a month costs whatever the number of questions, in the book's currency."""
    return sum(fixed_parts(case, backend).values())


def per_answer(case: CostCase, backend: BackendName) -> np.ndarray:
    """(questions,) cost of each measured answer."""
    nothing = np.zeros(len(case.measured[backend].ids))  # rented machines are paid, asked or not
    return np.asarray(sum(answer_parts(case, backend).values(), nothing))


def thousand(answers: Iterable[Answer], book: Book, plan: OperatingPlan) -> float | None:
    """What 1,000 answers like these, all of one backend, cost; None where none of them was timed alone."""
    measured = measured_of(answers)
    if not measured:
        return None
    name = next(iter(measured))
    return 1000 * float(per_answer(CostCase(measured, book, plan), name).mean())


def monthly_total(case: CostCase, backend: BackendName, volume: float | None = None) -> float:
    """What a month costs at this volume, or at the planned one."""
    at = case.plan.volume if volume is None else volume
    return fixed(case, backend) + at * float(per_answer(case, backend).mean())


def line(case: CostCase, backend: BackendName, volumes: Sequence[float]) -> CostLine:
    """Monthly totals; the interval comes from resampling the questions."""
    at, costs = np.asarray(volumes, float), per_answer(case, backend)
    low, high = np.quantile(_means(costs), [0.025, 0.975])
    base = fixed(case, backend)
    return CostLine(backend, at, base + at * costs.mean(), base + at * low, base + at * high)


# --- where two lines cross -----------------------------------------------------------------------


def crossover(
    case: CostCase, challenger: BackendName = "fine_tuned", incumbent: BackendName = "rag"
) -> Crossover:
    """Where the two cost the same, from the questions both have answered.

    Raises UserError when no question was answered by both.
    """
    both = _paired(case, challenger, incumbent)
    more_fixed = fixed(both, challenger) - fixed(both, incumbent)
    saved = per_answer(both, incumbent) - per_answer(both, challenger)
    volumes = np.array([_crossing(more_fixed, mean) for mean in _means(saved)])
    # Not interpolated: between a number and infinity there is nothing.
    low, high = np.quantile(volumes, [0.025, 0.975], method="inverted_cdf")
    at = _crossing(more_fixed, float(saved.mean()))
    return Crossover(
        challenger,
        incumbent,
        _verdict(more_fixed, float(saved.mean())),
        at if math.isfinite(at) else None,
        float(low),
        float(high),
        float(np.isfinite(volumes).mean()),
        len(saved),
    )


def _paired(case: CostCase, one: BackendName, other: BackendName) -> CostCase:
    for name in (one, other):
        if name not in case.measured:
            raise UserError(f"Nothing was measured for {name} yet.")
    known = set(case.measured[other].ids)
    ids = [question for question in case.measured[one].ids if question in known]
    if not ids:
        raise UserError(f"No question was answered by both {one} and {other}.")
    return replace(case, measured={name: case.measured[name].at(ids) for name in (one, other)})


def _crossing(more_fixed: float, saved: float) -> float:
    """Volume at which what is saved per answer pays for what is fixed; infinity when it never does."""
    return more_fixed / saved if more_fixed * saved > 0 else math.inf


def _verdict(more_fixed: float, saved: float) -> Verdict:
    if more_fixed == 0 and saved == 0:
        return "same"
    if more_fixed > 0:
        return "above" if saved > 0 else "never"
    if saved < 0:
        return "below" if more_fixed < 0 else "never"
    return "always"


def _means(values: np.ndarray) -> np.ndarray:
    """(RESAMPLES,) means of resampled questions; the same draws for the same number of questions."""
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    return np.asarray(values[draws].mean(axis=1))


# --- what moves it -------------------------------------------------------------------------------

PLANNED: dict[str, str] = {
    "changes": "Changes a month",
    "changes_per_retraining": "Changes per retraining",
    "training_hours": "Hours of one training run",
    "months": "Months that one-off costs are spread over",
    "question_tokens": "Tokens of a question",
    "gigabytes": "Stored gigabytes",
    "volume": "Questions a month",
    "busy_share": "Busy share of the machine",
    "setup_rag": "People's hours to set up retrieval",
    "setup_tuned": "People's hours to set up tuning",
    "people_per_retraining": "People's hours per retraining",
}
COUNTED = {
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "answer tokens",
    "seconds": "seconds an answer",
}


@dataclass(frozen=True)
class _Input:
    name: str
    value: float
    changed: Callable[[float], CostCase]  # the case with another value


def tornado(
    case: CostCase, challenger: BackendName = "fine_tuned", incumbent: BackendName = "rag"
) -> list[Swing]:
    """Every input that moves the crossover, halved and doubled, the one that moves it most first."""
    both = _paired(case, challenger, incumbent)
    here = _volume(both, challenger, incumbent)
    swings = []
    for item in _inputs(both):
        ends = [_volume(item.changed(item.value * factor), challenger, incumbent) for factor in (0.5, 2.0)]
        if any(end != here and not math.isclose(end, here) for end in ends):
            swings.append(Swing(item.name, item.value * 0.5, item.value * 2, *ends))
    return sorted(swings, key=lambda swing: -_reach(swing))


def _volume(case: CostCase, challenger: BackendName, incumbent: BackendName) -> float:
    """The crossover of the means; infinity for never."""
    more_fixed = fixed(case, challenger) - fixed(case, incumbent)
    saved = per_answer(case, incumbent).mean() - per_answer(case, challenger).mean()
    return _crossing(more_fixed, float(saved))


def _inputs(case: CostCase) -> Iterator[_Input]:
    """Every input above 0: prices, the plan, and what was measured."""
    for key, known in FIELDS.items():
        if case.book[key] > 0:
            yield _Input(f"{known.label}, {known.unit}", case.book[key], partial(_with_price, case, key))
    for name, label in PLANNED.items():
        if (value := getattr(case.plan, name)) > 0:
            yield _Input(label, value, partial(_with_plan, case, name))
    for backend, measured in case.measured.items():
        for name, label in COUNTED.items():
            if (mean := float(np.mean(getattr(measured, name)))) > 0:
                yield _Input(
                    f"{NAMES[backend]}: {label}", mean, partial(_with_mean, case, backend, name, mean)
                )


def _with_price(case: CostCase, key: str, value: float) -> CostCase:
    return replace(case, book=case.book.with_value(key, value))


def _with_plan(case: CostCase, name: str, value: float) -> CostCase:
    changed: dict[str, JsonValue] = {name: min(value, 1.0) if name == "busy_share" else value}
    return replace(case, plan=replace(case.plan, **changed))


def _with_mean(case: CostCase, backend: BackendName, name: str, mean: float, value: float) -> CostCase:
    """The measured numbers of one backend, all scaled so that their mean is `value`."""
    measured = case.measured[backend]
    scaled = tuple(each * value / mean for each in getattr(measured, name))
    return replace(case, measured={**case.measured, backend: replace(measured, **{name: scaled})})


def _reach(swing: Swing) -> float:
    """How far the crossover moves, in factors; never is farther than anything."""
    low, high = sorted((swing.at_low, swing.at_high))
    return high / low if low > 0 and math.isfinite(low) else math.inf


# --- in words --------------------------------------------------------------------------------------


def cheapest_words(case: CostCase, found: Sequence[Crossover]) -> str:
    """Who costs least at the planned volume, what the others cost, and from where on that changes."""
    names = [name for name in NAMES if name in case.measured and name != "base"] or list(case.measured)
    totals = {name: monthly_total(case, name) for name in names}  # type: ignore[arg-type]
    first, *rest = sorted(totals, key=totals.__getitem__)
    cost = {name: money(total, case.book.currency) for name, total in totals.items()}
    month = f"At {rounded(case.plan.volume)} questions a month"
    if not rest:
        return f"{month} {NAMES[first]} costs {cost[first]}."
    others = ", ".join(f"{NAMES[name]} {cost[name]}" for name in rest)
    said = f"{month} {NAMES[first]} costs least, {cost[first]} in all; {others}."
    turn = turning(found)
    if turn is not None and turn.volume is not None:
        return (
            f"{said} {NAMES[turn.challenger]} is cheaper than {NAMES[turn.incumbent]} {turn.verdict} about "
            f"{rounded(turn.volume)} questions a month."
        )
    return f"{said} No volume changes that." if found else said


def turning(found: Sequence[Crossover]) -> Crossover | None:
    """The crossover that `cheapest_words` tells: the first that lies at a volume."""
    return next((each for each in found if each.verdict in ("above", "below") and each.volume), None)


def spread_words(found: Crossover) -> str:
    """How sure the volume is that `cheapest_words` tells; empty where there is no more to say."""
    if found.questions < FEWEST:
        return "Where the lines cross rests on one question: too few to say how sure that is"
    low, high = rounded(found.low), rounded(found.high)
    if found.volume is None or low == high:
        return ""
    names = f"{NAMES[found.challenger]} and {NAMES[found.incumbent]}"
    if math.isfinite(found.high):
        return f"{names} cost the same between {low} and {high} questions a month (95 % interval)"
    return f"{names} cost the same at {low} questions a month or more, or never (95 % interval)"


def in_words(found: Crossover) -> str:
    """One sentence: who is cheaper from where on, and how sure that is."""
    new, old = NAMES[found.challenger], NAMES[found.incumbent]
    if found.verdict == "never":
        unsure = (
            f" In {found.crossing_share:.0%} of the resamples the lines cross, from {rounded(found.low)} on."
            if found.crossing_share >= 0.005
            else ""
        )
        return f"{new} is never cheaper than {old} at these prices.{unsure}"
    if found.verdict == "always":
        return f"{new} is cheaper than {old} at every volume at these prices."
    if found.volume is None:
        return f"{new} and {old} cost the same at these prices."
    at = f"{new} is cheaper than {old} {found.verdict} {rounded(found.volume)} questions a month"
    low, high = rounded(found.low), rounded(found.high)
    if found.questions < FEWEST:
        return f"{at}, as one question has it: too few for an interval."
    return f"{at}." if low == high else f"{at} (95 % interval {low} to {high})."


def rounded(volume: float) -> str:
    """A volume with the two digits that its spread supports: `38,000`, `1.2 million`, `never`."""
    if not math.isfinite(volume):
        return "never"
    if volume < 1:
        return "1"
    digits = round(volume, 1 - math.floor(math.log10(volume)))
    if digits >= 1e12:
        return "over a trillion"
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if digits >= size:
            return f"{digits / size:g} {word}"
    return f"{digits:,.0f}"
