"""The house rules: who may import whom, one door per heavy library, and a true file tree in README."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import readme_tree
from tests.readme_tree import purpose

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("app.py"), *ROOT.glob("backends/**/*.py"), *ROOT.glob("pages/**/*.py")])

# Each heavy library, and the only modules that may import it.
DOORS = {
    "faiss": {"backends.corpus.index"},
    "sentence_transformers": {"backends.corpus.embedding"},
    "transformers": {"backends.language.generation", "backends.language.training"},
    "peft": {"backends.language.generation", "backends.language.training", "backends.language.adapters"},
    "ragas": {"backends.measure.ragas_judge"},
    "openai": {"backends.measure.ragas_judge"},
    "plotly": {
        "pages.ui.charts",
        "pages.ui.cost_charts",
        "pages.ui.health_charts",
        "pages.ui.score_charts",
        "pages.ui.stress_charts",
        "pages.ui.tuning_charts",
        "pages.ui.vote_charts",
    },
}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Every module a file imports, anywhere in it; `from a import b` counts as `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(str(node.module))
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def belongs(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def broken(users: str, forbidden: str) -> list[str]:
    """Imports of `forbidden` from within `users`."""
    return [
        f"{module_name(path)} imports {module}"
        for path in SOURCES
        if belongs(module_name(path), users)
        for module in sorted(imports(path))
        if belongs(module, forbidden)
    ]


@pytest.mark.parametrize(
    ("users", "forbidden"),
    [
        ("backends", "streamlit"),
        ("backends", "plotly"),
        ("backends", "pages"),
        ("backends.corpus", "backends.language"),
        ("backends.language", "backends.corpus"),
        ("backends.corpus", "backends.measure"),
        ("backends.language", "backends.measure"),
        ("backends.jobs", "backends.corpus"),
        ("backends.jobs", "backends.language"),
    ],
)
def test_rooms_that_do_not_know_each_other(users: str, forbidden: str) -> None:
    assert broken(users, forbidden) == []


def test_records_import_nothing_of_ours() -> None:
    path = ROOT / "backends" / "datatypes.py"
    assert [module for module in imports(path) if belongs(module, "backends")] == []


def test_nothing_imports_a_page() -> None:
    allowed = ("pages.ui",)
    wrong = [
        f"{module_name(path)} imports {module}"
        for path in SOURCES
        for module in imports(path)
        if belongs(module, "pages") and module != "pages" and not any(belongs(module, ok) for ok in allowed)
    ]
    assert wrong == []


@pytest.mark.parametrize("library", DOORS)
def test_one_door_per_heavy_library(library: str) -> None:
    users = {
        module_name(path) for path in SOURCES if any(belongs(module, library) for module in imports(path))
    }
    assert users <= DOORS[library]


def test_no_page_file_lies_directly_below_pages() -> None:
    """Such a file would switch on Streamlit's legacy page discovery, which fights `st.navigation`."""
    assert [path.name for path in (ROOT / "pages").glob("*.py") if path.name != "__init__.py"] == []


def test_readme_tree_is_true() -> None:
    readme = readme_tree.README.read_text(encoding="utf-8")
    assert readme == readme_tree.with_tree(readme), "run `make readme`"


def test_every_module_says_what_it_is_for() -> None:
    assert [module_name(path) for path in SOURCES if path.name != "__init__.py" and not purpose(path)] == []
