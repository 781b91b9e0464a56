"""Which approach: RAG first, tuning or a hybrid only where something measured or required speaks for it.

Enters: answers to a few questions, weights, and what was measured. Leaves: an `Advice` in which every
sentence names the answer, the run or the rule it rests on. It asks no model and reads no file.

Each criterion gives every approach a mark from 0 to 1 by a formula that is monotonic in its answer. RAG is
recommended unless an approach that no rule excludes leads it by more than `MARGIN` of the weighted mean.
The rules restate the decision guides named in `GUIDES`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from backends.datatypes import BackendName, JsonValue, UserError
from backends.system.wording import figure, money

APPROACHES: tuple[BackendName, ...] = ("rag", "hybrid", "fine_tuned")  # the order in which they are tried
NAMES: dict[str, str] = {"rag": "RAG", "hybrid": "Hybrid", "fine_tuned": "Fine-tuning"}
MARGIN = 0.03  # a lead smaller than this is no reason to leave RAG
WEIGHTINGS = 10_000
FEWEST_ROWS = 200

GUIDES = {
    "A": "RAG vs fine-tuning: an agency guide",
    "B": "RAG or fine-tuning: a product guide",
    "C": "An engineer's guide from 23 deployments",
    "D": "RAG and fine-tuning: a technical deep-dive",
    "E": "RAG and fine-tuning in production: the trade-offs",
}

Level = Literal[0, 1, 2]


@dataclass(frozen=True)
class Answers:
    """What the user said or accepted. Levels count from 0, the least."""

    missing: Level = 0  # facts, both, behaviour
    changes: float = 4.0  # documents that change in a month
    attribution: Level = 1  # not needed, useful, required
    erasure: Level = 0  # never, on request, a legal duty
    access: Level = 0  # everyone reads everything, some restrictions, strict
    strictness: Level = 0  # free text, consistent form, strict schema
    seconds: float = 5.0  # an answer may take
    volume: float = 10_000.0  # questions a month
    rows: float = 0.0  # labelled examples
    expertise: Level = 1  # nobody, some, a team that trains models
    weeks: float = 12.0  # until it must run


@dataclass(frozen=True)
class AdviceQuestion:
    """One question as the page puts it. `levels` empty: a number between `low` and `high`."""

    key: str
    question: str
    help: str
    guides: str  # letters of `GUIDES`
    levels: tuple[str, ...] = ()
    unit: str = ""
    low: float = 0.0
    high: float = 0.0


ASKS: tuple[AdviceQuestion, ...] = (
    AdviceQuestion("missing", "What is missing today: facts, or a way of answering?",
        "Retrieval brings facts; tuning teaches form, tone and vocabulary.", "BCE",
        ("Facts", "Both", "A way of answering")),
    AdviceQuestion("changes", "How many documents change in a month?",
        "An index follows a change in seconds, weights only after training again.", "ACDE",
        unit="changes a month", low=0.0, high=1_000.0),
    AdviceQuestion("attribution", "Must an answer show where it comes from?",
        "Weights cannot name a source.", "ACD", ("Not needed", "Useful", "Required")),
    AdviceQuestion("erasure", "Must a document be forgotten when somebody asks?",
        "What weights have learned cannot be cut out of them.", "CD",
        ("Never", "On request", "A legal duty")),
    AdviceQuestion("access", "May everybody read everything?",
        "An index can keep documents from a reader; weights cannot.", "D",
        ("Everybody", "Some restrictions", "Strict")),
    AdviceQuestion("strictness", "How strict is the form of an answer?",
        "Tuning enforces a form that prompts keep only mostly.", "BCDE",
        ("Free text", "One consistent form", "A strict schema")),
    AdviceQuestion("seconds", "How many seconds may an answer take?",
        "Retrieval adds a step and a longer prompt.", "ABDE", unit="seconds", low=0.05, high=30.0),
    AdviceQuestion("volume", "How many questions will be asked in a month?",
        "Tuning costs once, retrieval with every prompt.", "ABD",
        unit="questions a month", low=100.0, high=100_000_000.0),
    AdviceQuestion("rows", "How many labelled examples are there?",
        "Fewer than 200 do harm, 500 to 5,000 are usual, 1,000 good ones beat 10,000 noisy ones.", "ABCE",
        unit="examples", low=0.0, high=20_000.0),
    AdviceQuestion("expertise", "Who can train and look after models?",
        "A tuned model needs people who notice when it grows stale.", "A",
        ("Nobody", "Some experience", "A team")),
    AdviceQuestion("weeks", "In how many weeks must it run?",
        "Retrieval takes 2 to 4 weeks, tuning 6 to 10.", "AC", unit="weeks", low=1.0, high=52.0),
)  # fmt: skip
ASK = {ask.key: ask for ask in ASKS}


@dataclass(frozen=True)
class Finding:
    """One measured number: what, of whom, with its 95 % interval, and the stored run it comes from."""

    key: str  # one of MEASURE_WORDS
    backend: BackendName
    value: float
    low: float | None
    high: float | None
    run: str


@dataclass(frozen=True)
class MeasuredFindings:
    """All that was measured; what is missing is simply absent."""

    findings: tuple[Finding, ...] = ()
    currency: str = "USD"  # of the findings that are amounts

    def get(self, key: str, backend: str) -> Finding | None:
        """The finding of this measure and backend; None where it was not measured."""
        return next((f for f in self.findings if (f.key, f.backend) == (key, backend)), None)

    def all_of(self, key: str) -> dict[BackendName, Finding] | None:
        """One finding per approach; None unless every approach was measured."""
        found = {name: self.get(key, name) for name in APPROACHES}
        if any(finding is None for finding in found.values()):
            return None
        return {name: finding for name, finding in found.items() if finding is not None}


# --- criteria ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Criterion:
    """What approaches are compared on, its weight, and the answers that it depends on."""

    key: str
    label: str
    weight: float  # by default; the user may move it from 0 to 5
    asks: tuple[str, ...]  # answers it depends on
    measures: tuple[str, ...] = ()  # findings it depends on


CRITERIA: tuple[Criterion, ...] = (
    Criterion("missing", "Facts or behaviour", 3, ("missing",)),
    Criterion("freshness", "Staying current", 3, ("changes",), ("fresh",)),
    Criterion("attribution", "Naming the source", 3, ("attribution",)),
    Criterion("right", "Right answers, as measured", 3, (), ("right",)),
    Criterion("format", "Keeping a form", 2, ("strictness",), ("format",)),
    Criterion("erasure", "Forgetting a document", 2, ("erasure",), ("told",)),
    Criterion("access", "Keeping readers apart", 2, ("access",)),
    Criterion("latency", "Answering in time", 2, ("seconds",), ("seconds",)),
    Criterion("cost", "Monthly cost", 2, ("volume",), ("cost_fixed", "cost_answer")),
    Criterion("rows", "Examples to learn from", 2, ("rows",)),
    Criterion("expertise", "People to look after it", 1, ("expertise",)),
    Criterion("time", "Time until it must run", 1, ("weeks",)),
)
Weights = Mapping[str, float]
Marks = Mapping[BackendName, float]
DEFAULT_WEIGHTS: dict[str, float] = {c.key: c.weight for c in CRITERIA}

# Marks by level, in the order of APPROACHES: RAG, hybrid, fine-tuning. A test checks that each column's
# distance to RAG moves one way only.
LEVEL_MARKS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "missing": ((1.0, 0.9, 0.1), (0.7, 1.0, 0.5), (0.3, 0.9, 1.0)),
    "attribution": ((1.0, 1.0, 1.0), (1.0, 1.0, 0.4), (1.0, 1.0, 0.0)),
    "erasure": ((1.0, 1.0, 1.0), (1.0, 0.7, 0.5), (1.0, 0.4, 0.0)),
    "access": ((1.0, 1.0, 1.0), (1.0, 0.7, 0.5), (1.0, 0.4, 0.0)),
    "expertise": ((0.8, 0.0, 0.0), (0.9, 0.5, 0.5), (1.0, 0.9, 1.0)),
}
# Where nothing was measured the guides' own view stands in, and the advice says so.
ASSUMED_FORMAT = {"rag": 0.70, "hybrid": 0.95, "fine_tuned": 0.95}
ASSUMED_FRESH = {"rag": 1.0, "hybrid": 0.7, "fine_tuned": 0.0}  # a hybrid is stale in what it learned
ASSUMED_SECONDS = {"rag": 1.3, "hybrid": 1.3, "fine_tuned": 1.0}  # 100 to 500 ms more for retrieval
WEEKS_NEEDED = {"rag": 4.0, "hybrid": 10.0, "fine_tuned": 10.0}


def marks(criterion: str, answers: Answers, evidence: MeasuredFindings) -> Marks | None:
    """The approaches' marks, 0 to 1; None where the criterion rests on a measurement that is missing."""
    if criterion in LEVEL_MARKS:
        row = LEVEL_MARKS[criterion][getattr(answers, criterion)]
        level = dict(zip(APPROACHES, row, strict=True))
        return _erasure_marks(level, answers, evidence) if criterion == "erasure" else level
    if criterion == "freshness":
        stale = _share(math.log1p(answers.changes), math.log1p(ASK["changes"].high))
        followed = _followed(evidence)
        return {name: 1.0 - stale * (1.0 - followed[name]) for name in APPROACHES}
    if criterion == "right":
        found = evidence.all_of("right")
        return {name: finding.value for name, finding in found.items()} if found else None
    if criterion == "format":
        strict = answers.strictness / 2
        kept = _values(evidence, "format", ASSUMED_FORMAT)
        return {name: 1.0 - strict * (1.0 - kept[name]) for name in APPROACHES}
    if criterion == "latency":
        taken = _values(evidence, "seconds", ASSUMED_SECONDS)
        return {name: _within(taken[name], answers.seconds, ASK["seconds"]) for name in APPROACHES}
    if criterion == "cost":
        return _cost_marks(answers.volume, evidence)
    if criterion == "rows":
        ready = _share(math.log(max(answers.rows, FEWEST_ROWS) / FEWEST_ROWS), math.log(5_000 / FEWEST_ROWS))
        return {"rag": 1.0, "hybrid": 0.3 + 0.7 * ready, "fine_tuned": ready}
    if criterion == "time":
        return {name: _within(WEEKS_NEEDED[name], answers.weeks, ASK["weeks"]) for name in APPROACHES}
    raise ValueError(f"no criterion {criterion!r}")


