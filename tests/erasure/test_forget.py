"""Forgetting reaches every file of a workspace, says so truthfully, and ends what a crash interrupted."""

from __future__ import annotations

import gzip
import json
import pickle
import sqlite3
import subprocess
import sys
import threading
import zipfile
import zlib
from dataclasses import asdict, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.datatypes import Answer, Citation, Cost, Question, SourceRecord, TrainingRow, Usage
from backends.documents import store
from backends.documents.library import Library
from backends.documents.opening import open_folder, open_library, open_session
from backends.documents.store import Workspace
from backends.erasure import forget, removal
from backends.erasure.redact import LONGEST_PIECE, Traces, pieces_of
from backends.erasure.scan import SQLITE, encoded_pieces, holds, scan
from backends.evaluation.archive import Archive, Arm, Entry, RunRecord, Setting
from backends.settings import make_settings
from backends.system.data_holder import REMOVED
from backends.system.viewers import viewer_folder
from backends.training.adapters import AdapterCard, LearnedDocument, write_card
from backends.training.runs import TrainingPlan, TrainingRuns
from tests.fakes import HashingEmbedder

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = make_settings(chunk_size=32, chunk_overlap=8)
SECRET = "Zanzibar was chosen as the site of the second research station in May."
KEPT = "The canteen opens at noon and closes at three on every working day."


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "keep.md").write_text(KEPT)
    (folder / "gone.md").write_text(SECRET)
    return folder


@pytest.fixture
def library(tmp_path, files) -> Library:
    library = Library(Workspace.open(tmp_path / "workspace"), HashingEmbedder())
    library.workspace.set_meta("seeded", "1")
    assert [r.status for r in library.ingest([files], settings=SETTINGS)] == ["indexed", "indexed"]
    return library


def answer(document: str, text: str) -> dict:
    return {
        "id": "q1",
        "text": f"As far as is known: {document}",
        "sources": [{"document": document, "version": 1, "text": text}],
        "citations": [{"document": document, "version": 1, "text": text}],
        "latency_ms": {"total": 3.5},
    }


def everything(folder):
    """(path, bytes) of every file."""
    return [(path, path.read_bytes()) for path in folder.rglob("*") if path.is_file()]


def test_copies_of_visitors_and_of_folders_lose_it_too(library, files, tmp_path):
    base = library.workspace.path
    open_folder(base, files, HashingEmbedder(), SETTINGS)
    ada, bob = (open_session(base, name, HashingEmbedder()) for name in ("ada", "bob"))
    (files / "gone.md").write_text(f"{SECRET} And Ada knows more of it.")
    (files / "own.md").write_text("Bob keeps a diary of the weather in the harbour.")
    list(ada.ingest([files / "gone.md"], settings=SETTINGS))
    list(bob.ingest([files / "own.md"], settings=SETTINGS))
    # What Ada's runs quote of her own version lies beside her copy.
    runs = viewer_folder(base, "ada") / "evaluations"
    runs.mkdir(parents=True)
    (runs / "answers.jsonl").write_text(json.dumps(answer("gone.md", "And Ada knows more of it.")) + "\n")
    report = removal.forget(library, "gone.md")
    assert (report.versions, report.sessions, len(report.folders)) == (1, 2, 1)
    assert report.found_in == () and report.searched_for > 0 and report.scanned_bytes > 10_000
    assert [d.name for d in ada.documents()] == ["keep.md"]
    assert [d.name for d in bob.documents()] == ["keep.md", "own.md"]
    assert [entry.event for entry in ada.history("gone.md")][-1] == "forgotten"
    for library_ in (ada, bob, library):
        library_.workspace.close()
    assert not [path for path, data in everything(base) if b"Zanzibar" in data or b"Ada knows" in data]


def test_a_visitor_who_forgets_leaves_the_others_alone(library):
    base = library.workspace.path
    ada = open_session(base, "ada", HashingEmbedder())
    report = removal.forget(ada, "gone.md")
    assert (report.sessions, report.found_in) == (0, ())
    assert [d.name for d in library.documents()] == ["gone.md", "keep.md"]


