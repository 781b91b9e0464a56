"""Zips of documents, unpacked for as long as they are read.

Enters: paths, some of them zips. Leaves: the same paths with a folder in the place of each zip, and the zips
that were refused. What comes out of a zip is counted while it is written, whatever the zip says about its
size; names that point elsewhere are kept inside the folder.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from backends.datatypes import Attachment, UserError
from backends.documents import limits

_STEP = 1 << 20  # bytes written between two looks at the limit
_ENCRYPTED = 0x1


def is_zip(path: Path) -> bool:
    """Whether a file is a zip by its name."""
    return path.suffix.lower() == ".zip" and path.is_file()


@contextmanager
def unpacked(paths: Iterable[Path]) -> Iterator[tuple[list[Path], list[tuple[str, str]]]]:
    """(paths and folders to read, (name, why) of each refused zip); the folders go with the block."""
    found: list[Path] = []
    refused: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="triptych-zip-") as place:
        for number, path in enumerate(paths):
            if not is_zip(path):
                found.append(path)
                continue
            folder = Path(place) / str(number)
            folder.mkdir()
            try:
                unpack(path, folder)
            except UserError as error:
                refused.append((path.name, str(error)))
            else:
                found.append(folder)
        yield found, refused


@contextmanager
def unpacked_attachments(
    attachments: Sequence[Attachment], name: str, depth: int
) -> Iterator[tuple[list[tuple[Path, str]], list[tuple[str, str]]]]:
    """((path, name) of each file that came within `name`, (name, why) of each refused); zips are opened.

    `depth` files lie one within the other already; more than MAX_NESTED are refused.
    """
    found: list[tuple[Path, str]] = []
    refused: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="triptych-attached-") as place:
        for number, attachment in enumerate(attachments):
            inner = f"{name}/{attachment.name}"
            path = Path(place) / str(number) / attachment.name
            path.parent.mkdir()
            path.write_bytes(attachment.data)
            if depth >= limits.MAX_NESTED:
                refused.append((inner, f"{inner} lies more than {limits.MAX_NESTED} files deep."))
            elif not is_zip(path):
                found.append((path, inner))
            else:
                try:
                    unpack(path, path.parent / "unpacked")
                except UserError as error:
                    refused.append((inner, str(error)))
                members = sorted(each for each in (path.parent / "unpacked").rglob("*") if each.is_file())
                within = (each.relative_to(path.parent / "unpacked").as_posix() for each in members)
                found += [(member, f"{inner}/{label}") for member, label in zip(members, within, strict=True)]
        yield found, refused


def unpack(path: Path, folder: Path) -> None:
    """Write the files of a zip below `folder`. UserError when it is broken, locked or too large."""
    name = path.name
    if path.stat().st_size > limits.MAX_ZIP_BYTES:
        raise UserError(
            f"{name} has {path.stat().st_size / limits.MB:.0f} MB; "
            f"zips of up to {limits.MAX_ZIP_BYTES // limits.MB} MB are read."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if _wanted(member)]
            _check(members, name)
            left = limits.MAX_UNPACKED
            for member in members:
                target = folder.joinpath(*_parts(member.filename))
                target.parent.mkdir(parents=True, exist_ok=True)
                left -= _write(archive, member, target, left, name)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise UserError(
            f"{name} is broken or not a real zip file ({error or type(error).__name__})."
        ) from error


def _check(members: list[zipfile.ZipInfo], name: str) -> None:
    if not members:
        raise UserError(f"{name} holds no files.")
    if len(members) > limits.MAX_ZIP_FILES:
        raise UserError(
            f"{name} holds {len(members):,} files; zips of up to {limits.MAX_ZIP_FILES:,} files are read."
        )
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise UserError(f"{name} is protected with a password; unpack it and add its files.")
    total = sum(member.file_size for member in members)
    if total > limits.MAX_UNPACKED:
        raise UserError(_too_much(name, f"{total / limits.MB:,.0f}"))


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, most: int, name: str) -> int:
    """Unpack one file; returns its bytes."""
    written = 0
    with archive.open(member) as source, target.open("wb") as out:
        while part := source.read(_STEP):
            written += len(part)
            if written > most:
                raise UserError(_too_much(name, f"more than {limits.MAX_UNPACKED // limits.MB:,}"))
            out.write(part)
    return written


def _too_much(name: str, megabytes: str) -> str:
    return f"{name} unpacks to {megabytes} MB; zips of up to {limits.MAX_UNPACKED // limits.MB} MB are read."


def _wanted(member: zipfile.ZipInfo) -> bool:
    """Files, but not those that systems hide or leave behind."""
    parts = _parts(member.filename)
    return bool(parts) and not member.is_dir() and not any(_hidden(part) for part in parts)


def _hidden(part: str) -> bool:
    return part.startswith((".", "~$")) or part in ("__MACOSX", "Thumbs.db", "desktop.ini")


def _parts(filename: str) -> list[str]:
    """The path inside the zip, with nothing that leads out of it."""
    parts = PurePosixPath(filename.replace("\\", "/")).parts
    return [part for part in parts if part not in ("/", "..", ".") and not part.endswith(":")]
