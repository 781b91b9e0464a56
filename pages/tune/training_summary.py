"""What the fine-tuning page opens with: what training has brought so far, in plain words.

Enters: a trainer and which models are stale. Leaves: text. The numbers are those of the adapters' cards.
"""

from __future__ import annotations

from collections.abc import Collection

from backends.offline.trainer import Trainer
from backends.training.adapters import ANSWERING, AdapterKind
from backends.training.gain import gain_of
from pages.tune.tuning_charts import RightAnswers
from pages.ui.look import look_of
from pages.ui.text import listing

NOTHING = "Nothing is trained on these documents yet: make rows, then train."


def in_words(trainer: Trainer, stale: Collection[AdapterKind]) -> str:
    """`Fine-tuned: training took it from 2 to 41 of 60 held-out questions right, and its documents ...`"""
    fingerprint = trainer.triptych.model().fingerprint
    said = []
    for kind in ANSWERING:
        adapter = trainer.adapters.active(kind, fingerprint)
        if adapter is None:
            continue
        report = adapter.card.report
        before, after = (
            RightAnswers.from_record(report.get(f"score_{when}")) for when in ("before", "after")
        )
        gained = f"answers with the adapter {adapter.name}"
        if before is not None and after is not None:
            sure = "" if gain_of(report).verdict == "better" else ", which may be chance"
            gained = (
                f"went from {before.right} to {after.right} of {after.rows} held-out questions right{sure}"
            )
        old = "; some of its documents have changed since" if kind in stale else ""
        said.append(f"{look_of(kind).label} {gained}{old}.")
    if said:
        return f"By training, {' '.join(said)}"
    fitting = [each for each in trainer.adapters.all() if each.card.base_fingerprint == fingerprint]
    idle = [each.name for each in fitting if each.card.kind != "embedder"]
    verb = "is trained and does" if len(idle) == 1 else "are trained and do"
    return f"{listing(idle)} {verb} not answer: you decide whether to let them, below." if idle else NOTHING
