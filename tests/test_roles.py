"""A document that a role may not read leaves no trace in anything that role is shown.

The measure is a twin: the same library without the documents. Whatever the role sees of the whole library,
to the last digit of a score and the last word of a message, it must see of the twin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.datatypes import Answer, Filters, UserError
from backends.documents import library as library_module
from backends.documents.library import DocumentDetails, Library
from backends.documents.parsing import parse_file
from backends.documents.store import Workspace
from backends.language.generation import LanguageModel
from backends.product import Triptych
from backends.settings import make_settings
from backends.training.adapters import AdapterCard, Adapters, LearnedDocument, write_card
from tests.fakes import HashingEmbedder, random_adapter, tiny_language_model

CHUNKS = make_settings(chunk_size=32, chunk_overlap=6)
ROLES = ("hr", "legal", "it")
WORDS = "budget salary notice lamp sensor return warranty board merger price delay contract".split()  # noqa: SIM905


@dataclass(frozen=True)
class Version:
    text: str
    roles: tuple[str, ...]
    tags: tuple[str, ...]


sentences = st.lists(st.sampled_from(WORDS), min_size=2, max_size=7).map(
    lambda words: f"The {' '.join(words)}."
)
texts = st.lists(sentences, min_size=1, max_size=6).map(" ".join)
allowed_roles = st.sets(st.sampled_from(ROLES), max_size=2).map(lambda names: tuple(sorted(names)))
versions = st.builds(Version, texts, allowed_roles, st.sampled_from([(), ("money",), ("people",)]))
corpora = st.lists(st.lists(versions, min_size=1, max_size=2), min_size=1, max_size=4)


@pytest.fixture(autouse=True, scope="module")
def read_here():
    """A few hundred tiny files: read in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library_module, "parse_isolated", lambda path, name, **_: parse_file(path, name))
        yield


def name_of(number: int) -> str:
    return f"d{number}.md"


def build(folder: Path, corpus: dict[str, list[Version]], watcher: str | None = None) -> Library:
    """All first versions, then all second ones. What the role `watcher` searches follows every change."""
    library = Library(Workspace.open(folder / "workspace"), HashingEmbedder())
    for turn in range(max(map(len, corpus.values()), default=0)):
        for name, made in corpus.items():
            if turn < len(made):
                path = folder / name
                path.write_text(made[turn].text)
                details = {name: DocumentDetails(roles=made[turn].roles, tags=made[turn].tags)}
                list(library.ingest([path], settings=CHUNKS, details=details))
                if watcher is not None:
                    library.retriever(CHUNKS, watcher)
    return library


def may_read(library: Library, name: str, role: str) -> bool:
    document = library.get(name)
    return not document.roles or role in document.roles


def attempt(what: Any, *given: Any) -> Any:
    try:
        return what(*given)
    except UserError as error:
        return str(error)


def view(library: Library, names: list[str], role: str, question: str) -> list[Any]:
    """Everything that a reader of this role can get to see."""
    seen: list[Any] = [library.documents(role), library.fingerprint_for(role)]
    for name in names:
        seen += [library.versions(name, role), attempt(library.chunks, name, CHUNKS, role)]
        seen += [attempt(library.get, name, version, role) for version in (None, 1, 2, 3)]
        seen.append([replace(entry, at="") for entry in library.history(name, role)])
    retriever = library.retriever(CHUNKS, role)
    seen.append(retriever.chunks)
    for filters in (None, Filters(tags=("money",)), Filters(documents=(names[0],))):
        for mode in ("hybrid", "dense", "bm25"):
            hits = retriever.search(question, top_k=8, mode=mode, filters=filters)
            evidence = [
                retriever.select_evidence(
                    question,
                    hits,
                    budget=30,
                    count_tokens=lambda text: len(text.split()),
                    format_line=lambda number, title, kept: f"[{number}] {title}: {' '.join(kept)}",
                    rerank=rerank,
                )
                for rerank in (False, True)
            ]
            seen += [hits, retriever.rerank(question, hits), evidence]
    return seen


