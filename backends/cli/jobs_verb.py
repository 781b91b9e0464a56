"""The verbs `triptych jobs` and `triptych worker`: work left to the workers of any machine, and looked after.

Enters: the address of the database that all servers share. Leaves: jobs, and what became of them.
"""

from __future__ import annotations

import getpass
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from backends.cli.arguments import Json, StoreAddress, use_workspace
from backends.cli.terminal import printing, table
from backends.datatypes import JsonValue, UserError

if TYPE_CHECKING:
    from backends.system.shared_jobs import SharedJob, SharedJobs

jobs_app = typer.Typer(
    help="Leave work to the workers of any machine: add, list, cancel, forget.", no_args_is_help=True
)


def address_of(given: str | None) -> str:
    """The database of the jobs. UserError when none is named, and for whoever is no owner."""
    from backends.cli import caller
    from backends.settings import store_address

    workspace = use_workspace(None, given)
    caller.owner(workspace)
    address = store_address(workspace)
    if not address:
        raise UserError(
            "Jobs that several machines share need a PostgreSQL: give --store postgresql://... or set "
            "TRIPTYCH_STORE."
        )
    return address


def _shared(store: str | None) -> SharedJobs:
    from backends.system.shared_jobs import SharedJobs

    return SharedJobs(address_of(store))


@jobs_app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def add(
    context: typer.Context,
    about: Annotated[str, typer.Option(help="A few words for whoever looks at the list.")] = "",
    store: StoreAddress = None,
    as_json: Json = False,
) -> None:
    """Leave a verb (ingest, train, evaluate, stress) with its arguments to a worker; prints the job's id.

    Put -- before the verb, so that its options are not taken for those of this one.
    """
    from backends.system.commands import Command

    command = Command.with_full_paths(_asked_now(context.args))
    with printing(as_json) as (out, _):
        out.record(_row(_shared(store).start(command.kind, getpass.getuser(), command, about)))


@jobs_app.command("list")
def list_jobs(store: StoreAddress = None, as_json: Json = False) -> None:
    """All jobs, the newest first, with how far they are."""
    with printing(as_json) as (out, _):
        rows = [_row(job) for job in _shared(store).everybodys()]
        if as_json:
            for row in rows:
                out.row(row)
        elif rows:
            columns = ("id", "kind", "owner", "about", "state", "progress", "machine", "error")
            out.text(table(columns, [[row[name] for name in columns] for row in rows]))
        else:
            out.text("There are no jobs.")


@jobs_app.command()
def cancel(job: Annotated[str, typer.Argument(metavar="ID")], store: StoreAddress = None) -> None:
    """Ask a job to stop; what it has done stays."""
    _found(_shared(store), job).cancel()


@jobs_app.command()
def forget(job: Annotated[str, typer.Argument(metavar="ID")], store: StoreAddress = None) -> None:
    """Cancel a job and drop its record: what it was given and what it said."""
    shared = _shared(store)
    shared.discard(_found(shared, job))


def worker(
    once: Annotated[bool, typer.Option("--once", help="End when no job is left.")] = False,
    store: StoreAddress = None,
) -> None:
    """Do the jobs that are left to workers, one after the other; a dead worker's jobs go on here."""
    from backends.system.job_worker import JobWorker

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    _shared(store).close()  # a database that cannot be reached is said in one sentence
    JobWorker(address_of(store)).work(wait=not once)


def _asked_now(arguments: Sequence[str]) -> list[str]:
    """An ingest is told when it was asked for: what is forgotten while it waits, or between two attempts,
    does not come back."""
    if arguments[:1] != ["ingest"]:
        return list(arguments)
    return ["ingest", "--asked", datetime.now(UTC).isoformat(timespec="seconds"), *arguments[1:]]


def _found(jobs: SharedJobs, given: str) -> SharedJob:
    """The job of this id or its unique beginning."""
    found = [job for job in jobs.everybodys() if given and job.id.startswith(given)]
    if len(found) != 1:
        raise UserError(f"{len(found)} jobs have an id that begins with {given!r}." if found else
                        f"There is no job {given!r}.")  # fmt: skip
    return found[0]


def _row(job: SharedJob) -> dict[str, JsonValue]:
    done, total, label = job.progress
    return {
        "id": job.id,
        "kind": job.kind,
        "owner": job.owner,
        "about": job.about,
        "state": "cancelling" if job.cancelling else job.state,
        "progress": f"{done}/{total} {label}".strip() if total else label,
        "machine": job.machine,
        "attempt": job.attempt,
        "error": job.error or "",
    }
