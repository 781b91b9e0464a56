"""What a forgotten document leaves in records: which words of it are its own, and how records lose them.

Enters: the document's versions, the texts that stay, values as JSON knows them. Leaves: the same values
without its text. It knows the shapes of our records (a source names its document, an answer holds sources,
a question or training row lists documents) and no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from backends.datatypes import JsonObject, JsonValue
from backends.system.data_holder import REMOVED

LONGEST_PIECE = 40  # characters; every literal quotation of twice this length holds a whole piece
SHORTEST_PIECE = 12
MOST_PIECES = 20_000
OVERLAP = 0.1  # share of a document's pieces that make another one worth naming
ANSWER_KEYS = ("text", "answer", "prediction", "prompt")
ROW_KEYS = (*ANSWER_KEYS, "question", "answers", "gold", "expected", "reference", "messages")
SOURCE_KEYS = ("sources", "citations", "hits", "evidence", "passages")


@dataclass(frozen=True)
class Traces:
    """`pieces` are short exact slices of the document that stand in no text that stays.

    `also_in` names the texts that stay and hold a good part of the others.
    """

    name: str
    texts: tuple[str, ...]
    pieces: tuple[str, ...]
    also_in: tuple[str, ...] = ()

    @classmethod
    def from_texts(cls, name: str, texts: Sequence[str], staying: Iterable[tuple[str, str]]) -> Traces:
        """`staying` are (name, text) of everything else in the workspace."""
        pieces = dict.fromkeys(piece for text in texts for piece in pieces_of(text))
        every = cls(name, tuple(texts), tuple(spread(list(pieces), MOST_PIECES)))
        shared: set[str] = set()
        also_in: set[str] = set()
        for other, text in staying:
            held = every.pieces_in(text)
            shared |= held
            if held and len(held) >= OVERLAP * len(every.pieces):
                also_in.add(other)
        own = tuple(piece for piece in every.pieces if piece not in shared)
        return cls(name, tuple(texts), own, tuple(sorted(also_in)))

    @cached_property
    def _by_head(self) -> tuple[int, dict[str, list[str]]]:
        """The shortest piece's length, and the pieces by their first so many characters."""
        width = min(map(len, self.pieces), default=1)
        heads: dict[str, list[str]] = {}
        for piece in self.pieces:
            heads.setdefault(piece[:width], []).append(piece)
        return width, heads

    def pieces_in(self, text: str) -> set[str]:
        """The pieces that stand in the text; line ends and double spaces make no difference."""
        return set(self._found(text))

    def quoted_in(self, text: str) -> bool:
        """Whether a text holds a piece of the document."""
        return next(self._found(text), None) is not None

    def _found(self, text: str) -> Iterator[str]:
        width, heads = self._by_head
        if not heads:
            return
        flat = " ".join(text.split())
        for at in range(len(flat) - width + 1):
            for piece in heads.get(flat[at : at + width], ()):
                if flat.startswith(piece, at):
                    yield piece

    def redacted(self, value: JsonValue) -> tuple[JsonValue, int]:
        """(the value without the document's text, how many places changed).

        Sources and citations of the document are dropped, and with them what was asked and answered from
        them; rows of questions or training that name it keep their ids and numbers only; any other text that
        quotes it is replaced as a whole.
        """
        if isinstance(value, str):
            return (REMOVED, 1) if self.quoted_in(value) else (value, 0)
        if isinstance(value, list):
            kept = [item for item in value if not self._is_source(item)]
            changed = [self.redacted(item) for item in kept]
            return [item for item, _ in changed], len(value) - len(kept) + sum(n for _, n in changed)
        if isinstance(value, Mapping):
            return self._record(value)
        return value, 0

    def _record(self, record: JsonObject) -> tuple[dict[str, JsonValue], int]:
        if self._lists(record):
            return self._blanked(record)
        answered_from = self._answered_from(record)
        # A question that this document answered was asked about it, in words that may be its own.
        asked = answered_from or any(self._answered_from(each) for each in _items(record.get("answers")))
        result: dict[str, JsonValue] = {}
        count = 0
        for key, item in record.items():
            if isinstance(item, str) and (
                (answered_from and key in ANSWER_KEYS) or (asked and key == "question")
            ):
                result[key] = REMOVED
                count += item != REMOVED
            elif key == "passage" and self._is_source(item):
                result[key] = None
                count += 1
            else:
                result[key], changes = self.redacted(item)
                count += changes
        return result, count

    def _answered_from(self, record: JsonValue) -> bool:
        if not isinstance(record, Mapping):
            return False
        return any(self._is_source(item) for key in SOURCE_KEYS for item in _items(record.get(key)))

    def _blanked(self, row: JsonObject) -> tuple[dict[str, JsonValue], int]:
        """A row that was made from the document: what it asks and answers is replaced, at any depth."""
        count = 0

        def blank(value: JsonValue) -> JsonValue:
            nonlocal count
            if isinstance(value, list):
                return [blank(item) for item in value]
            if isinstance(value, Mapping):
                return {key: blank(item) for key, item in value.items()}
            count += isinstance(value, str) and value != REMOVED
            return REMOVED if isinstance(value, str) else value

        result = {}
        for key, item in row.items():
            if key in ROW_KEYS:
                result[key] = blank(item)
            else:
                result[key], changes = self.redacted(item)
                count += changes
        return result, count

    def _is_source(self, item: JsonValue) -> bool:
        """A passage of the document; one of the same name from another folder has other words."""
        if not isinstance(item, Mapping) or item.get("document") != self.name:
            return False
        text = item.get("text")
        return not isinstance(text, str) or text == REMOVED or any(text in whole for whole in self.texts)

    def _lists(self, record: JsonObject) -> bool:
        return self.name in [item for item in _items(record.get("documents")) if isinstance(item, str)]


def _items(value: JsonValue) -> Iterable[JsonValue]:
    return value if isinstance(value, list) else ()


def pieces_of(text: str) -> Iterator[str]:
    """Consecutive words of one line, 12 to 40 characters; shorter ones only if there are no others."""
    found = list(_pieces(text))
    yield from [piece for piece in found if len(piece) >= SHORTEST_PIECE] or found


def _pieces(text: str) -> Iterator[str]:
    for run in re.finditer(r"\S+(?: \S+)*", text):
        start, end = run.span()
        while start < end:
            stop = min(end, start + LONGEST_PIECE)
            if stop < end and (space := text.rfind(" ", start, stop + 1)) > start:
                stop = space
            yield text[start:stop]
            start = stop + (text[stop : stop + 1] == " ")


def spread(items: Sequence[str], most: int) -> list[str]:
    """At most `most` of the items, evenly over all of them."""
    return list(items[:: max(1, -(-len(items) // most))])
