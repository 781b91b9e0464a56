"""Reading in another process: the same results, and a sentence whatever a reader does there."""

from __future__ import annotations

import os
import platform
import select
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backends.datatypes import PasswordNeeded, UserError
from backends.documents.parsing import parse_file
from backends.documents.reader_pool import Cancelled, Limits, ReaderProcess, Readers
from tests.documents.test_parsing import make_pdf, make_xlsx, password_pdf

MB = 1024 * 1024


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    made = Readers(Limits(seconds=20, memory=600 * MB), "tests.documents.misbehaving")
    yield made
    made.close()


def write(folder: Path, text: str, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def who(readers: Readers, folder: Path) -> int:
    """The process that reads next."""
    return int(readers.parse(write(folder, "who", "who.txt")).text)


def test_the_same_result_as_reading_here(tmp_path: Path, readers: Readers) -> None:
    make_pdf(tmp_path / "a.pdf")
    make_xlsx(tmp_path / "b.xlsx")
    write(tmp_path, "Plan,Price,Note\nTeam,24 EUR,größer", "c.csv")
    write(tmp_path, "# Title\n\nSome *words* of the text that go on.", "d.md")
    for path in sorted(tmp_path.iterdir()):
        assert readers.parse(path) == parse_file(path)
    assert readers.parse(tmp_path / "d.md", "stored-elsewhere.md") == parse_file(tmp_path / "d.md")


def test_what_a_reader_left_out_comes_through(tmp_path: Path, readers: Readers) -> None:
    assert readers.parse(write(tmp_path, "leave out")).notes == ("page 2 is an image",)


def test_one_warm_process_reads_file_after_file(tmp_path: Path, readers: Readers) -> None:
    assert who(readers, tmp_path) == who(readers, tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "abort",
            "a.txt could not be read: the program that reads it crashed (signal 6). The file may be damaged.",
        ),
        (
            "exit",
            "a.txt could not be read: the program that reads it ended (status 3). The file may be damaged.",
        ),
        ("eat", "a.txt needs more memory than it may take."),
        ("overflow", "a.txt is nested too deeply to be read."),
    ],
)
def test_what_a_reader_does_becomes_a_sentence(
    tmp_path: Path, readers: Readers, text: str, sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        readers.parse(write(tmp_path, text))
    assert str(caught.value) == sentence
    assert readers.parse(write(tmp_path, "The next file.")).text == "The next file."


def test_an_endless_loop_ends_at_the_limit(tmp_path: Path) -> None:
    readers = Readers(Limits(seconds=2), "tests.documents.misbehaving")
    try:
        before = who(readers, tmp_path)
        with pytest.raises(UserError, match=r"^a\.txt takes longer than 2 seconds to read"):
            readers.parse(write(tmp_path, "loop"))
        assert who(readers, tmp_path) != before
    finally:
        readers.close()


def test_cancelling_ends_the_reading_at_once(tmp_path: Path, readers: Readers) -> None:
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled):
        readers.parse(write(tmp_path, "loop"), cancel=cancel)


def test_chatter_does_not_garble_the_answer(tmp_path: Path, readers: Readers) -> None:
    assert readers.parse(write(tmp_path, "talk")).text == "talk"


def test_what_is_no_answer_is_an_error(tmp_path: Path, readers: Readers) -> None:
    before = who(readers, tmp_path)
    with pytest.raises(UserError, match="could not be read"):
        readers.parse(write(tmp_path, "garble"))
    assert who(readers, tmp_path) != before


def test_a_process_that_has_grown_is_replaced_without_a_word(tmp_path: Path, readers: Readers) -> None:
    before = who(readers, tmp_path)
    assert readers.parse(write(tmp_path, "grow")).text == "grow"
    assert who(readers, tmp_path) != before


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in ("x86_64", "aarch64"),
    reason="the system cannot take the network from a process",
)
def test_the_process_and_what_it_starts_can_open_no_connection(tmp_path: Path, readers: Readers) -> None:
    assert readers.parse(write(tmp_path, "connect")).text.strip() == "refused"


def test_the_process_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    readers = Readers(Limits(seconds=20), "tests.documents.misbehaving")
    names = readers.parse(write(tmp_path, "environment")).text.split()
    readers.close()
    assert "PATH" in names and "SOME_API_KEY" not in names


def test_passwords_and_refusals_come_through(tmp_path: Path, readers: Readers) -> None:
    path = tmp_path / "locked.pdf"
    path.write_bytes(password_pdf())
    with pytest.raises(PasswordNeeded, match="give the password"):
        readers.parse(path)
    with pytest.raises(PasswordNeeded, match="none of the passwords"):
        readers.parse(path, passwords=["wrong"])
    assert readers.parse(path, passwords=["wrong", "secret"]).text == "hidden"
    with pytest.raises(UserError, match=r"empty \(0 bytes\)"):
        readers.parse(write(tmp_path, ""))


def test_several_files_at_once(tmp_path: Path, readers: Readers) -> None:
    paths = [write(tmp_path, f"File number {number}.", f"{number}.txt") for number in range(24)]
    with ThreadPoolExecutor(6) as pool:
        texts = [parsed.text for parsed in pool.map(readers.parse, paths)]
    assert texts == [f"File number {number}." for number in range(24)]


def test_a_file_that_unpacks_to_too_much_for_memory(tmp_path: Path) -> None:
    """A small docx whose XML is large: within the limit for archives, beyond that for memory."""
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
        with archive.open("word/document.xml", "w") as part:
            part.write(f"<w:document {space}><w:body>".encode())
            for _ in range(16):
                part.write(b"<w:p/>" * (MB // 6))
            part.write(b"</w:body></w:document>")
    assert path.stat().st_size < MB
    readers = Readers(Limits(seconds=60, memory=300 * MB))
    try:
        with pytest.raises(UserError, match=r"^bomb\.docx "):
            readers.parse(path)
    finally:
        readers.close()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux to wait for another's process")
def test_the_process_ends_when_the_app_does() -> None:
    code = (
        "import os; from backends.documents.reader_pool import ReaderProcess; "
        "print(ReaderProcess().pid, flush=True); os._exit(0)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert gone(int(shown.stdout))


def gone(pid: int) -> bool:
    """Whether a process of that number ends within some seconds."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 20)[0])
    finally:
        os.close(process)


def test_closing_ends_the_process() -> None:
    reader = ReaderProcess()
    assert reader.alive
    reader.close()
    assert not reader.alive
