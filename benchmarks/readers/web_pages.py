"""How much of a web page is read, and of what is not its content: `python -m benchmarks.readers.web_pages`.

Pages are written here from parts whose truth is known: paragraphs, tables with merged cells, lists of links,
code, powers, tabs, several articles; around them menus, footers, hidden banners, one form about the page, a
layout of tables. trafilatura and inscriptis read the same pages where they are installed.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from backends.documents.parsers.web import html_to_parsed

PAGES = 400
TOWNS = ("Alta", "Boden", "Cadiz", "Dover", "Evora", "Forli", "Gent", "Husum", "Imola", "Jena", "Kiruna")
THINGS = ("valve", "pump", "hose", "lamp", "crate", "rope", "ladder", "tarp", "winch", "buoy", "anchor")
MENUS = (
    "Home",
    "Products",
    "About us",
    "Contact",
    "Careers",
    "Imprint",
    "Sitemap",
    "Newsroom",
    "Shop",
    "Log in",
)


@dataclass
class Page:
    """A page's source and what a reader should make of it."""

    html: str = ""
    words: list[str] = field(default_factory=list)  # sentences, items and lines of its content
    rows: list[list[tuple[str, str]]] = field(default_factory=list)  # (label, value) of each table row
    junk: list[str] = field(default_factory=list)  # what is no content


