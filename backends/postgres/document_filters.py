"""Who may read what, and which documents are asked for, as conditions of SQL.

Enters: a collection, a role, `Filters`. Leaves: a condition over the columns of `documents`, named d, and its
values: what may not be found is left out by the query itself, never after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backends.datatypes import Filters
from backends.system.viewers import roles_of


@dataclass(frozen=True)
class Condition:
    """Text of SQL that holds nothing typed by anyone, and the values of its placeholders."""

    sql: str
    values: tuple[object, ...] = ()

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"{self.sql} AND {other.sql}", (*self.values, *other.values))


def readable(collection: str, role: str | None) -> Condition:
    """Current documents that a role may read: those that are open or name it; no role reads everything."""
    current = Condition("d.collection = %s AND d.current", (collection,))
    if role is None:
        return current
    # Somebody who signed in sees with several roles at once.
    return current & Condition("(d.roles = '{}' OR d.roles && %s::text[])", (sorted(roles_of(role)),))


def admitted(filters: Sequence[Filters]) -> Condition:
    """Documents that pass all filters, as `Filters.admit` has it."""
    parts = Condition("true")
    for each in filters:
        if each.documents:
            patterns = [name_pattern(name) for name in each.documents]
            parts &= Condition("d.name ~ ANY (%s)", (patterns,))
        if each.types:
            parts &= Condition("d.type = ANY (%s)", (list(each.types),))
        if each.tags:
            parts &= Condition("d.tags @> %s", (list(each.tags),))
        if each.since:
            parts &= Condition("(d.date <> '' AND d.date >= left(%s, length(d.date)))", (each.since,))
        if each.until:
            length = len(each.until)
            parts &= Condition(f"(d.date <> '' AND left(d.date, {length}) <= %s)", (each.until,))
    return parts


def name_pattern(shell: str) -> str:
    """A pattern of names (* and ?, brackets are letters) as a regular expression for whole names."""
    wild = {"*": ".*", "?": "."}
    letters = (wild.get(each) or re.sub(r"[^\w]", lambda found: f"\\{found.group()}", each) for each in shell)
    return f"^{''.join(letters)}$"
