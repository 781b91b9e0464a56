"""The campaign over one PostgreSQL runs: one of its cases, a database that dies during a forgetting."""

from __future__ import annotations

import subprocess
import sys

from backends.system.files import ROOT
from tests.scale.conftest import needed

needed("psycopg")
needed("procrastinate")


def test_a_killed_database_loses_nothing_and_gives_nothing_back() -> None:
    command = [sys.executable, "-m", "tests.campaign", "shared_kills", "--only", "forget-database-0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "| shared_kills | database during forget | 50 | 1 | 0 |" in done.stdout
