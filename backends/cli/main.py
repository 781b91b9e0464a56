"""The command line `triptych`: the verbs of this package, and errors as one sentence.

Enters: arguments. Leaves: rows on stdout, progress on stderr, and an exit status: 0 done, 1 done but some
item failed, 2 bad usage or input. Arguments are checked before anything is opened, so bad input changes
nothing; whatever is slow to import is imported by the verb that needs it.
"""

from __future__ import annotations

import os

import typer
from typer.core import TyperGroup

from backends.cli.adapters_verb import adapters_app
from backends.cli.arguments import StoreAddress, WorkspaceFolder, use_store
from backends.cli.ask_verb import ask
from backends.cli.audit_verb import audit
from backends.cli.compare_verb import compare
from backends.cli.demo_verb import demo
from backends.cli.documents_verb import documents_app
from backends.cli.evaluate_verb import evaluate
from backends.cli.ingest_verb import ingest
from backends.cli.jobs_verb import jobs_app, worker
from backends.cli.ready_verb import ready
from backends.cli.search_verb import search
from backends.cli.stress_verb import stress
from backends.cli.tokens_verb import tokens_app
from backends.cli.train_verb import train
from backends.datatypes import UserError
from backends.system.failures import KINDS, in_words
from backends.system.hardware import bound_threads


class FriendlyGroup(TyperGroup):
    """Turns a UserError of any verb, and what the machine refuses, into a sentence on stderr and status 2."""

    def invoke(self, ctx: typer.Context) -> object:
        """Run the verb; a UserError becomes one sentence and exit status 2."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            typer.echo(f"triptych: {error}", err=True)
            raise typer.Exit(2) from error
        except KINDS as error:
            if (words := in_words(error)) is None:
                raise
            typer.echo(f"triptych: {words}", err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=FriendlyGroup,
    name="triptych",
    help="RAG or fine-tuning? Ask your own documents and see every approach answer, side by side.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(documents_app, name="documents")
for verb in (evaluate, compare, train, stress):
    app.command()(verb)
app.add_typer(adapters_app, name="adapters")
app.add_typer(tokens_app, name="tokens")
app.add_typer(jobs_app, name="jobs")
for verb in (audit, ready, worker):
    app.command()(verb)


@app.callback()
def root(workspace: WorkspaceFolder = None, store: StoreAddress = None) -> None:
    """Options that every verb has."""
    bound_threads()
    use_store(store)
    if workspace is not None:
        os.environ["TRIPTYCH_WORKSPACE"] = str(workspace)


for verb in (demo, ingest, search, ask):
    app.command()(verb)
