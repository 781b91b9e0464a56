"""The house rules: rooms, who may import whom, one door per heavy library: `python -m tests.imports`.

A room is a folder of `backends` or `pages`, or one of the modules that lie loose in `backends`.
`test_imports` holds the code to what stands here.
"""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("app.py"), *ROOT.glob("backends/**/*.py"), *ROOT.glob("pages/**/*.py")])
MOST_LOOSE = 8  # modules directly in backends/

COMMON = {"datatypes", "settings", "system"}  # what everyone may import
FOUR = {"rag", "fine_tuned", "hybrid", "base"}
# Rooms whose use cases people see, on pages and the command line.
SERVED = {
    "product",
    "search",
    "documents",
    "erasure",
    "answering",
    "training",
    "evaluation",
    "stress",
    "costs",
    "advice",
    "feedback",
    "access",
    "bulk",
    "offline",
}

# Room -> the rooms it may import besides COMMON and itself. Arrows go down only.
ARROWS: dict[str, set[str]] = {
    "datatypes": set(),
    "settings": set(),
    "system": set(),
    "documents": set(),
    "retrieval": set(),
    "language": set(),
    "costs": set(),
    "postgres": {"documents", "retrieval"},
    "access": {"postgres"},
    "answering": {"retrieval", "language", "costs"},
    **{backend: {"answering", "retrieval", "language"} for backend in FOUR},
    "training": {"answering", "retrieval", "language"},
    "evaluation": {"answering", "language", "postgres"},
    "feedback": {"answering", "evaluation", "postgres"},
    "erasure": {"documents", "training", "feedback", "access", "postgres"},
    "stress": {"evaluation", "answering", "language"},
    "advice": {"evaluation", "stress", "costs"},
    "offline": {
        "product", "fine_tuned", "hybrid", "rag", "answering", "documents", "retrieval", "language",
        "training", "evaluation", "stress", "costs", "erasure",
    },
    "bulk": {"documents", "retrieval", "evaluation", "product", "offline"},
    "search": {"documents", "retrieval", "training", "erasure"},
    "product": {
        *FOUR, "access", "erasure", "answering", "documents", "retrieval", "language", "training", "costs",
    },
    "cli": SERVED,
    "__main__": {"cli"},
    "pages.ui": SERVED,
    **{f"pages.{feature}": {"pages.ui"} | SERVED
       for feature in ("ask", "library", "tune", "evaluate", "stress", "costs", "advise", "about")},
    "app": {"pages.ui"},
}  # fmt: skip

# What goes against an arrow, and why: module -> rooms. A test fails on a line no longer true.
EXCEPTIONS: dict[str, set[str]] = {
    # The library holds what is derived from documents, passages and vectors, so that it goes with them.
    "backends.documents.library": {"retrieval"},
    "backends.documents.opening": {"retrieval", "postgres"},
    "backends.documents.storage": {"retrieval"},
    "backends.documents.preparing": {"retrieval"},
}  # fmt: skip

# Each heavy library, and the only modules that may load it; to name its types loads nothing.
DOORS: dict[str, set[str]] = {
    "faiss": {"backends.retrieval.index"},
    "sentence_transformers": {"backends.retrieval.other_embedder", "backends.training.embedder_training"},
    "transformers": {
        "backends.language.base_model",
        "backends.language.loading",
        "backends.language.network",
        "backends.training.embedder_training",
    },
    "peft": {
        "backends.language.base_model",
        "backends.language.loading",
        "backends.training.embedder_training",
        "backends.training.lora",
    },
    "ragas": {"backends.evaluation.ragas_judge"},
    "psycopg": {"backends.postgres.server", "backends.system.shared_jobs"},
    "psycopg_pool": {"backends.postgres.server"},
    "openai": {"backends.evaluation.ragas_judge", "backends.language.endpoint"},
    "obstore": {"backends.system.bucket_files"},
    "boto3": {"backends.system.bucket_files"},
    "procrastinate": {"backends.system.job_worker", "backends.system.shared_jobs"},
    "ray": {"backends.bulk.cluster"},
    "plotly": {
        "pages.ui.charts",
        "pages.ask.vote_charts",
        "pages.costs.cost_charts",
        "pages.evaluate.score_charts",
        "pages.library.health_charts",
        "pages.stress.stress_charts",
        "pages.tune.tuning_charts",
    },
}


