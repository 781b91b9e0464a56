"""Whether what people leave behind is kept in the database that app servers share; it is not opened here."""

from __future__ import annotations

from pathlib import Path

from backends.settings import store_address
from backends.system.viewers import workspace_and_person


def records_address(workspace: Path) -> str:
    """Where votes, runs and logs are kept: in the database of the documents, or "" for files of the folder.

    What is said in a visitor's own copy stays in files beside it.
    """
    return store_address(workspace) if workspace_and_person(workspace)[1] is None else ""
