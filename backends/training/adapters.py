"""The LoRA adapters of a workspace: which exist, what they learned, and which one is active for each kind.

Enters: finished adapter folders. Leaves: `Adapter` records with their card. It trains nothing and loads no
model; comparing is in `adapter_comparison`, packing and importing in `adapter_exchange`. Own adapters live in
<workspace>/adapters/<name>/, shipped ones in models/adapters/<kind>/; both are standard PEFT folders with a
card.json beside the weights.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, get_args

from backends.datatypes import JsonObject, JsonValue, UserError
from backends.settings import files_address
from backends.system.file_places import open_files
from backends.system.files import MODELS, move_into_place, sync, write_whole
from backends.system.mirrored_folder import MirroredFolder
from backends.system.viewers import workspace_and_person

AdapterKind = Literal["fine_tuned", "hybrid", "embedder"]
AnsweringKind = Literal["fine_tuned", "hybrid"]
ADAPTER_KINDS: tuple[AdapterKind, ...] = get_args(AdapterKind)
ANSWERING: tuple[AnsweringKind, ...] = get_args(AnsweringKind)  # these write answers, the embedder finds
FOLDER = "adapters"
SHIPPED = MODELS / FOLDER
WEIGHTS, CONFIG, CARD = "adapter_model.safetensors", "adapter_config.json", "card.json"
ACTIVE_FILE = "active.json"
LOCK_FILE = ".active.lock"
EARLIER_KEPT = 20
REPLACED, GONE, PARTIAL = ".old", ".gone", ".partial"  # hidden folders: .<name>.<hex><one of these>
PARTIAL_KEPT_SECONDS = 24 * 3600.0
DAMAGED = (
    "The adapter {} is damaged (it has no readable card.json) and is left out: delete it or train it again."
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class LearnedDocument:
    """A document version that training rows came from."""

    name: str
    version: int
    content_hash: str  # sha256 of the file's bytes


@dataclass(frozen=True)
class AdapterCard:
    """What an adapter is: stored as card.json in its folder."""

    name: str
    kind: AdapterKind
    base_model: str
    base_fingerprint: str
    documents: tuple[LearnedDocument, ...] = ()
    rows: int = 0
    created: str = ""  # ISO time
    parameters: JsonObject = field(default_factory=dict)
    report: JsonObject = field(default_factory=dict)  # losses, held-out scores, seconds
    data_fingerprint: str = ""  # of the rows it learned and was measured on
    origin: str = "trained"  # or "imported"


@dataclass(frozen=True)
class Adapter:
    """An adapter on disk."""

    folder: Path
    card: AdapterCard
    shipped: bool = False

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.card.name


class Adapters:
    """The adapters of one workspace, together with the shipped ones. Reads the disk at every call.

    A visitor's private ones have the workspace's as `parent`: those may be used, but not removed.
    """

    def __init__(
        self,
        folder: Path,
        shipped: Path = SHIPPED,
        parent: Adapters | None = None,
        mirror: MirroredFolder | None = None,
    ) -> None:
        """With a `mirror`, other machines have the same adapters, and the same choice among them."""
        self.folder = folder
        self._shipped = shipped
        self._parent = parent
        self._mirror = mirror

    def all(self) -> list[Adapter]:
        """Own adapters by name, then the workspace's, then the shipped ones."""
        if self._mirror is not None and self._mirror.outdated():
            with self._changing():
                pass
        own = self._scan(self.folder, shipped=False)
        names = {adapter.name for adapter in own}
        others = self._parent.all() if self._parent else self._scan(self._shipped, shipped=True)
        return own + [each for each in others if each.name not in names]

    def damaged(self) -> list[str]:
        """Names of own adapters whose card cannot be read; they are not among `all`."""
        return [folder.name for folder in _folders(self.folder) if _card(folder) is None]

    def as_now(self) -> Adapters:
        """These adapters and the present choice among them, deaf to what is trained or activated later."""
        return _AdaptersThen(self)

    def owns(self, adapter: Adapter) -> bool:
        """Whether it is one of these, neither shipped nor the parent's."""
        return not adapter.shipped and adapter.folder.parent == self.folder

    def get(self, name: str) -> Adapter:
        """The adapter of this name. UserError when there is none."""
        for adapter in self.all():
            if adapter.name == name:
                return adapter
        known = ", ".join(adapter.name for adapter in self.all()) or "none"
        raise UserError(f"There is no adapter {name!r}; there are: {known}.")

    def active(self, kind: AdapterKind, base_fingerprint: str | None = None) -> Adapter | None:
        """The chosen adapter of this kind, else the shipped one; with a fingerprint, only of that base."""
        fitting = [
            adapter
            for adapter in self.all()
            if adapter.card.kind == kind
            and (base_fingerprint is None or adapter.card.base_fingerprint == base_fingerprint)
        ]
        chosen = self._choices().get(kind)
        for adapter in fitting:
            if adapter.name == chosen:
                return adapter
        if self._parent is not None:
            return self._parent.active(kind, base_fingerprint)
        return next((adapter for adapter in fitting if adapter.shipped), None)

    def activate(self, name: str) -> Adapter:
        """Make this adapter the one that answers for its kind; takes effect with the next answer."""
        adapter = self.get(name)
        kind = adapter.card.kind
        with self._changing():
            before = self.active(kind)
            earlier = self._earlier()
            if before is not None and before.name != name:
                earlier[kind] = [*earlier.get(kind, []), before.name][-EARLIER_KEPT:]
            self._write({**self._choices(), kind: name}, earlier)
        return adapter

    def previous(self, kind: AdapterKind) -> Adapter | None:
        """The adapter that was active before the present one and is still here."""
        known = {adapter.name: adapter for adapter in self.all()}
        names = [name for name in self._earlier().get(kind, []) if name in known]
        return known[names[-1]] if names else None

    def roll_back(self, kind: AdapterKind) -> Adapter:
        """Activate the adapter that was active before; raises UserError when there is none."""
        with self._changing():
            adapter = self.previous(kind)
            if adapter is None:
                raise UserError("There is no earlier adapter to go back to.")
            earlier = self._earlier()
            names = earlier[kind]
            last = max(index for index, name in enumerate(names) if name == adapter.name)
            self._write({**self._choices(), kind: adapter.name}, {**earlier, kind: names[:last]})
        return adapter

    def deactivate(self, kind: AdapterKind) -> None:
        """Let what was there before any adapter answer for its kind again: the shipped one, or none."""
        with self._changing():
            before = self.active(kind)
            earlier = self._earlier()
            if before is not None:
                earlier[kind] = [*earlier.get(kind, []), before.name][-EARLIER_KEPT:]
            self._write({each: name for each, name in self._choices().items() if each != kind}, earlier)

    def path_for(self, name: str) -> Path:
        """Where an adapter of this name is to be saved; raises UserError when the name cannot be used."""
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{name!r} cannot name an adapter: use up to 64 letters, digits, dots, dashes or underscores."
            )
        if any(adapter.name == name and adapter.shipped for adapter in self.all()):
            raise UserError(f"{name!r} is the name of a shipped adapter: choose another.")
        return self.folder / name

    def install(self, made: Path) -> None:
        """Move a finished adapter's folder here, in place of an own one of that name. Raises OSError.

        Killed on the way, the one that was to be replaced is back at the next look.
        """
        with self._changing():
            target = self.folder / made.name
            if target.exists():
                target.rename(self._hidden(made.name, REPLACED))
            move_into_place(made, target)
            self._settle()

    def delete(self, name: str) -> None:
        """Remove an own adapter; the shipped one of its kind answers again if it was active."""
        if name not in self.damaged():
            self._check_own(self.get(name))
        with self._changing():
            choices = {kind: chosen for kind, chosen in self._choices().items() if chosen != name}
            earlier = {
                kind: [other for other in names if other != name] for kind, names in self._earlier().items()
            }
            self._write(choices, earlier)
            (self.folder / name).rename(self._hidden(name, GONE))  # at once: half of one is no adapter
            sync(self.folder)
            self._settle()

    def _check_own(self, adapter: Adapter) -> None:
        if adapter.shipped:
            raise UserError(f"{adapter.name!r} is a shipped adapter and stays; activate another one instead.")
        if not self.owns(adapter):
            raise UserError(
                f"{adapter.name!r} belongs to the workspace and not to you alone; activate another one."
            )

    def _choices(self) -> dict[str, str]:
        return {kind: name for kind, name in self._stored().items() if kind in ADAPTER_KINDS}

    def _earlier(self) -> dict[str, list[str]]:
        """For each kind the adapters that were active before, the last one last."""
        return dict(self._stored().get("earlier", {}))

    def _stored(self) -> dict[str, JsonValue]:
        path = self.folder / ACTIVE_FILE
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"Which adapters are active cannot be read from {path}: delete this file, and the "
                "shipped ones are active again."
            ) from error

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Alone with the choices, among processes too: a page and two trainings may change them at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK_FILE).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._settle()
            if self._mirror is not None:
                self._mirror.exchange()
            yield
            if self._mirror is not None:
                self._mirror.exchange()

    def _hidden(self, name: str, what: str) -> Path:
        return self.folder / f".{name}.{uuid.uuid4().hex}{what}"

    def _settle(self) -> None:
        """Bring to its end what somebody was killed at (the lock is held)."""
        for path in self.folder.glob(f".*{REPLACED}"):
            if not (target := self.folder / _named(path)).exists():
                path.rename(target)
                continue
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob(f".*{GONE}"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob(f".*{PARTIAL}"):
            with suppress(FileNotFoundError):  # one that is being made gets its name meanwhile
                if time.time() - path.stat().st_mtime > PARTIAL_KEPT_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)

    def _write(self, choices: Mapping[str, str], earlier: Mapping[str, list[str]]) -> None:
        _write_json(self.folder / ACTIVE_FILE, {**choices, "earlier": dict(earlier)})

    def _scan(self, folder: Path, *, shipped: bool) -> list[Adapter]:
        lost = (path for path in folder.glob(f".*{REPLACED}") if not (folder / _named(path)).exists())
        if next(lost, None) is not None:
            with self._changing():  # it is being replaced, or somebody was killed at that
                pass
        read = ((path, _card(path)) for path in _folders(folder))
        return [Adapter(path, card, shipped) for path, card in read if card is not None]


