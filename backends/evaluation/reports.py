"""Writes what a run found: rows, a Markdown or HTML report, CSV, JSON, JUnit XML.

Enters: a `Board`, and where there is a baseline its `BaselineComparison`. Leaves: text. Every figure comes
from the board, so that page, command line and files cannot differ.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from backends.datatypes import JsonObject, JsonValue, UserError
from backends.evaluation import judging
from backends.evaluation.archive import JudgeVerdict, Run, entry_of, record_of
from backends.evaluation.comparison import BaselineComparison, Board, Difference, arm_label
from backends.evaluation.paired import evidence, paired_row
from backends.evaluation.scoring import BY_KEY, MEASURES, Measure, Score, Scoreboard
from backends.system.csv_file import without_formula

WITHIN = "Latencies can be compared within this run, never with another one."
JUDGED = (
    "Faithfulness, relevancy, citation and context measures are judged offline, without a judge model: by "
    "words that a passage holds, and by gold answers."
)
INTERVALS = (
    "In brackets: 95 % intervals over questions (shares: Wilson score; means: bootstrap). Tests are paired "
    "on the same questions (shares: exact McNemar; means: permutation), p values Holm-corrected per measure."
)
CSV_COLUMNS = (
    "id", "question", "category", "gold_answers", "gold_documents", "arm", "answer", "failure", "cited",
    "total_ms", "prompt_tokens", "completion_tokens", "cost", "currency",
)  # fmt: skip


# --- rows ----------------------------------------------------------------------------------------


def rows(
    board: Board, compared: BaselineComparison | None = None, baseline: str | None = None
) -> Iterator[dict[str, JsonValue]]:
    """What `evaluate --json` prints: scores, then totals, then tests; the last row names the run."""
    for arm, scores in board.arms.items():
        backend = arm.partition(", ")[0]
        for key, score in scores.scores.items():
            yield {"backend": backend, "arm": arm, "metric": key, "category": None, **_score(score)}
        for category, score in scores.by_category.items():
            yield {"backend": backend, "arm": arm, "metric": "right", "category": category, **_score(score)}
    for arm, scores in board.arms.items():
        yield {"backend": arm.partition(", ")[0], "arm": arm, **_totals(scores)}
    for made in board.differences:
        yield comparison_row(made)
    for made in compared.differences if compared else ():
        yield comparison_row(made)
    yield from judging.rows(board)
    record = board.run.record
    failed = sum(entry.answer is None for entry in board.run.entries)
    last = {"run": record.run, "name": record.name, "complete": record.complete}
    last |= {"questions": len(record.questions), "answers": len(board.run.entries) - failed, "failed": failed}
    last |= {"notes": board.notes}
    if compared is not None:
        last |= {"baseline": baseline, "compared_questions": compared.shared}
        last |= {"notes": [*board.notes, *compared.notes]}
        last |= {"regressions": [made.sentence for made in compared.regressions]}
    yield last


def _score(score: Score) -> dict[str, JsonValue]:
    return {"value": score.value, "interval": list(score.interval), "count": score.count}


def _totals(scores: Scoreboard) -> dict[str, JsonValue]:
    return {
        "answered": scores.answered,
        "failed": scores.failed,
        "latency_ms": {
            stage: {f"p{share}": round(value, 1) for share, value in shares.items()}
            for stage, shares in scores.latency_ms.items()
        },
        "prompt_tokens": scores.prompt_tokens,
        "completion_tokens": scores.completion_tokens,
        "cost_per_1000": 1000 * scores.cost,
        "currency": scores.currency,
    }


def comparison_row(made: Difference) -> dict[str, JsonValue]:
    """One paired comparison; `second` is "baseline" where the backend is compared with itself before."""
    row = paired_row(made, made.measure)
    return {**row, "second": "baseline" if made.before else made.second, "sentence": made.sentence}


# --- numbers as text -----------------------------------------------------------------------------


def shown(score: Score | None, measure: Measure) -> str:
    """`25 % (18-32)` for a share, `0.66 (0.62-0.71)` for a mean."""
    if score is None:
        return "-"
    low, high = score.interval
    if measure.kind == "share":
        return f"{100 * score.value:.0f} % ({100 * low:.0f}-{100 * high:.0f})"
    return f"{score.value:.2f} ({low:.2f}-{high:.2f})"


def latency(scores: Scoreboard, stage: str = "total") -> str:
    """Median and 10th to 90th percentile in seconds."""
    if stage not in scores.latency_ms:
        return "-"
    times = scores.latency_ms[stage]
    return f"{times[50] / 1000:.2f} s ({times[10] / 1000:.2f}-{times[90] / 1000:.2f})"


def table_cells(board: Board) -> list[tuple[str, list[str]]]:
    """The scoreboard as text: (what, one cell per arm), measures that apply to none left out."""
    arms = list(board.arms.values())
    cells = [
        (measure.label, [shown(arm.scores.get(measure.key), measure) for arm in arms])
        for measure in MEASURES
        if any(measure.key in arm.scores for arm in arms)
    ]
    categories = sorted({name for arm in arms for name in arm.by_category})
    right = BY_KEY["right"]
    cells += [
        (
            f"Answered right: {name.replace('_', ' ')}",
            [shown(arm.by_category.get(name), right) for arm in arms],
        )
        for name in categories
    ]
    cells.append(("Latency, median (10th-90th percentile)", [latency(arm) for arm in arms]))
    cells.append(("... to the first word", [latency(arm, "first_token") for arm in arms]))
    tokens = [f"{arm.prompt_tokens:.0f} -> {arm.completion_tokens:.0f}" for arm in arms]
    cells.append(("Tokens, prompt -> answer (mean)", tokens))
    costs = [f"{1000 * arm.cost:.4f} {arm.currency}" for arm in arms]
    cells.append(("Cost of 1,000 answers (price book: your input)", costs))
    return cells


def markdown_table(board: Board) -> str:
    """One row a measure, one column an arm."""
    labels = [arm_label(name) + (" (control)" if name == "base" else "") for name in board.arms]
    lines = [f"| measure | {' | '.join(labels)} |", "|---|" + "---|" * len(labels)]
    return "\n".join([*lines, *(f"| {what} | {' | '.join(cells)} |" for what, cells in table_cells(board))])


JUDGE_COLUMNS = ("measure", "backend", "judge model", "ours, offline", "answers")


def judged_cells(board: Board) -> list[tuple[str, str, str, str, str]]:
    """What a judge model said beside the offline figures, as text under `JUDGE_COLUMNS`."""
    return [
        (
            BY_KEY[made.measure].label,
            arm_label(made.arm),
            shown(made.theirs, BY_KEY[made.measure]),
            shown(made.ours, BY_KEY[made.measure]),
            str(made.theirs.count),
        )
        for made in sorted(
            judging.judge_agreement(board), key=lambda made: judging.JUDGED.index(made.measure)
        )
    ]


def markdown_judged(board: Board) -> str:
    """The judge's figures beside ours, as a Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in judged_cells(board)]
    return "\n".join([f"| {' | '.join(JUDGE_COLUMNS)} |", "|---" * len(JUDGE_COLUMNS) + "|", *lines])


