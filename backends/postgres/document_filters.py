"""Who may read what, and which documents are asked for, as conditions of SQL.

Enters: a collection, a role, `Filters`. Leaves: a condition over the columns of `documents`, named d, and its
values: what may not be found is left out by the query itself, never after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backends.datatypes import Filters


@dataclass(frozen=True)
class Condition:
    """Text of SQL that holds nothing typed by anyone, and the values of its placeholders."""

    sql: str
    values: tuple[Any, ...] = ()

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"{self.sql} AND {other.sql}", (*self.values, *other.values))


def readable(collection: str, role: str | None) -> Condition:
    """Current documents that a role may read: those that are open or name it; no role reads everything."""
    current = Condition("d.collection = %s AND d.current", (collection,))
    if role is None:
        return current
    return current & Condition("(d.roles = '{}' OR %s = ANY (d.roles))", (role,))


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
    """A shell pattern of names (*, ?, [...]) as a regular expression of PostgreSQL, for whole names."""
    out, at = [], 0
    while at < len(shell):
        mark = shell[at]
        end = shell.find("]", at + 2 + (shell[at + 1 : at + 2] == "!")) if mark == "[" else -1
        if mark == "*":
            out.append(".*")
        elif mark == "?":
            out.append(".")
        elif end > 0:
            out.append(_one_of(shell[at + 1 : end]))
            at = end
        else:
            out.append(re.sub(r"[^\w]", lambda found: f"\\{found.group()}", mark))
        at += 1
    return f"^{''.join(out)}$"


def _one_of(inner: str) -> str:
    """Any character of a set; ranges are kept as they are."""
    negated = inner.startswith("!")
    inner = re.sub(r"([\\\[\]^])", r"\\\1", inner[1:] if negated else inner)
    return f"[{'^' if negated else ''}{inner}]"