@given(corpora, st.sampled_from(ROLES), st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_a_role_sees_the_library_as_if_the_rest_did_not_exist(tmp_path_factory, corpus, role, words):
    base = tmp_path_factory.mktemp("roles")
    named = {name_of(number): made for number, made in enumerate(corpus)}
    for folder in ("whole", "twin"):
        (base / folder).mkdir()
    whole = build(base / "whole", named, role)
    allowed = {name: made for name, made in named.items() if may_read(whole, name, role)}
    twin = build(base / "twin", allowed, role)
    names = [*named, "never.md"]
    question = " ".join(words)
    assert view(whole, names, role, question) == view(twin, names, role, question)
    assert {document.name for document in whole.documents(role)} == set(allowed)
    hidden = set(named) - set(allowed)
    assert not hidden & {chunk.document for chunk in whole.retriever(CHUNKS, role).chunks}
    for name, made in allowed.items():  # an older version may be kept from more readers than the newest
        for number in whole.versions(name):
            roles = whole.get(name, number).roles
            assert (number in whole.versions(name, role)) == (not roles or role in roles), made


# --- through the backends ------------------------------------------------------------------------

ASKING = make_settings(max_tokens=8, context_tokens=200, top_k=3, chunk_size=32, chunk_overlap=4)
OPEN = "# Returns\n\nCustomers return goods within 30 days. Shipping back is free of charge.\n"
SECRET = "# Returns\n\nStaff return goods within 90 days. The board keeps that to itself.\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("home")
    tiny_language_model(home / "base", context=1024)
    random_adapter(home / "base", home / "adapters" / "fine_tuned")
    return home


def learned(home: Path, *names: str) -> None:
    """Say what the adapter learned."""
    card = AdapterCard(
        "fine_tuned",
        "fine_tuned",
        "base",
        LanguageModel.load(home / "base").fingerprint,
        documents=tuple(LearnedDocument(name, 1, "") for name in names),
    )
    write_card(home / "adapters" / "fine_tuned", card)


def triptych_of(home: Path, folder: Path, corpus: dict[str, Version], role: str | None) -> Triptych:
    folder.mkdir(exist_ok=True)
    library = build(folder, {name: [version] for name, version in corpus.items()})
    adapters = Adapters(folder / "workspace" / "adapters", home / "adapters")
    model = LanguageModel.load(home / "base")
    return Triptych(folder / "workspace", ASKING, library, role=role, adapters=adapters, model=model)


def without_times(answer: Answer) -> Answer:
    return replace(answer, latency_ms={}, warnings=())


def test_an_answer_is_made_as_if_the_rest_did_not_exist(home, tmp_path):
    learned(home)
    whole = {"open.md": Version(OPEN, (), ()), "secret.md": Version(SECRET, ("board",), ())}
    seen = triptych_of(home, tmp_path / "whole", whole, "staff")
    twin = triptych_of(home, tmp_path / "twin", {"open.md": whole["open.md"]}, "staff")
    question = "Within how many days does the board return goods?"
    for backend in ("rag", "fine_tuned", "base"):
        answers = [without_times(each.answer(question, backend)) for each in (seen, twin)]
        assert answers[0] == answers[1]
        assert all(source.document == "open.md" for source in answers[0].sources)
    owner = seen.seen_by(None).answer(question, "rag")
    assert "secret.md" in {source.document for source in owner.sources}


def test_an_adapter_is_asked_for_a_role_only_if_it_learned_nothing_beyond_it(home, tmp_path):
    corpus = {"open.md": Version(OPEN, (), ()), "secret.md": Version(SECRET, ("board",), ())}
    whole = triptych_of(home, tmp_path / "whole", corpus, "staff")
    twin = triptych_of(home, tmp_path / "twin", {"open.md": corpus["open.md"]}, "staff")
    learned(home, "open.md", "secret.md")
    status = whole.status("fine_tuned")
    assert status.state == "withheld" and not status.usable
    assert status == twin.status("fine_tuned")  # no word about why: it may as well be gone
    assert "secret" not in status.reason
    with pytest.raises(UserError, match="not asked for the role staff"):
        whole.answer("Who may return goods?", "fine_tuned")
    assert whole.seen_by("board").status("fine_tuned").usable
    assert whole.seen_by(None).status("fine_tuned").usable
