"""The audit log: who signed in, read, asked, added, forgot and trained, when, and with which documents.

Enters: what somebody did. Leaves: lines of `audit.jsonl` in the workspace, each on the disk before `record`
returns; nothing ever takes one out. No text of a document is in it, and a question only where that is
allowed. Forgetting a document takes its name out of every line, also out of the one about the forgetting:
what stays is who did what and when, with "a forgotten document".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from backends.system.data_holder import GaveUp
from backends.system.files import append_line, rewrite
from backends.system.viewers import workspace_and_person

FILE = "audit.jsonl"
FORGOTTEN = "a forgotten document"
Action = Literal["signed in", "refused", "read", "asked", "searched", "added", "forgot", "trained", "token"]


@dataclass(frozen=True)
class AuditEntry:
    """One line. `copy` says whose own copy of the documents it was about; empty: those everybody shares."""

    at: str  # ISO, UTC
    person: str
    action: Action
    documents: tuple[str, ...] = ()
    name: str = ""  # what the person is called, in the entries about signing in
    copy: str = ""
    detail: str = ""
    question: str = ""


class AuditLog:
    """The audit log of one workspace; several threads and processes may write at once."""

    def __init__(self, workspace: Path, *, questions: bool = False) -> None:
        """With `questions`, what was asked is kept too."""
        self.path = workspace / FILE
        self._questions = questions

    def record(
        self,
        action: Action,
        person: str,
        documents: Sequence[str] = (),
        *,
        name: str = "",
        copy: str = "",
        detail: str = "",
        question: str = "",
    ) -> None:
        """Add an entry. Raises OSError where it cannot be written: what cannot be audited is not done."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        asked = question if self._questions else ""
        named = tuple(dict.fromkeys(documents))
        entry = AuditEntry(at, person, action, named, name, copy, detail, asked)
        said = {key: value for key, value in asdict(entry).items() if value}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        append_line(self.path, json.dumps(said, ensure_ascii=False))

    def entries(self) -> Iterator[AuditEntry]:
        """Every entry, oldest first."""
        if self.path.exists():
            with self.path.open(encoding="utf-8", newline="\n") as lines:
                for line in lines:
                    row = json.loads(line)
                    yield AuditEntry(**row | {"documents": tuple(row.get("documents", ()))})


@dataclass(frozen=True)
class Auditor:
    """The audit log as one person writes it about one set of documents."""

    log: AuditLog
    person: str
    copy: str = ""
    view: str = ""  # the role an owner looks through

    def __call__(
        self, action: Action, documents: Sequence[str] = (), *, detail: str = "", question: str = ""
    ) -> None:
        """Add an entry. Raises OSError where it cannot be written."""
        seen = ", ".join(filter(None, (detail, self.view and f"viewed as {self.view}")))
        self.log.record(action, self.person, documents, copy=self.copy, detail=seen, question=question)


class AuditData:
    """Takes the name of a document that is being forgotten, and questions about it, out of the audit log."""

    name = "the audit log"

    def forget(self, workspace: Path, document: str) -> GaveUp:
        """In the entries about this workspace's documents, or about those of this visitor's copy."""
        base, person = workspace_and_person(workspace)
        questions = 0

        def without(data: bytes) -> bytes | None:
            nonlocal questions
            changed, questions = _without(data.decode("utf-8"), document, person or "")
            return changed.encode("utf-8") if changed is not None else None

        rewrite(base / FILE, without)
        return GaveUp(questions=questions)


def _without(text: str, document: str, copy: str) -> tuple[str | None, int]:
    """The log without this name, None where it was not in it; and how many questions went with it."""
    lines, found, questions = [], False, 0
    for line in text.split("\n"):
        row = json.loads(line) if line else {}
        if document in row.get("documents", ()) and row.get("copy", "") == copy:
            found = True
            row["documents"] = list(
                dict.fromkeys(FORGOTTEN if each == document else each for each in row["documents"])
            )
            questions += row.pop("question", None) is not None
            line = json.dumps(row, ensure_ascii=False)
        lines.append(line)
    return ("\n".join(lines) if found else None), questions
