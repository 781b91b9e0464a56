"""The command line: rows, exit statuses, bad input, interruption. Library and backends are tiny fakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backends.cli import arguments, main, opener, terminal
from backends.datatypes import (
    Answer,
    CatalogueEntry,
    Chunk,
    Citation,
    Cost,
    Document,
    Filters,
    Hit,
    Question,
    Usage,
    UserError,
)
from backends.erasure import forget as erasure
from backends.erasure import removal
from backends.settings import MAX_QUESTION_CHARACTERS, Settings

ROOT = Path(__file__).resolve().parents[2]
LONGEST = f"{MAX_QUESTION_CHARACTERS:,}"
TEXT = "Returns are free for 30 days. Shipping costs 4 euros."


def fake_answer(question: Question, backend: str) -> Answer:
    cites = backend in ("rag", "hybrid")
    return Answer(
        id=question.id,
        question=question.question,
        backend=backend,
        text="Free for 30 days [1]." if cites else "Free for 30 days.",
        citations=(Citation("returns.md", 1, None, 0, 29, TEXT[0:29], marker=1),) if cites else (),
        sources=(),
        latency_ms={"first_token": 12.0, "total": 40.0},
        usage=Usage(100, 7),
        cost=Cost(0.00011, "USD", "your input"),
        model="fake",
        adapter=None,
        abstained=False,
        groundedness=1.0 if cites else None,
        settings={"top_k": 5},
    )


class FakeTriptych:
    earlier: tuple[str, ...] = ()

    def answer(
        self, question: Question, backend: str, settings: Settings, earlier: Sequence[str] = ()
    ) -> Answer:
        FakeTriptych.earlier = tuple(earlier)
        if backend == "hybrid" and "broken" in question.question:
            raise UserError("The hybrid adapter is not trained yet.")
        print("a library that chats on stdout")
        made = fake_answer(question, backend)
        return replace(made, settings={**made.settings, "model": settings.model})


@dataclass(frozen=True)
class Row:
    document: str
    status: str
    pages: int | None = None
    chunks: int = 0
    seconds: float = 0.01
    error: str | None = None
    needs_password: bool = False
    same_as: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forgotten:
    document: str
    chunks: int
    adapters: tuple[str, ...]
    found_in: tuple[str, ...] = ()
    proven: bool = True
    id: str = "one"


class FakeRetriever:
    def search(self, question: str, *, top_k: int, mode: str, filters: Filters) -> list[Hit]:
        names = ["a.md", "a.md", "my notes.md", "c.md", "a.md", "d.md"]
        return [
            Hit(Chunk(name, 1, 0, 7, "Returns", None, 1), rank, 1 / (60 + rank))
            for rank, name in enumerate(names, start=1)
        ][:top_k]

    def rerank(self, question: str, hits: Sequence[Hit], *, cross_encoder: bool) -> list[Hit]:
        return [replace(hit, rank=rank) for rank, hit in enumerate(reversed(hits), start=1)]


class FakeLibrary:
    def __init__(self) -> None:
        self.forgotten: list[str] = []
        self.dismissed: list[str] = []
        self.proven = True
        self.workspace = None

    def ingest(self, paths: Sequence[Path], **_: Any) -> Iterator[Row]:
        for path in paths:
            text = path.read_text()
            if text:
                notes = (text,) if "hidden" in text else ()
                yield Row(path.name, "indexed", chunks=len(text), notes=notes)
            else:
                yield Row(path.name, "rejected", error=f"{path.name} is empty.")

    def documents(self, role: str | None = None) -> list[Document]:
        read = Document("returns.md", 2, "Returns", "markdown", TEXT, "0" * 64)
        return [replace(read, roles=("staff",), notes=("page 2 is an image",))]

    def catalogue(self, role: str | None = None) -> list[CatalogueEntry]:
        return [document.entry for document in self.documents()]

    def history(self, name: str, role: str | None = None) -> list[dict[str, Any]]:
        return [{"version": 1}, {"version": 2}] if name == "returns.md" else []

    def forget(self, name: str) -> Forgotten:
        self.forgotten.append(name)
        return Forgotten(name, 3, ("fine_tuned",), proven=self.proven)

    def retriever(self, settings: Settings, role: str | None = None) -> FakeRetriever:
        return FakeRetriever()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLibrary:
    fake = FakeLibrary()
    # Set through monkeypatch so that what a verb's --workspace does to it is undone.
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(opener, "open_library", lambda *_: fake)
    monkeypatch.setattr(opener, "open_triptych", lambda *_: FakeTriptych())
    monkeypatch.setattr(removal, "forget_whole", lambda opened, name, _: [opened.forget(name)])
    monkeypatch.setattr(erasure, "dismiss", lambda _, proof: fake.dismissed.append(proof))
    return fake


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main.app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def rows(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def questions_file(folder: Path, *lines: str) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# --- ask -------------------------------------------------------------------------------------------


def test_ask_prints_one_record_per_backend_and_nothing_else(library: FakeLibrary) -> None:
    status, stdout, stderr = run("ask", "How long may I return it?", "--json")
    assert status == 0
    records = rows(stdout)
    assert [record["backend"] for record in records] == ["rag", "fine_tuned", "hybrid", "base"]
    assert "a library that chats on stdout" in stderr
    first = records[0]
    assert set(first) == {
        "id", "question", "backend", "text", "citations", "sources", "latency_ms", "usage", "cost",
        "model", "adapter", "abstained", "groundedness", "warnings", "settings", "checks",
    }  # fmt: skip
    assert first["citations"][0]["text"] == TEXT[0:29]
    assert first["usage"] == {"prompt_tokens": 100, "completion_tokens": 7}


def test_ask_is_told_what_was_asked_before(library: FakeLibrary) -> None:
    before = ["--after", "How heavy is it?", "--after", "And the Pro?"]
    assert run("ask", "How long?", *before, "--follow-ups", "--backend", "rag")[0] == 0
    assert FakeTriptych.earlier == ("How heavy is it?", "And the Pro?")


def test_ask_for_people_shows_answer_citation_and_measurements(library: FakeLibrary) -> None:
    status, stdout, _ = run("ask", "How long?", "--backend", "rag", "--backend", "base")
    assert status == 0
    assert "Free for 30 days [1]." in stdout
    assert "[1] returns.md: Returns are free for 30 days." in stdout
    assert "0.04" in stdout
    assert "$0.00011" in stdout


def test_ask_puts_a_question_to_every_backend_with_every_model(library: FakeLibrary) -> None:
    who = ["--backend", "rag", "--backend", "base", "--model", "embedded", "--also-model", "company"]
    status, stdout, _ = run("ask", "How long?", *who, "--json")
    assert status == 0
    assert [(record["backend"], record["settings"]["model"]) for record in rows(stdout)] == [
        ("rag", "embedded"), ("base", "embedded"), ("rag", "company"), ("base", "company"),
    ]  # fmt: skip
    _, stdout, _ = run("ask", "How long?", *who)
    assert "rag, model company\n  Free for 30 days [1]." in stdout


def test_ask_works_through_a_file_in_order(library: FakeLibrary, tmp_path: Path) -> None:
    path = questions_file(
        tmp_path, '{"id": "a", "question": "One?"}', "", '{"question": "Two?"}', '{"id": 7, "question": "3?"}'
    )
    status, stdout, _ = run("ask", "--questions", path, "--backend", "rag", "--json")
    assert status == 0
    assert [record["id"] for record in rows(stdout)] == ["a", "line-3", "7"]


def test_one_failing_answer_leaves_the_others_and_exits_1(library: FakeLibrary) -> None:
    status, stdout, stderr = run("ask", "broken?", "--json")
    assert status == 1
    assert [record["backend"] for record in rows(stdout)] == ["rag", "fine_tuned", "base"]
    assert "hybrid: The hybrid adapter is not trained yet." in stderr


def test_line_separators_inside_a_text_do_not_split_a_row(
    library: FakeLibrary, capsys: pytest.CaptureFixture[str]
) -> None:
    status, stdout, _ = run("ask", "One\u2028two\u0085three?", "--backend", "base", "--json")
    assert status == 0
    assert rows(stdout)[0]["question"] == "One\u2028two\u0085three?"


# --- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ask", "  "], "The question is empty"),
        (["ask", "hello"], "That asks nothing"),
        (
            ["ask", "x" * 10_000],
            f"10,000 characters; the longest that can be asked has {LONGEST}",
        ),
        (["ask"], "Give a question, or a file of questions with --questions."),
        (["ask", "Why?", "--questions", "questions.jsonl"], "not both"),
        (
            ["ask", "Why?", "--chunk-size", "40", "--chunk-overlap", "40"],
            "overlap (40 tokens) must be",
        ),
        (["ask", "Why?", "--top-k", "0"], "top k"),
        (["ask", "Why?", "--backend", "magic"], "There is no backend 'magic'"),
        (["ask", "Why?", "--documents", "missing"], "There is no folder missing."),
        (["ask", "Why?", "--documents", "empty"], "The folder empty holds no files."),
        (["ask", "Why?", "--documents", "questions.jsonl"], "questions.jsonl is not a folder."),
        (["ask", "--questions", "missing.jsonl"], "There is no file missing.jsonl."),
        (["ask", "--questions", "questions.jsonl"], "questions.jsonl, line 2: not valid JSON"),
        (["ask", "--questions", "binary.jsonl"], "binary.jsonl is not UTF-8 text"),
        (["ask", "Why?", "--mode", "magic"], "'magic' is not one of"),
        (["search", ""], "The question is empty"),
        (["search", "Why?", "--run", "missing/run.txt"], "to write the run file into"),
        (["search", "--queries", "questions.jsonl"], "line 2"),
        (["ingest", "missing"], "There is no file or folder missing."),
        (["ingest", "empty"], "The folder empty holds no files."),
        (["ingest", "questions.jsonl", "--chunk-size", "1"], "chunk size"),
        (["ingest", "binary.jsonl", "--role", "x/../../outside"], "cannot name a role"),
        (["documents", "forget", "missing.md"], "There is no document 'missing.md'"),
        (["documents", "history", "missing.md"], "There is no document 'missing.md'"),
        (["ask", "Why?", "--workspace", "questions.jsonl"], "is a file; a folder is needed"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else None,
)
def test_bad_input_is_one_sentence_and_status_2(
    library: FakeLibrary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    questions_file(tmp_path, '{"id": "a", "question": "One?"}', '{"id": "b", "question": ')
    status, stdout, stderr = run(*arguments)
    assert status == 2
    assert stdout == ""
    assert sentence in " ".join(stderr.replace("│", " ").split())
    assert "Traceback" not in stderr
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[1]", "must be a JSON object"),
        ('{"id": "x"}', 'no "question" text'),
        ('{"question": 3}', 'no "question" text'),
        ('{"question": " "}', "The question is empty"),
        ('{"question": "' + "y" * 5_000 + '"}', "5,000 characters"),
        ('{"question": "Why?", "answers": "one"}', '"answers" must be a list'),
        ('{"id": "a", "question": "Why?"}', "the id 'a' is already used by line 1"),
    ],
)
def test_a_bad_row_names_its_line(library: FakeLibrary, tmp_path: Path, line: str, problem: str) -> None:
    path = questions_file(tmp_path, '{"id": "a", "question": "One?"}', line)
    status, stdout, stderr = run("ask", "--questions", path, "--json")
    assert (status, stdout) == (2, "")
    assert stderr.startswith("triptych: questions.jsonl, line 2: ")
    assert problem in stderr


def test_a_file_without_questions_is_refused(library: FakeLibrary, tmp_path: Path) -> None:
    status, _, stderr = run("ask", "--questions", questions_file(tmp_path, "", " "))
    assert (status, stderr) == (2, "triptych: questions.jsonl holds no questions.\n")


# --- ingest and documents --------------------------------------------------------------------------


def test_ingest_rows_and_status_tell_what_happened(library: FakeLibrary, tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    good, empty = tmp_path / "good.md", tmp_path / "empty.md"
    good.write_text("hello")
    empty.write_text("")
    status, stdout, stderr = run("ingest", good, empty, "--json")
    assert status == 1
    assert rows(stdout) == [
        {
            "document": "good.md",
            "status": "indexed",
            "pages": None,
            "chunks": 5,
            "seconds": 0.01,
            "error": None,
            "needs_password": False,
            "same_as": None,
            "notes": [],
        },
        {
            "document": "empty.md",
            "status": "rejected",
            "pages": None,
            "chunks": 0,
            "seconds": 0.01,
            "error": "empty.md is empty.",
            "needs_password": False,
            "same_as": None,
            "notes": [],
        },
    ]
    assert "empty.md is empty." in stderr
    assert run("ingest", good)[0] == 0
    assert run("ingest", empty)[0] == 2


def test_documents_lists_by_default(library: FakeLibrary) -> None:
    for options in (["--json"], ["list", "--json"], ["--json", "list"]):
        status, stdout, _ = run("documents", *options)
        assert status == 0
        (row,) = rows(stdout)
        assert (row["document"], row["version"], row["characters"]) == ("returns.md", 2, len(TEXT))
        assert row["roles"] == ["staff"] and row["notes"] == ["page 2 is an image"]
    printed = run("documents")[1]
    assert "1 documents" in printed
    assert "returns.md\n           note: page 2 is an image" in printed


def test_what_a_reader_left_out_is_printed_below_the_file(library: FakeLibrary, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("hidden text left out")
    assert "note: hidden text left out" in run("ingest", tmp_path / "a.md")[1]
    (row,) = rows(run("ingest", tmp_path / "a.md", "--json")[1])
    assert row["notes"] == ["hidden text left out"]


def test_history_and_forget(library: FakeLibrary) -> None:
    status, stdout, _ = run("documents", "history", "returns.md", "--json")
    assert status == 0
    assert [row["version"] for row in rows(stdout)] == [1, 2]
    status, stdout, _ = run("documents", "forget", "returns.md", "--json")
    assert status == 0
    assert library.forgotten == ["returns.md"]
    (row,) = rows(stdout)
    assert (row["document"], row["chunks"], row["adapters"], row["proven"]) == (
        "returns.md", 3, ["fine_tuned"], True,
    )  # fmt: skip
    assert library.dismissed == ["one"]
    assert "adapters: fine_tuned" in run("documents", "forget", "returns.md")[1]


def test_a_removal_that_is_not_proven_ends_with_status_1(library: FakeLibrary) -> None:
    library.proven = False
    assert run("documents", "forget", "returns.md", "--json")[0] == 1


# --- search ----------------------------------------------------------------------------------------


def test_search_prints_hits_in_order(library: FakeLibrary) -> None:
    status, stdout, _ = run("search", "returns", "--top-k", 3, "--no-rerank", "--json")
    assert status == 0
    hits = rows(stdout)
    assert [(hit["rank"], hit["document"]) for hit in hits] == [(1, "a.md"), (2, "a.md"), (3, "my notes.md")]
    assert hits[0]["text"] == "Returns"
    reranked = rows(run("search", "returns", "--top-k", 3, "--rerank", "--json")[1])
    assert [hit["document"] for hit in reranked] == ["my notes.md", "a.md", "a.md"]


def test_search_passes_its_filters_on(library: FakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Filters] = []
    search = FakeRetriever.search

    def watched(self: FakeRetriever, question: str, **options: Any) -> list[Hit]:
        seen.append(options["filters"])
        return search(self, question, **options)

    monkeypatch.setattr(FakeRetriever, "search", watched)
    asked = ["--only", "a*", "--only", "b.md", "--type", "pdf", "--tag", "hr", "--since", "2026-02"]
    assert run("search", "returns", *asked, "--until", "2026-03-31")[0] == 0
    assert run("search", "returns")[0] == 0
    assert seen == [Filters(("a*", "b.md"), ("pdf",), ("hr",), "2026-02", "2026-03-31"), Filters()]


@pytest.mark.parametrize("date", ["yesterday", "2026-13", "31.03.2026", "26"])
def test_a_filter_date_is_an_iso_date(library: FakeLibrary, date: str) -> None:
    status, stdout, stderr = run("search", "returns", "--since", date)
    assert (status, stdout) == (2, "") and date in stderr


def test_run_file_ranks_documents_by_their_best_passage(library: FakeLibrary, tmp_path: Path) -> None:
    queries = questions_file(tmp_path, '{"id": "q 1", "question": "x"}', '{"id": "q2", "question": "y"}')
    path = tmp_path / "out.run"
    status, _, _ = run("search", "--queries", queries, "--run", path, "--top-k", 3, "--no-rerank", "--json")
    assert status == 0
    assert path.read_text().splitlines() == [
        "q%201 Q0 a.md 1 1.000000 triptych",
        "q%201 Q0 my%20notes.md 2 0.500000 triptych",
        "q%201 Q0 c.md 3 0.333333 triptych",
        "q2 Q0 a.md 1 1.000000 triptych",
        "q2 Q0 my%20notes.md 2 0.500000 triptych",
        "q2 Q0 c.md 3 0.333333 triptych",
    ]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["out.run", "questions.jsonl"]


# --- the program as a process ----------------------------------------------------------------------

SLOW = """
import time
from backends.cli import main, opener
from tests.cli.test_verbs import fake_answer

