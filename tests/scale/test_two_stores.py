"""One contract over both stores: the workspace's own file, and a PostgreSQL that app servers share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from backends.datatypes import Filters, UserError
from backends.documents.library import DocumentDetails, Library
from backends.documents.storage import SCHEMES_KEPT, Store
from backends.documents.store import Workspace
from backends.erasure import removal
from backends.system.viewers import admits, held
from tests.fakes import HashingEmbedder

SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=8, chunking="sentences")
OTHER = SimpleNamespace(chunk_size=64, chunk_overlap=0, chunking="sentences")


@pytest.fixture(params=["sqlite", "postgres"])
def open_store(request: Any, tmp_path: Path) -> Callable[[], Store]:
    """Opens one and the same store anew, as another process would."""
    if request.param == "sqlite":
        return lambda: Workspace.open(tmp_path / "workspace")
    address = request.getfixturevalue("database")
    from backends.postgres.postgres_store import PostgresStore

    return lambda: PostgresStore.open(address, tmp_path / "workspace")


@pytest.fixture
def library(open_store: Callable[[], Store]) -> Library:
    return Library(open_store(), HashingEmbedder())


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., list[Path]]:
    """Writes files and returns their paths."""
    folder = tmp_path / "files"
    folder.mkdir()

    def files(**contents: str) -> list[Path]:
        for name, text in contents.items():
            (folder / f"{name}.md").write_text(text, encoding="utf-8")
        return [folder / f"{name}.md" for name in contents]

    return files


def ingest(library: Library, paths: list[Path], **more: Any) -> list[str]:
    return [result.status for result in library.ingest(paths, settings=SETTINGS, **more)]


def hits(library: Library, question: str, role: str | None = None, **more: Any) -> list[Any]:
    asked: dict[str, Any] = {"top_k": 50, "mode": "hybrid"} | more
    return library.retriever(SETTINGS, role=role).search(question, **asked)


def found(library: Library, question: str, role: str | None = None, **more: Any) -> set[str]:
    return {hit.chunk.document for hit in hits(library, question, role, **more)}


def test_a_document_comes_changes_and_goes_as_a_whole(library, write):
    first = write(lamp="# Lamps\n\nThe Lark One costs 149 EUR.", pay="# Pay\n\nSalaries rise in May.")
    assert ingest(library, first) == ["indexed", "indexed"]
    assert ingest(library, first) == ["unchanged", "unchanged"]
    assert found(library, "Lark One costs") >= {"lamp.md"}
    assert ingest(library, write(lamp="# Lamps\n\nThe Lark Two costs 99 EUR.")) == ["replaced"]
    assert library.versions("lamp.md") == [1, 2]
    assert "149 EUR" in library.get("lamp.md", 1).text
    assert {hit.chunk.version for hit in hits(library, "Lark costs") if hit.chunk.document == "lamp.md"} == {
        2
    }
    assert [entry.event for entry in library.history("lamp.md")] == ["indexed", "replaced"]
    start = library.get("lamp.md").text.index("Lark")
    assert library.text_between("lamp.md", None, start, start + 8) == "Lark Two"
    assert [each.name for each in library.catalogue()] == ["lamp.md", "pay.md"]
    for chunk in library.retriever(SETTINGS).chunks:
        assert chunk.text == library.get(chunk.document).text[chunk.start : chunk.end]


def test_roles_and_choices_bound_every_search(library, write):
    paths = write(open="The canteen opens at noon.", pay="The canteen costs the company 9000.")
    given_details = {"pay.md": DocumentDetails(roles=("hr",), tags=("money",), date="2026-03-01")}
    ingest(library, paths, details=given_details)
    assert found(library, "canteen") == {"open.md", "pay.md"}
    assert found(library, "canteen company 9000", "sales") == {"open.md"}
    assert found(library, "canteen", "hr") == {"open.md", "pay.md"}
    for filters, names in (
        (Filters(documents=("p*",)), {"pay.md"}),
        (Filters(tags=("money",)), {"pay.md"}),
        (Filters(since="2026-04"), set()),
        (Filters(until="2026"), {"pay.md"}),
        (Filters(types=("nothing",)), set()),
    ):
        for mode in ("dense", "bm25", "hybrid"):
            assert found(library, "canteen", "hr", filters=filters, mode=mode) == names
    with pytest.raises(UserError):
        library.get("pay.md", role="sales")


def test_words_of_what_a_role_may_not_read_count_for_nothing(library, write):
    """Not even the rarity of a word tells of documents that somebody may not read."""
    ingest(library, write(a="Canteen menu and soup.", b="A garden with soup."))
    alone = [(hit.chunk.document, hit.bm25) for hit in hits(library, "soup menu", "sales")]
    ingest(library, write(**{f"secret{n}": f"Soup soup menu number {n}." for n in range(9)}), roles=("hr",))
    assert [(hit.chunk.document, hit.bm25) for hit in hits(library, "soup menu", "sales")] == alone


def test_what_is_forgotten_is_gone_and_proven(library, write, open_store):
    paths = write(keep="A quiet page about gardens.", secret="The vault code is seven seven hazelnut.")
    ingest(library, paths)
    ingest(library, write(secret="The vault code is nine nine walnut, since May."))
    assert "secret.md" in found(library, "vault code")
    proof = removal.forget(library, "secret.md")
    assert proof.proven and (proof.versions, proof.found_in, proof.busy) == (2, (), ())
    again = Library(open_store(), HashingEmbedder())
    for each in (library, again):
        assert found(each, "vault code hazelnut walnut") == {"keep.md"}
        with pytest.raises(UserError):
            each.get("secret.md")
    assert [entry.event for entry in again.history("secret.md")] == ["indexed", "replaced", "forgotten"]
    assert again.workspace.erasures() == [] and list(again.workspace.proofs()) == [proof.id]
    again.workspace.drop_proof(proof.id)
    assert library.workspace.proofs() == {}
    assert ingest(library, write(secret="Something else.")) == ["indexed"]


def test_what_is_forgotten_while_files_wait_to_be_read_does_not_come_back(library, write, open_store):
    paths = write(a="First.", secret="The vault code is hazelnut.", z="Last.")
    ingest(library, paths)
    other = Library(open_store(), HashingEmbedder())
    write(a="First again.", secret="The vault code is walnut.", z="Last again.")
    results = library.ingest(paths, settings=SETTINGS)
    assert next(results).status == "replaced"
    removal.forget(other, "secret.md")
    rejected, last = results
    assert (rejected.status, last.status) == ("rejected", "replaced")
    assert rejected.error == "secret.md was forgotten after this was asked for: it is not taken in."
    assert [each.name for each in other.documents()] == ["a.md", "z.md"]
    (again,) = library.ingest(paths[1:2], settings=SETTINGS)  # somebody asks for it anew
    assert again.status == "indexed"


def test_a_moment_is_an_event_of_the_history(library, write):
    store = library.workspace
    assert store.latest_event() == 0
    ingest(library, write(a="First."))
    removal.forget(library, "a.md")
    newest = store.latest_event()
    moments = [entry.at for entry in library.history("a.md")]
    assert len(moments) == 2 and store.latest_event(moments[0]) == 0  # what is of that second comes after it
    assert store.latest_event("9999") == newest
    assert [store.forgotten_since("", "a.md", event) for event in (0, newest)] == [True, False]
    assert not store.forgotten_since("", "b.md", 0) and not store.forgotten_since("folder:x", "a.md", 0)


def test_two_app_servers_answer_as_one(library, write, open_store):
    other = Library(open_store(), HashingEmbedder())
    ingest(library, write(a="The lamp is green."))
    assert found(other, "lamp green") == {"a.md"}
    ingest(other, write(a="The lamp is now blue."))
    assert [hit.chunk.text for hit in hits(library, "lamp blue")] == ["The lamp is now blue."]
    removal.forget(other, "a.md")
    assert found(library, "lamp blue") == set() and library.documents() == []


def test_servers_that_write_at_once_lose_nothing(write, open_store):
    paths = write(**{f"d{n}": f"Document {n} about subject {n}." for n in range(6)}, same="Shared words.")
    failures: list[BaseException] = []

    def add(mine: list[Path]) -> None:
        try:
            ingest(Library(open_store(), HashingEmbedder()), mine)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=([*paths[n:6:2], paths[6]],)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    library = Library(open_store(), HashingEmbedder())
    assert len(library.documents()) == 7
    versions = library.versions("same.md")
    assert versions == list(range(1, len(versions) + 1)) and len(library.history("same.md")) == len(versions)


def test_a_transaction_that_fails_leaves_nothing(library, write, monkeypatch):
    ingest(library, write(a="First text."))
    before = library.fingerprint
    monkeypatch.setattr(library.workspace, "add_chunks", _fails)
    with pytest.raises(ZeroDivisionError):
        ingest(library, write(a="Second text.", b="Another."))
    monkeypatch.undo()
    assert library.fingerprint == before and library.versions("a.md") == [1]
    assert ingest(library, write(a="Second text.", b="Another.")) == ["replaced", "indexed"]


def _fails(*_: Any) -> None:
    raise ZeroDivisionError


def test_schemes_beyond_a_bound_are_cut_again(library, write):
    ingest(library, write(a="One sentence here. Another sentence there. And a third one that ends it."))
    made = [SimpleNamespace(**vars(SETTINGS) | {"chunk_size": 32 + n}) for n in range(SCHEMES_KEPT + 2)]
    known = library.retriever(made[0]).chunks
    for each in made:
        library.retriever(each)
    assert library.retriever(made[0]).chunks == known and known
    assert library.retriever(OTHER).chunks


def test_readings_of_other_embedders_can_be_dropped(library, write):
    ingest(library, write(a="One sentence here. Another sentence there."))
    wider = HashingEmbedder(96)
    wider.name = "wider"
    library.read_with(wider, SETTINGS)
    assert library.keep_readings([wider]) == 1
    library.use(wider)
    cut = library.retriever(SETTINGS) and library.cut(SETTINGS)
    assert cut is not None and cut.embedded == 0
    assert found(library, "another sentence") == {"a.md"}


def test_a_visitors_own_copy_holds_the_same_and_lets_the_store_alone(library, write, tmp_path):
    ingest(library, write(a="The lamp is green.", b="A pay slip."), roles=("hr",))
    ingest(library, write(a="The lamp is blue."))
    library.workspace.keep_original(library.workspace.identifier("", "a.md", 2), b"%PDF")
    own = Library(library.workspace.copy_to(tmp_path / "own"), library.embedder)
    assert own.documents() == library.documents() and own.history("a.md") == library.history("a.md")
    assert own.original("a.md") == b"%PDF"
    own.retriever(SETTINGS)
    cut = own.cut(SETTINGS)
    assert cut is not None and cut.embedded == 0
    removal.forget(own, "a.md")
    assert library.versions("a.md") == [1, 2]


def test_odd_names_and_texts_are_kept_as_they_are(library):
    document = _document("Ünïcode %s '; DROP TABLE.md", "Zwölf Boxkämpfer — 鳥 \U0001f426 \\N 50 % %s {x}")
    with library.workspace.transaction():
        library.workspace.add_document("", document)
    assert library.get(document.name) == document
    assert library.text_between(document.name, None, 18, 19) == document.text[18:19]
    assert found(library, "Boxkämpfer") == {document.name}


def _document(name: str, text: str, **more: Any) -> Any:
    from backends.datatypes import Document

    return Document(name, 1, name, "text", text, content_hash=name, **more)


# --- both side by side ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Library, Library]]:
    """The same documents in both stores."""
    import uuid

    import psycopg

    from backends.postgres.postgres_store import PostgresStore

    folder = tmp_path_factory.mktemp("pair")
    with psycopg.connect(postgres.get_uri(), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {(name := f'pair_{uuid.uuid4().hex[:12]}')}")
    stores = (
        Workspace.open(folder / "one"),
        PostgresStore.open(postgres.get_uri(database=name), folder / "two"),
    )
    both = tuple(Library(store, HashingEmbedder(64)) for store in stores)
    words = "lamp garden soup pay vault river stone paper music train".split()  # noqa: SIM905
    rng = np.random.default_rng(4)
    for number in range(40):
        text = ". ".join(" ".join(rng.choice(words, 7)).capitalize() for _ in range(6))
        text += ". Paid time off (PTO) counts." if number % 9 == 0 else "."
        roles = ((), ("hr",), ("sales",), ("hr", "it"))[number % 4]
        document = _document(f"{'ab[c'[number % 4]}{number}.md", text, roles=roles, tags=(words[number % 3],))
        document = replace(document, date=("", "2025", "2026-02", "2026-03-14")[number // 4 % 4])
        for library in both:
            library._take(document, SETTINGS, _quiet())
    yield both[0], both[1]


def _quiet() -> Any:
    from backends.documents.library import Reporter

    return Reporter(None, 0, 0, "")


QUESTIONS = st.lists(
    st.sampled_from("lamp garden soup pay vault river stone paper music train pto unknown".split()),  # noqa: SIM905
    min_size=1, max_size=4,
).map(" ".join)  # fmt: skip
FILTERS = st.builds(
    Filters,
    documents=st.lists(
        st.sampled_from("a* b* *1* ?8.md [ab]1* [!a]* [[]* [3* nothing c7.md *.md".split()),  # noqa: SIM905
        max_size=2,
    ).map(tuple),
    types=st.sampled_from([(), ("text",), ("pdf", "text"), ("pdf",)]),
    tags=st.sampled_from([(), ("lamp",), ("garden", "lamp")]),
    since=st.sampled_from(["", "2025", "2026", "2026-02", "2026-03-01"]),
    until=st.sampled_from(["", "2025", "2026-02", "2026-03-14", "2026-12"]),
)
ROLES = st.sampled_from([None, "hr", "sales", "it", "nobody", held(["it", "sales"]), held([])])


@limits(max_examples=60, deadline=None)
@given(question=QUESTIONS, filters=FILTERS, role=ROLES, mode=st.sampled_from(["dense", "bm25", "hybrid"]))
def test_both_stores_find_the_same_with_the_same_scores(pair, question, filters, role, mode):
    one, two = (
        each.retriever(SETTINGS, role=role).search(question, top_k=10, mode=mode, filters=filters)
        for each in pair
    )
    scores = [
        {(h.chunk.document, h.chunk.start): (h.score, h.dense, h.bm25) for h in found} for found in (one, two)
    ]
    for key in scores[0].keys() & scores[1].keys():
        for mine, theirs in zip(scores[0][key], scores[1][key], strict=True):
            assert (mine is None) == (theirs is None)
            assert mine is None or mine == pytest.approx(theirs, abs=5e-3)
    # Half precision can swap neighbours whose scores are nearly the same, and no others.
    assert [h.score for h in one] == pytest.approx([h.score for h in two], abs=5e-3)
    if mode == "bm25":
        assert [h.score for h in one] == pytest.approx([h.score for h in two], abs=1e-5)


def test_ten_thousand_queries_of_every_role_find_only_what_it_may_read(pair):
    """At the query itself, where it is fast: no row that a role may not read ever leaves the database."""
    from backends.postgres.document_filters import admitted, readable

    store = pair[1].workspace
    documents = {each.name: each for each in pair[1].documents()}
    rng = np.random.default_rng(7)
    at_once = 50
    for _ in range(10_000 // at_once):
        asked = [(random_role(rng), random_filters(rng)) for _ in range(at_once)]
        conditions = [readable("", role) & admitted([filters]) for role, filters in asked]
        rows = store.server.rows(
            " UNION ALL ".join(
                f"SELECT {number}, d.name FROM documents d WHERE {each.sql}"
                for number, each in enumerate(conditions)
            ),
            [value for each in conditions for value in each.values],
        )
        wanted = {
            (number, name)
            for number, (role, filters) in enumerate(asked)
            for name, each in documents.items()
            if admits(each.roles, role) and filters.admit(each)
        }
        assert set(rows) == wanted


def random_role(rng: np.random.Generator) -> str | None:
    return (None, "hr", "it", "nobody", "HR", "h%", "", held(["it", "sales"]), held([]))[rng.integers(9)]


def random_filters(rng: np.random.Generator) -> Filters:
    return Filters(
        documents=((), ("a*",), ("[ab]*", "c7.md"), ("?1*",))[rng.integers(4)],
        types=((), ("text",), ("pdf",))[rng.integers(3)],
        tags=((), ("lamp",))[rng.integers(2)],
        since=("", "2026")[rng.integers(2)],
        until=("", "2026-02")[rng.integers(2)],
    )
