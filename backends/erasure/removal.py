"""The one way to forget a document, for pages and command line: out of the index, the records and every file.

Enters: an opened library and a name. Leaves: a `Proof`. It puts the erasure and the holders together and
knows neither page nor terminal.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.access.audit import AuditData
from backends.documents.library import Library
from backends.documents.storage import Store
from backends.erasure import forget as erasure
from backends.erasure.forget import Beside, Forgettable, Proof
from backends.erasure.shared_records import SharedRecords
from backends.feedback.kept_feedback import LogData
from backends.settings import store_address
from backends.system.data_holder import DataHolder
from backends.system.reporting import Report, no_report
from backends.system.shared_jobs import JobsData
from backends.system.viewers import folders_of, workspace_and_person
from backends.training.withdrawal import TrainingData

HOLDERS: Sequence[DataHolder] = (TrainingData(), LogData(), AuditData(), JobsData(store_address))
BESIDE = Beside(HOLDERS, (SharedRecords(store_address),))


def forget(library: Forgettable, name: str, report: Report = no_report) -> Proof:
    """Remove a document for good. Raises UserError when there is none of this name."""
    base, person = workspace_and_person(library.workspace.path)
    # A visitor's runs and votes of the time before the private copy lie beside it.
    elsewhere = folders_of(base, person) if person is not None else ()
    return erasure.forget(library, name, BESIDE, elsewhere, report)


def forget_whole(library: Library, name: str, report: Report = no_report) -> list[Proof]:
    """Remove a document and what came within it; its own proof is the last.

    Raises UserError when there is none of this name.
    """
    return [forget(library, each, report) for each in (*library.came_within(name), name)]


def finish(workspace: Store) -> list[Proof]:
    """Complete what was interrupted; whoever opens a workspace does this first."""
    return erasure.finish_erasures(workspace, BESIDE)
