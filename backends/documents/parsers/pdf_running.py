"""Page headers and footers of a PDF: each kept once, where it first stands, page numbers left out.

Enters: the lines and tables of all pages. Leaves: the same without what is repeated. A line goes only if it
says nothing of its own: the same words stand at the same height of most pages, apart from the text, on pages
whose texts differ; or it is nothing but the number of its page. When in doubt it stays.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import median

from backends.documents.parsers.pdf_page import TextLine
from backends.documents.parsers.pdf_tables import Item

EDGE = 3  # baselines at the top and at the bottom of a page that may be a header or a footer
APART = 1.7  # sizes between a header and the text, at least
MANY = 10  # pages; what nearly all of so many repeat need not stand apart
NUMBERED = 4  # pages that share a line with figures before it is a header: three bills may be of one sum

_OF = r"(?:\s*(?:of|von|de|di|du|sur|van|z|av|af|/|из|共)\s*(\d{1,4}))"
_WORD = (
    r"(?:page|seite|blatt|página|pagina|pág\.|pag\.|pg\.?|p\.|strona|str\.|sida|side|sivu|страница|стр\.|第)"
)
_PAGE = re.compile(rf"{_WORD}\s*(\d{{1,4}})\b{_OF}?(?:\s*页)?", re.IGNORECASE)
_BARE = re.compile(rf"\W*(\d{{1,4}}){_OF}?\W*", re.IGNORECASE)

Spot = tuple[str, int]  # what stands where: words without page numbers, height in steps of 4 points


def without_running_lines(pages: Sequence[Sequence[Item]]) -> list[list[Item]]:
    """The pages without page numbers, and with repeated headers and footers only where they first stand."""
    if len(pages) < 2:
        return [list(page) for page in pages]
    edges = [_edge(page) for page in pages]
    numbers = _page_numbers(edges)
    repeated = _repeated(pages, edges)
    kept: list[list[Item]] = []
    seen: set[Spot] = set()
    for page, edge, numbered in zip(pages, edges, numbers, strict=True):
        spots = {id(item): spot for item in edge for spot in _spots(item) if spot in repeated}
        sure = {each for each, spot in spots.items() if repeated[spot]}
        apart = _apart(page, {*spots, *numbered}, sure)
        said = {each for each, says in numbered.items() if says}
        gone = said | {each for each in apart if each in numbered or spots[each] in seen}
        seen |= set(spots.values())
        kept.append([item for item in page if id(item) not in gone])
    return kept


def _edge(page: Sequence[Item]) -> list[Item]:
    """What stands on the highest and the lowest baselines."""
    heights = sorted({round(item.bottom) for item in page if item.upright})
    most = max(1, min(EDGE, len(heights) // 4))
    outer = {*heights[:most], *heights[-most:]}
    return [item for item in page if item.upright and round(item.bottom) in outer]


def _text(item: Item) -> str:
    return (
        item.text
        if isinstance(item, TextLine)
        else "; ".join(" ".join(row) for row in (item.labels, *item.rows))
    )


def words_of(item: Item) -> str:
    """The words of a header apart from the number of the page."""
    return _without_number(_text(item))


@lru_cache(maxsize=4096)
def _without_number(text: str) -> str:
    if not any(map(str.isdigit, text)):
        return text
    return "" if _BARE.fullmatch(text) else " ".join(_PAGE.sub("", text).split())


def _spots(item: Item) -> list[Spot]:
    """Where an item with words stands: two heights, so that a point more or less makes no difference."""
    words = words_of(item)
    step = item.bottom / 4
    return [(words, int(step)), (words, int(step + 0.5) + 100_000)] if re.search(r"\w{2}", words) else []


# --- page numbers ----------------------------------------------------------------------------------


def _page_numbers(edges: Sequence[Sequence[Item]]) -> list[dict[int, bool]]:
    """Per page the ids of lines that are nothing but the number of the page, and whether they say so.

    They must count with the pages at one height; without "page" or "3 / 9" three pages are needed to tell.
    """
    found: dict[int, list[tuple[int, int, TextLine, bool]]] = defaultdict(list)
    for at, edge in enumerate(edges):
        for item in edge:
            if isinstance(item, TextLine) and (number := _number(item.text, len(edges))):
                found[round(item.bottom / 8)].append((at, number[0], item, number[1]))
    numbered: list[dict[int, bool]] = [{} for _ in edges]
    for lines in found.values():
        shift, count = Counter(number - at for at, number, _, _ in lines).most_common(1)[0]
        counting = [each for each in lines if each[1] - each[0] == shift]
        sure = all(said for _, _, _, said in counting)
        if count >= max(2 if sure else 3, 0.6 * len(edges)):
            for at, _, item, said in counting:
                numbered[at][id(item)] = said
    return numbered


def _number(text: str, pages: int) -> tuple[int, bool] | None:
    """(number, whether it says that it is a page's) of a line that holds nothing else."""
    text = text.strip(" -–—|·.")
    if found := _PAGE.fullmatch(text):
        return int(found.group(1)), True
    if found := _BARE.fullmatch(text):
        return int(found.group(1)), bool(found.group(2)) and int(found.group(2)) == pages
    return None


# --- headers and footers ---------------------------------------------------------------------------


def _repeated(pages: Sequence[Sequence[Item]], edges: Sequence[Sequence[Item]]) -> dict[Spot, bool]:
    """What stands at the edge of most pages, or of most left or right ones; and if of nearly all of many."""
    if len(pages) < 3 or _alike(pages, edges):
        return {}
    sizes = [item.size for page in pages for item in page]
    body = median(sizes) if sizes else 10.0
    places: dict[Spot, set[int]] = defaultdict(set)
    for at, edge in enumerate(edges):
        for item in edge:
            sentence = re.search(r"\w\W{0,2}[.!?]$", _text(item))  # a whole one in full size says something
            if item.size < (0.95 if sentence else 1.15) * body:
                for spot in _spots(item):
                    places[spot].add(at)
    return {
        spot: len(where) >= max(MANY, 0.9 * len(pages))
        for spot, where in places.items()
        if _most(spot[0], where, len(pages))
    }


def _most(words: str, where: set[int], pages: int) -> bool:
    one_side = len({at % 2 for at in where}) == 1  # of left or of right pages
    if re.search(r"\d", words):
        return len(where) >= (max(2 * NUMBERED, 0.4 * pages) if one_side else max(NUMBERED, 0.8 * pages))
    return len(where) >= max(3, 0.4 * pages if one_side and len(where) > 3 else 0.6 * pages)


def _alike(pages: Sequence[Sequence[Item]], edges: Sequence[Sequence[Item]]) -> bool:
    """Whether pages repeat their texts too, as bills and forms do: then nothing tells a header."""
    shares = []
    inner = [
        {_text(item) for item in page} - {_text(item) for item in edge}
        for page, edge in zip(pages, edges, strict=True)
    ]
    for one, two in pairwise(inner):
        if two:
            shares.append(len(one & two) / len(two))
    return bool(shares) and median(shares) >= 0.3


def _apart(page: Sequence[Item], candidates: set[int], sure: set[int]) -> set[int]:
    """Those of the candidates (by id) that stand outside all text, farther from it than its lines do.

    Those that are `sure` may stand close to it.
    """
    baselines: list[list[Item]] = []
    for item in sorted((item for item in page if item.upright), key=lambda item: -item.bottom):
        if baselines and baselines[-1][0].bottom - item.bottom < 2:
            baselines[-1].append(item)
        else:
            baselines.append([item])
    apart: set[int] = set()
    for rows in (baselines, baselines[::-1]):
        outer = next(
            (at for at, row in enumerate(rows) if any(id(x) not in candidates for x in row)), len(rows)
        )
        while outer and not (
            all(id(item) in sure for item in rows[outer - 1])
            or _far(rows[outer - 1], rows[outer : outer + 2])
        ):
            outer -= 1
        apart |= {id(item) for row in rows[:outer] for item in row}
    return apart


def _far(row: Sequence[Item], inner: Sequence[Sequence[Item]]) -> bool:
    """Whether a baseline stands far from the next ones further in."""
    steps = [_distance(one, two) for one, two in pairwise([row, *inner])]
    size = max(item.size for item in row)
    usual = min(max(steps[1:], default=0.0), 1.5 * size)
    return not steps or steps[0] >= max((APART - 0.7) * size, 1.2 * usual)


def _distance(one: Sequence[Item], two: Sequence[Item]) -> float:
    """White space between two baselines."""
    high, low = sorted((one, two), key=lambda row: -row[0].bottom)
    return min(item.bottom for item in high) - max(item.top for item in low)
