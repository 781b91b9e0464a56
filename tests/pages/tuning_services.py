"""Services that can train: three small documents, a tiny language model, a folder of its own.

Everything but the model and the embedder is the real thing; both are tiny, so that a training run takes
seconds.
"""

from __future__ import annotations

import threading
from pathlib import Path

from backends.documents.opening import open_folder
from backends.language.generation import LanguageModel
from backends.offline.trainer import Trainer
from backends.product import Triptych
from backends.settings import make_settings
from backends.training.adapters import Adapters
from tests.fakes import HashingEmbedder, tiny_language_model
from tests.pages.scripted import ScriptedService, ScriptedServices

LAMPS = (
    "Alder red, Birch blue, Cedar green, Elm white, Fir black, Larch grey, Maple pink, Oak brown, Yew teal"
)
DOCUMENTS = {
    "prices.csv": "Product,Price,Weight,Colour\n"
    + "".join(
        f"Lamp {lamp.split()[0]},{n * 7} EUR,{n * 90} grams,{lamp.split()[1]}\n"
        for n, lamp in enumerate(LAMPS.split(", "), start=3)
    ),
    "returns.md": "# Returns\n\nCustomers may return a lamp within 30 days of delivery. "
    "Refunds are paid within 10 days of the return. A lamp weighs 400 grams without its box.\n",
    "service.txt": "The service desk answers within 4 hours on working days. "
    "Repairs take 12 days at most. Spare parts are kept for 7 years.\n",
}


class TuningService(ScriptedService):
    """A scripted service with a real trainer."""

    home: Path

    def trainer(self) -> Trainer:
        return Trainer(self.triptych())

    def triptych(self) -> Triptych:
        with _making:
            if self.home not in _made:
                _made[self.home] = make_triptych(self.home)
            return _made[self.home]


def make_triptych(home: Path) -> Triptych:
    base = home / "base"
    if not base.exists():
        tiny_language_model(base, context=1024)
    documents = home / "documents"
    documents.mkdir(exist_ok=True)
    for name, text in DOCUMENTS.items():
        if not (documents / name).exists():
            (documents / name).write_text(text)
    settings = make_settings(model=str(base), max_tokens=8, context_tokens=64, top_k=2, rerank=False)
    workspace = home / "workspace"
    library = open_folder(workspace, documents, HashingEmbedder(), settings)
    adapters = Adapters(workspace / "adapters", home / "no-shipped")
    return Triptych(workspace, settings, library, adapters=adapters, model=LanguageModel.load(base))


_made: dict[Path, Triptych] = {}
_making = threading.Lock()


class TuningServices(ScriptedServices):
    """Every visitor's service trains in the same folder."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home

    def service(self, visitor: str) -> ScriptedService:
        if visitor not in self.by_visitor:
            made = TuningService(visitor)
            made.home = self.home
            made.library = {document.name: document for document in made.triptych().library.documents()}
            self.by_visitor[visitor] = made
        return self.by_visitor[visitor]