def test_records_lose_what_quotes_it_and_keep_the_rest(library):
    base = library.workspace.path
    run: dict[str, Any] = {
        "run": "r1",
        "rows": [
            {"question": {"question": "Where?", "answers": ["Zanzibar"], "documents": ["gone.md"]}},
            {"record": answer("gone.md", SECRET), "score": 0.75},
            {"record": answer("keep.md", KEPT), "score": 0.5},
            {"prompt": f"[1] {SECRET}\nWhere?"},
        ],
    }
    (base / "runs").mkdir()
    (base / "runs" / "one.json").write_text(json.dumps(run))
    lines = "\n".join(json.dumps(row) for row in run["rows"]) + "\n"
    (base / "runs" / "two.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    db = sqlite3.connect(base / "log.db")
    db.execute("CREATE TABLE asked (id INTEGER PRIMARY KEY, question TEXT, sources TEXT, text TEXT)")
    for row in run["rows"][1:3]:
        record = row["record"]
        db.execute(
            "INSERT INTO asked (question, sources, text) VALUES (?, ?, ?)",
            ("Where?", json.dumps(record["sources"]), record["text"]),
        )
    db.commit()
    db.close()

    report = removal.forget(library, "gone.md")
    assert report.found_in == () and report.records > 0
    asked, quoting, other, prompt = json.loads((base / "runs" / "one.json").read_text())["rows"]
    assert asked["question"] == {"question": REMOVED, "answers": [REMOVED], "documents": ["gone.md"]}
    assert quoting["record"]["text"] == REMOVED and quoting["record"]["sources"] == []
    assert quoting["record"]["latency_ms"] == {"total": 3.5} and quoting["score"] == 0.75
    assert other == run["rows"][2] and prompt == {"prompt": REMOVED}
    packed = gzip.decompress((base / "runs" / "two.jsonl.gz").read_bytes()).decode()
    assert [json.loads(line) for line in packed.splitlines()] == [asked, quoting, other, prompt]
    rows = list(sqlite3.connect(base / "log.db").execute("SELECT question, sources, text FROM asked"))
    assert rows[0] == (REMOVED, "[]", REMOVED) and rows[1][2] == other["record"]["text"]


def test_an_evaluation_run_can_still_be_read_when_its_quotations_are_gone(library):
    archive = Archive(library.workspace.path)
    questions = (
        Question("q1", "Where is it?", ("Zanzibar",), ("gone.md",)),
        Question("q2", "When is lunch?"),
    )
    arms = (Arm("rag", "rag", {}), Arm("base", "base", {}))
    run = archive.begin(RunRecord("", "", "", "own", questions, arms, Setting())).run
    for number, (document, text) in enumerate((("gone.md", SECRET), ("keep.md", KEPT)), start=1):
        source = SourceRecord(document, 1, None, 0, len(text), text, rank=1, score=0.5)
        cited = Citation(document, 1, None, 0, len(text), text, marker=1)
        made = Answer(
            f"q{number}", "Where?", "rag", f"It says: {text}", (cited,), (source,), {"total": 3.0},
            Usage(9, 9), Cost(0.0, "USD", ""), "model", None, False, 0.9,
        )  # fmt: skip
        archive.add(run, Entry(f"q{number}", "rag", made, {"right": 1.0}))
    assert removal.forget(library, "gone.md").found_in == ()
    asked, other = archive.load(run).record.questions
    assert (asked.id, asked.question, asked.answers) == ("q1", REMOVED, (REMOVED,))
    assert other == questions[1]
    quoting, kept = archive.load(run).entries
    assert quoting.answer is not None and kept.answer is not None
    assert (quoting.answer.text, quoting.answer.sources, quoting.answer.citations) == (REMOVED, (), ())
    assert quoting.scores == {"right": 1.0} and KEPT in kept.answer.text


def test_records_that_a_visitor_keeps_outside_the_own_copy_are_reached(library):
    ada = open_session(library.workspace.path, "ada", HashingEmbedder())
    folders = [viewer_folder(library.workspace.path, "ada", role) for role in (None, "finance")]
    for outside in folders:
        outside.mkdir(parents=True)
        (outside / "answers.jsonl").write_text(json.dumps(answer("gone.md", SECRET)) + "\n")
    assert removal.forget(ada, "gone.md").proven
    assert not any("Zanzibar" in (outside / "answers.jsonl").read_text() for outside in folders)


def test_redaction_of_run_files_beside_appends_loses_no_answer(library, monkeypatch):
    archive = Archive(library.workspace.path)
    questions = (Question("q1", "Where is it?", ("Zanzibar",), ("gone.md",)),)
    run = archive.begin(RunRecord("", "", "", "own", questions, (Arm("rag", "rag", {}),), Setting())).run
    archive.add(run, Entry("q1", "rag", failure=SECRET))
    redacted, appended = Traces.redacted, threading.Event()

    def appending():
        archive.add(run, Entry("q2", "rag", failure="It came while the file was being rewritten."))
        appended.set()

    def slowly(self, value):
        if isinstance(value, dict) and value.get("failure") == SECRET:
            threading.Thread(target=appending, daemon=True).start()
            appended.wait(0.5)  # without a lock it is written now, into the file that is about to go
        return redacted(self, value)

    monkeypatch.setattr(Traces, "redacted", slowly)
    removal.forget(library, "gone.md")
    assert appended.wait(10)
    assert [(each.question, each.failure) for each in archive.load(run).entries] == [
        ("q1", REMOVED),
        ("q2", "It came while the file was being rewritten."),
    ]


def test_a_run_that_goes_on_beside_the_redaction_does_not_write_its_questions_back(library):
    archive = Archive(library.workspace.path)
    questions = (Question("q1", "Where is it?", (SECRET,), ("gone.md",)),)
    record = archive.begin(RunRecord("", "", "", "own", questions, (Arm("rag", "rag", {}),), Setting()))
    removal.forget(library, "gone.md")
    archive.update(replace(record, complete=True))
    after = archive.load(record.run).record
    assert after.complete and after.questions[0].answers == (REMOVED,)


def test_a_document_of_the_same_name_from_elsewhere_keeps_its_records():
    traces = Traces.from_texts("gone.md", [SECRET], [])
    record = answer("gone.md", "Quite another text of another folder.")
    assert traces.redacted(record) == (record, 0)


def test_what_cannot_be_taken_out_is_reported_not_hidden(library):
    base = library.workspace.path
    (base / "cache.pickle").write_bytes(pickle.dumps({"text": SECRET}))
    proof = removal.forget(library, "gone.md")
    assert (proof.found_in, proof.proven) == (("cache.pickle",), False)


def test_text_that_other_documents_hold_too_is_named_and_not_searched_for(library, files):
    (files / "copy.md").write_text(SECRET)
    list(library.ingest([files / "copy.md"], settings=SETTINGS))
    report = removal.forget(library, "gone.md")
    assert (report.also_in, report.searched_for, report.found_in) == (("copy.md",), 0, ())


def test_adapters_that_learned_it_are_listed_also_to_a_visitor_with_a_copy(library):
    base = library.workspace.path
    adapter(base, "own")
    ada = open_session(base, "ada", HashingEmbedder())
    assert removal.forget(ada, "gone.md").adapters == removal.forget(library, "gone.md").adapters == ("own",)


def adapter(workspace, name):
    """An adapter that has learned the document, as its card says."""
    learned = (LearnedDocument("gone.md", 1, "x"),)
    (workspace / "adapters" / name).mkdir(parents=True)
    write_card(workspace / "adapters" / name, AdapterCard(name, "fine_tuned", "base", "f", learned))


def test_a_visitors_own_adapters_are_named_when_a_document_they_learned_is_forgotten(library):
    base = library.workspace.path
    ada = open_session(base, "ada", HashingEmbedder())
    adapter(base, "everybodys")
    adapter(ada.workspace.path, "mine")
    whole = removal.forget(library, "gone.md")
    assert (whole.adapters, whole.adapters_of_visitors) == (("everybodys",), 1)  # nobody else's are named
    bob = open_session(base, "bob", HashingEmbedder())
    adapter(bob.workspace.path, "mine")
    list(bob.ingest([text_file(base.parent, "gone.md")], settings=SETTINGS))
    own = removal.forget(bob, "gone.md")
    assert (own.adapters, own.adapters_of_visitors) == (("mine", "everybodys"), 0)


def text_file(folder, name):
    (folder / name).write_text(SECRET)
    return folder / name


def test_forgetting_on_the_command_line_does_what_the_page_does(library):
    """Rows, drafts and the plan that waits, in copies of visitors too; the log has a test of its own."""
    base = library.workspace.path
    ada = open_session(base, "ada", HashingEmbedder())
    rows = [TrainingRow(f"Question {n}?", "Zanzibar", ("gone.md",) if n else ("keep.md",)) for n in range(3)]
    plans = [TrainingPlan("mine", "fine_tuned", "base", {}, (LearnedDocument("gone.md", 1, "x"),))] * 2
    made = [
        TrainingRuns(folder).create(plan, rows, [], [])
        for plan, folder in zip(plans, (base, ada.workspace.path), strict=True)
    ]
    draft = {"rows": [{**asdict(row), "way": "yours", "held_out": False} for row in rows], "rejected": {}}
    (base / "training" / "draft-bob.json").write_text(json.dumps(draft))
    proof = removal.forget(library, "gone.md")
    assert proof.proven and proof.training_rows == 2 + 2 + 2
    assert proof.stopped_trainings == ("mine",)
    assert [run.state for run in made] == ["cancelled", "cancelled"]
    assert all([row.question for row in run.rows()] == ["Question 0?"] for run in made)
    kept = json.loads((base / "training" / "draft-bob.json").read_text())["rows"]
    assert [row["question"] for row in kept] == ["Question 0?"]


@pytest.mark.parametrize("step", ["_in_sessions", "_in_records", "scan"])
def test_what_a_crash_interrupts_is_ended_at_the_next_opening(library, step, monkeypatch):
    base = library.workspace.path
    open_session(base, "ada", HashingEmbedder())
    (base / "run.json").write_text(json.dumps(answer("gone.md", SECRET)))

    class Crash(Exception):
        pass

    def crash(*args):
        raise Crash

    monkeypatch.setattr(forget if step == "scan" else forget._Erasing, step, crash)
    with pytest.raises(Crash):
        removal.forget(library, "gone.md")
    monkeypatch.undo()
    assert [d.name for d in library.documents()] == ["keep.md"]  # out of sight from the first step
    again = open_library(base, HashingEmbedder(), SETTINGS)
    removal.finish(again.workspace)
    assert [d.name for d in again.documents()] == ["keep.md"] and again.workspace.erasures() == []
    again.workspace.close()
    library.workspace.close()
    assert not [path for path, data in everything(base) if b"Zanzibar" in data]


def test_a_new_document_of_the_name_is_another_document(library, files):
    removal.forget(library, "gone.md")
    (files / "gone.md").write_text("A new beginning with other words altogether.")
    assert [r.status for r in library.ingest([files / "gone.md"], settings=SETTINGS)] == ["indexed"]
    assert library.versions("gone.md") == [1]


# --- what must not pass for a proof --------------------------------------------------------------


def test_an_unreadable_or_vanishing_file_does_not_break_forgetting(library, monkeypatch):
    base = library.workspace.path
    for name in ("locked.json", "vanishing.json", "quoting.json"):
        (base / name).write_text(json.dumps({"text": SECRET}))
    (base / "damaged.jsonl.gz").write_bytes(gzip.compress(SECRET.encode())[:-9])
    (base / "damaged.db").write_bytes(SQLITE + b"\xff" * 4096)
    opened = Path.open

    def open_(self, *given, **options):
        if self.name == "locked.json":
            raise PermissionError(13, "Permission denied", str(self))
        if self.name == "vanishing.json":
            self.unlink(missing_ok=True)
        return opened(self, *given, **options)

    monkeypatch.setattr(Path, "open", open_)
    proof = removal.forget(library, "gone.md")
    assert (proof.proven, proof.found_in) == (False, ())
    assert set(proof.unread) == {"locked.json", "damaged.jsonl.gz", "damaged.db"}
    assert json.loads((base / "quoting.json").read_text()) == {"text": REMOVED}
    assert library.workspace.erasures() == []
    again = open_library(base, HashingEmbedder(), SETTINGS)
    assert removal.finish(again.workspace) == []


def test_an_erasure_that_fails_does_not_break_every_later_opening(library, monkeypatch):
    def failing(*given):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(type(library.workspace), "remove_set_aside", failing)
        with pytest.raises(PermissionError):
            removal.forget(library, "gone.md")
        again = open_library(library.workspace.path, HashingEmbedder(), SETTINGS)
        assert removal.finish(again.workspace) == []
        assert [d.name for d in again.documents()] == ["keep.md"]
    (proof,) = removal.finish(again.workspace)
    assert proof.proven and again.workspace.erasures() == []


@pytest.mark.own_file
def test_a_busy_journal_is_no_proof_and_is_emptied_at_the_next_opening(library, monkeypatch):
    monkeypatch.setattr(store, "CHECKPOINT_SECONDS", 0.3)
    workspace = library.workspace
    reader = sqlite3.connect(workspace.database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM documents").fetchone()
    proof = removal.forget(library, "gone.md")
    assert (proof.proven, proof.busy) == (False, ("triptych.db",))
    assert len(workspace.erasures()) == 1 and forget.proofs(workspace) == [proof]
    reader.execute("COMMIT")
    reader.close()
    (later,) = removal.finish(workspace)
    assert (later.proven, later.busy, later.searched_for) == (True, (), proof.searched_for)
    assert workspace.erasures() == [] and forget.proofs(workspace) == [later]
    workspace.close()
    assert not [path for path, data in everything(workspace.path) if b"Zanzibar" in data]


def test_what_is_written_down_while_it_is_being_forgotten_is_taken_out_too(library, monkeypatch):
    """An answer that was on its way when the records were gone through."""
    base = library.workspace.path
    kind = type(library.workspace)
    clean = kind.clean

    def late(self):
        (base / "late.json").write_text(json.dumps(answer("gone.md", SECRET)))
        return clean(self)

    monkeypatch.setattr(kind, "clean", late)
    assert removal.forget(library, "gone.md").proven
    assert json.loads((base / "late.json").read_text())["text"] == REMOVED


def test_proofs_are_kept_until_they_are_dismissed_and_stay_with_their_workspace(library):
    base = library.workspace
    proof = removal.forget(library, "gone.md")
    assert forget.proofs(Workspace.open(base.path)) == [proof]
    ada = open_session(base.path, "ada", HashingEmbedder())
    assert forget.proofs(ada.workspace) == []
    other = removal.forget(ada, "keep.md")
    assert (forget.proofs(ada.workspace), forget.proofs(base)) == ([other], [proof])
    forget.dismiss(base, proof.id)
    assert forget.proofs(base) == []


# --- the scan itself -----------------------------------------------------------------------------


def test_the_scan_finds_a_text_however_it_is_stored(tmp_path):
    text = 'Žluťoučký kůň said "no" to the harbour master.'
    (tmp_path / "plain.txt").write_text(text, encoding="utf-8")
    (tmp_path / "wide.txt").write_text(text, encoding="utf-16")
    (tmp_path / "escaped.json").write_text(json.dumps([text]))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(text.encode()))
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", text)
    db = sqlite3.connect(tmp_path / "packed.db")
    db.execute("CREATE TABLE t (data BLOB)")
    db.execute("INSERT INTO t VALUES (?)", (zlib.compress(text.encode()),))
    db.commit()
    db.close()
    (tmp_path / "other.txt").write_text("Nothing of the kind.")
    found = set(scan([tmp_path], list(pieces_of(text))).found_in)
    assert found == {path.name for path in tmp_path.iterdir()} - {"other.txt"}


def test_the_scan_sees_text_in_free_pages_and_journals(tmp_path):
    path = tmp_path / "loose.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE t (text TEXT)")
    db.execute("INSERT INTO t VALUES (?)", (SECRET,))
    db.execute("PRAGMA secure_delete = OFF")
    db.execute("DELETE FROM t")
    assert scan([tmp_path], [SECRET]).found_in == ("loose.db-wal",)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert holds(path, encoded_pieces([SECRET]))