class Writer:
    """Writes parts of pages; every statement holds a number of its own, so that none is found by chance."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._number = 1000 * seed

    def number(self) -> int:
        self._number += 1
        return self._number

    def word(self) -> str:
        return "".join(self.random.choices("bdfgklmnprstvz", k=9))

    def sentence(self) -> str:
        thing, town = self.random.choice(THINGS), self.random.choice(TOWNS)
        return f"The {thing} in {town} is checked every {self.number()} hours by the harbour office."

    def paragraph(self, page: Page) -> str:
        said = [self.sentence() for _ in range(self.random.randint(1, 4))]
        page.words += said
        return f"<p>{' '.join(said)}</p>"

    def table(self, page: Page) -> str:
        """A table whose first column has cells over several rows."""
        names = self.random.sample(["Zone", "Item", "Fee", "Days", "Office"], 4)
        tag = self.random.choice(["th", "th", "td"])
        rows = [f"<tr>{''.join(f'<{tag}>{name}</{tag}>' for name in names)}</tr>"]
        for _ in range(self.random.randint(2, 4)):
            town, down = self.random.choice(TOWNS), self.random.randint(1, 3)
            for at in range(down):
                values = [
                    self.random.choice(THINGS),
                    f"{self.number()} euros",
                    str(self.random.randint(1, 30)),
                ]
                first = f'<td rowspan="{down}">{town}</td>' if at == 0 else ""
                rows.append(f"<tr>{first}{''.join(f'<td>{value}</td>' for value in values)}</tr>")
                page.rows.append(list(zip(names, [town, *values], strict=True)))
        return f"<table>{''.join(rows)}</table>"

    def links(self, page: Page) -> str:
        """A list of linked entries that the text before it announces."""
        items = [
            f"E{self.number()} {self.random.choice(THINGS)} stuck" for _ in range(self.random.randint(3, 20))
        ]
        page.words += items
        linked = "".join(f'<li><a href="/{at}">{item}</a></li>' for at, item in enumerate(items))
        return f"<p>These are all the codes.</p><ul>{linked}</ul>"

    def code(self, page: Page) -> str:
        lines = ["server:", f"  port: {self.number()}", "  tls:", f"    limit: {self.number()}"]
        page.words.append("\n".join(lines))
        return f"<pre>{chr(10).join(lines)}</pre>"

    def powers(self, page: Page) -> str:
        number = self.number()
        page.words.append(f"The load is {number} kg at 10^6 cycles, 4 m^2 of H2O.")
        return f"<p>The load is {number} kg at 10<sup>6</sup> cycles, 4 m<sup>2</sup> of H<sub>2</sub>O.</p>"

    def tabs(self, page: Page) -> str:
        said = [self.sentence() for _ in range(3)]
        page.words += said
        style = self.random.choice(["style='display: none'", "aria-hidden='true'", "hidden"])
        panels = [
            f"<div class='tab'{' ' + style if at else ''}><p>{each}</p></div>" for at, each in enumerate(said)
        ]
        return f"<div class='tabs'>{''.join(panels)}</div>"

    def accordion(self, page: Page) -> str:
        question, answer = f"What costs {self.number()}?", self.sentence()
        page.words += [question, answer]
        return f"<div><button>{question}</button><div style='display:none'><p>{answer}</p></div></div>"

    def list(self, page: Page) -> str:
        items = [f"{self.number()} metres of {self.random.choice(THINGS)}" for _ in range(4)]
        page.words += items
        return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"

    def menu(self, page: Page) -> str:
        names = [f"{name} {self.word()}" for name in self.random.sample(MENUS, self.random.randint(5, 10))]
        page.junk += names
        links = [f'<a href="/{at}">{name}</a>' for at, name in enumerate(names)]
        items = "".join(f"<li>{link}</li>" for link in links)
        return self.random.choice(
            [
                f"<nav>{items}</nav>",
                f"<ul class='main-menu'>{items}</ul>",
                f"<div id='navbar'>{' '.join(links)}</div>",
                f"<ul>{items}</ul>",
                f"<table><tr>{''.join(f'<td>{link}</td>' for link in links)}</tr></table>",
            ]
        )

    def footer(self, page: Page) -> str:
        notice = f"All rights reserved {self.number()}"
        page.junk.append(notice)
        return f"<footer>{notice}</footer>"

    def banner(self, page: Page) -> str:
        notice = f"We use cookies since {self.number()}"
        page.junk.append(notice)
        return f"<div class='cookie-banner' style='display:none'>{notice}</div>"

    def page(self) -> Page:
        page = Page()
        parts = [
            self.paragraph,
            self.table,
            self.links,
            self.code,
            self.powers,
            self.tabs,
            self.accordion,
            self.list,
        ]
        chosen = [self.paragraph, *self.random.choices(parts, k=self.random.randint(3, 6))]
        sections = [f"<h2>Part {at}</h2>{part(page)}" for at, part in enumerate(chosen)]
        body = self.random.choice(
            [
                lambda: "".join(sections),
                lambda: "".join(f"<article>{section}</article>" for section in sections),
                lambda: f"<main>{''.join(sections)}</main>",
                lambda: f"<form id='aspnetForm' action='x.aspx'>{''.join(sections)}</form>",
                lambda: f"<table><tr><td>{''.join(sections)}</td></tr></table>",
            ]
        )()
        head = f"<h1>Harbour notes {self.number()}</h1>"
        page.html = (
            f"<html><head><title>Notes</title></head><body>{self.banner(page)}{self.menu(page)}{head}{body}"
            f"{self.footer(page)}</body></html>"
        )
        return page


def readers() -> Iterator[tuple[str, Callable[[str], str]]]:
    yield "Triptych", lambda html: html_to_parsed(html, "a.html").text
    try:
        import trafilatura
    except ImportError:
        print("trafilatura is not installed")
    else:
        yield (
            "trafilatura",
            lambda html: trafilatura.extract(html, favor_recall=True, include_tables=True) or "",
        )
    try:
        import inscriptis
    except ImportError:
        print("inscriptis is not installed")
    else:
        yield "inscriptis", inscriptis.get_text


def main() -> None:
    pages = [Writer(seed).page() for seed in range(1, PAGES + 1)]
    print("| reader | statements | rows on one line | rows with labels | of menus and footers | ms a page |")
    print("|---|---|---|---|---|---|")
    for name, read in readers():
        began = time.process_time()
        texts = [read(page.html) for page in pages]
        spent = time.process_time() - began
        shares = [
            share(texts, pages, lambda text, page: [squeezed(each) in squeezed(text) for each in page.words]),
            share(texts, pages, lambda text, page: [on_one_line(text, row) for row in page.rows]),
            share(texts, pages, lambda text, page: [labelled(row) in text for row in page.rows]),
            share(texts, pages, lambda text, page: [each in squeezed(text) for each in page.junk]),
        ]
        print(f"| {name} | {' | '.join(f'{each:.1%}' for each in shares)} | {1000 * spent / PAGES:.1f} |")


def share(texts: list[str], pages: list[Page], found: Callable[[str, Page], list[bool]]) -> float:
    each = [hit for text, page in zip(texts, pages, strict=True) for hit in found(text, page)]
    return sum(each) / len(each)


def squeezed(text: str) -> str:
    """White space between words does not count, the indentation of lines does."""
    return "\n".join(re.match(r" *", line)[0] + " ".join(line.split()) for line in text.split("\n"))  # type: ignore[index]


def on_one_line(text: str, row: list[tuple[str, str]]) -> bool:
    return any(all(value in line for _, value in row) for line in text.split("\n"))


def labelled(row: list[tuple[str, str]]) -> str:
    return "; ".join(f"{label}: {value}" for label, value in row)


if __name__ == "__main__":
    main()
