"""Writes what ARCHITECTURE.md says of the code: the file tree, and the lines of the functions it names.

`make readme` does it. A test compares, so that a new file, a changed purpose or a moved function cannot be
forgotten.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "ARCHITECTURE.md"
BLOCK = re.compile(r"(<!-- tree:start -->\n).*?(<!-- tree:end -->)", re.DOTALL)
CODE = ("app.py", "launch", "backends", "pages")
PLACE = re.compile(r"`([\w/]+\.py):(\d+)` `([\w.]+)`")  # `file.py:line` `Class.function`
WIDTH = 30  # column of the descriptions

# What is not a module, and so cannot say itself what it is for.
REST = {
    "models/": "the reading adapter, the sample's adapters, MODEL_CARD.md and the recipes",
    "sample_corpus/": "documents of a fictional company, questions, training rows, price book",
    "benchmarks/": "what is measured, and how",
    "docs/": "results.md, readers.md, pages.md, screenshots",
    "tests/": "mirrors backends/ and pages/; browser/ drives a real browser",
    ".ci/": "run: everything a change must pass",
    ".streamlit/": "the theme, light and dark",
    "Makefile": "demo, test, lint, format, bench, readme",
    "pyproject.toml": "the package, its pinned dependencies, tool settings",
    "constraints.txt": "every version of a tested install",
    "requirements-model.txt": "the package that carries the language model's weights, by its hash",
    "constraints-ragas.txt": "what the optional RAGAS library brings on top of it",
}


def purpose(path: Path) -> str:
    """First line of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n")[0].removesuffix(".")


def tree() -> str:
    """The tree as ARCHITECTURE.md shows it: a line per module, files before folders, then the rest."""
    lines: list[str] = []
    shown: set[Path] = set()
    for top in CODE:
        start = ROOT / top
        for path in [start] if start.is_file() else sorted(start.rglob("*.py"), key=_order):
            if path.name == "__init__.py" or not path.exists():
                continue
            inner = path.relative_to(ROOT)
            for folder in reversed(inner.parents[:-1]):
                if folder not in shown:
                    shown.add(folder)
                    lines.append("  " * (len(folder.parts) - 1) + folder.name + "/")
            lines.append(_line("  " * (len(inner.parts) - 1) + path.name, purpose(path)))
    lines += [_line(name, text) for name, text in REST.items() if (ROOT / name).exists()]
    return "\n".join(lines)


def _order(path: Path) -> tuple[tuple[bool, str], ...]:
    """Files of a folder before its sub-folders."""
    parts = path.relative_to(ROOT).parts
    return tuple((at < len(parts) - 1, part) for at, part in enumerate(parts))


def _line(name: str, text: str) -> str:
    return f"{name:<{WIDTH}} {text}"


def with_tree(readme: str) -> str:
    return BLOCK.sub(lambda found: f"{found[1]}```\n{tree()}\n```\n{found[2]}", readme)


def line_of(path: Path, function: str) -> int:
    """The line on which a function or method is defined; KeyError when there is none of this name."""
    lines: dict[str, int] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        lines |= {f"{prefix}{each.name}": each.lineno for each in inner if isinstance(each, ast.FunctionDef)}
    return lines[function]


def with_lines(readme: str) -> str:
    """Every function that is named with a place stands at that line."""
    return PLACE.sub(lambda m: f"`{m[1]}:{line_of(ROOT / m[1], m[3])}` `{m[3]}`", readme)


def brought_up_to_date(readme: str) -> str:
    return with_lines(with_tree(readme))


if __name__ == "__main__":
    README.write_text(brought_up_to_date(README.read_text(encoding="utf-8")), encoding="utf-8")
