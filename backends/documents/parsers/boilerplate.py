"""Takes out of a page what is not its content: menus, footers, hidden parts.

Enters: the root of a parsed page, which is changed. Leaves: notes on what had to be judged. Each removal
needs evidence: what the author marked, or lists of nothing but links where menus stand. When in doubt a part
stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml.etree import XPath
from lxml.etree import _Element as Element

_NEVER = (
    "script", "style", "noscript", "template", "svg", "iframe", "head", "title", "ix:header", "canvas",
    "object", "embed", "audio", "video", "datalist", "search",
)  # fmt: skip
_MENU_ROLES = {"navigation", "contentinfo", "search", "menu", "menubar", "dialog", "alertdialog", "toolbar"}
# Words of class and id that mark a menu, if it holds little but links.
_MENU_WORDS = {
    "nav", "navbar", "navigation", "sidenav", "topnav", "menu", "menubar", "submenu", "navmenu", "breadcrumb",
    "breadcrumbs", "sidebar", "toolbar", "topbar", "footer", "pagination", "pager", "paging", "social",
    "share", "sharing", "toc", "skip", "links", "tags", "tagcloud", "langs", "languages", "related", "navbox",
}  # fmt: skip
_POPUP_WORDS = {"modal", "popup", "cookie", "cookies", "consent", "tooltip", "dropdown", "lightbox"}
_PANEL_WORDS = {
    "tab", "tabs", "tabpanel", "tabcontent", "panel", "pane", "accordion", "collapse", "collapsible", "faq",
    "answer", "toggle", "expand", "expandable", "expander", "slide", "step", "more", "content",
}  # fmt: skip
_STRIKABLE = XPath("//del | //s | //strike | //*[@style]")
_HIDEABLE = XPath("//*[@hidden or @aria-hidden or @style]")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_STRUCK = re.compile(r"text-decoration(?:-line)?\s*:[^;]*\bline-through", re.I)
_SHARE = 0.85  # of the letters of a menu are links
_LONGEST_LINK = 40  # letters of a menu's links on average
_FEWEST_LINKS = 3
_LEADING_LINKS = 5  # of an unmarked menu in front of the page's heading
ENOUGH = 200  # letters outside unmarked menus that make a page more than a menu


_Kind = tuple[str, str]


@dataclass
class _Size:
    """Letters in an element, how many of them are links, and how many links."""

    letters: int = 0
    linked: int = 0
    links: int = 0


def remove_boilerplate(root: Element) -> tuple[str, ...]:
    """Take menus, footers and hidden parts out of the page."""
    notes = remove_invisible(root)
    sizes = _sizes(root)
    _drop([element for element in root.iter() if _is_marked(element, sizes)])
    menus = _leading_menus(root)
    _drop(menus)
    return (*notes, *(f"lists of links taken for menus and left out ({len(menus)})" for _ in menus[:1]))


def remove_invisible(root: Element) -> tuple[str, ...]:
    """Take out scripts, styles, hidden parts, and what is struck out: it no longer holds."""
    _drop([*root.iter(*_NEVER)])
    hidden = _hidden(root)
    words = sum(len(_letters(element).split()) for element in hidden)
    _drop(hidden)
    marked = _STRIKABLE(root)
    struck = [element for element in marked if _is_struck(element) and _letters(element).strip()]
    _drop(struck)
    notes = [f"hidden text left out ({words} words)"] if words else []
    places = f" ({len(struck)} places)" if len(struck) > 1 else ""
    notes += [f"struck-out text left out{places}"] if struck else []
    return tuple(notes)


def _is_struck(element: Element) -> bool:
    return element.tag in ("del", "s", "strike") or bool(_STRUCK.search(element.get("style") or ""))


def _drop(elements: list[Element]) -> None:
    """Empty elements, so that they stand for nothing; the text that follows each stays.

    To remove one would write the text behind it anew, and lxml writes no control characters.
    """
    for element in elements:
        element.clear(keep_tail=True)
        element.tag = "span"


def _letters(element: Element) -> str:
    return "".join(element.itertext())


def _tokens(element: Element) -> set[str]:
    """The words of an element's class and id."""
    named = f"{element.get('class', '')} {element.get('id', '')}"
    return set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", named).lower()))


# --- hidden ----------------------------------------------------------------------------------------


def _hidden(root: Element) -> list[Element]:
    """Hidden elements, the outermost of each nest, but not what a click shows: tabs and accordions."""
    marked = _HIDEABLE(root)
    hidden = [element for element in marked if _is_hidden(element)]
    targets = set(_targets(root)) if hidden else set()
    shown = {parent: _shown_kinds(parent) for parent in {element.getparent() for element in hidden} - {None}}
    return [element for element in hidden if not _opens(element, targets, shown)]


def _is_hidden(element: Element) -> bool:
    hidden = element.get("hidden")
    return (
        (hidden is not None and hidden != "until-found")
        or element.get("aria-hidden") == "true"
        or bool(_HIDDEN.search(element.get("style") or ""))
    )