def _share(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole))


def _values(evidence: MeasuredFindings, key: str, assumed: Mapping[str, float]) -> dict[str, float]:
    found = evidence.all_of(key)
    return {name: finding.value for name, finding in found.items()} if found else dict(assumed)


def _followed(evidence: MeasuredFindings) -> dict[str, float]:
    """Share of the changes RAG follows that each approach follows too: RAG's own misses are no staleness."""
    found = evidence.all_of("fresh")
    if found is None or found["rag"].value == 0:
        return dict(ASSUMED_FRESH)
    return {name: min(1.0, each.value / found["rag"].value) for name, each in found.items()}


def _erasure_marks(level: Marks, answers: Answers, evidence: MeasuredFindings) -> Marks:
    """The rule's marks, lowered by what was still told after forgetting, beyond what RAG tells by chance.

    Little told raises no mark: nobody can show that weights tell nothing in any other words.
    """
    found = evidence.all_of("told")
    if found is None:
        return level
    beyond = {name: max(0.0, each.value - found["rag"].value) for name, each in found.items()}
    return {name: min(level[name], 1.0 - answers.erasure / 2 * beyond[name]) for name in APPROACHES}


def _within(needed: float, allowed: float, ask: AdviceQuestion) -> float:
    """1 while the need is met, then falling with the logarithm of how far it is missed.

    Two approaches that both miss it keep their distance, however tight the limit: so tightening never
    favours the slower one.
    """
    needed = min(max(needed, ask.low), ask.high)
    return 1.0 - max(0.0, math.log(needed / allowed)) / math.log(ask.high / ask.low)


