"""JSON, JSON lines and notebooks.

Enters: structured text. Leaves: one line per record, "key: value; key: value".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from backends.datatypes import JsonValue, ParsedFile, UserError
from backends.documents.parsers.common import clean, literal, stem
from backends.documents.parsers.markdown import parse_markdown
from backends.documents.parsers.nested_values import flat
from backends.system.encodings import decoded

_INLINE = 2000  # characters up to which a nested value stays on its record's line


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    file = decoded(path.read_bytes())
    if kind == "notebook":
        return _notebook(json.loads(file.text, strict=False), name)
    records = list(_records(file.text, name))
    lines = [line for record in records for line in _lines(record)]
    return ParsedFile(clean("\n".join(lines)), stem(name), kind, notes=file.notes)


def _records(text: str, name: str) -> Iterator[JsonValue]:
    """The items of a JSON list, the one value of another JSON file, or the rows of JSON lines."""
    try:
        whole = _loads(text)
    except ValueError:
        whole = None
    if whole is not None:
        yield from whole if isinstance(whole, list) else [whole]
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield _loads(line)
            except ValueError as error:
                raise UserError(f"{name} is not JSON: line {number}: {error}.") from error


def _loads(text: str) -> JsonValue:
    """Numbers stay as they are written."""
    return json.loads(text, strict=False, parse_float=str, parse_int=str)


def _lines(value: JsonValue, path: str = "") -> Iterator[str]:
    """A record on one line when it is short, else one line per part, each with its path of keys."""
    line = flat(value)
    if len(line) <= _INLINE or not isinstance(value, dict | list):
        yield f"{path}: {line}" if path else line
    else:
        items = value.items() if isinstance(value, dict) else enumerate(value, start=1)
        for key, item in items:
            yield from _lines(item, f"{path} {key}".strip())


def _notebook(notebook: JsonValue, name: str) -> ParsedFile:
    """Markdown cells as text, code cells as they are, with the text that running them gave."""
    parts = []
    pictures = 0
    for cell in notebook["cells"]:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        prose = cell["cell_type"] == "markdown"
        parts.append(parse_markdown(source, name).text if prose else literal(source))
        for output in cell.get("outputs") or []:
            text = _output(output)
            parts += [literal(text)] if text else []
            pictures += not text and "data" in output
    text = clean("\n\n".join(parts), keep_spaces=True)
    title = next((line.lstrip("# ") for line in text.split("\n") if line.startswith("# ")), "")
    notes = (f"pictures among the outputs left out ({pictures})",) if pictures else ()
    return ParsedFile(text, title or stem(name), "notebook", notes=notes)


def _output(output: JsonValue) -> str:
    """What a code cell printed, showed or failed with, as text; "" where it is only a picture."""
    said = output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue") or ""
    text = said if isinstance(said, str) else "".join(said)
    return "" if any(kind.startswith("image/") for kind in output.get("data", {})) else text