def adapters_of(workspace: Path, parent: Adapters | None = None) -> Adapters:
    """The adapters of a workspace, shared where its settings name a place for that; or of a visitor's copy,
    with the workspace's as `parent`, which are this machine's alone. Raises UserError for a place that
    cannot be used."""
    folder = workspace / FOLDER
    address = files_address(workspace) if workspace_and_person(workspace)[1] is None else ""
    mirror = MirroredFolder(open_files(address), FOLDER, folder) if address else None
    return Adapters(folder, parent=parent, mirror=mirror)


class _AdaptersThen(Adapters):
    """Adapters as they were when this was made: a comparison must not change its model half-way."""

    def __init__(self, now: Adapters) -> None:
        super().__init__(now.folder, now._shipped, now._parent.as_now() if now._parent else None)
        self._found, self._chosen = now.all(), now._choices()

    def all(self) -> list[Adapter]:
        return list(self._found)

    def _choices(self) -> dict[str, str]:
        return dict(self._chosen)


def tuned_embedder(
    adapters: Adapters, base_fingerprint: str, restricted: Collection[str] = ()
) -> Adapter | None:
    """The embedder that finds passages; None for the published one.

    One that learned a document which not everybody may read (any more) finds nothing: all readers' passages
    are found with the same weights, and weights have no roles.
    """
    adapter = adapters.active("embedder")
    # One that is no LoRA on the published model, but another model, has no base.
    if adapter is None or adapter.card.base_fingerprint not in ("", base_fingerprint):
        return None
    if any(seen.name in restricted for seen in adapter.card.documents):
        return None
    return adapter