def _targets(root: Element) -> Iterator[str]:
    """Ids of what controls of the page show and hide."""
    for element in root.iter():
        yield from (element.get("aria-controls") or "").split()
        for attribute in ("href", "data-target", "data-bs-target", "data-toggle"):
            if (element.get(attribute) or "").startswith("#"):
                yield element.get(attribute)[1:]


def _opens(element: Element, targets: set[str], shown: dict[Element, set[_Kind]]) -> bool:
    """Whether a hidden element is a closed tab or panel of the page's content.

    `targets` are ids that controls show and hide, `shown` the kinds of elements that are open, by parent.
    """
    tokens = _tokens(element)
    if element.get("role") in _MENU_ROLES or tokens & _POPUP_WORDS or not _letters(element).strip():
        return False
    if element.get("role") == "tabpanel" or element.get("id") in targets or tokens & _PANEL_WORDS:
        return True
    before = element.getprevious()
    # Of several parts of one class only one is open.
    return (before is not None and _is_switch(before)) or (
        _kind(element) in shown.get(element.getparent(), set())
    )


def _is_switch(element: Element) -> bool:
    if element.tag in ("button", "summary", "label", "dt", "h1", "h2", "h3", "h4", "h5", "h6"):
        return True
    marks = ("onclick", "aria-expanded", "data-toggle", "data-bs-toggle")
    return element.get("role") in ("button", "tab") or any(element.get(mark) is not None for mark in marks)


def _kind(element: Element) -> _Kind | None:
    """Its tag and first class; None without a class."""
    named = (element.get("class") or "").split()[:1]
    return (element.tag, named[0]) if named else None


def _shown_kinds(parent: Element) -> set[_Kind]:
    return {kind for child in parent if not _is_hidden(child) and (kind := _kind(child))}


# --- menus and the like ----------------------------------------------------------------------------


def _sizes(root: Element) -> dict[Element, _Size]:
    sizes: dict[Element, _Size] = {}
    for element in reversed([*root.iter()]):  # what is within comes first
        size = _Size(len("".join((element.text or "").split())))
        for child in element:
            inner = sizes[child]
            size.letters += inner.letters + len("".join((child.tail or "").split()))
            size.linked += inner.linked
            size.links += inner.links
        if element.tag == "a" and element.get("href") is not None:
            size.linked, size.links = size.letters, 1
        sizes[element] = size
    return sizes


def _is_marked(element: Element, sizes: dict[Element, _Size]) -> bool:
    """Whether its author marks an element as no content."""
    tag, role = element.tag, element.get("role")
    if tag == "nav" or role in _MENU_ROLES or (tag == "dialog" and element.get("open") is None):
        return True
    if tag == "footer":
        return not any(parent.tag in ("article", "section", "main", "blockquote") for parent in
                       element.iterancestors())  # fmt: skip
    if tag == "button":
        return not _is_question(element)
    size = sizes[element]
    if tag == "aside":
        return size.linked > 0.5 * size.letters
    return _is_menu(size) and bool(_tokens(element) & _MENU_WORDS) and not _lists_codes(element)


def _is_question(button: Element) -> bool:
    """Whether a button is the heading of what it opens."""
    words = _letters(button).split()
    controls = _is_switch_by_mark(button) or button.getparent().tag in ("h2", "h3", "h4", "h5", "h6", "dt")
    following = button.getnext()
    opens = following is not None and (_is_hidden(following) or bool(_tokens(following) & _PANEL_WORDS))
    return bool(words) and (controls or opens or words[-1].endswith("?") or button.get("role") == "tab")


def _is_switch_by_mark(element: Element) -> bool:
    return any(element.get(mark) is not None for mark in ("aria-expanded", "aria-controls"))


def _is_menu(size: _Size) -> bool:
    return (
        size.links >= _FEWEST_LINKS
        and size.linked > _SHARE * size.letters
        and size.linked < _LONGEST_LINK * size.links
    )


def _lists_codes(element: Element) -> bool:
    """Links such as "E01 water tank empty" are entries of a list, not ways through a site."""
    texts = [_letters(link) for link in element.iter("a")]
    coded = sum(bool(re.search(r"[^\W\d]-?\d|\d[^\W\d]", text)) for text in texts)
    return 2 * coded >= len(texts)


def _leading_menus(root: Element) -> list[Element]:
    """Unmarked lists of nothing but links in front of the page's heading."""
    heading = next(root.iter("h1"), None)
    if heading is None:
        return []
    sizes = _sizes(root)
    menus: list[Element] = []
    for element in root.iter():
        if element is heading:
            break
        size = sizes[element]
        if element.tag in ("ul", "ol", "table", "td", "div", "p") and size.links >= _LEADING_LINKS:
            within = any(parent in menus for parent in element.iterancestors())
            if _is_menu(size) and not within and not _lists_codes(element):
                menus.append(element)
    rest = sizes[root].letters - sum(sizes[menu].letters for menu in menus)
    return menus if rest > ENOUGH else []
