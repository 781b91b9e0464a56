"""Files to plain text with pages.

Enters: one file. Leaves: a `ParsedFile` whose text holds one paragraph, list item or table row a line,
headings as "# Heading" lines, and blank lines between blocks; that is what `chunking` relies on. It knows
nothing of the library. Each family's parser lives in `parsers` and imports its reader only when it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from backends.datatypes import JsonValue, ParsedFile, UserError
from backends.documents import limits
from backends.documents.parsers.languages import language

# suffix -> (document type, module in `parsers`)
_FAMILIES: Mapping[str, tuple[str, str]] = {
    ".md": ("markdown", "markdown"),
    ".markdown": ("markdown", "markdown"),
    ".txt": ("text", "plain_text"),
    ".text": ("text", "plain_text"),
    ".log": ("text", "plain_text"),
    ".sql": ("text", "plain_text"),
    ".rst": ("text", "rst"),
    ".org": ("text", "org"),
    ".rtf": ("rtf", "rtf"),
    ".json": ("json", "data"),
    ".jsonl": ("json", "data"),
    ".ndjson": ("json", "data"),
    ".ipynb": ("notebook", "data"),
    ".csv": ("csv", "tables"),
    ".tsv": ("csv", "tables"),
    ".xlsx": ("xlsx", "tables"),
    ".xlsm": ("xlsx", "tables"),
    ".xls": ("xls", "tables"),
    ".xlsb": ("xls", "tables"),
    ".ods": ("ods", "tables"),
    ".pdf": ("pdf", "pdf"),
    ".docx": ("docx", "word_xml"),
    ".pptx": ("pptx", "powerpoint_xml"),
    ".odt": ("odt", "odt"),
    ".doc": ("doc", "legacy"),
    ".ppt": ("ppt", "legacy"),
    ".db": ("database", "database"),
    ".sqlite": ("database", "database"),
    ".sqlite3": ("database", "database"),
    ".html": ("html", "web"),
    ".htm": ("html", "web"),
    ".xhtml": ("html", "web"),
    ".xml": ("xml", "xml"),
    ".epub": ("epub", "web"),
    ".eml": ("email", "mail"),
    ".msg": ("email", "mail"),
}
SUPPORTED: Mapping[str, str] = {suffix: kind for suffix, (kind, _) in _FAMILIES.items()}


def check_size(path: Path) -> None:
    """UserError when the file is empty or larger than may be read."""
    if not path.exists():
        raise UserError(f"There is no file {path}.")
    size = path.stat().st_size
    if size == 0:
        raise UserError(f"{path.name} is empty (0 bytes).")
    if size > limits.MAX_BYTES:
        raise UserError(
            f"{path.name} has {size / limits.MB:.1f} MB; "
            f"files of up to {limits.MAX_BYTES // limits.MB} MB are read."
        )


def parse_file(path: Path, name: str | None = None, passwords: Sequence[str] = ()) -> ParsedFile:
    """Read one file; `name` stands in for the path's own where the file was stored under another.

    It runs in this process: what strangers send is read through `reader_pool`. Raises PasswordNeeded when the
    file opens with a password that is not among `passwords`, else UserError, with one sentence, for whatever
    cannot be read: empty, too large, unsupported, broken, encrypted, or holding no text.
    """
    name = name or path.name
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in _FAMILIES:
        known = ", ".join(sorted({kind.lstrip(".") for kind in _FAMILIES}))
        raise UserError(
            f"{name} is of a kind that is not read ({suffix or 'no suffix'}); these are: {known}."
        )
    check_size(path)
    kind, module = _FAMILIES[suffix]
    parse: Callable[..., ParsedFile] = importlib.import_module(f"backends.documents.parsers.{module}").parse
    options: dict[str, JsonValue] = {"passwords": passwords} if kind == "pdf" else {}
    try:
        parsed = parse(path, kind, PurePosixPath(name).name, **options)
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{name} needs more memory than it may take.") from error
    except ModuleNotFoundError as error:
        raise UserError(
            f"{name} cannot be read: the package {error.name} is not installed. Run make install."
        ) from error
    except RecursionError as error:
        raise UserError(f"{name} is nested too deeply to be read.") from error
    except Exception as error:  # readers raise whatever they like about a broken file
        raise UserError(f"{name} is broken or not a real {kind} file ({_reason(error)}).") from error
    if not any(character.isalnum() for character in parsed.text):
        raise UserError(f"{name} holds no readable text.")
    if len(parsed.text) > limits.MAX_CHARACTERS:
        raise UserError(
            f"{name} holds {len(parsed.text):,} characters; "
            f"documents of up to {limits.MAX_CHARACTERS:,} are read."
        )
    notes = (*parsed.notes, *_lost_letters(parsed.text))
    return replace(parsed, language=language(parsed.text), notes=notes)


def _lost_letters(text: str) -> tuple[str, ...]:
    count = text.count("\ufffd")
    return (f"letters that cannot be read, shown as \ufffd: {count}",) if count else ()


def _reason(error: Exception) -> str:
    words = " ".join(str(error).split())[:120]
    return words or type(error).__name__
