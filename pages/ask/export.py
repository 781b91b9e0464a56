"""Answers as files to take away: CSV, JSON and an HTML report that needs nothing else to be read.

Enters: rounds. Leaves: text. The JSON rows are the answer records of the command line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace

from backends.datatypes import Answer, JsonValue
from backends.system.csv_file import without_formula
from backends.system.json_values import plain
from backends.system.wording import money
from pages.ask.verdict import verdict
from pages.ui.asking import Round
from pages.ui.look import arm_look, backend_of, label
from pages.ui.text import StyledSpan, document_html, highlight, plain_html, seconds

COLUMNS = (
    "question", "backend", "text", "answers", "support", "warning", "groundedness", "abstained", "cited",
    "total_ms", "first_token_ms", "prompt_tokens", "completion_tokens", "cost", "currency", "model",
    "adapter", "warnings",
)  # fmt: skip


def as_json(rounds: Sequence[Round]) -> str:
    """A list of answer records."""
    records = [
        plain(replace(answer, backend=backend_of(answer.backend)))
        for round_ in rounds
        for answer in round_.answers
    ]
    return json.dumps(records, ensure_ascii=False, indent=2, allow_nan=False)


def as_csv(rounds: Sequence[Round]) -> str:
    """One row per answer."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for round_ in rounds:
        for answer in round_.answers:
            writer.writerow({name: without_formula(value) for name, value in _row(answer).items()})
    return out.getvalue()


def _row(answer: Answer) -> dict[str, JsonValue]:
    cited = [f"{c.document}{f' p. {c.page}' if c.page is not None else ''}" for c in answer.citations]
    return {
        "question": answer.question,
        "backend": backend_of(answer.backend),
        "text": answer.text,
        "answers": answer.checks.answers,
        "support": answer.checks.support,
        "warning": answer.checks.warning,
        "groundedness": answer.groundedness,
        "abstained": answer.abstained,
        "cited": "; ".join(dict.fromkeys(cited)),
        "total_ms": round(answer.latency_ms["total"], 1),
        "first_token_ms": round(answer.latency_ms.get("first_token", 0.0), 1) or None,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "cost": answer.cost.amount,
        "currency": answer.cost.currency,
        "model": answer.model,
        "adapter": answer.adapter,
        "warnings": "; ".join(answer.warnings),
    }


# --- the report --------------------------------------------------------------------------------------

_STYLE = """
:root { color-scheme: light dark;
        --line: light-dark(#ddd9cf, #363c44); --soft: light-dark(#565d68, #b4bbc6); }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem;
       background: light-dark(#fff, #14171b); color: light-dark(#1b1f24, #e8e6e1); }
h1, h2 { font-family: Georgia, serif; line-height: 1.25; }
section { border-top: 1px solid var(--line); margin-top: 2.5rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-top: 4px solid var(--accent); border-radius: 8px;
        padding: 1rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .9rem; }
.bar { height: .7rem; background: var(--accent); border-radius: 2px; min-width: 1px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: left; padding: .3rem .8rem .3rem 0; vertical-align: top;
         border-bottom: 1px solid var(--line); }
blockquote { margin: .4rem 0 1rem; overflow-wrap: anywhere; white-space: pre-wrap; }
@media print { .card { break-inside: avoid; } }
"""


def as_report(rounds: Sequence[Round]) -> str:
    """A page of its own: every question with its answers, measurements, cited passages and settings."""
    body = "".join(_section(round_) for round_ in rounds)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Triptych report</title><style>{_STYLE}</style></head><body>"
        "<h1>Triptych report</h1>"
        '<p class="soft">Answers of one session, one backend after another, each timed alone. Times and '
        "tokens are measured; costs are these tokens at the price book's prices.</p>"
        f"{body}</body></html>"
    )


def _section(round_: Round) -> str:
    answers = round_.answers
    parts = [f"<section><h2>{plain_html(round_.asked.question)}</h2>"]
    parts.append(f'<p class="soft">Asked on {round_.asked.at:%d %B %Y at %H:%M}.</p>')
    told = verdict(answers)
    parts += [f"<p><strong>{plain_html(told.conclusion)}</strong></p>"] if told.conclusion else []
    parts += [f"<p>{plain_html(name)}: {plain_html(text)}</p>" for name, text in told.parts]
    failed = [c for c in round_.columns.values() if c.answer is None]
    parts.append('<div class="cards">' + "".join(_card(answer) for answer in answers) + "</div>")
    parts += [f"<p>{label(c.backend)} gave no answer. {plain_html(c.failure or '')}</p>" for c in failed]
    parts += [_measures(answers), _passages(answers), _settings(round_), "</section>"]
    return "".join(parts)


def _accent(answer: Answer) -> str:
    return arm_look(answer.backend).css


def _card(answer: Answer) -> str:
    notes = "".join(f'<p class="soft">{plain_html(note)}</p>' for note in answer.warnings)
    if answer.checks.warning is not None:
        notes = f"<p><strong>{plain_html(answer.checks.warning)}</strong></p>{notes}"
    return (
        f'<div class="card" style="--accent:{_accent(answer)}">'
        f"<strong>{plain_html(label(answer.backend))}</strong>"
        f'<p class="text">{plain_html(answer.text)}</p><p class="soft">{_judged(answer)}'
        f"{seconds(answer.latency_ms['total'])}, {answer.usage.prompt_tokens:,} to "
        f"{answer.usage.completion_tokens:,} tokens, "
        f"{plain_html(money(answer.cost.amount, answer.cost.currency))}</p>{notes}</div>"
    )


def _judged(answer: Answer) -> str:
    return "" if answer.checks.support is None else f"{answer.checks.support.capitalize()}. "


def _measures(answers: Sequence[Answer]) -> str:
    longest = max((answer.latency_ms["total"] for answer in answers), default=0.0) or 1.0
    rows = "".join(
        f'<tr style="--accent:{_accent(a)}"><td>{plain_html(label(a.backend))}</td>'
        f"<td>{seconds(a.latency_ms['total'])}</td>"
        f'<td style="width:60%"><div class="bar" style="width:{100 * a.latency_ms["total"] / longest:.1f}%">'
        f'</div><span class="soft">{plain_html(_stages(a))}</span></td></tr>'
        for a in answers
    )
    return f"<h3>Where the time went</h3><table>{rows}</table>"


def _stages(answer: Answer) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {seconds(ms)}" for name, ms in answer.latency_ms.items() if name != "total"
    )


def _passages(answers: Sequence[Answer]) -> str:
    parts = []
    for answer in answers:
        for citation in answer.citations:
            page = f", page {citation.page}" if citation.page is not None else ""
            whole = StyledSpan(0, len(citation.text), highlight(_accent(answer)))
            parts.append(
                f'<p class="soft">{plain_html(label(answer.backend))} [{citation.marker}] '
                f"{plain_html(citation.document)}, version {citation.version}{page}</p>"
                f"<blockquote>{document_html(citation.text, [whole])}</blockquote>"
            )
    return f"<h3>Cited passages</h3>{''.join(parts)}" if parts else ""


def _settings(round_: Round) -> str:
    values = round_.asked.settings.model_dump(mode="json")
    rows = "".join(
        f"<tr><td>{plain_html(k)}</td><td>{plain_html(str(v))}</td></tr>" for k, v in values.items()
    )
    return f"<details><summary>Settings</summary><table>{rows}</table></details>"