def _cost_marks(volume: float, evidence: MeasuredFindings) -> Marks | None:
    """1 for the cheapest, a quarter less for each factor of ten above it."""
    fixed, answer = evidence.all_of("cost_fixed"), evidence.all_of("cost_answer")
    if fixed is None or answer is None:
        return None
    totals = {name: fixed[name].value + volume * answer[name].value for name in APPROACHES}
    least = max(min(totals.values()), 1e-9)
    return {name: max(0.0, 1.0 - math.log10(max(total, 1e-9) / least) / 4) for name, total in totals.items()}


# --- rules that exclude --------------------------------------------------------------------------


@dataclass(frozen=True)
class Exclusion:
    """An approach that a rule rules out, whatever the marks say."""

    approach: BackendName
    ask: str  # the answer that rules it out
    why: str
    short: str  # the same as a clause
    guides: str


def exclusions(answers: Answers) -> list[Exclusion]:
    """The approaches that these answers rule out, each with its reason."""
    out = []
    if answers.rows < FEWEST_ROWS:
        few = f"{answers.rows:,.0f} labelled examples are fewer than {FEWEST_ROWS}"
        why = f"{few}: tuning on so few does harm."
        out += [Exclusion(name, "rows", why, few, "ABCE") for name in ("hybrid", "fine_tuned")]
    if answers.attribution == 2:
        why = "A source is required; weights have none."
        out.append(Exclusion("fine_tuned", "attribution", why, "a source is required", "ACD"))
    if answers.erasure == 2:
        why = "Erasure is a duty; nothing can be cut out of weights, only trained again without it."
        out.append(Exclusion("fine_tuned", "erasure", why, "erasure is a duty", "CD"))
    if answers.expertise == 0:
        short = "nobody can train and look after models"
        why = f"{short.capitalize()}."
        out += [Exclusion(name, "expertise", why, short, "A") for name in ("hybrid", "fine_tuned")]
    return out


