"""Scores a sample adapter that was trained in two runs, on the rows that neither of them has learned.

Enters: models/adapters/fine_tuned or hybrid and its rows; what a run held out follows from the questions.
Leaves: in the adapter's card the losses and right answers on those rows, of the reader without an adapter
(before) and with it (after). The report of the second run compares with the adapter it began with, partly on
rows that the first run had learned; its curve of losses stays as it was.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from backends.answering.answer_text import without_markers
from backends.answering.evidence import evidence_for
from backends.datatypes import Token
from backends.language.compared_words import holds, says_the_same
from backends.language.generation import LanguageModel
from backends.product import Triptych
from backends.settings import DEFAULT_MODEL, make_settings
from backends.training.lora import HeldOutScore
from backends.training.rows import (
    Example,
    HybridOptions,
    closed_book,
    load_rows,
    split_held_out,
    with_passages,
)
from models.train_adapters import in_short

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "sample_corpus" / "training"
FIRST = (1, 2, 3, 4, 5, 10)  # files of the first run
FIRST_SHARE, SHARE = 0.02, 0.04  # that each run held out
SCORED = 48  # rows that are answered; all of them have a loss
MOST_TOKENS = 96


def unseen() -> list[Example]:
    """What the second run held out, without what the first has learned."""
    first = [row for number in FIRST for row in load_rows(ROWS / f"part{number}.jsonl")]
    learned = {row.question for _, row in split_held_out(first, FIRST_SHARE)[0]}
    rows = [row for path in sorted(ROWS.glob("*.jsonl")) for row in load_rows(path)]
    return closed_book(each for each in split_held_out(rows, SHARE)[1] if each[1].question not in learned)


def unseen_with_passages(triptych: Triptych) -> list[Example]:
    """What both runs of the hybrid held out, with the passages that serving shows."""
    model, settings = triptych.model(), triptych.settings
    retriever = triptych.library.retriever(settings)
    rows = [row for number in FIRST for row in load_rows(ROWS / f"part{number}.jsonl")]
    held = [(number, in_short(row)) for number, row in split_held_out(rows, SHARE)[1]]
    return with_passages(
        held,
        lambda question: list(evidence_for(question, retriever, model, settings).sources),
        HybridOptions(share_memorised=1.0),
    )


def loss(model: LanguageModel, examples: Sequence[Example], adapter: Path | None) -> float:
    """Mean cross-entropy per answer token, in nats."""
    tokens = [model.count_tokens(each.answer) for each in examples]
    means = [model.log_likelihood(list(each.messages), each.answer, adapter=adapter) for each in examples]
    return -sum(mean * count for mean, count in zip(means, tokens, strict=True)) / sum(tokens)


def score(model: LanguageModel, examples: Sequence[Example], adapter: Path | None) -> HeldOutScore:
    """Answers greedily, and compares the words."""
    exact, right = 0, []
    for example in examples:
        events = model.generate(list(example.messages), adapter=adapter, max_tokens=MOST_TOKENS)
        said = without_markers("".join(event.text for event in events if isinstance(event, Token)))
        wanted = without_markers(example.answer)
        exact += says_the_same(said, wanted)
        if holds(said, wanted):
            right.append(example.row)
    count = len(examples)
    return HeldOutScore(exact / count, len(right) / count, count, tuple(right))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=["fine_tuned", "hybrid"], default="fine_tuned")
    kind = parser.parse_args().kind
    adapter = ROOT / "models" / "adapters" / kind
    with tempfile.TemporaryDirectory() as folder:
        examples = unseen()
        if kind == "hybrid":
            examples = unseen_with_passages(Triptych.open(Path(folder), make_settings()))
    model = LanguageModel.load(DEFAULT_MODEL)
    card = json.loads((adapter / "card.json").read_text(encoding="utf8"))
    card["report"]["held_out_rows"] = len(examples)
    for when, used in (("before", None), ("after", adapter)):
        card["report"][f"loss_{when}"] = loss(model, examples, used)
        card["report"][f"score_{when}"] = asdict(score(model, examples[:SCORED], used))
        print(when, card["report"][f"loss_{when}"], card["report"][f"score_{when}"]["contains"], flush=True)
    (adapter / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
