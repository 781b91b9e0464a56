"""The suite over PostgreSQL: `TRIPTYCH_TEST_STORE=postgres` puts every workspace into a database of its own.

Enters: tests that open workspaces as files. Leaves: the same tests over the other store, with the votes, runs
and logs of each workspace. Visitors' own copies stay files, as they do in the product. Tests
of the file's own format say so by the mark `own_file`.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends import settings
from backends.documents.storage import Store
from backends.documents.store import Workspace
from backends.system.viewers import SESSIONS

WANTED = os.environ.get("TRIPTYCH_TEST_STORE") == "postgres"
TEMPLATE = "prepared"


class Databases:
    """One database of a server for each workspace's folder, until it is dropped."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._names: dict[Path, str] = {}
        self._making = threading.Lock()

    def address(self, workspace: Path) -> str:
        """Of the database of this folder, which is made at first."""
        where = workspace.resolve()
        with self._making:
            if where not in self._names:
                name = f"workspace_{uuid.uuid4().hex[:12]}"
                _run(self._server, f"CREATE DATABASE {name} TEMPLATE {_template(self._server)}")
                self._names[where] = name
        return str(self._server.get_uri(database=self._names[where]))

    def drop(self, below: Path) -> None:
        """Those of the folders below this one."""
        for where in [each for each in self._names if each.is_relative_to(below.resolve())]:
            _run(self._server, f"DROP DATABASE {self._names.pop(where)} WITH (FORCE)")


@contextmanager
def workspaces_in(databases: Databases) -> Iterator[None]:
    """Until the block ends, a workspace that is opened lies in a database."""
    from backends.postgres import postgres_store  # of the extra `scale`
    from backends.postgres import server as door

    in_a_file: Callable[[Path], Workspace] = Workspace.open
    by_settings = settings._address

    def opened(path: Path) -> Store:
        if path.parent.name == SESSIONS:
            return in_a_file(path)
        if path.exists() and not path.is_dir():  # refused alike
            return in_a_file(path)
        return postgres_store.PostgresStore.open(databases.address(path), path)

    def address(workspace: Path, name: str) -> str:
        given = by_settings(workspace, name)
        wanted = name == settings.STORE and workspace.parent.name != SESSIONS
        return given or (databases.address(workspace) if wanted else "")

    try:
        with pytest.MonkeyPatch.context() as patched:  # of its own: a test may undo what it patched itself
            patched.setattr(Workspace, "open", staticmethod(opened))
            patched.setattr(settings, "_address", address)
            patched.setattr(postgres_store, "Workspace", SimpleNamespace(open=in_a_file))
            yield
    finally:
        door.close_pools()


def _template(server: Any) -> str:
    """A database with the tables, made once: a copy of it takes a tenth of the time."""
    import psycopg

    from backends.postgres.server import Server
    from backends.postgres.store_tables import migrate

    with psycopg.connect(server.get_uri(), autocommit=True) as db:
        made = db.execute("SELECT 1 FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone()
    if made is None:
        _run(server, f"CREATE DATABASE {TEMPLATE}")
        Server(server.get_uri(database=TEMPLATE)).prepare(migrate)
    return TEMPLATE


def _run(server: Any, statement: str) -> None:
    import psycopg

    with psycopg.connect(server.get_uri(), autocommit=True) as db:
        db.execute(statement)
