"""Zips: what is inside is read by its path there, nothing gets out of the folder, too much is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from backends.datatypes import UserError
from backends.documents import limits
from backends.documents.archives import unpack, unpacked


def make_zip(path: Path, files: Mapping[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_paths_are_kept_and_clutter_is_not(tmp_path: Path) -> None:
    files = {
        "hr/leave.md": "30 days",
        "a.txt": "A",
        "__MACOSX/._a.txt": "x",
        ".hidden/b.txt": "x",
        "~$a.docx": "x",
    }
    archive, plain = make_zip(tmp_path / "a.zip", files), tmp_path / "plain.txt"
    with unpacked([plain, archive]) as (found, refused):
        assert found[0] == plain and refused == []
        assert tree(found[1]) == ["a.txt", "hr/leave.md"]
        assert (found[1] / "hr/leave.md").read_text() == "30 days"
    assert not found[1].exists()


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    names = ("../../out.txt", "/etc/abs.txt", "c:\\win\\w.txt", "ok/../x.txt")
    unpack(make_zip(tmp_path / "a.zip", dict.fromkeys(names, "x")), inside)
    assert tree(inside) == ["etc/abs.txt", "ok/x.txt", "out.txt", "win/w.txt"]
    assert tree(tmp_path) == ["a.zip", *(f"inside/{name}" for name in tree(inside))]


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("MAX_ZIP_FILES", 2, "holds 3 files; zips of up to 2 files are read."),
        ("MAX_UNPACKED", limits.MB, "unpacks to 3 MB; zips of up to 1 MB are read."),
        ("MAX_ZIP_BYTES", 0, "zips of up to 0 MB are read."),
    ],
)
def test_too_much_is_refused_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str
) -> None:
    archive = make_zip(tmp_path / "a.zip", {f"{n}.txt": b"\0" * limits.MB for n in range(3)})
    monkeypatch.setattr(limits, limit, value)
    with unpacked([archive]) as (found, refused):
        assert found == []
        ((name, reason),) = refused
    assert name == "a.zip" and reason.startswith("a.zip ") and reason.endswith(words)


def test_a_zip_that_lies_about_its_size_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.txt": b"\0" * 3 * limits.MB})
    data = archive.read_bytes()
    archive.write_bytes(data.replace((3 * limits.MB).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    monkeypatch.setattr(limits, "MAX_UNPACKED", limits.MB)
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(UserError):
        unpack(archive, folder)
    assert sum(path.stat().st_size for path in folder.rglob("*")) <= limits.MB


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"plain words"])
def test_what_is_no_zip_gets_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with unpacked([tmp_path / "a.zip"]) as (_, refused):
        assert refused[0][1].startswith("a.zip is broken or not a real zip file")


def test_an_empty_or_locked_zip_gets_a_sentence(tmp_path: Path) -> None:
    empty, locked = make_zip(tmp_path / "empty.zip", {}), make_zip(tmp_path / "locked.zip", {"a.txt": "x"})
    data = bytearray(locked.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # where each header keeps its flags
        data[data.index(mark) + offset] |= 1
    locked.write_bytes(data)
    with unpacked([empty, locked]) as (_, refused):
        assert [reason for _, reason in refused] == [
            "empty.zip holds no files.",
            "locked.zip is protected with a password; unpack it and add its files.",
        ]
