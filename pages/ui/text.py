"""Text of documents, models and visitors made safe to show, and the numbers as people read them.

Enters: any string. Leaves: markdown or HTML in which that string is only text: every page shows foreign text
through this module. Marked passages are the one thing it draws itself, because markdown cannot mark a span
of a text that must stay exactly as it is.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

_PUNCTUATION = re.compile(r"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
# Addresses of pages become links even where every sign is escaped, unless a letter that is not seen parts
# them; those of mail may: they lead to nobody's page, and are copied to be written to.
_ADDRESS = re.compile(r"https?:(?=//)|www(?=\.)", re.IGNORECASE)
_JOINER = "\u2060"
_MARKER = re.compile(r"\[(\d{1,2})\]")
# Marks that all readers write or leave: a heading's signs, bold, the line below a table's head.
_HEADING = re.compile(r"^[ \t]{0,3}(#{1,6}[ \t]+)(\S.*)$", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*[-*•][ \t]+")
_BOLD = re.compile(r"(\*\*)(?=\S)([^\n]+?)(?<=\S)(\*\*)")
_RULE = re.compile(
    r"^[ \t]*\|?[ \t]*:?-{3,}:?[ \t]*(?:\|[ \t]*:?-{3,}:?[ \t]*)*\|?[ \t]*(?:\n|\Z)", re.MULTILINE
)
_WORD = re.compile(r"\w[\w.,:%'-]*\w|\w")

# Words that tell no two answers apart.
SMALL_WORDS = frozenset(
    """a an and are as at be been but by can do does for from had has have if in into is it its may must of
    on or our so such that the their them then there these they this to was we were which who will with
    within would you your""".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class StyledSpan:
    """Characters `start` to `end` of a text, shown in `style`, with a hover `title`."""

    start: int
    end: int
    style: str
    title: str = ""
    anchor: str = ""
    opens: str = ""  # the id of a popover: the span is a button then


def markdown(text: str) -> str:
    """The text as markdown that shows it literally: no emphasis, LaTeX, links, colours or icons."""
    return _PUNCTUATION.sub(r"\\\1", _ADDRESS.sub(rf"\g<0>{_JOINER}", " ".join(text.split())))


def plain_html(text: str) -> str:
    """The text as HTML that shows it literally."""
    return html.escape(text, quote=True)


def marked_html(text: str, spans: Iterable[StyledSpan]) -> str:
    """HTML of the text with each span in a <mark>. Spans must not overlap."""
    parts: list[str] = []
    position = 0
    for span in sorted(spans, key=lambda span: span.start):
        start, end = max(span.start, position), min(span.end, len(text))
        if start >= end:
            continue
        parts.append(plain_html(text[position:start]))
        title = f' title="{plain_html(span.title)}"' if span.title else ""
        anchor = f' id="{plain_html(span.anchor)}"' if span.anchor else ""
        tag, opens = ("mark", "")
        if span.opens:
            tag, opens = "button", f' type="button" class="cite" popovertarget="{plain_html(span.opens)}"'
        parts.append(
            f'<{tag}{anchor}{opens} style="{span.style}"{title}>{plain_html(text[start:end])}</{tag}>'
        )
        position = end
    parts.append(plain_html(text[position:]))
    return "".join(parts)


def emphasised(spans: Sequence[StyledSpan], start: int, end: int) -> list[StyledSpan]:
    """The same spans, cut where needed, with what lies between `start` and `end` in bold."""
    found = []
    for span in spans:
        cuts = sorted({span.start, span.end, *(c for c in (start, end) if span.start < c < span.end)})
        for a, b in pairwise(cuts):
            bold = "font-weight:700;" if start <= a and b <= end else ""
            found.append(replace(span, start=a, end=b, style=span.style + bold))
    return found


def document_html(text: str, spans: Iterable[StyledSpan] = ()) -> str:
    """As `marked_html`, for a document's text: headings and bold words are bold, without their signs."""
    bold, gone = _marks(text)
    found = list(spans)
    for start, end in bold:
        found = [*emphasised(found, start, end), *_between(found, start, end)]
    shown, moved = "", {}
    for start, end in pairwise([0, *(cut for each in gone for cut in each), len(text)]):
        kept = (start, end) not in gone
        for position in range(start, end + 1):
            moved[position] = len(shown) + (position - start if kept else 0)
        shown += text[start:end] if kept else ""
    return marked_html(shown, [replace(s, start=moved[s.start], end=moved[s.end]) for s in found])


def quoted(text: str) -> str:
    """Text of a document on one line, without its marks: `Berths: A guest boat pays 24 euros.`"""
    lines = [
        f"{found[2].rstrip(' #:')}:" if (found := _HEADING.match(line)) else _ITEM.sub("", line)
        for line in _RULE.sub("", text).splitlines()
    ]
    return " ".join(_BOLD.sub(r"\2", " ".join(lines)).split())


