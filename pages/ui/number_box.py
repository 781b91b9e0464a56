"""A number that is typed and shown as people write it: `30,000`.

Enters: a label, what may be typed, a default. Leaves: the number, which outlives a visit to another page.
Text that is no such number changes nothing: a sentence says why, and the last good number stands in the box
again. One that was left at its default follows it.
"""

from __future__ import annotations

import re

import streamlit as st

from backends.datatypes import UserError
from backends.system.wording import figure
from pages.ui import session
from pages.ui.text import markdown

# Digits, in groups of three where they are parted; `1,5` can be read in two ways and is none.
_WRITTEN = re.compile(r"[+-]?(?:\d{1,3}(?:[ ,'’_\u00a0\u202f]\d{3})+|\d+)(?:\.\d+)?|[+-]?\.\d+")
_PARTED = re.compile(r"[ ,'’_\u00a0\u202f]")


def number_box(
    label: str, key: str, low: float, high: float, default: float, *, whole: bool = False, help_: str = ""
) -> float:
    """The number in the box; `key` is the box's and the session's."""
    value = number_of(key, default)
    text = figure(value)
    if session.read(key) is None:  # first seen, or seen again: what was wrong with it is long past
        session.drop(_problem(key))
    if session.read(key) != text:  # else what is half typed would be taken away
        session.put(key, text)
    st.text_input(
        label, text, key=key, help=help_ or None, on_change=_take, args=(key, low, high, default, whole)
    )
    if problem := session.read(_problem(key)):
        st.error(markdown(problem))
    return value


def number_of(key: str, default: float) -> float:
    """What was typed into the box of this key, on this page or before on another one, else the default."""
    return float(session.current().kept.get(key, default))


def _take(key: str, low: float, high: float, default: float, whole: bool) -> None:
    """Take what was typed; what cannot be taken leaves a sentence."""
    session.drop(_problem(key))
    try:
        session.keep(key, read_number(str(session.read(key)), low, high, whole=whole), default)
    except UserError as error:
        session.put(_problem(key), f"{error} {figure(number_of(key, default))} stays.")


def _problem(key: str) -> str:
    return f"{key} was not taken"


def read_number(text: str, low: float, high: float, *, whole: bool = False) -> float:
    """The number that a text is: `30,000`, `30 000`, `30000`, `1.5`. Raises UserError with what is wrong."""
    typed = text.strip()
    if not typed:
        raise UserError("Nothing was typed.")
    shown = typed if len(typed) <= 30 else f"{typed[:29]}…"
    if not _WRITTEN.fullmatch(typed):
        raise UserError(f"“{shown}” is no number that can be read: write it as 30,000 or 1.5.")
    value = float(_PARTED.sub("", typed))
    if not low <= value <= high:
        raise UserError(f"“{shown}” is not between {figure(low)} and {figure(high)}.")
    if whole and value != round(value):
        raise UserError(f"“{shown}” is no whole number.")
    return value
