"""The audit log: who signed in, read, asked, added, forgot and trained, when, and with which documents.

Enters: what somebody did. Leaves: lines of `audit.jsonl` in the workspace, or of the database that app
servers share, each kept for good before `record` returns; nothing ever takes one out. No text of a document
is in it, and a question only where that is allowed. Forgetting a document takes its name out of every line,
also out of the one about the forgetting: what stays is who did what and when, with "a forgotten document".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from backends.settings import store_address
from backends.system.data_holder import GaveUp
from backends.system.line_logs import FileLines, LineLog
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
        self._logs = _logs(workspace)
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
        """Add an entry. Raises OSError or UserError where it cannot be written: what cannot be audited is
        not done."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        asked = question if self._questions else ""
        named = tuple(dict.fromkeys(documents))
        entry = AuditEntry(at, person, action, named, name, copy, detail, asked)
        said = {key: value for key, value in asdict(entry).items() if value}
        self._logs[-1].append(json.dumps(said, ensure_ascii=False))

    def entries(self) -> Iterator[AuditEntry]:
        """Every entry, oldest first."""
        for log in self._logs:
            for line in log.lines():
                row = json.loads(line)
                yield AuditEntry(**row | {"documents": tuple(row.get("documents", ()))})


def _logs(workspace: Path) -> list[LineLog]:
    """Where entries lie, the one that grows last: the file of before the workspace had a database stays."""
    logs: list[LineLog] = [FileLines(workspace / FILE)]
    if address := store_address(workspace):
        from backends.postgres.line_rows import PostgresLines  # of the extra `scale`

        logs.append(PostgresLines(address, FILE))
    return logs


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

        def without(line: str) -> str | None:
            nonlocal questions
            row = json.loads(line)
            if document not in row.get("documents", ()) or row.get("copy", "") != (person or ""):
                return None
            named = [FORGOTTEN if each == document else each for each in row["documents"]]
            questions += row.pop("question", None) is not None
            return json.dumps({**row, "documents": list(dict.fromkeys(named))}, ensure_ascii=False)

        for log in _logs(base):
            log.change(without)
        return GaveUp(questions=questions)
