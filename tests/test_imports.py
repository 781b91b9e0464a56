"""The house rules of `imports` hold, and README's file tree is true."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest

from tests import readme_tree
from tests.imports import (
    ARROWS,
    DOORS,
    EXCEPTIONS,
    MOST_LOOSE,
    ROOT,
    against_arrows,
    circle,
    classes_used_twice,
    imports,
    loose,
    modules,
    names_used_twice,
    room_of,
    undocumented,
)


def belongs(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_arrows_go_down_only() -> None:
    TopologicalSorter(ARROWS).prepare()


def test_every_room_is_known() -> None:
    assert {room_of(module) for module in modules()} - {"backends"} == set(ARROWS)


def test_imports_follow_the_arrows_but_for_named_exceptions() -> None:
    """A new line on the left breaks the rules; one missing there can be struck from EXCEPTIONS."""
    assert against_arrows() == EXCEPTIONS


def test_no_modules_import_each_other_in_a_ring() -> None:
    assert circle() == []


def test_no_name_in_two_rooms() -> None:
    assert names_used_twice() == {}


def test_no_two_public_classes_of_one_name() -> None:
    assert classes_used_twice() == {}


def test_few_modules_lie_loose_in_backends() -> None:
    assert len(loose()) <= MOST_LOOSE, loose()


@pytest.mark.parametrize("forbidden", ["streamlit", "plotly", "pages"])
def test_backends_know_no_page(forbidden: str) -> None:
    wrong = [
        f"{module} imports {used}"
        for module in modules()
        if belongs(module, "backends")
        for used in imports(module)
        if belongs(used, forbidden)
    ]
    assert wrong == []


def test_nothing_imports_a_page_script() -> None:
    wrong = [
        f"{module} imports {used}"
        for module in modules()
        for used in imports(module)
        if belongs(used, "pages") and used.endswith("_page")
    ]
    assert wrong == []


@pytest.mark.parametrize("library", DOORS)
def test_one_door_per_heavy_library(library: str) -> None:
    def loads(module: str) -> bool:
        return any(belongs(used, library) for used in imports(module, for_types=False))

    assert {module for module in modules() if loads(module)} <= DOORS[library]


def test_no_page_file_lies_directly_below_pages() -> None:
    """Such a file would switch on Streamlit's legacy page discovery, which fights `st.navigation`."""
    assert [path.name for path in (ROOT / "pages").glob("*.py") if path.name != "__init__.py"] == []


def test_readme_tree_is_true() -> None:
    readme = readme_tree.README.read_text(encoding="utf-8")
    assert readme == readme_tree.brought_up_to_date(readme), "run `make readme`"


def test_public_names_have_docstrings() -> None:
    missing, count = undocumented()
    assert len(missing) <= 0.05 * count, missing


def test_every_module_says_what_it_is_for() -> None:
    assert [module for module, path in modules().items() if not readme_tree.purpose(path)] == []