def module_name(path: Path) -> str:
    """`backends.rag` for backends/rag.py; a package's `__init__` bears the name of the package."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def modules() -> dict[str, Path]:
    """Every module of ours by its name."""
    return {module_name(path): path for path in SOURCES}


@cache
def imports(module: str, *, for_types: bool = True) -> frozenset[str]:
    """Every module that this one imports, anywhere in it; of `from a import b` both `a` and `a.b`.

    Without `for_types` those that are imported for the type checker alone are left out.
    """
    found: set[str] = set()
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    checks = [each for each in ast.walk(tree) if isinstance(each, ast.If)]
    typed = {
        node for check in checks if ast.unparse(check.test) == "TYPE_CHECKING" for node in ast.walk(check)
    }
    for node in ast.walk(tree):
        if node in typed and not for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            found.add(str(node.module))
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def uses(module: str) -> set[str]:
    """The modules of ours that this one imports, without the packages they lie in."""
    found = {name for name in imports(module) if name in modules()}
    return {name for name in found if modules()[name].name != "__init__.py"} - {module}


def room_of(module: str) -> str:
    """`retrieval` for backends.retrieval.bm25, `pages.ask` for pages.ask.voting, `rag` for backends.rag."""
    parts = module.split(".")
    if parts[0] == "backends":
        return parts[1] if len(parts) > 1 else "backends"
    return ".".join(parts[:2])


def against_arrows() -> dict[str, set[str]]:
    """Module -> rooms that it imports although no arrow leads there."""
    found: dict[str, set[str]] = {}
    for module in modules():
        room = room_of(module)
        allowed = ARROWS.get(room, set()) | COMMON | {room}
        if room in COMMON:
            allowed = {"datatypes", room} if room != "datatypes" else set()
        if wrong := {room_of(used) for used in uses(module)} - allowed:
            found[module] = wrong
    return found


def circle() -> list[str]:
    """Modules that import each other in a ring; empty where there is none."""
    try:
        TopologicalSorter({module: uses(module) for module in modules()}).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


def names_used_twice() -> dict[str, list[str]]:
    """Names that two modules share, or a module and a folder of `backends`."""
    by_name: dict[str, list[str]] = {}
    for module, path in modules().items():
        if path.name not in ("__init__.py", "__main__.py") or module.startswith("backends."):
            by_name.setdefault(module.rpartition(".")[2], []).append(module)
    return {name: found for name, found in by_name.items() if len(found) > 1}


def classes_used_twice() -> dict[str, list[str]]:
    """Names of public classes that two modules share."""
    by_name: dict[str, list[str]] = {}
    for module, path in modules().items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                by_name.setdefault(node.name, []).append(module)
    return {name: found for name, found in by_name.items() if len(found) > 1}


def undocumented() -> tuple[list[str], int]:
    """(public names without a docstring, how many there are); a protocol speaks for its methods."""
    classes = [
        (module, node)
        for module, path in modules().items()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
    ]
    told = {
        each.name
        for _, node in classes
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
        for each in node.body
        if isinstance(each, ast.FunctionDef) and ast.get_docstring(each)
    }
    missing, count = [], 0
    for module, node in classes:
        inner = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else []
        for each in [node, *inner]:
            if isinstance(each, ast.FunctionDef | ast.ClassDef) and not each.name.startswith("_"):
                count += 1
                if not ast.get_docstring(each) and (each is node or each.name not in told):
                    missing.append(f"{module}.{each.name}")
    return missing, count


def loose() -> list[str]:
    """Modules directly in `backends/`, without the package's own `__init__` and `__main__`."""
    return sorted(path.stem for path in (ROOT / "backends").glob("*.py") if not path.stem.startswith("__"))


def as_text() -> str:
    """Rooms with what they may import, then what still goes against it, then the doors."""
    lines = [f"everyone may import {', '.join(sorted(COMMON))}", ""]
    lines += [f"{room:15} -> {', '.join(sorted(to)) or '-'}" for room, to in ARROWS.items()]
    lines += ["", "exceptions, to be emptied:"]
    lines += [f"  {module} -> {', '.join(sorted(to))}" for module, to in EXCEPTIONS.items()]
    lines += ["", "one door per heavy library:"]
    lines += [f"  {library:22} {', '.join(sorted(doors))}" for library, doors in DOORS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    print(as_text())