def _marks(text: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Where a text is bold, and the signs that say so or draw a table, in order and apart."""
    headings = list(_HEADING.finditer(text))
    words = [m for m in _BOLD.finditer(text) if not any(h.start() <= m.start() < h.end() for h in headings)]
    gone = [m.span() for m in _RULE.finditer(text)] + [m.span(1) for m in headings]
    gone += [m.span(sign) for m in words for sign in (1, 3)]
    return sorted(m.span(2) for m in [*headings, *words]), sorted(gone)


def _between(spans: Sequence[StyledSpan], start: int, end: int) -> list[StyledSpan]:
    """Bold for what no span covers between `start` and `end`."""
    cuts = sorted({start, end, *(c for s in spans for c in (s.start, s.end) if start < c < end)})
    return [
        StyledSpan(a, b, "color:inherit;background:none;font-weight:700;")
        for a, b in pairwise(cuts)
        if not any(s.start <= a and b <= s.end for s in spans)
    ]


def block(inner: str, style: str = "") -> str:
    """A block that keeps line breaks and never grows wider than its column."""
    keep = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.6;"
    return f'<div style="{keep}{style}">{inner}</div>'


def scrolled(inner: str, name: str) -> str:
    """What stands in a frame that scrolls, so that the keyboard reaches it; `name` is read out there."""
    return f'<div class="read" tabindex="0" role="region" aria-label="{plain_html(name)}">{inner}</div>'


def highlight(css: str, strength: int = 24) -> str:
    """Style of a marked passage: a tint of the colour and a line under it; the text colour stays."""
    return (
        f"color:inherit;background:color-mix(in srgb, {css} {strength}%, transparent);"
        f"border-bottom:2px solid {css};border-radius:2px;padding:1px 0;"
    )


def answer_html(
    text: str,
    css: str,
    titles: Mapping[int, str],
    own: Sequence[tuple[int, int]] = (),
    passages: Mapping[int, str] | None = None,
    key: str = "",
) -> str:
    """An answer: [n] as chips that name their source on hover, words no other answer has underlined.

    With `passages` (HTML by marker) a chip opens what it cites; `key` tells them from all others there are.
    """
    passages = passages or {}
    chips = [
        StyledSpan(
            m.start(),
            m.end(),
            _chip(css),
            titles.get(int(m[1]), "no such source"),
            opens=f"{key}-{m[1]}" if int(m[1]) in passages else "",
        )
        for m in _MARKER.finditer(text)
    ]
    inside = {position for chip in chips for position in range(chip.start, chip.end)}
    different = f"color:inherit;background:none;text-decoration:underline dotted {css} 2px;" + (
        "text-underline-offset:4px;"
    )
    words = [StyledSpan(a, b, different, "only in this answer") for a, b in own if a not in inside]
    shown = {chip.opens for chip in chips}
    opened = "".join(
        f'<div popover="auto" class="cited" id="{plain_html(f"{key}-{marker}")}">{inner}</div>'
        for marker, inner in passages.items()
        if f"{key}-{marker}" in shown
    )
    return block(marked_html(text, [*chips, *words]), "font-size:1.08rem;") + opened


def json_text(text: str) -> str:
    """The text as indented JSON; empty where it is no JSON object or list."""
    try:
        value = json.loads(text)
    except ValueError:
        return ""
    return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict | list) else ""


def _chip(css: str) -> str:
    return (
        f"color:inherit;background:color-mix(in srgb, {css} 20%, transparent);border-radius:4px;"
        "padding:0 4px;font-size:.82em;font-weight:600;font-variant-numeric:tabular-nums;"
    )


def own_words(text: str, others: Sequence[str]) -> list[tuple[int, int]]:
    """Spans of the words of `text` that no other answer holds; nothing when there is nothing to compare."""
    if not others:
        return []
    known = {_bare(word) for other in others for word in _WORD.findall(other)} | SMALL_WORDS
    return [m.span() for m in _WORD.finditer(text) if _bare(m[0]) not in known]


def _bare(word: str) -> str:
    return word.casefold().rstrip(".,:")


# --- numbers -------------------------------------------------------------------------------------


def seconds(milliseconds: float) -> str:
    """A time with the digits a single measurement supports: `38 ms`, `0.42 s`, `12.4 s`."""
    if milliseconds < 100:
        return f"{milliseconds:.0f} ms" if milliseconds >= 1 else "< 1 ms"
    return f"{milliseconds / 1000:.2f} s" if milliseconds < 9_995 else f"{milliseconds / 1000:.1f} s"


def times(factor: float) -> str:
    """`2.3 times`, `23 times`."""
    return f"{factor:.1f} times" if factor < 9.95 else f"{factor:.0f} times"


def plural(number: int, one: str, many: str = "") -> str:
    """`1 passage`, `1,204 passages`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listing(items: Sequence[str]) -> str:
    """`RAG`, `RAG and hybrid`, `RAG, hybrid and base`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
