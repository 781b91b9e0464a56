"""The registry: what is active, what is stale, what may be removed."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backends.datatypes import UserError
from backends.training.adapters import (
    AdapterCard,
    Adapters,
    LearnedDocument,
    learned_from,
    read_card,
    stale_documents,
    tuned_embedder,
    write_card,
)

LEARNED = (LearnedDocument("a.md", 1, "hash-a"), LearnedDocument("b.md", 3, "hash-b"))


def save(folder: Path, kind: str = "fine_tuned", base: str = "base") -> AdapterCard:
    folder.mkdir(parents=True)
    card = AdapterCard(folder.name, kind, "tiny", base, LEARNED)  # type: ignore[arg-type]
    write_card(folder, card)
    return card


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    save(tmp_path / "shipped" / "fine_tuned")
    save(tmp_path / "shipped" / "hybrid", "hybrid")
    save(tmp_path / "own" / "mine")
    return Adapters(tmp_path / "own", tmp_path / "shipped")


def name_of(adapters: Adapters, *given: str) -> str | None:
    found = adapters.active(*given)  # type: ignore[arg-type]
    return found.name if found else None


def test_a_card_reads_back_as_it_was_written(tmp_path: Path) -> None:
    assert save(tmp_path / "x") == read_card(tmp_path / "x")


def test_the_shipped_adapter_answers_until_another_is_chosen(adapters: Adapters) -> None:
    assert name_of(adapters, "fine_tuned") == "fine_tuned"
    adapters.activate("mine")
    assert name_of(adapters, "fine_tuned") == "mine"
    assert name_of(adapters, "hybrid") == "hybrid"
    adapters.activate("fine_tuned")
    assert name_of(adapters, "fine_tuned") == "fine_tuned"


def test_a_tuned_embedder_finds_until_it_is_put_back_and_not_for_documents_kept_from_some(
    adapters: Adapters, tmp_path: Path
) -> None:
    for name in ("search", "search-2"):
        save(tmp_path / "own" / name, "embedder", "minilm")
    assert tuned_embedder(adapters, "minilm") is None
    adapters.activate("search")
    adapters.activate("search-2")
    assert tuned_embedder(adapters, "minilm").name == "search-2"  # type: ignore[union-attr]
    assert tuned_embedder(adapters, "another") is None
    assert tuned_embedder(adapters, "minilm", {"b.md"}) is None
    assert adapters.roll_back("embedder").name == "search"
    adapters.deactivate("embedder")
    assert tuned_embedder(adapters, "minilm") is None
    assert adapters.previous("embedder").name == "search"  # type: ignore[union-attr]
    assert name_of(adapters, "fine_tuned") == "fine_tuned"


def test_only_an_adapter_of_the_same_base_is_active(adapters: Adapters, tmp_path: Path) -> None:
    save(tmp_path / "own" / "foreign", base="other")
    adapters.activate("foreign")
    assert name_of(adapters, "fine_tuned", "base") == "fine_tuned"
    assert name_of(adapters, "fine_tuned", "other") == "foreign"
    assert name_of(adapters, "hybrid", "other") is None


def test_a_deleted_adapter_gives_way_to_the_shipped_one(adapters: Adapters, tmp_path: Path) -> None:
    adapters.activate("mine")
    adapters.delete("mine")
    assert name_of(adapters, "fine_tuned") == "fine_tuned"
    assert not (tmp_path / "own" / "mine").exists()


def test_shipped_adapters_stay(adapters: Adapters) -> None:
    with pytest.raises(UserError, match="is a shipped adapter and stays"):
        adapters.delete("hybrid")
    with pytest.raises(UserError, match="is the name of a shipped adapter"):
        adapters.path_for("hybrid")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 65, "a b"])
def test_names_that_are_no_folder_names_are_refused(adapters: Adapters, name: str) -> None:
    with pytest.raises(UserError, match="cannot name an adapter"):
        adapters.path_for(name)


def test_an_unknown_adapter_is_named_with_the_known_ones(adapters: Adapters) -> None:
    with pytest.raises(UserError, match="no adapter 'x'; there are: mine, fine_tuned, hybrid"):
        adapters.activate("x")


def test_a_save_under_way_is_not_an_adapter(adapters: Adapters, tmp_path: Path) -> None:
    save(tmp_path / "own" / ".mine.123.partial")
    assert [adapter.name for adapter in adapters.all()] == ["mine", "fine_tuned", "hybrid"]


def test_a_broken_card_hides_no_other_adapter_and_can_be_deleted(adapters: Adapters, tmp_path: Path) -> None:
    (tmp_path / "own" / "mine" / "card.json").write_text("{}")
    assert [adapter.name for adapter in adapters.all()] == ["fine_tuned", "hybrid"]
    assert adapters.damaged() == ["mine"]
    adapters.delete("mine")
    assert adapters.damaged() == []
    assert [path.name for path in (tmp_path / "own").iterdir() if path.is_dir()] == []


def test_one_that_was_being_replaced_when_its_process_was_killed_is_back(adapters, tmp_path: Path) -> None:
    (tmp_path / "own" / "mine").rename(tmp_path / "own" / ".mine.0f.old")
    assert [adapter.name for adapter in adapters.all()] == ["mine", "fine_tuned", "hybrid"]


def test_what_killed_processes_left_is_removed_at_the_next_change(adapters, tmp_path: Path) -> None:
    own = tmp_path / "own"
    for name in (".mine.0f.old", ".other.0f.gone", ".late.0f.partial", ".now.0f.partial"):
        save(own / name)
    os.utime(own / ".late.0f.partial", (0, 0))
    adapters.activate("mine")
    assert {path.name for path in own.iterdir() if path.is_dir()} == {"mine", ".now.0f.partial"}


def test_a_new_one_takes_the_place_of_the_old_one(adapters, tmp_path: Path) -> None:
    save(tmp_path / "made" / "mine", base="other")
    adapters.install(tmp_path / "made" / "mine")
    assert adapters.get("mine").card.base_fingerprint == "other"
    assert [path.name for path in (tmp_path / "own").iterdir() if path.is_dir()] == ["mine"]


def test_a_damaged_choice_is_said(adapters, tmp_path: Path) -> None:
    (tmp_path / "own" / "active.json").write_text("{")
    with pytest.raises(UserError, match="delete this file"):
        adapters.active("fine_tuned")


def test_changed_and_missing_documents_make_an_adapter_stale(adapters: Adapters) -> None:
    card = adapters.get("mine").card
    assert stale_documents(card, {"a.md": "hash-a", "b.md": "hash-b", "c.md": "new"}.get) == []
    assert stale_documents(card, {"a.md": "changed", "b.md": "hash-b"}.get) == ["a.md"]
    assert stale_documents(card, {"a.md": "hash-a"}.get) == ["b.md"]


def test_who_learned_from_a_document(adapters: Adapters) -> None:
    assert learned_from(adapters.all(), "a.md") == ["mine", "fine_tuned", "hybrid"]
    assert learned_from(adapters.all(), "c.md") == []


def test_rolling_back_goes_through_what_was_active_before(adapters: Adapters, tmp_path: Path) -> None:
    save(tmp_path / "own" / "second")
    for name in ("mine", "second", "second"):
        adapters.activate(name)
    assert [adapters.roll_back("fine_tuned").name for _ in range(2)] == ["mine", "fine_tuned"]
    assert name_of(adapters, "fine_tuned") == "fine_tuned"
    with pytest.raises(UserError, match="no earlier adapter"):
        adapters.roll_back("fine_tuned")


def test_a_deleted_adapter_is_not_gone_back_to(adapters: Adapters, tmp_path: Path) -> None:
    save(tmp_path / "own" / "second")
    adapters.activate("mine")
    adapters.activate("second")
    adapters.delete("mine")
    assert adapters.roll_back("fine_tuned").name == "fine_tuned"


def test_a_visitors_own_adapters_come_before_the_workspaces(adapters: Adapters, tmp_path: Path) -> None:
    visitor = Adapters(tmp_path / "visitor", parent=adapters)
    adapters.activate("mine")
    assert name_of(visitor, "fine_tuned") == "mine"
    save(tmp_path / "visitor" / "private")
    visitor.activate("private")
    assert name_of(visitor, "fine_tuned") == "private"
    assert name_of(adapters, "fine_tuned") == "mine"
    assert [each.name for each in visitor.all()] == ["private", "mine", "fine_tuned", "hybrid"]
    with pytest.raises(UserError, match="belongs to the workspace"):
        visitor.delete("mine")
    visitor.delete("private")
    assert name_of(visitor, "fine_tuned") == "mine"


def test_two_activations_at_once_lose_neither(
    adapters: Adapters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reads the choices, changes its own kind and writes both: unlocked, the later undoes the other."""
    for number in range(6):
        save(tmp_path / "own" / f"f{number}")
        save(tmp_path / "own" / f"h{number}", "hybrid")
    meet = threading.Barrier(2)

    def activate(letter: str) -> None:
        own = Adapters(tmp_path / "own", tmp_path / "shipped")
        written = own._write

        def slowly(*given: Any) -> None:
            time.sleep(0.02)
            written(*given)

        monkeypatch.setattr(own, "_write", slowly)
        for number in range(6):
            meet.wait(10)
            own.activate(f"{letter}{number}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(activate, "fh"))
    assert (name_of(adapters, "fine_tuned"), name_of(adapters, "hybrid")) == ("f5", "h5")
    assert [adapters.previous(kind).name for kind in ("fine_tuned", "hybrid")] == ["f4", "h4"]  # type: ignore[union-attr]


def test_a_choice_taken_as_now_hears_of_no_later_one(adapters: Adapters, tmp_path: Path) -> None:
    then = adapters.as_now()
    adapters.activate("mine")
    save(tmp_path / "own" / "later")
    assert (name_of(then, "fine_tuned"), name_of(adapters, "fine_tuned")) == ("fine_tuned", "mine")
    assert "later" not in {each.name for each in then.all()}
    private = Adapters(tmp_path / "private", parent=adapters)
    then = private.as_now()
    adapters.activate("later")
    assert (name_of(then, "fine_tuned"), name_of(private, "fine_tuned")) == ("mine", "later")
