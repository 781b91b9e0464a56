"""Every package that the extra `scale` brings has a licence that it may be used under, and is listed."""

from __future__ import annotations

import re

from backends.system.components import FREE, LINKED, added_by, terms
from backends.system.files import ROOT
from tests.scale.conftest import needed

needed("obstore")
OLDER = {"python-dateutil"}  # than everything else has: constraints.txt has the other


def test_every_package_has_a_licence_is_listed_with_it_and_pinned() -> None:
    found = added_by("scale")
    assert {"psycopg", "procrastinate", "ray"} <= {each.name for each in found}
    listed = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    pins = re.sub("[-_.]+", "-", (ROOT / "constraints.txt").read_text("utf-8").lower())
    for each in found:
        assert set(terms(each.licence)) <= FREE | LINKED and each.licence, each
        assert re.search(rf"^\| {each.name} \| \S+ \| {re.escape(each.licence)} \|$", listed, re.M), each
        assert each.name in OLDER or re.search(rf"^{each.name}==", pins, re.M), each
