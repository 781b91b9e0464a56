"""The real services over three documents, with a tiny embedder and a random model."""

from __future__ import annotations

from pathlib import Path

from backends.access.sign_in import configured
from backends.documents.library import DocumentDetails, Library
from backends.documents.opening import open_session
from backends.documents.store import Workspace
from backends.language.generation import LanguageModel
from backends.product import Triptych
from backends.settings import make_settings
from backends.system.reporting import no_report
from backends.system.viewers import person_and_role, session_folder
from backends.training.adapters import Adapters, adapters_of
from pages.ui.triptych_service import TriptychService, TriptychServices
from tests.fakes import HashingEmbedder, tiny_language_model

# Name -> what it says, who may read it.
DOCUMENTS = {
    "a-finance.md": ("The budget of the harbour is heliotrope.", ("finance",)),
    "a-people.md": ("The salary of the captain is vermilion.", ("hr",)),
    "open.md": ("The ferry leaves at noon.", ()),
}


class SmallServices(TriptychServices):
    """The real services, with a tiny embedder in the copies too."""

    def service(self, visitor: str) -> TriptychService:
        person, role = person_and_role(visitor)

        def open_copy() -> Triptych:
            return self._on(open_session(self._workspace, person, HashingEmbedder()), person)

        made = (session_folder(self._workspace, person) / "triptych.db").exists
        service = TriptychService(
            self._shared, open_copy, made=made, person=person, role=role, sign_in=self._sign_in
        )
        service.prepare(self._shared.settings, no_report)
        return service

    def _on(self, library: Library, person: str) -> Triptych:
        own = adapters_of(session_folder(self._workspace, person), self._shared.adapters)
        return Triptych(
            self._workspace, self._shared.settings, library, adapters=own, model=self._shared.model()
        )


def small_services(workspace: Path, model: Path) -> SmallServices:
    """The workspace is made where it is not there yet."""
    if not model.exists():
        tiny_language_model(model, context=1024)
    settings = make_settings(model=str(model), max_tokens=8, context_tokens=64, top_k=2, rerank=False)
    library = Library(Workspace.open(workspace), HashingEmbedder())
    files = workspace / "files"
    files.mkdir(exist_ok=True)
    for name, (text, _) in DOCUMENTS.items():
        (files / name).write_text(text)
    details = {name: DocumentDetails(roles=roles) for name, (_, roles) in DOCUMENTS.items()}
    assert len(list(library.ingest([files], settings=settings, details=details))) == len(DOCUMENTS)
    adapters = Adapters(workspace / "adapters", workspace / "no-shipped")
    shared = Triptych(workspace, settings, library, adapters=adapters, model=LanguageModel.load(model))
    return SmallServices(workspace, shared, configured(workspace))
