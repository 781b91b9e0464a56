"""Every package that an install brings has a licence that it may be built on, and stands in the bill."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from backends.system import components
from backends.system.components import FREE, ROOT, Component, bill, licence_of, terms
from backends.system.files import ROOT as FOLDER


@pytest.fixture(scope="module")
def found() -> list[Component]:
    return components.components()


def test_every_package_has_a_licence_that_is_known_and_free(found: list[Component]) -> None:
    assert len(found) > 50
    unknown = {
        each.name: each.licence for each in found if not {*terms(each.licence)} <= FREE or not each.licence
    }
    assert not unknown


def test_the_bill_names_every_package_and_what_it_needs(found: list[Component]) -> None:
    made = json.loads(json.dumps(bill(found)))
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", made["serialNumber"])
    refs = [each["bom-ref"] for each in made["components"]]
    assert len({*refs}) == len(refs) == len(found) - 1
    assert made["metadata"]["component"]["name"] == ROOT
    named = {*refs, made["metadata"]["component"]["bom-ref"]}
    assert {each["ref"] for each in made["dependencies"]} == named
    assert all({*each["dependsOn"]} <= named for each in made["dependencies"])
    torch = next(each for each in made["components"] if each["name"] == "torch")
    assert re.fullmatch(r"pkg:pypi/torch@[\d.]+", torch["purl"])
    assert bill(found) == bill(components.components())


def test_direct_dependencies_are_pinned_and_listed(found: list[Component]) -> None:
    import tomllib

    project = tomllib.loads((FOLDER / "pyproject.toml").read_text("utf-8"))["project"]
    direct = {re.split(r"[=\[]", line)[0].lower() for line in project["dependencies"]}
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in project["dependencies"])
    assert direct <= {each.name for each in found}
    listed = (FOLDER / "docs" / "dependencies.md").read_text("utf-8")
    assert all(f"| {name} | " in listed for name in direct)
    pins = (FOLDER / "constraints.txt").read_text("utf-8").lower()
    assert all(re.search(rf"^{name}==", pins, re.M) for name in direct)


def test_packages_of_extras_are_pinned_and_listed() -> None:
    import tomllib

    extras = tomllib.loads((FOLDER / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    listed = (FOLDER / "docs" / "dependencies.md").read_text("utf-8").partition("## What extras add")[2]
    pins = (FOLDER / "constraints.txt").read_text("utf-8").lower()
    for extra, lines in extras.items():
        assert all(re.fullmatch(r"[\w.-]+(\[[\w,]+\])?==[\w.]+", line) for line in lines), extra
        names = {re.split(r"[=\[]", line)[0].lower() for line in lines}
        assert extra == "dev" or all(f"| {name} | " in listed for name in names), extra
        assert extra == "ragas" or all(re.search(rf"^{name}==", pins, re.M) for name in names), extra


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        ("License-Expression: MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("License: BSD-3-Clause", "BSD-3-Clause"),
        ("License: Apache License, Version 2.0", "Apache-2.0"),
        ("Classifier: License :: OSI Approved :: MIT License", "MIT"),
        ("Classifier: License :: OSI Approved :: GNU General Public License (GPL)", ""),
        ("License: GPL-3.0", ""),
        ("Summary: nothing is said", ""),
    ],
)
def test_licences_by_a_packages_own_words(tmp_path: Path, lines: str, licence: str) -> None:
    folder = tmp_path / "some-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: some\nVersion: 1\n{lines}\n")
    assert licence_of(Distribution.at(folder)) == licence
