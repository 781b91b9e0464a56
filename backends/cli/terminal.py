"""What a terminal shows and sends: rows and tables on stdout, progress and problems on stderr, Ctrl-C.

Enters: records. Leaves: text. It knows no backend and no document; every verb prints through it.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from types import FrameType, TracebackType
from typing import TextIO

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backends.datatypes import Answer, Hit, JsonValue
from backends.system.json_values import plain
from backends.system.wording import money

INTERRUPTED = 130


def hit_row(question_id: str, question: str, hit: Hit) -> dict[str, JsonValue]:
    """A search hit as `search --json` prints it; `text` equals the document's text[start:end]."""
    chunk = hit.chunk
    return {
        "id": question_id,
        "question": question,
        "rank": hit.rank,
        "document": chunk.document,
        "version": chunk.version,
        "page": chunk.page,
        "start": chunk.start,
        "end": chunk.end,
        "score": hit.score,
        "dense": hit.dense,
        "bm25": hit.bm25,
        "also": [other.document for other in hit.also],
        "text": chunk.text,
    }


class Output:
    """The standard output of one verb. With `as_json` it carries JSON rows and nothing else.

    Used as a context: whatever a library prints meanwhile goes to stderr.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._stream: TextIO = sys.stdout
        self._redirect = redirect_stdout(sys.stderr)
        self._console = Console(file=self._stream, highlight=False)

    def __enter__(self) -> Output:
        self._redirect.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._redirect.__exit__(kind, error, trace)

    def row(self, record: object) -> None:
        """One JSON line, flushed at once: what is printed stays when the program is interrupted."""
        line = json.dumps(plain(record), ensure_ascii=False, allow_nan=False)
        # U+2028 and U+2029 are line ends to some readers; escaped, a row is one line for everybody.
        line = line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\u0085", "\\u0085")
        self._stream.write(line + "\n")
        self._stream.flush()

    def record(self, record: object) -> None:
        """A record as a JSON row, or for people as `name: value` lines."""
        if self.as_json:
            self.row(record)
            return
        for name, value in plain(record).items():
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            self.text(f"{name.replace('_', ' ')}: {'-' if shown in (None, '') else shown}")
        self.text("")

    def text(self, *parts: object) -> None:
        """Lines for people; `rich` renderables or plain strings (never markup: texts may hold brackets)."""
        for part in parts:
            self._console.print(part, markup=False, soft_wrap=not isinstance(part, Table))
        self._stream.flush()

    def wide_table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table whose first column names the rows, in blocks of as many columns as fit with whole words."""
        widths = [
            max(len(word) for cell in (name, *(row[at] for row in rows)) for word in [*str(cell).split(), ""])
            for at, name in enumerate(columns)
        ]
        blocks: list[list[int]] = [[]]
        for at in range(1, len(columns)):
            if blocks[-1] and sum(widths[each] + 1 for each in (0, *blocks[-1], at)) > self._console.width:
                blocks.append([])
            blocks[-1].append(at)
        for block in blocks:
            names = [columns[at] for at in (0, *block)]
            cells = [[row[at] for at in (0, *block)] for row in rows]
            self.text(table(names, cells, numbers=names[1:]), "")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()) -> Table:
    """A plain table; columns named in `numbers` are right-aligned."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return made


def note_lines(notes: Sequence[str]) -> list[str]:
    """What a reader left out or guessed, below the document it is about."""
    return [f"           note: {note}" for note in notes]


def say(message: str) -> None:
    """One line on stderr."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201


class ProgressLine:
    """Progress on stderr: one line rewritten in place on a terminal, one line every few seconds elsewhere."""

    def __init__(self, every: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._last = clock()
        self._width = 0

    def __call__(self, message: str) -> None:
        now = self._clock()
        if sys.stderr.isatty():
            message = message[:100]
            print("\r" + message.ljust(self._width), end="", file=sys.stderr, flush=True)  # noqa: T201
            self._width = len(message)
        elif now - self._last >= self._every:
            self._last = now
            say(message)

    def clear(self) -> None:
        """Take the line off the terminal."""
        if self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)  # noqa: T201
            self._width = 0


def show_answer(out: Output, answer: Answer, name: str) -> None:
    """One answer as people read it: text, cited passages, warnings."""
    out.text(
        Text(name.replace("fine_tuned", "fine-tuned"), style="bold"),
        Text("  " + (answer.text or "(no answer)")),
    )
    for citation in answer.citations:
        page = f", version {citation.version}" if citation.version > 1 else ""
        page += f", page {citation.page}" if citation.page is not None else ""
        quote = _quoted(citation.text)
        out.text(Text(f"  [{citation.marker}] {citation.document}{page}: {quote}", style="dim"))
    if answer.checks.warning is not None:
        out.text(Text(f"  warning: {answer.checks.warning}", style="yellow"))
    if (passage := answer.checks.passage) is not None and answer.checks.warning is not None:
        out.text(Text(f"  see {passage.document}: {_quoted(passage.text)}", style="dim"))
    for warning in answer.warnings:
        out.text(Text(f"  note: {warning}", style="dim"))
    out.text("")


def _quoted(text: str) -> str:
    quote = " ".join(text.split())
    return quote if len(quote) <= 160 else quote[:157] + "..."


def answers_table(answers: Mapping[str, Answer]) -> Table:
    """The measurements of several answers, one row each, by who gave it."""
    names = ("backend", "seconds", "first token", "prompt", "answer", "cost", "documents say", "cites")
    rows = [
        (
            name,
            f"{answer.latency_ms['total'] / 1000:.2f}",
            f"{answer.latency_ms['first_token'] / 1000:.2f}" if "first_token" in answer.latency_ms else "-",
            f"{answer.usage.prompt_tokens} tokens",
            f"{answer.usage.completion_tokens} tokens",
            money(answer.cost.amount, answer.cost.currency),
            answer.checks.support or "-",
            len(answer.citations),
        )
        for name, answer in answers.items()
    ]
    return table(names, rows, numbers=names[1:])


@contextmanager
def printing(as_json: bool) -> Iterator[tuple[Output, ProgressLine]]:
    """stdout for the rows of this verb, and a progress line on stderr."""
    progress = ProgressLine()
    try:
        with Output(as_json) as out:
            yield out, progress
    finally:
        progress.clear()


@contextmanager
def interruptible(account: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Ctrl-C and SIGTERM end the verb in order: what is printed stays, one sentence says how far it got."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\ntriptych: Interrupted. {account()}".rstrip(), err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def cancellable() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM; a second Ctrl-C ends the program at once."""
    cancel = threading.Event()

    def stop(_signal: int, _frame: object) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
