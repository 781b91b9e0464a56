"""Compares results of any tools: every pair of arms, or every arm with a baseline, on what they all measured.

Enters: `Results`. Leaves: `ResultComparison`: scores with intervals, paired tests corrected for their
number, plain words, what the questions at hand can tell at all; and the same as rows, HTML and JUnit XML.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

from backends.datatypes import JsonValue, UserError
from backends.evaluation.other_results import Results, Scale
from backends.evaluation.paired import Paired, chance, correct, evidence, number, paired_row, swapped
from backends.evaluation.reports import INTERVALS, html_page, html_table
from backends.evaluation.scoring import Score, summarise

ByQuestion = Mapping[str, float]  # one measure of one arm; the mean where a question was answered repeatedly


@dataclass(frozen=True, kw_only=True)
class ResultDifference(Paired):
    """Two arms on one measure of another tool."""

    measure: str
    scale: Scale
    before: bool = False  # the second is the baseline

    @property
    def better(self) -> bool:
        """Whether the first is ahead, significant or not."""
        return self.difference != 0 and (self.difference > 0) == self.scale.higher_is_better

    @property
    def regressed(self) -> bool:
        """Significantly worse than the baseline."""
        return self.before and self.significant and not self.better

    @property
    def sentence(self) -> str:
        """The finding in plain words."""
        values = f"{number(self.first_value, self)} against {number(self.second_value, self)}"
        if abs(self.difference) < 1e-12:
            text = f"{self.first} and {self.second} score the same on “{self.scale.label}”"
        else:
            side = "better" if self.better else "worse"
            text = f"{self.first} is {side} than {self.second} on “{self.scale.label}”: {values}"
        needed = self.needed
        more = not self.significant and needed is not None and needed > self.count
        rest = f" A difference of this size would take about {needed:,} questions to show." if more else ""
        return f"{text}; {chance(self)}{rest}"


@dataclass(frozen=True)
class Side:
    """One arm of one file."""

    name: str  # unique among all that is compared
    arm: str  # as its file calls it
    file: str
    tool: str
    failed: int
    scores: Mapping[str, ByQuestion]  # by measure


@dataclass(frozen=True)
class ResultComparison:
    """What was found."""

    sides: tuple[Side, ...]
    scales: Mapping[str, Scale]
    shares: frozenset[str]  # measures whose every score is 0 or 1
    gaps: tuple[ResultDifference, ...]  # Holm-corrected measure by measure
    notes: tuple[str, ...]
    texts: Mapping[str, str]

    @property
    def regressions(self) -> list[ResultDifference]:
        """The significant drops against the baseline."""
        return [gap for gap in self.gaps if gap.regressed]

    def score(self, side: Side, measure: str) -> Score | None:
        """The score of an arm on a measure; None where it has none."""
        values = list(side.scores.get(measure, {}).values())
        return summarise(values, "share" if measure in self.shares else "mean")

    def main_differences(self, most: int = 12) -> list[ResultDifference]:
        """All when they are few; else the significant ones and those on the first measure."""
        if len(self.gaps) <= most:
            return list(self.gaps)
        first = self.gaps[0].measure
        return [gap for gap in self.gaps if gap.significant or gap.measure == first]


def compare_results(
    results: Sequence[Results],
    *,
    baseline: str | None = None,
    measures: Sequence[str] = (),
    lower_is_better: Sequence[str] = (),
) -> ResultComparison:
    """Test the arms of these results on every measure, or on those named.

    Raises UserError when there are no two arms, no common question, or a name is not known.
    """
    notes = [*_check_naming(results)]
    sides = _sides(results)
    if len(sides) < 2:
        raise UserError(f"There is one arm only ({sides[0].name}): a comparison needs two.")
    scales = _scales(results, measures, lower_is_better)
    shares = frozenset(m for m in scales if _all_zero_or_one(sides, m))
    pairs = _pairs(sides, baseline)
    gaps: list[ResultDifference] = []
    for measure, scale in scales.items():
        found = [_gap(one, other, measure, scale, shares, baseline is not None) for one, other in pairs]
        gaps += correct([gap for gap in found if gap is not None])
    if not gaps:
        raise UserError("The arms share no question with the same measure: there is nothing to compare.")
    notes += _notes(results, sides, gaps)
    texts = {key: text for each in results for key, text in each.texts.items()}
    return ResultComparison(tuple(sides), scales, shares, tuple(gaps), tuple(notes), texts)


def _check_naming(results: Sequence[Results]) -> list[str]:
    """Questions are found again by text or id; by the number of the row only where nothing else is there."""
    kinds = {each.by for each in results}
    if len(kinds) > 1:
        told = ", ".join(f"{each.file} by {each.by}" for each in results)
        raise UserError(f"The files name their questions differently ({told}): they cannot be matched.")
    if kinds != {"row"}:
        return []
    counts = {len(arm.scores) + arm.failed for each in results for arm in each.arms.values()}
    if len(counts) > 1:
        raise UserError(
            f"The results have no question texts and different numbers of rows "
            f"({', '.join(map(str, sorted(counts)))}): which belong together cannot be told."
        )
    return ["The results name no questions: rows of the same number are taken for the same question."]


def _sides(results: Sequence[Results]) -> list[Side]:
    """Every arm of every file under a name of its own."""
    pairs = [(each, arm) for each in results for arm in each.arms.values()]
    names: list[Callable[[Results, str], str]] = [
        lambda _, arm: arm,
        lambda each, arm: f"{each.file}: {arm}",
        lambda each, arm: f"{each.folder}/{each.file}: {arm}",
    ]
    for naming in names:
        labels = [naming(each, arm.name) for each, arm in pairs]
        if len(set(labels)) == len(labels):
            break
    else:
        raise UserError("The same result is given twice: a comparison with itself says nothing.")
    sides = []
    for label, (each, arm) in zip(labels, pairs, strict=True):
        scores: dict[str, dict[str, float]] = {}
        for question, kept in arm.scores.items():
            for measure, values in kept.items():
                scores.setdefault(measure, {})[question] = sum(values) / len(values)
        sides.append(Side(label, arm.name, each.file, each.tool, arm.failed, scores))
    return sides


def _scales(
    results: Sequence[Results], measures: Sequence[str], lower_is_better: Sequence[str]
) -> dict[str, Scale]:
    """The measures to compare on, in the order of the files."""
    known = {name: scale for each in reversed(results) for name, scale in each.scales.items()}
    known = {name: known[name] for each in results for name in each.scales}
    by_word = {word.casefold(): name for name, scale in known.items() for word in (name, scale.label)}
    for given in (*measures, *lower_is_better):
        if given.casefold() not in by_word:
            raise UserError(f"No result has the measure {given!r}; there are: {', '.join(known)}.")
    turned_round = {by_word[given.casefold()] for given in lower_is_better}
    chosen = [by_word[given.casefold()] for given in measures] or list(known)
    return {
        name: Scale(known[name].label, False) if name in turned_round else known[name]
        for name in dict.fromkeys(chosen)
    }


def _all_zero_or_one(sides: Sequence[Side], measure: str) -> bool:
    return all(value in (0.0, 1.0) for side in sides for value in side.scores.get(measure, {}).values())


def _pairs(sides: Sequence[Side], baseline: str | None) -> list[tuple[Side, Side]]:
    """All pairs; with a baseline each other arm with it, or with the arm of its own name in that file."""
    if baseline is None:
        return list(combinations(sides, 2))
    base = [side for side in sides if side.name == baseline]
    base = base or [s for s in sides if baseline in (s.file, s.arm) or Path(baseline).name == s.file]
    if not base:
        raise UserError(
            f"There is no arm or file {baseline!r} among the results; there are: "
            f"{', '.join(side.name for side in sides)}."
        )
    pairs = []
    for side in sides:
        if side not in base:
            same = [other for other in base if other.arm == side.arm]
            pairs += [(side, other) for other in (same or base)]
    if not pairs:
        raise UserError(f"Nothing is left to compare with {baseline!r}.")
    return pairs


def _gap(
    one: Side, other: Side, measure: str, scale: Scale, shares: frozenset[str], before: bool
) -> ResultDifference | None:
    """One comparison, the better arm first unless the second is a baseline; None without common questions."""
    first, second = one.scores.get(measure, {}), other.scores.get(measure, {})
    both = [question for question in first if question in second]
    if not both:
        return None
    made = ResultDifference.from_scores(
        [first[q] for q in both], [second[q] for q in both], share=measure in shares,
        first=one.name, second=other.name, measure=measure, scale=scale, before=before,
    )  # fmt: skip
    return made if before or made.better or made.difference == 0 else swapped(made)


def _notes(results: Sequence[Results], sides: Sequence[Side], gaps: Sequence[ResultDifference]) -> list[str]:
    notes = []
    for each in results:
        for arm in each.arms.values():
            if arm.repeated:
                notes.append(
                    f"{arm.name}: {arm.repeated} questions were answered several times; their means count."
                )
    notes += [f"{s.name}: {s.failed} questions have no score and do not count." for s in sides if s.failed]
    asked = {question for side in sides for scores in side.scores.values() for question in scores}
    fewest = min(gap.count for gap in gaps)
    if fewest < len(asked):
        notes.append(
            f"The results hold {len(asked)} questions; only those that both arms of a comparison have a "
            f"score for count, {fewest} where they are fewest."
        )
    return notes


# --- what is shown -------------------------------------------------------------------------------


def rows(compared: ResultComparison) -> Iterator[dict[str, JsonValue]]:
    """What `compare --json` prints: scores, then tests; the last row sums up."""
    for side in compared.sides:
        for measure in compared.scales:
            if (score := compared.score(side, measure)) is not None:
                yield {
                    "arm": side.name, "file": side.file, "tool": side.tool, "metric": measure,
                    "higher_is_better": compared.scales[measure].higher_is_better,
                    "value": score.value, "interval": list(score.interval), "count": score.count,
                    "failed": side.failed,
                }  # fmt: skip
    for gap in compared.gaps:
        yield {**paired_row(gap, gap.measure), "questions_needed": gap.needed, "sentence": gap.sentence}
    yield {
        "arms": [side.name for side in compared.sides],
        "comparisons": len(compared.gaps),
        "significant": sum(gap.significant for gap in compared.gaps),
        "notes": list(compared.notes),
        "regressions": [gap.sentence for gap in compared.regressions],
    }


def table_cells(compared: ResultComparison) -> list[list[str]]:
    """One row a measure: what it is, which way is better, one cell an arm."""
    return [
        [
            scale.label,
            "higher" if scale.higher_is_better else "lower",
            *(_shown(compared.score(side, measure), measure in compared.shares) for side in compared.sides),
        ]
        for measure, scale in compared.scales.items()
    ]


def _shown(score: Score | None, share: bool) -> str:
    if score is None:
        return "-"
    low, high = score.interval
    if share:
        return f"{100 * score.value:.0f} % ({100 * low:.0f}-{100 * high:.0f})"
    return f"{score.value:.3g} ({low:.3g}-{high:.3g})"


def as_html(compared: ResultComparison) -> str:
    """A page of its own, with the scores of every question on the first measure."""
    marks = {True: ' class="bad"', False: ""}
    words = "".join(
        f"<li{marks[gap.regressed]}>{escape(gap.sentence)}</li>" for gap in compared.main_differences()
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in compared.notes)
    names = [side.name for side in compared.sides]
    tests = [[gap.sentence, evidence(gap)] for gap in compared.gaps]
    first = next(iter(compared.scales))
    parts = [
        f"<h2>In words</h2><ul>{words}</ul>",
        "<h2>Scores</h2>" + html_table(["", "better", *names], table_cells(compared)),
        f'<p class="soft">{escape(INTERVALS)}</p><ul class="soft">{notes}</ul>',
        "<h2>Tests</h2>" + html_table(["in words", "numbers"], tests),
        f"<h2>Every question: {escape(compared.scales[first].label)}</h2>"
        + html_table(["question", *names], _question_cells(compared, first)),
    ]
    return html_page(f"{' against '.join(names)}" if len(names) == 2 else "Results compared", parts)


def _question_cells(compared: ResultComparison, measure: str) -> list[list[str]]:
    scores = [side.scores.get(measure, {}) for side in compared.sides]
    questions = list(dict.fromkeys(question for each in scores for question in each))
    return [
        [compared.texts.get(q) or q, *(f"{each[q]:.3g}" if q in each else "-" for each in scores)]
        for q in questions
    ]


def as_junit(compared: ResultComparison) -> str:
    """JUnit XML: a case a comparison, failed where an arm is significantly worse than the baseline."""
    suite = ElementTree.Element("testsuite", name="triptych compare")
    for gap in compared.gaps:
        name = f"{gap.first} and {gap.second}: {gap.scale.label}"
        case = ElementTree.SubElement(suite, "testcase", classname=gap.measure, name=_xml(name))
        if gap.regressed:
            ElementTree.SubElement(case, "failure", message=_xml(gap.sentence)).text = evidence(gap)
        else:
            ElementTree.SubElement(case, "system-out").text = _xml(f"{gap.sentence} ({evidence(gap)})")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(compared.regressions)))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _xml(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(mark for mark in text if mark >= " " or mark in "\t\n")


def as_json(compared: ResultComparison) -> str:
    """The comparison as one JSON object."""
    return json.dumps({"rows": list(rows(compared))}, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def write_report(path: Path, compared: ResultComparison) -> None:
    """The report that the file's ending asks for: .html or .json."""
    path.write_text((as_html if path.suffix.lower() == ".html" else as_json)(compared), encoding="utf-8")


def report_kind(path: Path) -> None:
    """Raises UserError when no report has this ending, or its folder is not there."""
    if path.suffix.lower() not in (".html", ".json"):
        raise UserError(f"{path.name}: a report of a comparison ends in .html or .json.")
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.absolute().parent} to write {path.name} into.")