# --- the advice ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Basis:
    """What a sentence rests on: an answer (`input`), a stored run (`run`), or a guide's rule (`rule`)."""

    kind: Literal["input", "run", "rule"]
    reference: str


@dataclass(frozen=True)
class Reason:
    """One reason in words, and what it rests on."""

    text: str
    bases: tuple[Basis, ...]


@dataclass(frozen=True)
class CriterionScore:
    """One criterion: its weight and every approach's mark."""

    criterion: Criterion
    weight: float
    marks: Marks
    measured: bool  # False: some of it is assumed


@dataclass(frozen=True)
class Flip:
    """The nearest other answer to one question that changes the recommendation."""

    ask: str
    value: float
    becomes: BackendName


@dataclass(frozen=True)
class Advice:
    """The recommendation with everything that it rests on."""

    headline: str  # the recommendation and its two strongest reasons, in one sentence
    recommended: BackendName
    runner_up: BackendName  # what the reasons compare it with
    totals: Marks  # weighted mean marks, 0 to 1
    scores: tuple[CriterionScore, ...]
    excluded: tuple[Exclusion, ...]
    reasons: tuple[Reason, ...]  # what speaks for it against the runner-up, the weightiest first
    against: tuple[Reason, ...]  # what speaks for the runner-up
    gap: Reason  # how far apart the two are, and what would change the recommendation
    flips: tuple[Flip, ...]
    robustness: Marks  # share of random weightings under which each approach is recommended
    unknown: tuple[str, ...] = ()  # measures that are missing


def advise(
    answers: Answers, evidence: MeasuredFindings, weights: Weights | None = None, seed: int = 0
) -> Advice:
    """The recommendation and everything it rests on. Raises UserError for an answer out of its range."""
    check(answers)
    weights = {**DEFAULT_WEIGHTS, **(weights or {})}
    scores = tuple(scored(answers, evidence, weights))
    totals = weighted(scores)
    excluded = tuple(exclusions(answers))
    out = {each.approach for each in excluded}
    choice = recommend(totals, out)
    second = runner_up(choice, totals, out)
    leads = _leads(choice, second, scores)
    return Advice(
        headline=_headline(choice, second, leads, excluded, answers),
        recommended=choice,
        runner_up=second,
        totals=totals,
        scores=scores,
        excluded=excluded,
        reasons=tuple(_reasons(choice, second, leads, excluded, answers, evidence)),
        against=tuple(_against(choice, second, leads, answers, evidence)),
        gap=_gap(choice, second, totals, excluded, evidence),
        flips=tuple(_flips(answers, evidence, weights, choice)),
        robustness=robustness(scores, out, seed),
        unknown=tuple(unknown(evidence)),
    )


def check(answers: Answers) -> None:
    """Raise UserError for an answer out of its range."""
    for ask in ASKS:
        value = getattr(answers, ask.key)
        fits = value in range(len(ask.levels)) if ask.levels else ask.low <= value <= ask.high
        if not fits:
            raise UserError(f"{ask.question} {figure(value)} lies outside what can be answered.")