def markdown_tests(differences: Sequence[Difference]) -> str:
    """The paired tests as a Markdown list."""
    return "\n".join(f"- {made.sentence} ({evidence(made)})" for made in differences)


# --- reports -------------------------------------------------------------------------------------


def as_markdown(board: Board, compared: BaselineComparison | None = None) -> str:
    """The whole report as Markdown."""
    name = board.run.record.name or board.run.record.run
    parts = [f"# Evaluation {_literal(name)}", _about(board, _literal), *map(_literal, board.notes)]
    if compared is not None:
        lines = [f"- {_literal(line)}" for line in baseline_lines(compared)]
        parts += ["## Against the baseline", "\n".join(lines)]
    verdicts = [f"- {_literal(line)}" for line in board.verdicts()]
    parts += ["## In words", "\n".join(verdicts) or "One backend alone."]
    parts += ["## Scores", markdown_table(board), f"{INTERVALS} {JUDGED} {WITHIN}"]
    if board.run.verdicts:
        parts += ["## Judged by a model", judging.judge_words(board), markdown_judged(board)]
    if board.differences:
        parts += ["## Tests", markdown_tests(board.differences)]
    return "\n\n".join([*parts, "## Made with", _made_with(board)]) + "\n"


def _literal(text: str) -> str:
    """Words of others as Markdown that shows them: no link, picture, HTML or formula."""
    return re.sub(r"([\\`*<>\[\]&$|])", r"\\\1", " ".join(text.split()))


def baseline_lines(compared: BaselineComparison) -> list[str]:
    """What changed since the baseline, in plain words: regressions first."""
    lines = [made.sentence for made in (*compared.regressions, *compared.improvements)]
    if not lines:
        tests = len(compared.differences)
        lines = [f"No significant change in {tests} comparisons over {compared.shared} questions."]
    return [*lines, *compared.notes]


