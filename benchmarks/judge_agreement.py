"""How often the offline judge of support agrees with gold labels: `python -m benchmarks.judge_agreement`.

Enters: the sample's training rows, whose answers state what their documents say, in full sentences. A claim
is a row's sentence; the passages are those that retrieval finds for the row's question. It is labelled
supported as it stands, where a passage holds the row's short answer, and unsupported when its short answer is
exchanged for that of another row, or when only passages of other documents are shown. Leaves: agreement,
Cohen's kappa and both error rates, for several thresholds. No test question is used.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.answering.overlap import sentences
from backends.datatypes import TrainingRow
from backends.evaluation import support
from backends.evaluation.metrics import contains_answer
from backends.product import Triptych
from backends.settings import make_settings
from backends.system.json_texts import is_json
from backends.training.rows import load_rows

ROWS = Path(__file__).resolve().parents[1] / "sample_corpus" / "training"
EVERY = 4  # of the rows, so that wordings of one fact do not fill the sample
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Labelled:
    claim: str
    passages: tuple[str, ...]
    supported: bool
    made: str  # as it stands, exchanged, elsewhere


def parts(row: TrainingRow) -> tuple[str, str] | None:
    """(short answer, sentence) of a row in the house style; None for another style."""
    found = sentences(row.answer)
    if is_json(row.answer) or not row.documents or len(found) < 2:
        return None
    short = found[0].removesuffix(".")
    return (short, found[1]) if contains_answer(found[1], [short]) else None


def labelled(triptych: Triptych, rows: Sequence[TrainingRow]) -> Iterator[Labelled]:
    draw = random.Random(0)
    retriever = triptych.library.retriever(triptych.settings)
    shorts = [found[0] for row in rows if (found := parts(row))]
    for row in rows:
        if (found := parts(row)) is None:
            continue
        short, claim = found
        hits = retriever.search(row.question, top_k=20, mode=triptych.settings.mode)
        passages = tuple(hit.chunk.text for hit in hits[:8])
        elsewhere = tuple(h.chunk.text for h in hits if h.chunk.document not in row.documents)[:8]
        if any(contains_answer(passage, [short]) for passage in passages):
            yield Labelled(claim, passages, True, "as it stands")
        # As much a number as the one it replaces: an amount for an amount, words for words.
        alike = [s for s in shorts if s != short and s[:1].isdigit() == short[:1].isdigit()]
        other = draw.choice(alike)
        changed = claim.replace(short, other)
        if changed != claim and not any(contains_answer(passage, [other]) for passage in passages):
            yield Labelled(changed, passages, False, "short answer exchanged")
        if elsewhere and not any(contains_answer(passage, [short]) for passage in elsewhere):
            yield Labelled(claim, elsewhere, False, "passages of other documents")


def judged(items: Sequence[Labelled], enough: float) -> list[bool]:
    return [any(support.supports_claim(i.claim, p, enough) for p in i.passages) for i in items]


def kappa(labels: Sequence[bool], verdicts: Sequence[bool]) -> float:
    """Cohen's kappa (1960): agreement beyond chance."""
    count = len(labels)
    agreed = sum(a == b for a, b in zip(labels, verdicts, strict=True)) / count
    yes, said = sum(labels) / count, sum(verdicts) / count
    by_chance = yes * said + (1 - yes) * (1 - said)
    return (agreed - by_chance) / (1 - by_chance)


def main() -> None:
    rows = [row for path in sorted(ROWS.glob("part[123].jsonl")) for row in load_rows(path)][::EVERY]
    with tempfile.TemporaryDirectory() as folder:
        items = list(labelled(Triptych.open(Path(folder), make_settings()), rows))
    labels = [item.supported for item in items]
    print(f"{len(items)} claims, {sum(labels)} of them supported")
    print("| threshold | agreement | kappa | supported found | exchanged refused | elsewhere refused |")
    print("|---|---|---|---|---|---|")
    for enough in THRESHOLDS:
        verdicts = judged(items, enough)
        agreed = sum(a == b for a, b in zip(labels, verdicts, strict=True)) / len(items)
        shares = [
            sum(v == i.supported for i, v in mine) / len(mine)
            for made in ("as it stands", "short answer exchanged", "passages of other documents")
            if (mine := [(i, v) for i, v in zip(items, verdicts, strict=True) if i.made == made])
        ]
        cells = " | ".join(f"{share:.2f}" for share in shares)
        mark = " (used)" if enough == support.ENOUGH else ""
        print(f"| {enough}{mark} | {agreed:.2f} | {kappa(labels, verdicts):.2f} | {cells} |")


if __name__ == "__main__":
    main()