def scored(answers: Answers, evidence: MeasuredFindings, weights: Weights) -> Iterator[CriterionScore]:
    """The criteria that can be marked; one that only a missing measurement could mark is left out."""
    for criterion in CRITERIA:
        given = marks(criterion.key, answers, evidence)
        if given is not None:
            measured = all(evidence.all_of(key) is not None for key in criterion.measures)
            yield CriterionScore(criterion, weights[criterion.key], given, measured)


def weighted(scores: Sequence[CriterionScore]) -> Marks:
    """The mean marks; equal weights when all weights are 0."""
    total = sum(score.weight for score in scores)
    if total == 0:
        return {name: sum(score.marks[name] for score in scores) / len(scores) for name in APPROACHES}
    return {name: sum(score.weight * score.marks[name] for score in scores) / total for name in APPROACHES}


def recommend(totals: Marks, excluded: set[BackendName]) -> BackendName:
    """RAG, unless the best approach that is not excluded leads it by more than the margin."""
    best = max((name for name in APPROACHES if name not in excluded), key=totals.__getitem__)
    return best if totals[best] - totals["rag"] > MARGIN else "rag"


def runner_up(choice: BackendName, totals: Marks, excluded: set[BackendName]) -> BackendName:
    """The best of the others; one that a rule excludes only where nothing else is left."""
    others = [name for name in APPROACHES if name != choice]
    return max(others, key=lambda name: (name not in excluded, totals[name]))


def robustness(scores: Sequence[CriterionScore], excluded: set[BackendName], seed: int = 0) -> Marks:
    """Share of 10,000 random weightings, drawn evenly from all there are, that recommend each approach."""
    table = np.array([[score.marks[name] for name in APPROACHES] for score in scores])
    draws = np.random.default_rng(seed).dirichlet(np.ones(len(scores)), WEIGHTINGS)
    totals = draws @ table
    allowed = np.array([name not in excluded for name in APPROACHES])
    best = np.where(allowed, totals, -np.inf).argmax(axis=1)
    leads = totals[np.arange(WEIGHTINGS), best] - totals[:, 0] > MARGIN
    chosen = np.where(leads, best, 0)
    return {name: float((chosen == number).mean()) for number, name in enumerate(APPROACHES)}


# --- what would change it ------------------------------------------------------------------------

STEPS = 120  # between the present answer and the end of its range


def _flips(
    answers: Answers, evidence: MeasuredFindings, weights: Weights, choice: BackendName
) -> Iterator[Flip]:
    """For each question the nearest answer, other answers as they are, that changes the recommendation."""
    for ask in ASKS:
        here = float(getattr(answers, ask.key))
        found = []
        for candidates in _other_answers(ask, here):
            for value in candidates:
                typed: Any = int(value) if ask.levels else value
                other = chosen(replace(answers, **{ask.key: typed}), evidence, weights)
                if other != choice:
                    found.append(Flip(ask.key, value, other))
                    break
        if found:
            yield min(found, key=lambda flip: _distance(ask, here, flip.value))


def chosen(answers: Answers, evidence: MeasuredFindings, weights: Weights) -> BackendName:
    """The recommendation alone."""
    totals = weighted(tuple(scored(answers, evidence, weights)))
    return recommend(totals, {each.approach for each in exclusions(answers)})


def _other_answers(ask: AdviceQuestion, here: float) -> list[list[float]]:
    """Other answers, downwards and upwards, nearest first."""
    if ask.levels:
        return [
            [float(n) for n in range(int(here) - 1, -1, -1)],
            [float(n) for n in range(int(here) + 1, len(ask.levels))],
        ]
    steps = np.linspace(0, 1, STEPS + 1)[1:]
    ends = (ask.low, ask.high)
    return [
        [_round(math.expm1((1 - s) * math.log1p(here) + s * math.log1p(end)), ask) for s in steps]
        for end in ends
        if end != here
    ]


def _round(value: float, ask: AdviceQuestion) -> float:
    """Two digits, within the range."""
    if value > 0:
        value = round(value, 1 - math.floor(math.log10(value)))
    return min(max(value, ask.low), ask.high)


def _distance(ask: AdviceQuestion, here: float, there: float) -> float:
    return abs(there - here) if ask.levels else abs(math.log1p(there) - math.log1p(here))


# --- in words ------------------------------------------------------------------------------------

MEASURE_WORDS = {
    "right": "answers right",
    "format": "answers that keep the form",
    "fresh": "new facts given after an edit",
    "told": "facts told of a forgotten document",
    "seconds": "seconds for nine answers in ten",
    "cost_fixed": "monthly cost before the first question",
    "cost_answer": "cost of an answer",
}


