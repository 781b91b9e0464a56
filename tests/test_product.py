"""The one door: what it says about the machine and the prices."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from backends.costs.price_book import SAMPLE_PRICES
from backends.documents.library import Library
from backends.product import TRAINED_MEANWHILE, Triptych
from backends.settings import make_settings
from backends.system.wording import untypical
from backends.training.runs import training_announced


def opened(workspace: Path) -> Triptych:
    return Triptych(workspace, make_settings(), cast(Library, SimpleNamespace(embedder=None)))


def test_another_visitors_training_is_load_too(tmp_path: Path) -> None:
    theirs = tmp_path / "sessions" / "ben"
    theirs.mkdir(parents=True)
    assert opened(tmp_path)._load() == []
    with training_announced(theirs):
        assert opened(tmp_path)._load() == [TRAINED_MEANWHILE]
    assert opened(tmp_path)._load() == []
    assert untypical([TRAINED_MEANWHILE])


def test_prices_are_the_workspaces_or_the_samples(tmp_path: Path) -> None:
    assert opened(tmp_path).price_file == SAMPLE_PRICES
    (tmp_path / "prices.toml").write_text("")
    assert opened(tmp_path).price_file == tmp_path / "prices.toml"
