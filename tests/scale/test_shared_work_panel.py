"""What workers do, on the pages of two app servers that share a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backends.system.commands import Command
from pages.ui.text import markdown
from tests.scale.conftest import needed

needed("psycopg")
needed("procrastinate")

from backends.system.jobs import Outcome  # noqa: E402
from backends.system.shared_jobs import SharedJobs  # noqa: E402


@pytest.fixture
def jobs(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedJobs]:
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("TRIPTYCH_STORE", database)
    made = SharedJobs(database)
    yield made
    made.close()


def server() -> AppTest:
    def script() -> None:
        from pages.ui import shared_work

        shared_work.panel()

    return AppTest.from_function(script, default_timeout=60).run()


def test_progress_is_seen_and_work_is_ended_from_any_server(jobs: SharedJobs) -> None:
    assert not server().main.children
    job = jobs.start("ingest", "ada", Command(("ingest", "/papers")), "papers *of* May")
    attempt = jobs.begin(job.id, "machine-7")
    assert attempt is not None
    attempt.progress(3, 9, "embedding")
    one, two = server(), server()
    assert one.button[0].label == two.button[0].label == "Cancel"
    shown = one.get("progress")[0].proto
    assert shown.value == 33 and shown.text.endswith(": 3 of 9 embedding")
    assert shown.text.startswith(f"ingest {markdown('papers *of* May')} works on {markdown('machine-7')}")
    two.button[0].click().run()
    attempt.look()
    assert attempt.cancelled.is_set()
    assert one.run().button[0].label == "Stopping" and one.button[0].disabled
    attempt.end(Outcome("cancelled"))
    assert not one.run().button
    (caption,) = one.caption
    what, where = markdown("papers *of* May"), markdown("machine-7")
    assert caption.value == f"ingest {what} was ended on {where}: 3 of 9 embedding"


def test_why_a_job_failed_is_said(jobs: SharedJobs) -> None:
    job = jobs.start("train", "ada", Command(("train",)))
    attempt = jobs.begin(job.id, "here")
    assert attempt is not None
    attempt.progress(1, 1, "rows")
    attempt.end(Outcome("failed", error="There are no rows."))
    (caption,) = server().caption
    assert caption.value == f"train failed on here: {markdown('There are no rows.')}"


def test_a_database_that_does_not_answer_is_said_and_no_page_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("TRIPTYCH_STORE", "postgresql://nobody@127.0.0.1:1/nothing")
    (said,) = server().warning
    assert "cannot be seen" in said.value
