"""Finished adapters on their way out and in: packs one as a zip, takes one in.

Enters: adapter folders, zip files, GGUF files. Leaves: zip bytes, a new registered adapter. An import is
safetensors or GGUF only and must fit the base model layer by layer; nothing of it is ever unpickled or run.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from safetensors import SafetensorError, safe_open

from backends.datatypes import JsonObject, UserError
from backends.training.adapter_gguf import LORA_WEIGHT, unpack_gguf
from backends.training.adapters import (
    CARD,
    CONFIG,
    WEIGHTS,
    Adapter,
    AdapterCard,
    AdapterKind,
    Adapters,
    read_card,
    write_card,
)

MOST_BYTES = 4 << 30
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt")


class BaseModel(Protocol):
    """What an import needs of `generation.LanguageModel`."""

    @property
    def name(self) -> str: ...

    @property
    def folder(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def layers(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the weights that an adapter may change, by name."""
        ...

    def prepare(self, adapter: Path | None) -> object: ...


def pack(adapter: Adapter) -> bytes:
    """The adapter as a zip of a standard PEFT folder, with its card."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(adapter.folder.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                archive.write(path, f"{adapter.name}/{path.name}")
    return out.getvalue()


def import_adapter(
    adapters: Adapters, source: Path, name: str, kind: AdapterKind, base: BaseModel
) -> Adapter:
    """Take in a PEFT folder, a zip of one or a GGUF file, under `name`; it is registered, not activated.

    Raises UserError, and leaves nothing behind, when the weights are pickled, of another base model, or no
    LoRA, and when the name is taken.
    """
    target = adapters.path_for(name)
    if target.exists():
        raise UserError(f"There is already an adapter {name!r}: choose another name or delete that one.")
    way = adapters.folder / f".{name}.{uuid.uuid4().hex}.partial"
    partial = way / name
    partial.mkdir(parents=True)
    try:
        if source.suffix.lower() == ".gguf":
            unpack_gguf(source, Path(base.folder), base.layers(), partial)
        else:
            _fetch(source, partial)
        card = _checked(partial, source.name, name, kind, base)
        write_card(partial, card)
        base.prepare(partial)  # the last word: it merges
        adapters.install(partial)
    except OSError as error:
        raise UserError(f"{source.name} could not be taken in: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(way, ignore_errors=True)
    return adapters.get(name)


def _fetch(source: Path, folder: Path) -> None:
    """Put the files of an adapter, and no others, into `folder`."""
    if source.is_dir():
        found = {path.name: path for path in source.iterdir() if path.is_file()}
        _refuse(list(found), source.name)
        for name in (CONFIG, WEIGHTS, CARD):
            if name in found:
                shutil.copyfile(found[name], folder / name)
        return
    try:
        with zipfile.ZipFile(source) as archive:
            inside = {
                info.filename.rpartition("/")[2]: info for info in archive.infolist() if not info.is_dir()
            }
            _refuse(list(inside), source.name)
            if sum(info.file_size for info in inside.values()) > MOST_BYTES:
                raise UserError(f"{source.name} unpacks to more than {MOST_BYTES >> 30} GB.")
            for name in (CONFIG, WEIGHTS, CARD):
                if name in inside:  # only these names, so no path of the archive is ever followed
                    with archive.open(inside[name]) as packed, (folder / name).open("wb") as out:
                        shutil.copyfileobj(packed, out)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{source.name} is not a zip file that can be read: {error}.") from error


def _refuse(names: list[str], source: str) -> None:
    if WEIGHTS not in names:
        pickled = [name for name in names if name.lower().endswith(PICKLED)]
        if pickled:
            raise UserError(
                f"{source} holds pickled weights ({pickled[0]}), which can run code when they are opened and "
                f"are refused: {WEIGHTS} is needed."
            )
        raise UserError(f"{source} holds no {WEIGHTS}.")
    if CONFIG not in names:
        raise UserError(f"{source} holds no {CONFIG}.")


def _checked(folder: Path, source: str, name: str, kind: AdapterKind, base: BaseModel) -> AdapterCard:
    """The card to register it with, once its configuration and every weight fit the base model."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{CONFIG} of {source} is not valid JSON.") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        found = config.get("peft_type") if isinstance(config, dict) else None
        raise UserError(f"{source} is no LoRA adapter (its peft_type is {found!r}).")
    card = read_card(folder) if (folder / CARD).is_file() else None
    if card is not None and card.base_fingerprint not in ("", base.fingerprint):
        raise UserError(
            f"{source} was trained on another base model: {card.base_model} ({card.base_fingerprint}), not "
            f"{base.name} ({base.fingerprint})."
        )
    _fit(folder / WEIGHTS, source, base)
    if card is None or not card.base_fingerprint:
        _same_base(config, source, base)
    if card is not None:
        return replace(card, name=name, kind=kind, base_model=base.name, base_fingerprint=base.fingerprint)
    return AdapterCard(
        name=name,
        kind=kind,
        base_model=base.name,
        base_fingerprint=base.fingerprint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        parameters={"rank": config.get("r"), "alpha": config.get("lora_alpha")},
        origin="imported",
    )


def _same_base(config: JsonObject, source: str, base: BaseModel) -> None:
    """Layers that fit do not make it the same model: a model's instruct version has the same ones."""
    named = str(config.get("base_model_name_or_path") or "").rstrip("/\\")
    last = _plain(re.split(r"[/\\]", named)[-1])
    known = {_plain(base.name), _plain(Path(base.folder).name)}
    if named and last not in known and named != base.folder:
        mend = f'set "base_model_name_or_path" of its {CONFIG} to {base.name}'
        if source.lower().endswith(".gguf"):
            mend = "import it as a PEFT folder that says so"
        raise UserError(
            f"{source} names another base model, {named}, and not {base.name}. If it is the same under "
            f"another name, {mend}."
        )


def _plain(name: str) -> str:
    """GGUF files write the name of a model with spaces."""
    return re.sub(r"[\s_-]+", "-", name.casefold())


def _fit(weights: Path, source: str, base: BaseModel) -> None:
    """Every weight must belong to a layer of the base model and have its width.

    PEFT itself passes over weights whose layer it does not find: the adapter would load and do nothing.
    """
    layers = base.layers()
    try:
        with safe_open(weights, framework="np") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{WEIGHTS} of {source} cannot be read: {error}.") from error
    if not shapes:
        raise UserError(f"{WEIGHTS} of {source} is empty.")
    for key, shape in shapes.items():
        match = LORA_WEIGHT.fullmatch(key)
        if match is None:
            raise UserError(f"{source} holds weights that are not plain LoRA: {key}.")
        layer, side = match[1], match[2]
        if layer not in layers:
            raise UserError(f"{source} does not fit {base.name}: that model has no layer {layer}.")
        width = shape[1] if side == "A" else shape[0]
        if width not in layers[layer]:
            raise UserError(
                f"{source} does not fit {base.name}: its layer {layer} is {width} wide where the model's is "
                f"{' x '.join(map(str, layers[layer]))}."
            )
