"""The advice as one page for a steering committee: HTML that needs nothing else and prints on paper.

Enters: answers, an `Advice` and its evidence. Leaves: text. Every sentence names what it rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from backends.advice.advisor import (
    APPROACHES,
    ASK,
    ASKS,
    GUIDES,
    MEASURE_WORDS,
    NAMES,
    Advice,
    Answers,
    Finding,
    MeasuredFindings,
    Reason,
    flip_words,
    value_words,
)
from backends.costs.monthly import TUNED
from backends.costs.prices import Book
from backends.datatypes import BackendName
from backends.system.wording import figure
from pages.ui.text import plain_html

_STYLE = """
@page { size: A4; margin: 14mm; }
body { font: 14px/1.45 system-ui, sans-serif; max-width: 50rem; margin: 1.5rem auto; padding: 0 1rem;
       color: #1b1f24; background: #fff; }
h1 { font: 600 1.7rem/1.2 Georgia, serif; margin: 0 0 .3rem; }
h2 { font: 600 1.1rem/1.2 Georgia, serif; margin: 1.1rem 0 .3rem; }
.lead { font-size: 1.1em; margin: .4rem 0; } .soft { color: #565d68; font-size: .85em; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid #ddd9cf;
         vertical-align: top; }
td.n, th.n { text-align: right; } ul { margin: .2rem 0; padding-left: 1.1rem; }
@media print { body { margin: 0; max-width: none; padding: 0; font: 10.5px/1.35 system-ui, sans-serif; }
  h1 { font-size: 18px; } h2 { font-size: 12.5px; margin: .6rem 0 .15rem; break-after: avoid; }
  p { margin: .3rem 0; } li, tr { break-inside: avoid; } }
"""


def as_html(
    answers: Answers,
    advice: Advice,
    evidence: MeasuredFindings,
    at: datetime,
    books: Mapping[BackendName, Book],
) -> str:
    """The whole page; `books` are what the answers of each approach were priced with."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Which approach: {NAMES[advice.recommended]}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Which approach: {NAMES[advice.recommended]}</h1>"
        f'<p class="soft">Triptych, {at:%d %B %Y, %H:%M}. Scores are weighted means of marks from 0 to 1.</p>'
        f'<p class="lead">{plain_html(advice.headline)}</p><p>{_reason(advice.gap)}</p>'
        f"<h2>Why, against {NAMES[advice.runner_up]}</h2>{_list(_reason(each) for each in advice.reasons)}"
        f"{_against(advice)}"
        f"<h2>Marks</h2>{_marks(advice)}"
        f"<h2>What would change it</h2>{_flips(advice, answers)}"
        f"<h2>How sure</h2><p>{robust_words(advice)}</p>"
        f"<h2>Answers given</h2>{_answers(answers)}"
        f"<h2>Measured</h2>{_findings(evidence)}{_unknown(advice)}"
        f"{_prices(books)}"
        f"<h2>Guides</h2><p class='soft'>{'; '.join(f'{k}: {plain_html(v)}' for k, v in GUIDES.items())}</p>"
        "</body></html>"
    )


def robust_words(advice: Advice) -> str:
    """How often each approach is recommended when the weights are drawn at random."""
    shares = sorted(advice.robustness.items(), key=lambda pair: -pair[1])
    said = ", ".join(f"{NAMES[name]} in {100 * share:.0f} %" for name, share in shares)
    return f"Under 10,000 random weightings the recommendation is {said}."


def basis_words(reason: Reason) -> str:
    """What a sentence rests on: `answer to “Who can ...?”; run 2026...; guides A, B`."""
    said = []
    inputs = [ASK[b.reference].question for b in reason.bases if b.kind == "input"]
    if len(inputs) > 3:
        said.append("all answers")
    else:
        said += [f"answer to “{question}”" for question in inputs]
    said += [f"run {b.reference}" for b in reason.bases if b.kind == "run"]
    letters = sorted({letter for b in reason.bases if b.kind == "rule" for letter in b.reference})
    if letters:
        said.append(f"guide{'s' if len(letters) > 1 else ''} {', '.join(letters)}")
    return "; ".join(dict.fromkeys(said))


def _reason(reason: Reason) -> str:
    return f'{plain_html(reason.text)} <span class="soft">[{plain_html(basis_words(reason))}]</span>'


