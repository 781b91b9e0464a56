"""Viewers: roles are names, and no folder is named by a word that somebody typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.datatypes import UserError
from backends.system.viewers import check_roles, folders_of, person_and_role, viewer_folder, viewer_id


@pytest.mark.parametrize("role", ["x/../../../outside", "..", ".hidden", "a\\b", "a~b", "a\0b", "", "r" * 41])
def test_a_role_name_that_leads_out_of_the_workspace_is_refused(role: str) -> None:
    with pytest.raises(UserError, match="cannot name a role"):
        check_roles(["finance", role])


def test_a_role_is_a_name_in_any_script() -> None:
    assert check_roles([" finance ", "Řízení 2", "法務", "finance", "R&D".replace("&", "-")]) == (
        "finance", "Řízení 2", "法務", "R-D",
    )  # fmt: skip


@given(st.text(max_size=60))
def test_no_path_is_built_from_what_a_visitor_types(role: str) -> None:
    """Also for roles that came in before they were checked."""
    workspace = Path("/workspace")
    folder = viewer_folder(workspace, "ada", role)
    assert folder.parent == workspace / "visitors" and folder.resolve() == folder
    assert role not in folder.name or len(role) < 2 or set(role) <= set("0123456789abcdef~")
    assert folder != viewer_folder(workspace, "ada") != viewer_folder(workspace, "ada", f"{role}.")


def test_a_person_is_checked_too() -> None:
    with pytest.raises(UserError):
        viewer_folder(Path("/workspace"), "../ada")


def test_a_persons_folders_are_those_of_all_views(tmp_path: Path) -> None:
    for folder in (viewer_folder(tmp_path, "ada"), viewer_folder(tmp_path, "ada", "finance")):
        folder.mkdir(parents=True)
    viewer_folder(tmp_path, "ada2").mkdir()
    assert set(folders_of(tmp_path, "ada")) == {
        viewer_folder(tmp_path, "ada"), viewer_folder(tmp_path, "ada", "finance"),
    }  # fmt: skip
    assert person_and_role(viewer_id("ada", "finance")) == ("ada", "finance")
    assert person_and_role(viewer_id("ada", None)) == ("ada", None)
