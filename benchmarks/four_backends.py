"""The four backends on the sample questions: what each gets right, at which price and speed.

Enters: sample_corpus/questions of one split, the shipped model and adapters. Leaves: a JSON summary
(`--json`), every answer (`--answers`, one record a line) and, with `--readme`, the table in README.md.
Every backend answers every question once, warm, one at a time; the order of the backends rotates from
question to question. Right means: a gold answer is contained, an unanswerable question is declined, a JSON
label equals the gold label. Intervals are 95 % percentile bootstraps over questions; differences are paired.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from backends.assemble import Triptych
from backends.datatypes import BACKEND_NAMES, Answer, BackendName, Question, UserError
from backends.measure.metrics import f1, follows_schema, is_correct
from backends.questions import load_questions
from backends.settings import Settings, make_settings

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sample_corpus"
STARTS, ENDS = "<!-- scores:start -->", "<!-- scores:end -->"
LABELS = {"rag": "RAG", "fine_tuned": "Fine-tuned", "hybrid": "Hybrid", "base": "Base (control)"}
RESAMPLES = 5_000


def questions_of(split: str) -> list[Question]:
    """The sample questions of one split, in file order."""
    chosen = []
    for path in sorted((SAMPLE / "questions").glob("*.jsonl")):
        splits = [json.loads(line)["split"] for line in path.read_text("utf8").splitlines() if line.strip()]
        chosen += [q for q, s in zip(load_questions(path), splits, strict=True) if s == split]
    return chosen


def is_right(question: Question, answer: Answer) -> bool:
    if question.category != "structured":
        return is_correct(answer.text, question.answers)
    try:
        return bool(json.loads(answer.text) == json.loads(question.answers[0]))
    except ValueError:
        return False


def ask_all(triptych: Triptych, questions: Sequence[Question]) -> dict[BackendName, list[Answer]]:
    """Every backend's answer to every question; the backend that begins rotates."""
    answers: dict[BackendName, list[Answer]] = {name: [] for name in BACKEND_NAMES}
    triptych.warm_up(BACKEND_NAMES)
    for index, question in enumerate(questions):
        turn = index % len(BACKEND_NAMES)
        for name in BACKEND_NAMES[turn:] + BACKEND_NAMES[:turn]:
            answers[name].append(triptych.answer(question, name))
        if (index + 1) % 10 == 0:
            print(f"{index + 1} of {len(questions)} questions", file=sys.stderr, flush=True)
    return answers


def share(values: Sequence[float]) -> dict[str, Any]:
    """Mean with its 95 % interval, and how many values there are."""
    if not values:
        return {"mean": None, "interval": None, "count": 0}
    low, high = bootstrap(np.asarray(values, float))
    return {"mean": round(float(np.mean(values)), 4), "interval": [low, high], "count": len(values)}


def bootstrap(values: np.ndarray) -> tuple[float, float]:
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def middle(values: Sequence[float]) -> float:
    return round(float(np.median(values)), 1)


def mcnemar(better: np.ndarray, worse: np.ndarray) -> dict[str, Any]:
    """Exact two-sided McNemar test (McNemar 1947; binomial form) on right/wrong of the same questions."""
    from math import comb

    only_first, only_second = int((better & ~worse).sum()), int((~better & worse).sum())
    n, k = only_first + only_second, min(only_first, only_second)
    p = min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n) if n else 1.0
    return {"only_first_right": only_first, "only_second_right": only_second, "p": round(p, 5)}


def schema_of(question: Question) -> dict[str, Any]:
    kind = "ticket" if "ticket" in question.question.split(":")[0] else "clause"
    schema: dict[str, Any] = json.loads((SAMPLE / "schemas" / f"{kind}.schema.json").read_text("utf8"))
    return schema


def summarise(questions: Sequence[Question], answers: dict[BackendName, list[Answer]]) -> dict[str, Any]:
    right = {
        name: np.array([is_right(q, a) for q, a in zip(questions, given, strict=True)])
        for name, given in answers.items()
    }
    categories = sorted({q.category for q in questions})
    rows = {}
    for name, given in answers.items():
        pairs = list(zip(questions, given, right[name].tolist(), strict=True))
        asked = [(q, a, ok) for q, a, ok in pairs if q.answers and q.category != "structured"]
        answered = [(q, a) for q, a, _ in asked if not a.abstained and name in ("rag", "hybrid")]
        totals = [a.latency_ms["total"] for a in given]
        rows[name] = {
            "right": share([ok for *_, ok in pairs]),
            "answerable_right": share([ok for *_, ok in asked]),
            "answerable_f1": share([f1(a.text, q.answers) for q, a, _ in asked]),
            "trained_facts_right": share([ok for q, _, ok in asked if q.in_training]),
            "untrained_facts_right": share([ok for q, _, ok in asked if q.in_training is False]),
            "false_refusals": share([a.abstained for _, a, _ in asked]),
            "json_valid": share(
                [follows_schema(a.text, schema_of(q)) for q, a, _ in pairs if q.category == "structured"]
            ),
            "cites_gold_document": share(
                [any(c.document in q.documents for c in a.citations) for q, a in answered]
            ),
            "groundedness": share([a.groundedness for a in given if a.groundedness is not None]),
            "by_category": {c: share([ok for q, _, ok in pairs if q.category == c]) for c in categories},
            "latency_ms": {p: round(float(np.percentile(totals, p)), 1) for p in (10, 50, 90)},
            "first_token_ms": middle([a.latency_ms["first_token"] for a in given if a.text]),
            "prompt_tokens": round(float(np.mean([a.usage.prompt_tokens for a in given])), 1),
            "completion_tokens": round(float(np.mean([a.usage.completion_tokens for a in given])), 1),
            "cost_per_1000": round(1000 * float(np.mean([a.cost.amount for a in given])), 5),
            "currency": given[0].cost.currency,
        }  # fmt: skip
    paired = {
        f"{one} against {two}": mcnemar(right[one], right[two])
        for one, two in (("hybrid", "rag"), ("hybrid", "fine_tuned"), ("rag", "fine_tuned"), ("rag", "base"))
    }
    return {"questions": len(questions), "backends": rows, "paired": paired}


