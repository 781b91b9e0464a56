"""`python -m benchmarks.first_minutes`: asks every suggested question, and puts what is seen into docs/.

Enters: sample_corpus/first_minutes.toml, the shipped model and adapters. Leaves: docs/first_minutes.md, a row
a question with what was expected and what was seen, and exit status 1 when a promise does not hold.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from backends.answering.agreement import judged_together
from backends.datatypes import Answer, BackendName
from backends.evaluation.first_minutes import WORDS, Promise, missed, promises, seen
from backends.product import Triptych
from backends.settings import DEFAULT_MODEL, make_settings

TABLE = Path(__file__).resolve().parents[1] / "docs" / "first_minutes.md"
ASKED: tuple[BackendName, ...] = ("rag", "fine_tuned", "hybrid")
NAMES = {"rag": "RAG", "fine_tuned": "Fine-tuned", "hybrid": "Hybrid"}
HEAD = """# The first five minutes

Every question that the product suggests: beside the question box, in the guided tour, in the scenarios. What
each is to show stands in `sample_corpus/first_minutes.toml`; `python -m benchmarks.first_minutes` asks them
all with the shipped models and writes this page, and a test fails where one no longer holds.

"""


def answered(triptych: Triptych) -> Iterator[tuple[Promise, list[Answer]]]:
    """Every promise with the answers of the three backends, labelled as the page labels them."""
    for promise in promises():
        answers = {(DEFAULT_MODEL, name): triptych.answer(promise.question, name) for name in ASKED}
        yield promise, list(judged_together(answers).values())


def page(made: Sequence[tuple[Promise, list[Answer]]]) -> str:
    lines = ["| question | shows | expected | seen |", "|---|---|---|---|"]
    for promise, answers in made:
        expected = "; ".join(f"{NAMES[name]}: {', '.join(words)}" for name, words in promise.expected.items())
        told = "; ".join(f"{NAMES[a.backend]}: {_told(promise, a)}" for a in answers)
        where = promise.where if promise.where in ("suggested", "tour") else f"scenario {promise.where}"
        lines.append(
            f"| {_cell(promise.question.question)} ({where}) | {promise.contrast} | {expected} | {told} |"
        )
    words = "\n".join(f"- **{word}**: {meaning}" for word, meaning in WORDS.items())
    return f"{HEAD}{chr(10).join(lines)}\n\n{words}\n"


def _told(promise: Promise, answer: Answer) -> str:
    words = [word for word in seen(promise.question, answer) if word not in ("exposed", "unwarned")]
    broken = missed(promise, answer)
    return f"“{_cell(answer.text)}” ({', '.join(words)}){f' **misses {broken}**' if broken else ''}"


def _cell(text: str) -> str:
    shown = " ".join(text.split()).replace("|", "\\|")
    return shown if len(shown) <= 140 else f"{shown[:137]}..."


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = list(answered(Triptych.open(Path(folder), make_settings())))
    TABLE.write_text(page(made), "utf8")
    broken = [
        (p.question.question, a.backend, m) for p, answers in made for a in answers if (m := missed(p, a))
    ]
    for question, backend, words in broken:
        print(f"{backend} misses {', '.join(words)}: {question}", file=sys.stderr)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
