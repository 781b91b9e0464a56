"""What every folder of tests shares: one Chromium for each process, since Playwright runs once in it; and the
switch that runs tests over the other store.
"""

from __future__ import annotations

from collections.abc import Iterator

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


@pytest.fixture(autouse=postgres_workspaces.WANTED)
def in_postgres(request: pytest.FixtureRequest) -> Iterator[None]:
    """Over the other store, if that is wanted: but for tests of the file that workspaces are by default."""
    if request.node.get_closest_marker("own_file"):
        pytest.skip("of the file that a workspace is by default")
    with postgres_workspaces.workspaces_in(request.getfixturevalue("postgres")):
        yield
