"""Takes a forgotten document out of training: runs that learn from it stop, rows go, adapters are named.

Enters: the folder of a workspace or of a visitor's copy, and a document's name. Leaves: what was given up.
It loads no model.
"""

from __future__ import annotations

import json
from pathlib import Path

from backends.system.data_holder import GaveUp
from backends.system.files import rewrite
from backends.system.viewers import workspace_and_person
from backends.training.adapters import Adapters, adapters_of, learned_from
from backends.training.runs import TrainingRuns


class TrainingData:
    """Runs, drafts and adapters of any workspace."""

    name = "the training runs"

    def forget(self, workspace: Path, document: str) -> GaveUp:
        """Stop what is being trained on it, for good, and remove every row that came from it."""
        rows, stopped = TrainingRuns(workspace).forget(document)
        drafts = (workspace / "training").glob("draft-*.json")
        rows += sum(_forget_in_draft(path, document) for path in drafts)
        adapters = learned_from(_adapters_for(workspace).all(), document)
        return GaveUp(rows=rows, stopped=tuple(stopped), adapters=tuple(adapters))


def _adapters_for(workspace: Path) -> Adapters:
    """All that answer there: a visitor's own, the workspace's and the shipped ones."""
    base, person = workspace_and_person(workspace)
    return adapters_of(workspace) if person is None else adapters_of(workspace, adapters_of(base))


def _forget_in_draft(path: Path, document: str) -> int:
    gone = 0

    def without(data: bytes) -> bytes | None:
        nonlocal gone
        draft = json.loads(data)
        kept = [row for row in draft["rows"] if document not in row["documents"]]
        gone = len(draft["rows"]) - len(kept)
        dropped = [each for each in draft.get("dropped", ()) if each["document"] != document]
        if not gone and len(dropped) == len(draft.get("dropped", ())):
            return None
        return json.dumps({**draft, "rows": kept, "dropped": dropped}, ensure_ascii=False).encode()

    rewrite(path, without)
    return gone