class Slow:
    def answer(self, question, backend, settings, earlier=()):
        if question.id == "line-3":
            time.sleep(60)
        return fake_answer(question, backend)

opener.open_triptych = lambda *_: Slow()
main.app(["ask", "--questions", "questions.jsonl", "--backend", "rag", "--json"], prog_name="triptych")
"""


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_interruption_keeps_every_answer_made(tmp_path: Path, signal_number: int) -> None:
    questions_file(tmp_path, *(f'{{"question": "Number {number}?"}}' for number in range(5)))
    output = tmp_path / "answers.jsonl"
    with output.open("w") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-c", SLOW],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TRIPTYCH_WORKSPACE": str(tmp_path / "workspace")},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            # A test run in the background of a shell ignores Ctrl-C, and its children would too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        deadline = time.monotonic() + 30
        while output.read_text().count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal_number)
        _, stderr = process.communicate(timeout=30)
    assert [record["id"] for record in rows(output.read_text())] == ["line-1", "line-2"]
    assert process.returncode == terminal.INTERRUPTED
    assert "Interrupted. 2 of 5 answers were made and printed." in stderr
    assert "Traceback" not in stderr


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom backends.cli.main import app\n"
        "try:\n    app(['ask', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'streamlit', 'faiss', 'pandas', 'numpy', 'pydantic_settings'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_help_of_settings_options_is_the_settings_own() -> None:
    assert {name: field.description for name, field in Settings.model_fields.items()} == arguments.HELP
    assert set(arguments.KINDS) == set(arguments.HELP)


@pytest.mark.parametrize("verb", ["demo", "ingest", "documents", "search", "ask"])
def test_every_verb_has_help(verb: str) -> None:
    status, stdout, _ = run(verb, "--help")
    assert status == 0
    assert "--workspace" in stdout