SHARES = ("right", "format", "fresh", "told")


MOST_REASONS = 4

Lead = tuple[float, CriterionScore]  # weight times how far the recommended is ahead of the runner-up


def _leads(choice: BackendName, second: BackendName, scores: Sequence[CriterionScore]) -> list[Lead]:
    """Every criterion by how much it parts the two, whichever way."""
    leads = [(score.weight * (score.marks[choice] - score.marks[second]), score) for score in scores]
    return sorted((pair for pair in leads if abs(pair[0]) > 1e-9), key=lambda pair: -abs(pair[0]))


def _headline(
    choice: BackendName,
    second: BackendName,
    leads: Sequence[Lead],
    excluded: Sequence[Exclusion],
    answers: Answers,
) -> str:
    """`Use RAG: 40 documents change in a month and answers must name their source.`"""
    said = list(dict.fromkeys(each.short for each in excluded if each.approach == second))[:1]
    said += [_clause(score.criterion.key, answers, choice) for lead, score in leads if lead > 0]
    if not said:
        return f"Use {NAMES[choice]}: nothing answered or measured so far speaks for anything more."
    return f"Use {NAMES[choice]}: {' and '.join(said[:2])}."


def _clause(criterion: str, answers: Answers, choice: BackendName) -> str:
    """One reason as a clause about the visitor's case."""
    name = NAMES[choice]
    level = {ask.key: ask.levels[getattr(answers, ask.key)].lower() for ask in ASKS if ask.levels}
    return {
        "missing": (
            "facts are missing, not a way of answering",
            "both facts and a way of answering are missing",
            "a way of answering is missing, not facts",
        )[answers.missing],
        "freshness": f"{figure(answers.changes)} documents change in a month",
        "attribution": f"naming the source is {level['attribution']}",
        "right": f"{name} answered more questions right",
        "format": f"{name} keeps the form better ({level['strictness']})",
        "erasure": f"documents must be forgotten ({level['erasure']})",
        "access": f"not everybody may read everything ({level['access']})",
        "latency": f"{name} is nearer to the {figure(answers.seconds)} seconds allowed",
        "cost": f"{name} costs less at {figure(answers.volume)} questions a month",
        "rows": f"{figure(answers.rows)} labelled examples are few to learn from",
        "expertise": (
            "nobody can look after a model",
            "only some experience with models is there",
            f"{name} leaves least to look after",
        )[answers.expertise],
        "time": f"it must run in {figure(answers.weeks)} weeks",
    }[criterion]


def _reasons(
    choice: BackendName,
    second: BackendName,
    leads: Sequence[Lead],
    excluded: Sequence[Exclusion],
    answers: Answers,
    evidence: MeasuredFindings,
) -> Iterator[Reason]:
    """What speaks for the recommended: rules that exclude the others, then criteria against the runner-up."""
    if choice == "rag":
        yield Reason(
            "RAG comes first: it is the baseline that anything else has to beat.", (Basis("rule", "ABDE"),)
        )
    for each in excluded:
        yield Reason(
            f"{NAMES[each.approach]} is out. {each.why}",
            (Basis("input", each.ask), Basis("rule", each.guides)),
        )
    for _, score in [pair for pair in leads if pair[0] > 0][:MOST_REASONS]:
        yield _reason(choice, second, score, answers, evidence)


def _against(
    choice: BackendName,
    second: BackendName,
    leads: Sequence[Lead],
    answers: Answers,
    evidence: MeasuredFindings,
) -> Iterator[Reason]:
    """What speaks for the runner-up all the same."""
    for _, score in [pair for pair in leads if pair[0] < 0][:MOST_REASONS]:
        yield _reason(second, choice, score, answers, evidence)


