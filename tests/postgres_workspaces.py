"""The suite over PostgreSQL: `TRIPTYCH_TEST_STORE=postgres` puts every workspace into a database of its own.

Enters: tests that open workspaces as files. Leaves: the same tests over the other store. Visitors' own copies
stay files, as they do in the product. Tests of the file's own format say so by the mark `own_file`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.documents.storage import Store
from backends.documents.store import Workspace
from backends.system.viewers import SESSIONS

WANTED = os.environ.get("TRIPTYCH_TEST_STORE") == "postgres"
TEMPLATE = "prepared"


@contextmanager
def workspaces_in(server: Any) -> Iterator[None]:
    """Until the block ends, a workspace that is opened lies in the server; one database for each folder."""
    from backends.postgres import postgres_store  # of the extra `scale`
    from backends.postgres import server as door

    databases: dict[Path, str] = {}
    in_a_file: Callable[[Path], Workspace] = Workspace.open

    def opened(path: Path) -> Store:
        if path.parent.name == SESSIONS:
            return in_a_file(path)
        if path.exists() and not path.is_dir():  # refused alike
            return in_a_file(path)
        where = path.resolve()
        if where not in databases:
            databases[where] = f"workspace_{uuid.uuid4().hex[:12]}"
            _run(server, f"CREATE DATABASE {databases[where]} TEMPLATE {_template(server)}")
        return postgres_store.PostgresStore.open(server.get_uri(database=databases[where]), path)

    try:
        with pytest.MonkeyPatch.context() as patched:  # of its own: a test may undo what it patched itself
            patched.setattr(Workspace, "open", staticmethod(opened))
            patched.setattr(postgres_store, "Workspace", SimpleNamespace(open=in_a_file))
            yield
    finally:
        door.close_pools()
        for name in databases.values():
            _run(server, f"DROP DATABASE {name} WITH (FORCE)")


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
