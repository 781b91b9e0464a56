"""Documents come, change, are restricted and go; every step is whole or did not happen."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import fields
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from reportlab.pdfgen import canvas

from backends.datatypes import CatalogueEntry, Document, UserError
from backends.documents import store
from backends.documents.library import DocumentDetails, Library, Progress
from backends.documents.opening import open_folder, open_library, open_session
from backends.documents.storage import SCHEMES_KEPT
from backends.documents.store import Workspace
from backends.erasure import removal
from tests.fakes import HashingEmbedder

SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=8, chunking="sentences")
OTHER = SimpleNamespace(chunk_size=64, chunk_overlap=0, chunking="semantic")


@pytest.fixture
def library(tmp_path) -> Library:
    return Library(Workspace.open(tmp_path / "workspace"), HashingEmbedder())


@pytest.fixture
def files(tmp_path):
    """Writes files and returns their paths."""
    folder = tmp_path / "files"
    folder.mkdir()

    def write(**contents: str):
        paths = []
        for name, text in contents.items():
            path = folder / f"{name}.md"
            path.write_text(text, encoding="utf-8")
            paths.append(path)
        return paths

    return write


def test_a_pdf_and_its_file_are_stored_together_or_not_at_all(library, tmp_path, monkeypatch):
    pdf = canvas.Canvas(str(tmp_path / "ferry.pdf"))
    pdf.drawString(72, 700, "The last ferry leaves the harbour at 21:40.")
    pdf.save()

    def full(*_):
        raise UserError("There is no room.")

    monkeypatch.setattr(library.workspace, "keep_original", full)
    (refused,) = ingest(library, [tmp_path / "ferry.pdf"])
    assert (refused.status, library.documents(), library.history("ferry.pdf")) == ("rejected", [], [])
    monkeypatch.undo()
    assert [each.status for each in ingest(library, [tmp_path / "ferry.pdf"])] == ["indexed"]
    assert library.original("ferry.pdf") == (tmp_path / "ferry.pdf").read_bytes()


def ingest(library, paths, **more):
    return list(library.ingest(paths, settings=SETTINGS, **more))


def found(library, question, role=None):
    hits = library.retriever(SETTINGS, role=role).search(question, top_k=50, mode="hybrid")
    return {hit.chunk.document for hit in hits}


def test_a_new_file_is_indexed_the_same_again_unchanged_and_another_replaces_it(library, files):
    paths = files(prices="# Prices\n\nLark One costs 149 EUR.")
    assert [r.status for r in ingest(library, paths)] == ["indexed"]
    assert [r.status for r in ingest(library, paths)] == ["unchanged"]
    files(prices="# Prices\n\nLark One costs 159 EUR.")
    (result,) = ingest(library, paths)
    assert (result.status, result.chunks, result.error) == ("replaced", 1, None)
    assert [d.version for d in library.documents()] == [2]
    assert "149" in library.get("prices.md", 1).text and "159" in library.get("prices.md").text
    assert [entry.event for entry in library.history("prices.md")] == ["indexed", "replaced"]
    (hit,) = library.retriever(SETTINGS).search("Lark One", top_k=5, mode="bm25")
    assert "159" in hit.chunk.text and hit.chunk.version == 2


def test_what_cannot_be_read_is_rejected_with_a_reason_and_changes_nothing(library, tmp_path):
    bad = tmp_path / "picture.png"
    bad.write_bytes(b"\x89PNG")
    empty = tmp_path / "empty.txt"
    empty.touch()
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"not a pdf at all")
    before = library.fingerprint
    results = ingest(library, [bad, empty, broken, tmp_path / "missing.md"])
    assert [r.status for r in results] == ["rejected"] * 4
    assert all(r.error and r.error.endswith(".") and "\n" not in r.error for r in results)
    assert library.documents() == [] and library.fingerprint == before


def test_a_folder_names_its_files_by_their_path_and_skips_hidden_ones(library, tmp_path):
    for name in ("a.md", "sub/a.md", ".hidden.md", ".git/b.md"):
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Text of {name}.")
    assert [r.document for r in ingest(library, [tmp_path / "folder"])] == ["a.md", "sub/a.md"]


def test_no_text_is_embedded_twice(library, files):
    ingest(library, files(a="One sentence here.", b="Another sentence there."))
    library.retriever(SETTINGS)
    library.retriever(OTHER)
    ingest(library, files(a="One sentence here."))
    again = Library(library.workspace, library.embedder)
    again.retriever(SETTINGS)
    again.retriever(OTHER)
    embedded = library.embedder.embedded
    assert len(embedded) == len(set(embedded)) == 2


@pytest.mark.own_file
def test_cutting_anew_embeds_nothing_and_says_so(library, files):
    text = "# One\n\n" + " ".join(f"Sentence {n} is here." for n in range(60))
    ingest(library, files(a=text, b="Other words."))
    read = len(library.embedder.embedded)
    for way in ("sentences", "sections", "semantic", "tokens"):
        for size in (32, 48, 64):
            settings = SimpleNamespace(chunk_size=size, chunk_overlap=8, chunking=way)
            retriever, cut = library.retriever(settings), library.cut(settings)
            assert (cut.passages, cut.embedded) == (len(retriever.chunks), 0)
            assert cut.sentences >= 61
    assert len(library.embedder.embedded) == read


def test_choosing_sentences_embeds_only_the_question(library, files):
    ingest(library, files(a="Lark One costs 149 EUR. It is white. The warranty lasts two years."))
    retriever = library.retriever(SETTINGS)
    library.embedder.embedded.clear()
    question = "What does Lark One cost?"
    hits = retriever.search(question, top_k=3, mode="hybrid")
    (first, *_), _ = retriever.best_sentences(question, hits)
    assert first[1].text == "Lark One costs 149 EUR."
    assert library.embedder.embedded == [question]
    removal.forget(library, "a.md")  # while the question is on its way
    assert retriever.best_sentences(question, hits)[0][0][1].text == "Lark One costs 149 EUR."


@pytest.mark.own_file
def test_what_can_be_searched_follows_the_documents_without_being_built_anew(library, files):
    paths = files(**{f"d{n}": f"Document {n} tells of thing{n}." for n in range(12)})
    ingest(library, paths[:10])
    retriever = library.retriever(SETTINGS)
    ingest(library, paths[10:])
    assert library.retriever(SETTINGS) is retriever
    assert found(library, "thing11 thing3") >= {"d11.md", "d3.md"}
    ingest(library, files(d3="Now it tells of another matter."))
    assert library.retriever(SETTINGS) is retriever
    (hit,) = retriever.search("matter", top_k=9, mode="bm25")
    assert (hit.chunk.document, hit.chunk.version) == ("d3.md", 2)
    assert retriever.search("thing3", top_k=9, mode="bm25") == []
    removal.forget(library, "d11.md")
    assert retriever.search("thing11", top_k=9, mode="bm25") == []  # at once, also for who holds it
    assert "d11.md" not in {hit.chunk.document for hit in retriever.search("x", top_k=99, mode="dense")}
    anew = Library(library.workspace, library.embedder).retriever(SETTINGS)
    assert {(c.document, c.version) for c in retriever.chunks} == {
        (c.document, c.version) for c in anew.chunks
    }
    for question in ("another matter", "thing5 tells"):
        ours, theirs = (
            {
                (hit.chunk, round(hit.bm25 or 0, 4), round(hit.dense or 0, 4))
                for hit in each.search(question, top_k=99, mode="hybrid")
            }
            for each in (retriever, anew)
        )
        assert ours == theirs


@pytest.mark.own_file
def test_roles_never_share_what_can_be_searched(library, files):
    ingest(library, files(a="Open to everyone."))
    everyone, hr = library.retriever(SETTINGS, role="it"), library.retriever(SETTINGS, role="hr")
    assert everyone is not hr
    ingest(library, files(pay="Salaries are secret."), roles=("hr",))
    assert library.retriever(SETTINGS, role="hr") is hr
    assert {c.document for c in hr.chunks} == {"a.md", "pay.md"}
    assert {c.document for c in everyone.chunks} == {"a.md"}


@pytest.mark.own_file
def test_an_older_workspace_keeps_its_documents_and_reads_them_anew(library, files):
    ingest(library, files(a="One sentence here."))
    db = library.workspace.connection()
    for table in ("windows", "readings", "chunks", "chunked", "vectors"):
        db.execute(f"DROP TABLE {table}")
    db.execute("CREATE TABLE chunks (document INTEGER, vector TEXT)")
    db.execute("PRAGMA user_version = 1")
    again = Library(Workspace.open(library.workspace.path), HashingEmbedder())
    assert [c.text for c in again.retriever(SETTINGS).chunks] == ["One sentence here."]
    assert isinstance(again.embedder, HashingEmbedder) and len(again.embedder.embedded) == 1


@pytest.mark.own_file
def test_another_model_or_precision_does_not_share_vectors(library, files):
    ingest(library, files(a="One sentence here."))
    other = HashingEmbedder(32)
    other.precision = "bf16"
    retriever = Library(library.workspace, other).retriever(SETTINGS)
    assert other.embedded == ["A\nOne sentence here."]
    (hit,) = retriever.search("One sentence here.", top_k=1, mode="dense")
    assert hit.dense == pytest.approx(1.0)


class Tuned(HashingEmbedder):
    name = "hashing tuned 0123"


@pytest.mark.own_file
def test_another_embedder_reads_beside_the_present_one_and_then_takes_over(library, files):
    ingest(library, files(a="One sentence here.", b="Another stands there."))
    before = library.retriever(SETTINGS)
    tuned = Tuned()
    steps: list[Progress] = []
    library.read_with(tuned, SETTINGS, progress=steps.append)
    assert len(tuned.embedded) == 2 and [step.total for step in steps][-1] == 2
    assert library.retriever(SETTINGS) is before  # nothing has changed for who asks
    library.use(tuned)
    tuned.embedded.clear()
    now = library.retriever(SETTINGS)
    assert now is not before and tuned.embedded == []
    (hit, *_) = now.search("One sentence here.", top_k=2, mode="dense")
    assert hit.chunk.document == "a.md" and tuned.embedded == ["One sentence here."]
    # A question that was under way keeps to the vectors it began with.
    sentences = before.select_evidence(
        "One sentence here.", before.search("One sentence here.", top_k=1, mode="dense"),
        budget=20, count_tokens=len, format_line=lambda n, title, lines: " ".join(lines), rerank=True,
    )  # fmt: skip
    assert sentences.sources and tuned.embedded == ["One sentence here."]


@pytest.mark.own_file
def test_readings_of_an_embedder_that_is_gone_are_dropped_and_no_others(library, files):
    ingest(library, files(a="One sentence here.", b="Another stands there."))
    tuned, kept = Tuned(), library.embedder
    library.read_with(tuned, SETTINGS)
    assert len(library.workspace.all_vectors()) == 4
    assert library.keep_readings([kept, tuned]) == 0
    assert library.keep_readings([kept]) == 2
    assert len(library.workspace.all_vectors()) == 2
    kept.embedded.clear()
    assert found(library, "One sentence here.") == {"a.md", "b.md"}
    assert kept.embedded == ["One sentence here."]
    schemes = {row[0] for row in library.workspace.connection().execute("SELECT scheme FROM chunks")}
    assert not any("tuned" in scheme for scheme in schemes)


@pytest.mark.own_file
def test_forgetting_takes_what_every_embedder_read(library, files):
    ingest(library, files(a="One sentence here.", b="Another stands there."))
    library.read_with(Tuned(), SETTINGS)
    removal.forget(library, "a.md")
    assert len(library.workspace.all_vectors()) == 2


def test_chunks_in_the_database_are_slices_of_their_document(library, files):
    text = "# One\n\n" + " ".join(f"Sentence {n} is here." for n in range(40))
    ingest(library, files(a=text))
    document = library.get("a.md")
    chunks = library.chunks("a.md", SETTINGS)
    assert len(chunks) > 3 and all(c.text == document.text[c.start : c.end] for c in chunks)
    assert library.chunks("a.md", OTHER) != chunks  # not stored yet: made on the fly
    hits = library.retriever(SETTINGS).search("sentence", top_k=99, mode="dense")
    assert {hit.chunk for hit in hits} == set(chunks)


def stored_schemes(library) -> dict[int, list[str]]:
    """Schemes whose chunks stand in the database, by version of the one document there."""
    rows = library.workspace.connection().execute(
        "SELECT DISTINCT version, scheme FROM chunks JOIN documents ON document = id"
    )
    found: dict[int, list[str]] = {}
    for version, scheme in rows:
        found.setdefault(version, []).append(scheme.split()[1])
    return found


@pytest.mark.own_file
def test_chunks_of_earlier_settings_and_versions_do_not_pile_up(library, files):
    text = " ".join(f"Sentence {n} is here." for n in range(40))
    ingest(library, files(a=text))
    made = [SimpleNamespace(chunk_size=size, chunk_overlap=0, chunking="sentences") for size in range(40, 50)]
    for settings in made:
        library.retriever(settings)
    assert stored_schemes(library) == {1: [f"{size}/0" for size in range(50 - SCHEMES_KEPT, 50)]}
    again = Library(library.workspace, library.embedder)
    known = library.retriever(made[0]).chunks
    assert again.retriever(made[0]).chunks == known and known  # cut again
    ingest(library, files(a=text + " More."))
    assert stored_schemes(library) == {2: ["32/8"]}
    assert library.get("a.md", 1).text == text


def test_a_restricted_document_keeps_its_roles_in_its_next_version(library, files):
    ingest(library, files(pay="Salaries are secret."), roles=("hr",))
    ingest(library, files(pay="Salaries are still secret."))
    assert library.get("pay.md").version == 2 and library.get("pay.md").roles == ("hr",)
    with pytest.raises(UserError):
        library.get("pay.md", role="finance")


@given(
    st.lists(st.sets(st.sampled_from(["hr", "legal"])), min_size=1, max_size=5),
    st.sampled_from(["hr", "legal", "it"]),
)
@limits(max_examples=12, deadline=None)
def test_a_role_neither_finds_nor_counts_nor_is_hinted_at_what_it_may_not_read(tmp_path_factory, roles, role):
    """Scores are the same as if the restricted documents did not exist."""
    base = tmp_path_factory.mktemp("roles")
    everything = Library(Workspace.open(base / "all"), HashingEmbedder())
    allowed_only = Library(Workspace.open(base / "allowed"), HashingEmbedder())
    allowed = set()
    for at, given_roles in enumerate(roles):
        path = base / f"d{at}.md"
        path.write_text(f"Budget paper {at}. " + "Budget rises. " * at)
        ingest(everything, [path], roles=tuple(sorted(given_roles)))
        if not given_roles or role in given_roles:
            allowed.add(path.name)
            ingest(allowed_only, [path])
    assert {d.name for d in everything.documents(role)} == allowed
    for mode in ("hybrid", "dense", "bm25"):
        seen = everything.retriever(SETTINGS, role=role).search("budget paper", top_k=50, mode=mode)
        alone = allowed_only.retriever(SETTINGS).search("budget paper", top_k=50, mode=mode)
        assert seen == alone


@pytest.mark.own_file
def test_forgetting_removes_every_version_its_passages_and_its_bytes(library, files):
    ingest(library, files(keep="The canteen opens at noon.", gone="Zanzibar was the first secret."))
    ingest(library, files(gone="Zanzibar is the second secret."))
    report = removal.forget(library, "gone.md")
    assert (report.versions, report.chunks, report.vectors) == (2, 1, 2)  # only the last is cut
    assert found(library, "Zanzibar canteen") == {"keep.md"}
    assert [entry.event for entry in library.history("gone.md")][-1] == "forgotten"
    library.workspace.close()
    on_disk = b"".join(p.read_bytes() for p in library.workspace.path.rglob("*") if p.is_file())
    assert b"Zanzibar" not in on_disk and b"canteen" in on_disk
    with pytest.raises(UserError):
        removal.forget(library, "gone.md")


def test_forgetting_keeps_vectors_that_another_document_needs(library, files):
    ingest(library, files(a="# T\n\nThe same words.", b="# T\n\nThe same words."))
    assert removal.forget(library, "a.md").vectors == 0
    assert found(library, "same words") == {"b.md"}


@pytest.mark.own_file
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO documents",
        "INSERT OR REPLACE INTO chunked",
        "INSERT OR REPLACE INTO chunks",
        "INSERT OR REPLACE INTO vectors",
        "INSERT INTO history",
        "COMMIT",
    ],
)
def test_a_crash_at_any_step_leaves_the_old_state(library, files, monkeypatch, statement):
    paths = files(a="Old text stands here.")
    ingest(library, paths)
    before = (library.documents(), library.fingerprint, library.history("a.md"), found(library, "text"))
    files(a="New text stands here.")

    class Crash(Exception):
        pass

    def crash(event: str) -> None:
        if statement in event:
            raise Crash

    class Crashing(sqlite3.Connection):
        def execute(self, sql, *args):
            crash(sql)
            return super().execute(sql, *args)

        def executemany(self, sql, *args):
            crash(sql)
            return super().executemany(sql, *args)

    library.workspace.close()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Crashing))
    with pytest.raises(Crash):
        ingest(library, paths)
    library.workspace.close()
    monkeypatch.undo()
    restarted = Library(Workspace.open(library.workspace.path), HashingEmbedder())
    assert (restarted.documents(), restarted.fingerprint, restarted.history("a.md")) == before[:3]
    assert found(restarted, "text") == before[3]
    assert [r.status for r in ingest(restarted, paths)] == ["replaced"]


def test_cancelling_stops_before_the_next_file_and_keeps_what_is_done(library, files):
    stop = threading.Event()
    paths = files(a="First.", b="Second.", c="Third.")
    results = library.ingest(paths, settings=SETTINGS, cancel=stop)
    assert next(results).document == "a.md"
    stop.set()
    assert list(results) == []
    assert [d.name for d in library.documents()] == ["a.md"]


def test_progress_counts_files_to_the_end(library, files):
    steps: list[Progress] = []
    ingest(library, files(a="First.", b="Second."), progress=steps.append)
    reading = [(step.done, step.total, step.item) for step in steps if step.stage == "reading"]
    assert reading == [(0, 2, "a.md"), (1, 2, "b.md"), (2, 2, "")]


def test_many_threads_may_ingest_and_search_at_once(library, files):
    names = {f"d{n}": f"Document number {n} about monitors." for n in range(12)}
    paths = files(**names)
    errors = []

    def work(part):
        try:
            for path in part:
                ingest(library, [path])
                found(library, "monitors")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(paths[at::4],)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert found(library, "monitors") == {f"{name}.md" for name in names}


# --- opening -------------------------------------------------------------------------------------


@pytest.fixture
def sample(tmp_path):
    folder = tmp_path / "sample"
    for name, text in {
        "earlier_versions/rules.md": "# Rules\n\nReturns within 14 days.",
        "documents/rules.md": "# Rules\n\nReturns within 30 days.",
        "documents/pay.md": "# Pay\n\nPay bands are secret.",
        "corpus.part1.json": '{"documents": {"pay.md": {"title": "Pay bands", "roles": ["hr"], '
        '"tags": ["people"], "date": "2026-01-02"}}}',
        "corpus.part2.json": '{"documents": {"rules.md": {"title": "Return rules"}}}',
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_new_workspace_is_seeded_once_with_history_and_details(tmp_path, sample):
    embedder = HashingEmbedder()
    library = open_library(tmp_path / "w", embedder, SETTINGS, sample=sample)
    pay, rules = library.documents()
    assert (pay.title, pay.roles, pay.tags) == ("Pay bands", ("hr",), ("people",))
    assert (pay.date, pay.source) == ("2026-01-02", "sample")
    assert (rules.title, rules.version) == ("Return rules", 2)
    assert "14 days" in library.get("rules.md", 1).text
    removal.forget(library, "pay.md")
    again = open_library(tmp_path / "w", embedder, SETTINGS, sample=sample)
    assert [d.name for d in again.documents()] == ["rules.md"]  # what was removed stays removed


def test_the_catalogue_says_all_of_the_documents_a_role_may_read_but_their_texts(
    tmp_path, sample, monkeypatch
):
    library = open_library(tmp_path / "w", HashingEmbedder(), SETTINGS, sample=sample)
    expected = {role: [d.entry for d in library.documents(role)] for role in (None, "hr", "sales")}
    assert [len(entries) for entries in expected.values()] == [2, 2, 1]
    assert {f.name for f in fields(Document)} - {f.name for f in fields(CatalogueEntry)} == {"text"}
    monkeypatch.setattr(store, "_document", lambda row: pytest.fail("a text was read"))
    assert {role: library.catalogue(role) for role in expected} == expected


def test_seeding_that_was_interrupted_goes_on_without_extra_versions(tmp_path, sample):
    def stop(progress):
        if progress.item == "pay.md":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_library(tmp_path / "w", HashingEmbedder(), SETTINGS, stop, sample=sample)
    library = open_library(tmp_path / "w", HashingEmbedder(), SETTINGS, sample=sample)
    assert {d.name: d.version for d in library.documents()} == {"pay.md": 1, "rules.md": 2}


def test_a_folder_takes_the_place_of_the_library_exactly_and_is_not_read_twice(tmp_path, sample):
    embedder = HashingEmbedder()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "one.md").write_text("First file.")
    (folder / "two.md").write_text("Second file.")
    main = open_library(tmp_path / "w", embedder, SETTINGS, sample=sample)
    before = main.fingerprint
    library = open_folder(tmp_path / "w", folder, embedder, SETTINGS)
    assert [d.name for d in library.documents()] == ["one.md", "two.md"]
    count = len(embedder.embedded)
    (folder / "two.md").unlink()
    (folder / "one.md").write_text("First file, changed.")
    (folder / "three.md").write_text("Second file.")
    library = open_folder(tmp_path / "w", folder, embedder, SETTINGS)
    assert [(d.name, d.version) for d in library.documents()] == [("one.md", 1), ("three.md", 1)]
    assert len(embedder.embedded) == count + 2
    open_folder(tmp_path / "w", folder, embedder, SETTINGS).retriever(SETTINGS)
    assert len(embedder.embedded) == count + 2
    assert main.fingerprint == before


def test_sessions_are_private_copies(tmp_path, sample, files):
    embedder = HashingEmbedder()
    base = open_library(tmp_path / "w", embedder, SETTINGS, sample=sample)
    one = open_session(tmp_path / "w", "one", embedder)
    two = open_session(tmp_path / "w", "two", embedder)
    ingest(one, files(mine="Only mine."))
    removal.forget(one, "rules.md")
    assert {d.name for d in one.documents()} == {"mine.md", "pay.md"}
    assert {d.name for d in two.documents()} == {d.name for d in base.documents()} == {"pay.md", "rules.md"}
    again = open_session(tmp_path / "w", "one", embedder)
    assert {d.name for d in again.documents()} == {"mine.md", "pay.md"}
    with pytest.raises(UserError):
        open_session(tmp_path / "w", "../evil", embedder)


@pytest.mark.own_file
def test_a_workspace_of_a_newer_version_or_a_file_in_its_place_is_refused(tmp_path):
    workspace = Workspace.open(tmp_path / "w")
    workspace.connection().execute("PRAGMA user_version = 99")
    with pytest.raises(UserError, match="99"):
        Workspace.open(tmp_path / "w")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError):
        Workspace.open(tmp_path / "file")


def test_details_that_change_make_a_new_version(library, files):
    paths = files(a="Same text.")
    ingest(library, paths)
    details = {"a.md": DocumentDetails(roles=("hr",))}
    assert [r.status for r in ingest(library, paths, details=details)] == ["replaced"]
    assert found(library, "text", role="it") == set()


@pytest.mark.own_file
@pytest.mark.parametrize("damage", ["short", "empty", "no numbers"])
@pytest.mark.parametrize(
    ("table", "key", "column"), [("vectors", "key", "data"), ("readings", "document", "parts")]
)
def test_damaged_vectors_are_made_again(library, files, damage, table, key, column):
    ingest(library, files(a="Goods come back within 30 days.", b="The lamp costs 99 euros."))
    db = library.workspace.connection()
    for at, blob in db.execute(f"SELECT {key}, {column} FROM {table}").fetchall():
        broken = {"short": blob[:-1], "empty": b"", "no numbers": b"\xff\x7f" * (len(blob) // 2)}[damage]
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (broken, at))
    again = Library(library.workspace, HashingEmbedder())
    hits = again.retriever(SETTINGS).search("What does the lamp cost?", top_k=1, mode="dense")
    assert [hit.chunk.document for hit in hits] == ["b.md"]