def _against(advice: Advice) -> str:
    if not advice.against:
        return ""
    return f"<h2>What speaks for {NAMES[advice.runner_up]}</h2>{_list(map(_reason, advice.against))}"


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _marks(advice: Advice) -> str:
    head = "".join(f'<th class="n">{NAMES[name]}</th>' for name in APPROACHES)
    rows = "".join(
        f"<tr><td>{plain_html(s.criterion.label)}{'' if s.measured else ' (assumed)'}</td>"
        f'<td class="n">{s.weight:g}</td>'
        + "".join(f'<td class="n">{s.marks[name]:.2f}</td>' for name in APPROACHES)
        + "</tr>"
        for s in advice.scores
    )
    totals = "".join(f'<th class="n">{advice.totals[name]:.2f}</th>' for name in APPROACHES)
    return (
        f'<table><tr><th>Criterion</th><th class="n">Weight</th>{head}</tr>{rows}'
        f"<tr><th>Weighted mean</th><th></th>{totals}</tr></table>"
    )


def _flips(advice: Advice, answers: Answers) -> str:
    if not advice.flips:
        return "<p>No single other answer changes the recommendation.</p>"
    return _list(plain_html(flip_words(flip, answers)) for flip in advice.flips)


def _answers(answers: Answers) -> str:
    rows = ""
    for ask in ASKS:
        value = getattr(answers, ask.key)
        said = ask.levels[value] if ask.levels else f"{figure(value)} {ask.unit}"
        rows += f"<tr><td>{plain_html(ask.question)}</td><td>{plain_html(said)}</td></tr>"
    return f"<table>{rows}</table>"


def _findings(evidence: MeasuredFindings) -> str:
    """Every number with its interval, a row for each measure; the run's id says where it can be looked up."""
    head = "".join(f"<th>{NAMES[name]}</th>" for name in APPROACHES)
    rows = ""
    for key in dict.fromkeys(finding.key for finding in evidence.findings):
        found = {each.backend: each for each in evidence.findings if each.key == key}
        cells = "".join(f"<td>{_figure(found.get(name), evidence.currency)}</td>" for name in APPROACHES)
        runs = "<br>".join(plain_html(run) for run in dict.fromkeys(each.run for each in found.values()))
        rows += f'<tr><td>{plain_html(MEASURE_WORDS[key])}</td>{cells}<td class="soft">{runs}</td></tr>'
    table = f"<table><tr><th>What</th>{head}<th>Run</th></tr>{rows}</table>"
    return table if rows else "<p>Nothing has been measured yet.</p>"


def _figure(finding: Finding | None, currency: str) -> str:
    """`58 % (46 % to 70 %)`."""
    if finding is None:
        return ""
    interval = _interval(finding, currency)
    said = plain_html(value_words(finding.key, finding.value, currency))
    return f'{said} <span class="soft">({interval})</span>' if interval else said


def _prices(books: Mapping[BackendName, Book]) -> str:
    """What a million tokens of each approach cost: inputs, with where they are from."""
    rows = ""
    for name, book in books.items():
        tuned = name in TUNED
        each = [
            book["prompt"] * (book["tuned_prompt"] if tuned else 1),
            book["completion"] * (book["tuned_completion"] if tuned else 1),
        ]
        price = book.prices["prompt"]
        cells = "".join(f'<td class="n">{value:g} {plain_html(book.currency)}</td>' for value in each)
        source = ", ".join(filter(None, (price.source, price.date)))
        rows += (
            f"<tr><td>{NAMES[name]}</td><td>{plain_html(book.label)}</td>{cells}"
            f"<td>{plain_html(source)}</td></tr>"
        )
    head = (
        '<tr><th>Of</th><th>Model</th><th class="n">Million prompt tokens</th>'
        '<th class="n">Million answer tokens</th><th>Source</th></tr>'
    )
    return f"<h2>Prices</h2><table>{head}{rows}</table>" if rows else ""


def _interval(finding: Finding, currency: str) -> str:
    if finding.low is None or finding.high is None:
        return ""
    low, high = (value_words(finding.key, each, currency) for each in (finding.low, finding.high))
    return plain_html(f"{low} to {high}")


def _unknown(advice: Advice) -> str:
    if not advice.unknown:
        return ""
    return f"<p>Not known yet: {plain_html(', '.join(MEASURE_WORDS[key] for key in advice.unknown))}.</p>"