def _about(board: Board, literal: Callable[[str], str] = str) -> str:
    record = board.run.record
    sittings = f", in {record.sittings} sittings" if record.sittings > 1 else ""
    state = "" if record.complete else " **The run is not complete.**"
    return (
        f"{len(record.questions)} questions ({literal(record.question_set)}), {len(record.arms)} backends or "
        f"settings, begun {record.created}{sittings}.{state}"
    )


def made_with(board: Board) -> dict[str, str]:
    """Settings, model, adapters, documents and machine, as text."""
    record = board.run.record
    setting = record.setting
    common = {
        name: value
        for name, value in record.arms[0].settings.items()
        if all(arm.settings.get(name) == value for arm in record.arms)
    }
    adapters = [f"{kind} {a['name']} ({a['fingerprint']})" for kind, a in sorted(setting.adapters.items())]
    return {
        "run": record.run,
        "model": f"{setting.model} ({setting.model_fingerprint})",
        "adapters": ", ".join(adapters) or "none",
        "documents": f"{len(setting.documents)}, fingerprint {setting.corpus[:16]}",
        "settings": ", ".join(f"{name} {value}" for name, value in common.items()),
        "machine": ", ".join(f"{name} {value}" for name, value in setting.machine.items()),
    }


def _made_with(board: Board) -> str:
    return "\n".join(f"- {name}: {_literal(value)}" for name, value in made_with(board).items())