def _reason(
    better: BackendName,
    worse: BackendName,
    score: CriterionScore,
    answers: Answers,
    evidence: MeasuredFindings,
) -> Reason:
    """`Staying current favours RAG over Hybrid: 1.00 against 0.93, weight 3 (...).`"""
    criterion = score.criterion
    bases = [Basis("input", key) for key in criterion.asks]
    facts = [f"{_answered(key, answers)}" for key in criterion.asks]
    for key in criterion.measures:
        found = evidence.all_of(key)
        if found is None:
            bases.append(Basis("rule", "D"))
            facts.append(f"{MEASURE_WORDS[key]} not measured, the guides' view is used")
            continue
        bases += [Basis("run", run) for run in dict.fromkeys(f.run for f in found.values())]
        values = ", ".join(
            f"{NAMES[name]} {value_words(key, found[name].value, evidence.currency)}"
            for name in (better, worse)
        )
        facts.append(f"{MEASURE_WORDS[key]}: {values}")
    said = "; ".join(facts)
    ahead = f"{score.marks[better]:.2f} against {score.marks[worse]:.2f}, weight {score.weight:g}"
    return Reason(
        f"{criterion.label} favours {NAMES[better]} over {NAMES[worse]}: {ahead} ({said}).", tuple(bases)
    )


def _answered(key: str, answers: Answers) -> str:
    ask, value = ASK[key], getattr(answers, key)
    return ask.levels[value].lower() if ask.levels else f"{figure(value)} {ask.unit}"


def value_words(key: str, value: float, currency: str) -> str:
    """A measured number as people write it: `49 %`, `1.3 s`, `$0.04 for 1,000`."""
    if key in SHARES:
        return f"{100 * value:.0f} %"
    if key == "seconds":
        return f"{value:.3g} s"
    return f"{money(1000 * value, currency)} for 1,000" if key == "cost_answer" else money(value, currency)


def _gap(
    choice: BackendName,
    second: BackendName,
    totals: Marks,
    excluded: Sequence[Exclusion],
    evidence: MeasuredFindings,
) -> Reason:
    """How far apart the two are, against what it takes to leave RAG, in marks out of 100."""
    if second in {each.approach for each in excluded}:
        return Reason(
            f"Nothing else is open: a rule excludes {NAMES[second]} whatever its marks.",
            tuple(Basis("input", each.ask) for each in excluded if each.approach == second),
        )
    lead, margin = 100 * (totals[choice] - totals[second]), round(100 * MARGIN)
    marks_said = f"{NAMES[choice]} has {100 * totals[choice]:.0f} of 100 points, {NAMES[second]} "
    marks_said += f"{100 * totals[second]:.0f}"
    if choice == "rag":
        needed = f"to be worth leaving RAG, {NAMES[second]} would need {lead + margin:.1f} points more."
    elif second == "rag":
        needed = f"below a lead of {margin} points RAG, the simpler one, would be recommended."
    else:
        needed = f"with {lead:.1f} points more {NAMES[second]} would be level."
    bases = [Basis("input", key) for key in ASK]
    right = evidence.all_of("right")
    measured = ""
    if right is not None:
        one, other = right[choice], right[second]
        measured = (
            f" Measured: {NAMES[choice]} answers {100 * one.value:.0f} % right, "
            f"{NAMES[second]} {100 * other.value:.0f} %."
        )
        bases += [Basis("run", run) for run in dict.fromkeys(f.run for f in right.values())]
    return Reason(f"{marks_said}; {needed}{measured}", tuple(bases))


def unknown(evidence: MeasuredFindings) -> Iterator[str]:
    """Measures that no run holds for every approach."""
    for key in MEASURE_WORDS:
        if evidence.all_of(key) is None:
            yield key


def flip_words(flip: Flip, answers: Answers) -> str:
    """`30 changes a month or more, instead of 4, would make it Hybrid.`"""
    ask, now = ASK[flip.ask], getattr(answers, flip.ask)
    if ask.levels:
        level = ask.levels[int(flip.value)]
        return f"Answering “{level}” to “{ask.question}” would make it {NAMES[flip.becomes]}."
    side = "or more" if flip.value > now else "or fewer"
    instead = f"{figure(flip.value)} {ask.unit} {side}, instead of {figure(now)}"
    return f"{instead}, would make it {NAMES[flip.becomes]}."


@dataclass(frozen=True)
class Prefilled:
    """An answer taken from measurements, and in one sentence from which."""

    value: float
    source: str


def prefill(known: Mapping[str, Prefilled]) -> Answers:
    """Answers with what is known in the place of defaults, held within each question's range."""
    given: dict[str, JsonValue] = {}
    for each in fields(Answers):
        if each.name in known:
            ask, value = ASK[each.name], known[each.name].value
            given[each.name] = int(value) if ask.levels else min(max(float(value), ask.low), ask.high)
    return Answers(**given)
