"""What every folder of tests shares: one Chromium for each process, since Playwright runs once in it; and the
switch that runs tests over the other store.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests import postgres_workspaces
from tests.browser.serving import chromium

if postgres_workspaces.WANTED:
    from tests.scale.conftest import postgres as postgres  # the fixture, for tests of every folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def databases(request: pytest.FixtureRequest) -> Iterator[postgres_workspaces.Databases]:
    """Of the workspaces that the tests of a module open; those that they share stay as long as it runs."""
    made = postgres_workspaces.Databases(request.getfixturevalue("postgres"))
    yield made
    made.drop(Path("/"))


@pytest.fixture(autouse=postgres_workspaces.WANTED)
def in_postgres(request: pytest.FixtureRequest) -> Iterator[None]:
    """Over the other store, if that is wanted: but for tests of the file that workspaces are by default."""
    if request.node.get_closest_marker("own_file"):
        pytest.skip("of the file that a workspace is by default")
    databases = request.getfixturevalue("databases")
    with postgres_workspaces.workspaces_in(databases):
        yield
    if (own := getattr(request.node, "funcargs", {}).get("tmp_path")) is not None:
        databases.drop(own)