def _folders(folder: Path) -> list[Path]:
    """Those of adapters; hidden ones are under way."""
    found = sorted(path.parent for path in folder.glob(f"*/{CARD}"))
    return [path for path in found if not path.name.startswith(".")]


def _named(hidden: Path) -> str:
    """The adapter's name in `.<name>.<hex>.old`."""
    return hidden.name[1:].rsplit(".", 2)[0]


def _card(folder: Path) -> AdapterCard | None:
    """The card of an adapter's folder; None when it is damaged, so that one such hides no other."""
    try:
        return read_card(folder)
    except UserError:
        return None


def stale_documents(card: AdapterCard, current: Callable[[str], str | None]) -> list[str]:
    """Names of learned documents that have changed or are gone; `current` gives a document's content hash."""
    return [document.name for document in card.documents if current(document.name) != document.content_hash]


def learned_from(adapters: Iterable[Adapter], document: str) -> list[str]:
    """Names of the adapters whose training rows came from this document."""
    return [each.name for each in adapters if any(seen.name == document for seen in each.card.documents)]


def read_card(folder: Path) -> AdapterCard:
    """The card of an adapter folder; raises UserError when it is not one."""
    try:
        raw = json.loads((folder / CARD).read_text(encoding="utf-8"))
        documents = tuple(LearnedDocument(**document) for document in raw.pop("documents", ()))
        card = AdapterCard(**raw, documents=documents)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"The adapter {folder.name} has no readable card.json.") from error
    if card.kind not in ADAPTER_KINDS:
        raise UserError(f"The adapter {folder.name} is of an unknown kind: {card.kind!r}.")
    return card


def write_card(folder: Path, card: AdapterCard) -> None:
    """Write the card into the adapter's folder, whole."""
    _write_json(folder / CARD, asdict(card))


def _write_json(path: Path, value: JsonValue) -> None:
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1))