def percent(cell: dict[str, Any]) -> str:
    if cell["mean"] is None:
        return "-"
    low, high = cell["interval"]
    return f"{100 * cell['mean']:.0f} % ({100 * low:.0f}-{100 * high:.0f})"


def table(summary: dict[str, Any]) -> str:
    """The README section: one row a measure, one column a backend, then the paired comparisons in words."""
    measures = [
        ("All questions right", "right"),
        ("Answerable questions: gold answer contained", "answerable_right"),
        ("... facts that the training rows hold", "trained_facts_right"),
        ("... facts that only the documents hold", "untrained_facts_right"),
        ("... declined although answerable", "false_refusals"),
        ("JSON labels valid by schema", "json_valid"),
        ("Answered with a citation of a gold document", "cites_gold_document"),
        ("Groundedness (share of words backed)", "groundedness"),
    ]
    rows = summary["backends"]
    lines = [
        "| measure | " + " | ".join(LABELS[name] for name in rows) + " |",
        "|---|" + "---|" * len(rows),
    ]
    lines += [
        f"| {label} | " + " | ".join(percent(r[key]) for r in rows.values()) + " |" for label, key in measures
    ]
    for category in next(iter(rows.values()))["by_category"]:
        cells = [percent(r["by_category"][category]) for r in rows.values()]
        lines.append(f"| category: {category.replace('_', ' ')} | " + " | ".join(cells) + " |")
    lines.append(
        "| Latency, median (10th-90th percentile) | "
        + " | ".join(
            "{:.2f} s ({:.2f}-{:.2f})".format(*(r["latency_ms"][p] / 1000 for p in (50, 10, 90)))
            for r in rows.values()
        )
        + " |"
    )
    lines.append(
        "| Tokens, prompt -> answer (mean) | "
        + " | ".join(f"{r['prompt_tokens']:.0f} -> {r['completion_tokens']:.0f}" for r in rows.values())
        + " |"
    )
    lines.append(
        "| Cost of 1,000 answers (price book: your input) | "
        + " | ".join(f"{r['cost_per_1000']:.4f} {r['currency']}" for r in rows.values())
        + " |"
    )
    lines += ["", "Paired, exact McNemar on the same questions:", ""]
    for name, test in summary["paired"].items():
        first, second = name.split(" against ")
        chance = "p < 0.001" if test["p"] < 0.001 else f"p = {test['p']:.3f}"
        lines.append(
            f"- {LABELS[first]} against {LABELS[second]}: {test['only_first_right']} questions right only by "
            f"the first, {test['only_second_right']} only by the second, {chance}"
        )
    return "\n".join(lines)


def overrides(given: Sequence[str]) -> dict[str, str]:
    """Settings from `name=value`; raises UserError for a name that is no setting."""
    pairs = dict(item.partition("=")[::2] for item in given)
    if unknown := [name for name in pairs if name not in Settings.model_fields]:
        raise UserError(
            f"There is no setting {unknown[0]!r}: choose from {', '.join(Settings.model_fields)}."
        )
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting (repeat for several)"
    )
    parser.add_argument("--limit", type=int, help="only the first questions")
    parser.add_argument("--json", type=Path, help="where the summary goes")
    parser.add_argument("--answers", type=Path, help="where the answers go, one record a line")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    args = parser.parse_args()
    settings = make_settings(**overrides(args.set))
    questions = questions_of(args.split)[: args.limit]
    with tempfile.TemporaryDirectory() as folder:
        answers = ask_all(Triptych.open(Path(folder), settings), questions)
    if args.answers:
        records = [asdict(answer) for given in answers.values() for answer in given]
        args.answers.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), "utf8")
    changed = settings.model_dump(mode="json", include=set(overrides(args.set)))
    summary = {"split": args.split, "set": changed, **summarise(questions, answers)}
    if args.json:
        args.json.write_text(json.dumps(summary, indent=1) + "\n", "utf8")
    print(table(summary))
    if args.readme:
        readme = ROOT / "README.md"
        text = readme.read_text("utf8")
        before, after = text.split(STARTS)[0], text.split(ENDS)[1]
        readme.write_text(f"{before}{STARTS}\n{table(summary)}\n{ENDS}{after}", "utf8")


if __name__ == "__main__":
    main()