def test_a_file_that_is_truncated_while_it_is_read_does_not_kill_the_server(tmp_path):
    """Reading mapped memory beyond a file's new end kills the process: so it is tried in one of its own."""
    script = f"""
import os
from pathlib import Path
from backends.erasure.scan import holds, encoded_pieces
path = Path({str(tmp_path)!r}, "journal")
path.write_bytes(b"x" * (1 << 20))
class Cutting(list):
    def __iter__(self):  # the file is open by now
        os.truncate(path, 1)
        return super().__iter__()
print(holds(path, Cutting(encoded_pieces(["Zanzibar"]))))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


def test_the_scan_names_what_it_could_not_read_and_leaves_out_what_has_vanished(tmp_path, monkeypatch):
    for name in ("kept", "locked", "vanishing"):
        (tmp_path / name).write_text(SECRET)
    opened = Path.open

    def open_(self, *given, **options):
        if self.name == "locked":
            raise PermissionError(13, "Permission denied", str(self))
        if self.name == "vanishing":
            self.unlink()
        return opened(self, *given, **options)

    monkeypatch.setattr(Path, "open", open_)
    found = scan([tmp_path], [SECRET])
    assert (found.files, found.found_in, found.unread) == (1, ("kept",), ("locked",))


@given(st.text(alphabet="ab \n\t.é漢", max_size=300))
def test_pieces_are_slices_within_a_line_and_cover_long_quotations(text):
    pieces = list(pieces_of(text))
    assert all(piece in text and "\n" not in piece and 0 < len(piece) <= LONGEST_PIECE for piece in pieces)
    traces = Traces.from_texts("x", [text], [])
    assert bool(pieces) == bool(text.split())
    assert not pieces or traces.quoted_in(f"It says: {text} (end)")


def mail(path: Path, **files: str) -> Path:
    message = EmailMessage()
    message["Subject"] = "Station"
    message.set_content("Both plans are attached.")
    for name, text in files.items():
        message.add_attachment(text, filename=f"{name}.md")
    path.write_bytes(message.as_bytes())
    return path


def test_a_mail_is_forgotten_with_the_files_that_came_within_it(library, tmp_path):
    list(library.ingest([mail(tmp_path / "a.eml", plan=SECRET + " Twice.", note=KEPT)], settings=SETTINGS))
    assert library.came_within("a.eml") == ["a.eml/note.md", "a.eml/plan.md"]
    assert library.came_within("gone.md") == []

    proofs = removal.forget_whole(library, "a.eml")

    assert [proof.document for proof in proofs] == ["a.eml/note.md", "a.eml/plan.md", "a.eml"]
    assert {document.name for document in library.documents()} == {"keep.md", "gone.md"}
    assert all(proof.proven for proof in proofs)
    library.workspace.close()
    assert not [path for path, data in everything(library.workspace.path) if b"Twice." in data]


def test_a_mail_that_comes_without_a_file_it_had_says_so(library, tmp_path):
    path = mail(tmp_path / "a.eml", plan="The plan.", note="The note.")
    list(library.ingest([path], settings=SETTINGS))
    first = next(iter(library.ingest([mail(path, note="The note.")], settings=SETTINGS)))
    assert first.status == "replaced" and "they stay: a.eml/plan.md" in first.notes[-1]
    assert library.get("a.eml/plan.md")


def test_the_passage_that_a_check_shows_goes_with_its_document() -> None:
    text = "The crane lifts boats of up to fourteen tonnes."
    shown = {"document": "crane.md", "version": 1, "page": None, "start": 0, "end": len(text), "text": text}
    record = {"text": "14 tonnes", "sources": [], "checks": {"support": "backed", "passage": shown}}
    kept, places = Traces.from_texts("crane.md", [text], []).redacted(record)
    assert kept == {"text": "14 tonnes", "sources": [], "checks": {"support": "backed", "passage": None}}
    assert places == 1 and Traces.from_texts("other.md", [text], []).redacted(record)[0] != kept
