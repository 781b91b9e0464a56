"""Opens libraries: a workspace, filled with the sample corpus at first; a folder; a visitor's own copy.

Enters: paths. Leaves: a `Library`. Visitors' copies and folders that nobody asked for lately are let go.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path, PurePosixPath

from backends.datatypes import UserError
from backends.documents.library import (
    DocumentDetails,
    Intake,
    Library,
    OnProgress,
    Progress,
    Reporter,
    files_in,
    hash_file,
)
from backends.documents.preparing import ChunkSettings
from backends.documents.session_lease import Lease, remove_unused
from backends.documents.storage import Store
from backends.documents.store import Workspace
from backends.retrieval.embedding import Embedder
from backends.settings import files_address, store_address
from backends.system.file_places import open_files
from backends.system.files import SAMPLE_CORPUS
from backends.system.viewers import session_folder

FOLDERS_KEPT = 20


def open_store(workspace_path: Path) -> Store:
    """The store of a workspace: its own files, or the PostgreSQL at the address that its settings name."""
    address = store_address(workspace_path)
    if not address:
        return Workspace.open(workspace_path)
    from backends.postgres.postgres_store import PostgresStore  # of the extra `scale`

    files = files_address(workspace_path)
    return PostgresStore.open(address, workspace_path, open_files(files) if files else None)


def open_library(
    workspace_path: Path,
    embedder: Embedder,
    settings: ChunkSettings,
    progress: OnProgress | None = None,
    sample: Path = SAMPLE_CORPUS,
) -> Library:
    """The library of a workspace. A new one is filled with the sample corpus, going on where it stopped."""
    workspace = open_store(workspace_path)
    library = Library(workspace, embedder)
    if workspace.get_meta("seeded") is None:
        _seed(library, sample, settings, progress)
        workspace.set_meta("seeded", "1")
    return library


def open_folder(
    workspace_path: Path,
    folder: Path,
    embedder: Embedder,
    settings: ChunkSettings,
    progress: OnProgress | None = None,
) -> Library:
    """A library of exactly the files of `folder`. What is known by its contents is not read again.

    Files that cannot be read are reported as progress of stage "rejected" and left out.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.")
    workspace = open_store(workspace_path)
    collection = f"{workspace.folder_prefix}{folder.resolve()}"
    library = Library(workspace, embedder, collection)
    files = {name: path for path, name in files_in([folder])}
    hashes = {name: known for name, _, known in workspace.current_hashes(collection)}
    same = {name for name, known in hashes.items() if name in files and hash_file(files[name]) == known}
    for name in hashes:
        # Files that came within a mail stay as long as it does.
        if name not in same and not any(parent.as_posix() in same for parent in PurePosixPath(name).parents):
            workspace.remove_document(collection, name, note=False)
    for result in library.ingest([folder], settings=settings, source=str(folder), progress=progress):
        if result.status == "rejected" and progress is not None:
            progress(Progress("rejected", 0, 0, f"{result.document}: {result.error}"))
    _keep_recent_folders(workspace, collection)
    return library


def open_session(base: Path, session_id: str, embedder: Embedder) -> Library:
    """A visitor's own library: a private copy of the base workspace's, made at the first call.

    It lies below the base workspace. Copies that nobody has open and nobody has used for a day are removed.
    """
    path = session_folder(base, session_id)
    lease = Lease(path)
    if not (path / "triptych.db").exists():
        open_store(base).copy_to(path).close()
    lease.renew()
    remove_unused(path.parent)
    library = Library(Workspace.open(path), embedder)
    library.lease = lease
    return library


def close_session(base: Path, session_id: str) -> None:
    """Remove a visitor's library."""
    shutil.rmtree(session_folder(base, session_id), ignore_errors=True)


def _keep_recent_folders(workspace: Store, latest: str) -> None:
    """Remember which folders took the library's place, and drop the oldest beyond a bound."""
    recent: list[str] = json.loads(workspace.get_meta("folders") or "[]")
    recent = [latest, *(name for name in recent if name != latest)]
    for name in recent[FOLDERS_KEPT:]:
        workspace.drop_collection(name)
    kept = json.dumps(recent[:FOLDERS_KEPT])
    if kept != workspace.get_meta("folders"):
        workspace.set_meta("folders", kept)


def _seed(library: Library, sample: Path, settings: ChunkSettings, progress: OnProgress | None) -> None:
    """Earlier versions first, so that the library has a history; steps done before a crash are skipped."""
    details = read_details(sample)
    steps = [
        (path, name)
        for folder in ("earlier_versions", "documents")
        if (sample / folder).is_dir()
        for path, name in files_in([sample / folder])
    ]
    intake = Intake(settings, source="sample", after=library.workspace.latest_event())
    for number, (path, name) in enumerate(steps):
        stored = library.workspace.version_hashes("", name).values()
        if hash_file(path) in stored:
            continue
        report = Reporter(progress, number, len(steps), name)
        given = details.get(name, DocumentDetails())
        for result in library.ingest_file(path, name, given, intake, report):
            if result.status == "rejected":
                raise UserError(f"The sample document {result.document} cannot be read: {result.error}")


def read_details(sample: Path) -> dict[str, DocumentDetails]:
    """What corpus*.json beside the documents say: {"documents": {name: {title, roles, tags, date}}}."""
    details: dict[str, DocumentDetails] = {}
    for path in sorted(sample.glob("corpus*.json")):
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))["documents"]
            for name, row in rows.items():
                details[name] = DocumentDetails(
                    title=row.get("title", ""),
                    roles=tuple(row.get("roles", ())),
                    tags=tuple(row.get("tags", ())),
                    date=row.get("date", ""),
                )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path.name} does not describe documents: {error}.") from error
    return details
