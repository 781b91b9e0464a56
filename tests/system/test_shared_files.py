"""Files that machines share, in a folder; `tests/scale/test_bucket_files.py` asks the same of a bucket."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from backends.datatypes import UserError
from backends.system.file_places import open_files
from backends.system.mirrored_folder import MirroredFolder
from backends.system.shared_files import (
    BLOBS,
    FolderFiles,
    SharedFiles,
    StoredFile,
    blob,
    digest,
    keep_blob,
)


@pytest.fixture
def files(tmp_path: Path) -> SharedFiles:
    return open_files(str(tmp_path / "shared"))


def check_files(files: SharedFiles) -> None:
    """What every place of shared files promises."""
    assert files.get("a/one") is None and not files.holds("a/one") and files.keys() == []
    files.put("a/one", b"first")
    files.put("b/two", b"")
    assert files.holds("a/one") and files.keys() == ["a/one", "b/two"] and files.keys("a/") == ["a/one"]
    found = files.get("a/one")
    assert found is not None and found.data == b"first"
    assert not files.swap("a/one", b"lost", None) and not files.swap("a/three", b"lost", found.mark)
    assert files.swap("a/one", b"second", found.mark) and not files.swap("a/one", b"lost", found.mark)
    assert files.swap("a/three", b"new", None)
    again = files.get("a/one")
    assert again is not None and again.data == b"second"
    read = {name.split(" (")[0].rpartition(": ")[2]: b"".join(data) for name, data in files.dumps()}
    assert {"a/one", "a/three", "b/two"} <= set(read) and read["a/three"] == b"new"
    for key in ("a/one", "a/three", "b/two", "never there"):
        files.remove(key)
    assert files.keys() == [] and list(files.dumps()) == []


def test_of_many_swaps_at_once_one_is_done(files: SharedFiles) -> None:
    files.put("index", b"0")
    found = files.get("index")
    assert found is not None
    done: list[bool] = []
    threads = [
        threading.Thread(target=lambda n=n: done.append(files.swap("index", b"%d" % n, found.mark)))
        for n in range(1, 7)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False] * 5 + [True]


def check_machines(files: SharedFiles, folder: Path) -> None:
    """Two machines have the same entries, whoever made, changed or removed them."""
    one, two = (Machine(files, folder / name) for name in ("one", "two"))
    one.write(x={"weights": "11", "card": "x"}, y={"card": "y"})
    two.exchange()
    assert two.read() == one.read() == {"x/weights": "11", "x/card": "x", "y/card": "y"}
    two.write(x={"weights": "22"}, choice="x")
    two.remove("y")
    one.write(z={"card": "z"})
    two.exchange()
    assert one.read() == two.read() == {"x/weights": "22", "z/card": "z", "choice": "x"}
    kept = {digest(data) for data in (b"22", b"z", b"x")}
    assert {key.removeprefix(BLOBS) for key in files.keys(BLOBS)} == kept


class Machine:
    """A folder of one machine, and what it tells others."""

    def __init__(self, files: SharedFiles, folder: Path) -> None:
        self.folder = folder
        self.mirror = MirroredFolder(files, "things", folder)

    def write(self, **entries: dict[str, str] | str) -> None:
        for name, contents in entries.items():
            self.remove(name, tell=False)
            for path, text in ({name: contents} if isinstance(contents, str) else contents).items():
                target = self.folder / name / path if isinstance(contents, dict) else self.folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
        self.exchange()

    def remove(self, name: str, *, tell: bool = True) -> None:
        for path in sorted((self.folder / name).rglob("*"), reverse=True):
            path.unlink()
        if (self.folder / name).is_dir():
            (self.folder / name).rmdir()
        if tell:
            self.exchange()

    def exchange(self) -> None:
        self.mirror.exchange()

    def read(self) -> dict[str, str]:
        found = (path for path in self.folder.rglob("*") if path.is_file() and path.name[0] != ".")
        return {path.relative_to(self.folder).as_posix(): path.read_text() for path in found}


def test_a_folder_keeps_what_shared_files_promise(files: SharedFiles) -> None:
    check_files(files)


def test_machines_have_the_same_entries(files: SharedFiles, tmp_path: Path) -> None:
    check_machines(files, tmp_path)


def test_a_blob_is_named_by_its_contents_and_damage_is_told(files: SharedFiles, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"contents")
    keep_blob(files, tmp_path / "file")
    named = digest(b"contents")
    assert blob(files, named) == b"contents"
    files.put(BLOBS + named, b"other contents")
    with pytest.raises(UserError, match="damaged"):
        blob(files, named)
    files.remove(BLOBS + named)
    with pytest.raises(UserError, match="holds no file"):
        blob(files, named)


class Silent(FolderFiles):
    """Does not answer until it is told to."""

    silent = True

    def get(self, key: str) -> StoredFile | None:
        if self.silent:
            raise UserError("The files do not answer.")
        return super().get(key)


def test_what_could_not_be_shared_is_shared_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = Silent(tmp_path / "shared")
    one, two = (Machine(files, tmp_path / name) for name in ("one", "two"))
    with caplog.at_level(logging.WARNING):
        one.write(x={"card": "x"})
    assert "tried again later" in caplog.text and one.read() == {"x/card": "x"}
    files.silent = False
    assert MirroredFolder(files, "things", one.folder).outdated()
    one.exchange()
    assert not MirroredFolder(files, "things", one.folder).outdated()
    assert MirroredFolder(files, "things", two.folder).outdated()
    two.exchange()
    assert two.read() == {"x/card": "x"}


def test_folders_of_one_name_made_on_two_machines_both_stay(tmp_path: Path) -> None:
    files = open_files(str(tmp_path / "shared"))
    one, two = (Machine(files, tmp_path / name) for name in ("one", "two"))
    (two.folder / "x").mkdir(parents=True)
    (two.folder / "x/card").write_text("of two")
    (two.folder / "choice").write_text("of two")
    one.write(x={"card": "of one"}, choice="of one")
    two.exchange()
    one.exchange()
    assert one.read() == {"x/card": "of one", "choice": "of one"}
    assert two.read() == {"x/card": "of two", "choice": "of one"}
    one.remove("x")
    two.exchange()
    one.exchange()
    assert one.read() == two.read() == {"x/card": "of two", "choice": "of one"}