_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#ddd9cf, #363c44); }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
       background: light-dark(#fff, #14171b); color: light-dark(#1b1f24, #e8e6e1); }
h1, h2 { font-family: Georgia, serif; line-height: 1.25; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: .35rem 1rem .35rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top; }
.soft { color: light-dark(#565d68, #b4bbc6); font-size: .9rem; }
.bad { border-left: 4px solid light-dark(#a84a00, #f5a469); padding-left: .7rem; }
"""


def as_html(board: Board, compared: BaselineComparison | None = None) -> str:
    """A page of its own that needs nothing else to be read, with every question and answer."""
    parts = [
        f"<p>{escape(_about(board).replace('**', ''))}</p>",
        *(f'<p class="bad">{escape(note)}</p>' for note in board.notes),
    ]
    if compared is not None:
        style = ' class="bad"' if compared.regressions else ""
        lines = "".join(f"<li>{escape(line)}</li>" for line in baseline_lines(compared))
        parts.append(f"<h2>Against the baseline</h2><ul{style}>{lines}</ul>")
    words = "".join(f"<li>{escape(line)}</li>" for line in board.verdicts())
    parts.append(f"<h2>In words</h2><ul>{words}</ul>" if words else "")
    labels = [arm_label(name) for name in board.arms]
    parts.append("<h2>Scores</h2>" + html_table(["", *labels], [[w, *c] for w, c in table_cells(board)]))
    parts.append(f'<p class="soft">{escape(f"{INTERVALS} {JUDGED} {WITHIN}")}</p>')
    if board.run.verdicts:
        parts.append(f"<h2>Judged by a model</h2><p>{escape(judging.judge_words(board))}</p>")
        parts.append(html_table(JUDGE_COLUMNS, judged_cells(board)))
    if board.differences:
        tests = [[made.sentence, evidence(made)] for made in board.differences]
        parts.append("<h2>Tests</h2>" + html_table(["in words", "numbers"], tests))
    parts.append("<h2>Made with</h2>" + html_table(["", ""], [[k, v] for k, v in made_with(board).items()]))
    parts.append("<h2>Every answer</h2>" + _html_answers(board))
    return html_page(f"Evaluation {board.run.record.name or board.run.record.run}", parts)


def html_page(title: str, parts: Sequence[str]) -> str:
    """These pieces of HTML as a whole page that needs nothing else."""
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
    )
    return head + "".join(parts) + "</body></html>"


def html_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table of plain text; wider than the page it scrolls by itself."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body)
    return f'<div class="wide"><table><tr>{top}</tr>{lines}</table></div>'


def _html_answers(board: Board) -> str:
    arms = {name: board.run.entries_of(name) for name in board.arms}
    body = []
    for question in board.run.record.questions:
        cells = [question.question, "; ".join(question.answers) or "(not in the documents)"]
        for entries in arms.values():
            entry = entries.get(question.id)
            if entry is None or entry.answer is None:
                cells.append((entry.failure if entry else None) or "")
            else:
                cells.append(f"{'right' if entry.scores['right'] else 'wrong'}: {entry.answer.text}")
        body.append(cells)
    return html_table(["question", "gold", *(arm_label(name) for name in arms)], body)


# --- files ---------------------------------------------------------------------------------------


def as_csv(board: Board) -> str:
    """One row per answer, with every score; a text that a spreadsheet would run gets a quote in front."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    by_judge = [f"ragas_{key}" for key in judging.JUDGED] if board.run.verdicts else []
    writer.writerow([*CSV_COLUMNS, *(measure.key for measure in MEASURES), *by_judge])
    verdicts = {(v.arm, v.question): v.scores for arm in board.arms for v in board.run.judged(arm).values()}
    for entry in board.run.entries:
        question, answer = board.questions[entry.question], entry.answer
        cells: list[JsonValue] = [
            question.id,
            question.question,
            question.category,
            " | ".join(question.answers),
        ]
        cells += [" | ".join(question.documents), entry.arm]
        if answer is None:
            cells += ["", entry.failure, *[""] * 6]
        else:
            cited = " | ".join(dict.fromkeys(c.document for c in answer.citations))
            cells += [answer.text, "", cited, round(answer.latency_ms["total"], 1)]
            cells += [answer.usage.prompt_tokens, answer.usage.completion_tokens]
            cells += [answer.cost.amount, answer.cost.currency]
        cells += [entry.scores.get(measure.key, "") for measure in MEASURES]
        judged = verdicts.get((entry.arm, entry.question), {})
        cells += [judged.get(name.removeprefix("ragas_"), "") for name in by_judge]
        writer.writerow([without_formula(cell) for cell in cells])
    return out.getvalue()


def as_json(board: Board, compared: BaselineComparison | None = None, baseline: str | None = None) -> str:
    """The rows and the whole run; a file that `--baseline` can read."""
    content = {"rows": list(rows(board, compared, baseline)), **asdict(board.run)}
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def read_json(path: Path) -> Run:
    """A run from the file that `as_json` made; raises UserError when it is not one."""
    try:
        content: JsonObject = json.loads(path.read_text(encoding="utf-8"))
        entries = tuple(entry_of(row) for row in content["entries"])
        verdicts = tuple(JudgeVerdict(**row) for row in content.get("verdicts", ()))
        return Run(record_of(content["record"]), entries, verdicts)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path.name} is no evaluation report in JSON.") from error


def write_report(path: Path, board: Board, compared: BaselineComparison | None, baseline: str | None) -> None:
    """The report that the file's ending asks for: .html, .md, .csv or .json."""
    kind = report_kind(path)
    if kind == ".csv":
        text = as_csv(board)
    elif kind == ".json":
        text = as_json(board, compared, baseline)
    else:
        text = (as_html if kind == ".html" else as_markdown)(board, compared)
    path.write_text(text, encoding="utf-8")


def report_kind(path: Path) -> str:
    """The file's ending; raises UserError when no report has it, or its folder is not there."""
    kind = path.suffix.lower()
    if kind not in (".html", ".md", ".csv", ".json"):
        raise UserError(f"{path.name}: a report ends in .html, .md, .csv or .json.")
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.absolute().parent} to write {path.name} into.")
    return kind


def as_junit(board: Board, compared: BaselineComparison | None) -> str:
    """JUnit XML: a case per comparison with the baseline, and one per arm: did all its answers come."""
    suite = ElementTree.Element("testsuite", name="triptych evaluate")
    failures = 0
    for arm in board.run.record.arms:
        failed = [entry for entry in board.run.entries_of(arm.name).values() if entry.answer is None]
        case = ElementTree.SubElement(suite, "testcase", classname=arm.backend, name=f"{arm.name}: answers")
        if failed:
            failures += 1
            message = f"{len(failed)} of {len(board.run.record.questions)} questions were not answered."
            ElementTree.SubElement(case, "failure", message=message).text = str(failed[0].failure)
    for made in compared.differences if compared else ():
        backend = made.first.partition(", ")[0]
        name = f"{made.first}: {BY_KEY[made.measure].label}"
        case = ElementTree.SubElement(suite, "testcase", classname=backend, name=name)
        if made.regressed:
            failures += 1
            ElementTree.SubElement(case, "failure", message=made.sentence).text = evidence(made)
        else:
            ElementTree.SubElement(case, "system-out").text = f"{made.sentence} ({evidence(made)})"
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'
