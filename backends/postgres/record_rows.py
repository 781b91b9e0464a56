"""What people leave behind as rows of the database that app servers share: votes, runs, what was asked.

Enters: an address, whose the records are, their kind; JSON objects with a key. Leaves: the same on every
server, oldest first, each there for good when the call returns. It knows nothing of what they say.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from backends.datatypes import JsonObject
from backends.postgres.cleaning import clean_tables
from backends.postgres.server import Server, storable
from backends.postgres.store_tables import prepared
from backends.system.line_logs import ChangesLine
from backends.system.viewers import ROLE_MARK

PART = 1000  # rows that are fetched at once
TABLES = ("records", "lines")
_HERE = "place = %s AND kind = %s AND within = %s"


@dataclass(frozen=True)
class PostgresRecords:
    """Records of one kind in one place: "" is the workspace's own, others are viewers' (`viewer_folder`).

    `within` names the record of another kind that they belong to. UserError when the database does not
    answer.
    """

    address: str
    place: str
    kind: str
    within: str = ""

    def of(self, within: str) -> PostgresRecords:
        """Those of this kind that belong to another record."""
        return replace(self, within=within)

    @property
    def server(self) -> Server:
        """The database, its tables made."""
        return prepared(self.address)

    @property
    def _here(self) -> tuple[str, str, str]:
        return self.place, self.kind, self.within

    def put(self, key: str, value: JsonObject) -> None:
        """Keep a record; one of this key gives way and keeps its place in the order."""
        self.server.run(
            "INSERT INTO records (place, kind, within, key, value) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (place, kind, within, key)"
            " DO UPDATE SET value = excluded.value, at = excluded.at",
            (*self._here, storable(key), _text(value)),
        )

    def add(self, value: JsonObject) -> None:
        """Keep one more record."""
        self.put(uuid.uuid4().hex, value)

    def take(self, key: str, value: JsonObject) -> None:
        """Keep a record that came from elsewhere, unless one of this key is there."""
        self.server.run(
            "INSERT INTO records (place, kind, within, key, value) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (*self._here, storable(key), _text(value)),
        )

    def get(self, key: str) -> JsonObject | None:
        """The record of this key."""
        which = f"{_HERE} AND key = %s"
        row = self.server.row(f"SELECT value FROM records WHERE {which}", (*self._here, storable(key)))
        return json.loads(row[0]) if row else None

    def has(self, key: str) -> bool:
        """Whether there is a record of this key."""
        which = f"{_HERE} AND key = %s"
        return bool(self.server.rows(f"SELECT 1 FROM records WHERE {which}", (*self._here, storable(key))))

    def all(self, since: str = "") -> list[JsonObject]:
        """Every record, or those whose keys come at or after this one; oldest first."""
        rows = self.server.rows(
            f"SELECT value FROM records WHERE {_HERE} AND key >= %s ORDER BY id", (*self._here, since)
        )
        return [json.loads(value) for (value,) in rows]

    def keys(self) -> list[str]:
        """The keys, oldest first."""
        rows = self.server.rows(f"SELECT key FROM records WHERE {_HERE} ORDER BY id", self._here)
        return [key for (key,) in rows]

    def remove(self, *keys: str) -> int:
        """Remove the records of these keys; how many there were. `clean` takes their bytes."""
        return self.server.run(
            f"DELETE FROM records WHERE {_HERE} AND key = ANY(%s)", (*self._here, list(map(storable, keys)))
        )

    def remove_before(self, key: str) -> None:
        """Remove those whose keys come before this one."""
        self.server.run(f"DELETE FROM records WHERE {_HERE} AND key < %s", (*self._here, storable(key)))

    def clear(self) -> int:
        """Remove every one; how many there were."""
        return self.server.run(f"DELETE FROM records WHERE {_HERE}", self._here)

    def clean(self) -> None:
        """Let nothing be left of what was removed."""
        clean_tables(self.server, ("records",))

    def state(self) -> tuple[int, int]:
        """Differs whenever a record came, changed or went."""
        row = self.server.row(
            "SELECT count(*), coalesce((extract(epoch FROM max(at)) * 1000000)::bigint, 0) FROM records"
            f" WHERE {_HERE}",
            self._here,
        )
        return (int(row[0]), int(row[1])) if row else (0, 0)


def keyed(address: str, kind: str) -> Iterator[tuple[PostgresRecords, str, JsonObject]]:
    """Every record of a kind of everybody, with whose it is and its key."""
    for _, place, within, key, value in _parts(prepared(address), "kind = %s", (kind,)):
        yield PostgresRecords(address, place, kind, within), key, json.loads(value)


def forget_absent(address: str, days: int, but: Sequence[str]) -> None:
    """Remove what is kept of viewers for whom nothing was stored for so many days, but for these kinds."""
    prepared(address).run(
        "DELETE FROM records WHERE place <> '' AND kind <> ALL(%s) AND place IN (SELECT place FROM records"
        " GROUP BY place HAVING max(at) < clock_timestamp() - make_interval(days => %s))",
        (list(but), days),
    )


def change_records(address: str, person: str | None, changed: ChangesLine) -> None:
    """Put what `changed` says in the place of the records of a person, or of everybody and of every log."""
    server = prepared(address)
    whose, values = ("true", ()) if person is None else (_OF_PERSON, (person, f"{person}{ROLE_MARK}"))
    with server.transaction():
        for at, *_, value in _parts(server, whose, values, "FOR UPDATE"):
            if (new := changed(value)) is not None:
                server.run(
                    "UPDATE records SET value = %s, at = clock_timestamp() WHERE id = %s", (storable(new), at)
                )
        if person is None:
            for at, line in _lines(server):
                if line and (new := changed(line)) is not None:
                    server.run("UPDATE lines SET line = %s WHERE id = %s", (storable(new), at))


def records_of_person(address: str, person: str) -> Iterator[bytes]:
    """Every record of a person, part by part, as it is stored."""
    for *_, value in _parts(prepared(address), _OF_PERSON, (person, f"{person}{ROLE_MARK}")):
        yield f"{value}\n".encode()


_OF_PERSON = "(place = %s OR starts_with(place, %s))"


def _parts(
    server: Server, which: str, values: Sequence[object], more: str = ""
) -> Iterator[tuple[int, str, str, str, str]]:
    last = 0
    while rows := server.rows(
        f"SELECT id, place, within, key, value FROM records WHERE {which} AND id > %s"
        f" ORDER BY id LIMIT {PART} {more}",
        (*values, last),
    ):
        yield from ((at, place, within, key, value) for at, place, within, key, value in rows)
        last = rows[-1][0]


def _lines(server: Server) -> Iterator[tuple[int, str]]:
    last = 0
    while rows := server.rows(
        f"SELECT id, line FROM lines WHERE id > %s ORDER BY id LIMIT {PART} FOR UPDATE", (last,)
    ):
        yield from ((at, line) for at, line in rows)
        last = rows[-1][0]


def _text(value: JsonObject) -> str:
    return storable(json.dumps(value, ensure_ascii=False, allow_nan=False))
