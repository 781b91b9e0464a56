"""Markdown, plain text, reStructuredText and Org: lines, code and names as they were written."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.datatypes import Document, ParsedFile, UserError
from backends.documents.parsers import markdown_html, plain_text
from backends.documents.parsers.pdf_words import join, whole_words
from backends.documents.parsing import parse_file
from backends.retrieval.chunking import chunk_document, split_sentences
from tests.fakes import HashingEmbedder


def read(folder: Path, name: str, text: str) -> ParsedFile:
    (folder / name).write_bytes(text.encode())
    return parse_file(folder / name)


def test_a_package_that_is_missing_is_not_the_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    markdown_html._parser.cache_clear()
    monkeypatch.setitem(sys.modules, "pyromark", None)
    with pytest.raises(UserError, match=r"^a\.md cannot be read: the package pyromark is not installed\."):
        read(tmp_path, "a.md", "# Title")


# --- Markdown --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Call `pool.take<Boat>(id)` and `a  b`.", "Call pool.take<Boat>(id) and a b."),
        ("Use Map<String, Integer> or Vec<u8> for it.", "Use Map<String, Integer> or Vec<u8> for it."),
        ("X-Key: <your-key>, --limit <n> where <n> is 5", "X-Key: <your-key>, --limit <n> where <n> is 5"),
        ("git <command> [<args>]", "git <command> [<args>]"),
        ("If a<b and c>d then 5 < x < 10 or y<3.", "If a<b and c>d then 5 < x < 10 or y<3."),
        ("if x <y and z> w", "if x <y and z> w"),
        ("`__init__` and __init__, __name__ of snake_case", "__init__ and __init__, __name__ of snake_case"),
        ("2*3*4 = 24, n*(n-1)*2", "2*3*4 = 24, n*(n-1)*2"),
        ("f(*args, **more) is 5*3*2, 10**6 **or** 10**7", "f(*args, **more) is 5*3*2, 10**6 or 10**7"),
        ("*of 7 to 9*, **5** 3, 10*times 3*", "of 7 to 9, 5 3, 10times 3"),
        ("A **bold**, *slanted*, __Strong__ ~~old~~ word", "A bold, slanted, Strong word"),
        ("10<sup>6</sup> <b>units</b><br>of H<sub>2</sub>O", "10^6 units\nof H2O"),
        ("See [the plan](http://x.y/z_(1)), [it][1].\n\n[1]: http://x.y", "See the plan, it."),
        ("![A gauge](g.png) <https://x.y> <me@x.y>", "A gauge https://x.y me@x.y"),
        ("AT&T &amp; R&D \\*not\\* \\_set\\_", "AT&T & R&D *not* _set_"),
        ("Load[^a] is high.\n\n[^a]: With brakes.", "Load (note a) is high.\n\n(note a) With brakes."),
        ("[^1]: Once.\n\nDone", "(note 1) Once.\n\nDone"),
        (
            "Twice[^b].\n\n[^b]:\n    - by day\n    - by night",
            "Twice (note b).\n\n(note b)\n\n- by day\n- by night",
        ),
        (
            "Open[^c].\n\n[^c]: http://x.y\n[^d]: Once",
            "Open (note c).\n\n(note c) http://x.y\n\n(note d) Once",
        ),
        ("About ~5 to ~6 ~~or 7~~, a~b~c ![a\nplan](p.png)", "About ~5 to ~6 , a~b~c a plan"),
        ("[one](/1)[two](/2) ([three](/3))", "one two (three)"),
        ("one\\\ntwo  \nthree\nfour", "one\ntwo\nthree four"),
        ("3. Shut it.\n4. Drain it.\n   - slowly", "3. Shut it.\n4. Drain it.\n- slowly"),
        ("1. one\n1. two\n\n- [x] done\n- [ ] open", "1. one\n2. two\n\n- [x] done\n- [ ] open"),
        ("> Quoted\n> text", "Quoted text"),
        ("\\# of boats: 5", " # of boats: 5"),
    ],
)
def test_markdown_as_it_is_rendered(tmp_path: Path, source: str, text: str) -> None:
    assert read(tmp_path, "a.md", source).text == text


CODE = "server:\n  port: 8081\n  tls:\n    cert: a.pem\n\nclient:\n  port: 9090"


@pytest.mark.parametrize(
    "source",
    [
        f"```yaml\n{CODE}\n```",
        f"~~~\n{CODE}\n~~~",
        textwrap.indent(CODE, "    "),
        f"- Put this:\n\n  ```\n{textwrap.indent(CODE, '  ')}\n  ```",
        f"<pre>\n{CODE.replace(chr(10) * 2, chr(10))}\n</pre>",
        "1. Put this:\n\n" + textwrap.indent(f"```\n{CODE}\n```", "   "),
    ],
)
def test_code_in_markdown_keeps_its_indentation(tmp_path: Path, source: str) -> None:
    text = read(tmp_path, "a.md", f"# Settings\n\n{source}\n\nDone.\n").text
    assert "server:\n  port: 8081\n  tls:\n    cert: a.pem\n" in text and "client:\n  port: 9090\n" in text


def test_comments_in_code_are_no_headings(tmp_path: Path) -> None:
    parsed = read(tmp_path, "a.md", "Run:\n\n```bash\n# install it\npip install x\n```\n\n# After\n\nDone.")
    assert parsed.title == "After"
    document = Document("a.md", 1, parsed.title, "markdown", parsed.text, "")
    chunks = chunk_document(document, chunk_size=4, chunk_overlap=0, tokenizer=HashingEmbedder())
    assert [chunk.heading for chunk in chunks if "pip" in chunk.text] == [""]


def test_passages_keep_the_indentation_of_code(tmp_path: Path) -> None:
    parsed = read(tmp_path, "a.md", f"```\n{CODE}\n```")
    document = Document("a.md", 1, parsed.title, "markdown", parsed.text, "")
    chunks = chunk_document(document, chunk_size=7, chunk_overlap=0, tokenizer=HashingEmbedder())
    assert chunks[0].text.split("\n")[:2] == ["server:", "  port: 8081"]
    assert any(chunk.text.startswith("    cert") for chunk in chunks)


TABLE = (
    "<table><tr><th>Pier</th><th>Day</th><th>Fee</th></tr>\n\n<tr><td rowspan=2>Old</td><td>Mon</td>"
    "<td>3</td></tr>\n\n<tr><td>Tue</td><td>4</td></tr></table>"
)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("| Pier | Fee | By |\n|--|--:|--|\n| Old | 3 | a\\|b `x<y>` |", ["Pier: Old; Fee: 3; By: a|b x<y>"]),
        ("| | |\n|---|---|\n| Owner | Ruth |", ["Owner: Ruth"]),
        (TABLE, ["Pier: Old; Day: Mon; Fee: 3", "Pier: Old; Day: Tue; Fee: 4"]),
        ("Fees:\nPier | Fee | By\n-|-|-\nOld | 3 | a", ["Fees:", "", "Pier: Old; Fee: 3; By: a"]),
        ("Fees:\n| Pier | Fee | By |\n|-|-|-|\n| Old | 3 | a |", ["Fees:", "", "Pier: Old; Fee: 3; By: a"]),
        ("- Fees:\n  Pier | Fee | By\n  -|-|-\n  Old | 3 | a", ["- Fees:", "", "Pier: Old; Fee: 3; By: a"]),
    ],
)
def test_tables_in_markdown(tmp_path: Path, source: str, lines: list[str]) -> None:
    assert read(tmp_path, "a.md", source).text.split("\n") == lines


def test_no_row_is_lost_where_most_cells_are_missing(tmp_path: Path) -> None:
    """Parsers add no more than so many cells, and give up the table then."""
    columns, rows = 100, 3000
    table = "|a" * columns + "|\n" + "|-" * columns + "|\n" + "|Berth|\n" * rows
    text = read(tmp_path, "a.md", f"{table}\nDone.\n\n- here").text
    assert text.count("Berth") == rows and text.endswith("\n\nDone.\n\n- here")


def test_drawn_tables_in_markdown_stay_lines(tmp_path: Path) -> None:
    table = "+------+-----+\n| Dock | Fee |\n+======+=====+\n| A    | 14  |\n+------+-----+"
    assert read(tmp_path, "a.md", f"Fees:\n{table}\n\nDone.").text == f"Fees:\n\n{table}\n\nDone."
    fenced = f"```\n{table}\n```\n\nDone.\n\n~~~\n{table}"
    assert read(tmp_path, "b.md", fenced).text == f"{table}\n\nDone.\n\n{table}"


def test_what_lies_deep_is_read(tmp_path: Path) -> None:
    items = "\n".join(f"{'  ' * depth}- item {depth}" for depth in range(100))
    quotes = "\n".join(f"{'> ' * depth}word {depth}\n" for depth in range(1, 100))
    assert read(tmp_path, "a.md", items).text.replace("- ", "").split("\n") == [
        f"item {at}" for at in range(100)
    ]
    assert read(tmp_path, "b.md", quotes).text.split() == f"{quotes}".replace(">", "").split()


def test_front_matter_is_used(tmp_path: Path) -> None:
    front = (
        "---\ntitle: Gate rules\ndate: 2024-03-01\nlast_updated: 2025-02-03\nowner: Rosa Lind\n"
        "version: 1.10\ntags: [gates, night]\n---\n"
    )
    parsed = read(tmp_path, "a.md", f"{front}# Rules\n\nShut them.\n")
    assert (parsed.title, parsed.date) == ("Gate rules", "2025-02-03")
    assert parsed.text.split("\n")[0] == (
        "date: 2024-03-01; last_updated: 2025-02-03; owner: Rosa Lind; version: 1.10; tags: gates, night"
    )


@pytest.mark.parametrize(
    "source",
    [
        "---\n\nShut the gate.\n\n---\n\nOpen it.",  # rules
        "---\nShut the gate: always.\nTwice: yes: no\n---\n\nOpen it.",  # no YAML
        "Shut the gate.\n\n***\n\n* * *\n\n_ _ _\n\nOpen it.",
    ],
)
def test_rules_cost_no_text(tmp_path: Path, source: str) -> None:
    text = read(tmp_path, "a.md", source).text
    assert "Shut the gate" in text and text.endswith("Open it.") and "***" not in text


def test_a_paragraph_above_a_rule_is_no_heading(tmp_path: Path) -> None:
    assert read(tmp_path, "a.md", "Gates are shut at ten.\n---\nTitle\n---\n").text == (
        "Gates are shut at ten.\n\n## Title"
    )


def test_comments_are_left_out_and_said(tmp_path: Path) -> None:
    parsed = read(tmp_path, "a.md", "One <!-- not -->two.\n\n<!--\nnever\n\nthis\n-->\n\nThree.")
    assert parsed.text == "One two.\n\nThree."
    assert parsed.notes == ("comments left out (2)",)


def test_markdown_without_marks_reads_as_with_some(tmp_path: Path) -> None:
    """Text without marks takes a shorter way to the same page."""
    plain = 'Berth 4 > berth 3, \n   a "pier" - 5 % more.\n\n| Berth | Depth |\n|:--|--:|\n| A | 3 > 2 |\n'
    marked = plain.replace("Berth 4", "*Berth* 4").replace("| A |", "| `A` |")
    text = 'Berth 4 > berth 3, a "pier" - 5 % more.\n\nBerth: A; Depth: 3 > 2'
    assert read(tmp_path, "a.md", plain).text == read(tmp_path, "b.md", marked).text == text


def test_what_nothing_closes_is_no_comment(tmp_path: Path) -> None:
    assert read(tmp_path, "a.md", "One.\n\n<!-- two\n\nThree.").text == "One.\n\n<!-- two Three."


# --- plain text ------------------------------------------------------------------------------------

PROSE = (
    "The harbour office checks every boat that stays for longer than two nights; it also checks the "
    "emergency lamps and the pumps of the lower basin. Berths are given by length, and well-known guests are "
    "asked to write before they come. Fees are paid at the office or at night in the box beside the door."
)
GERMAN = (
    "Das Hafenbüro prüft jedes Boot, das länger als zwei Nächte bleibt; auch die Lampen der Notausgänge und "
    "die Pumpen des unteren Beckens werden geprüft. Liegeplätze werden nach Länge der Boote vergeben, und "
    "die Gebühren sind im Büro zu zahlen oder nachts in den Briefkasten neben der Tür zu werfen."
)


@pytest.mark.parametrize("prose", [PROSE, GERMAN])
@pytest.mark.parametrize("width", [52, 66, 72, 80, 100])
def test_paragraphs_broken_at_a_width_are_joined(tmp_path: Path, prose: str, width: int) -> None:
    wrapped = textwrap.fill(prose, width, break_on_hyphens=False)
    assert read(tmp_path, "a.txt", f"{wrapped}\n\n{wrapped}\n").text == f"{prose}\n\n{prose}"


def test_words_broken_at_line_ends_are_rejoined(tmp_path: Path) -> None:
    lines = [
        "The office checks every boat that stays for longer, and the emer-",
        "gency lamps of the lower basin with them. It is open to all well-",
        "known guests; a state-of-",
        "the-art pump keeps the water out, and it is run by Lucene-",
        "BM25 at night. Well-known guests write before they come, whoever",
        "they are and wherever they may have come from.",
    ]
    text = read(tmp_path, "a.txt", "\n".join(lines)).text
    assert "the emergency lamps" in text and "all well-known guests" in text
    assert "emer" not in text.replace("emergency", "")


LOG = [
    "2024-05-02 10:00:01 INFO  pump P7 started, pressure 3.2 bar",
    "2024-05-02 10:05:12 WARN  pump P7 pressure 5.9 bar. Stopped.",
    "2024-05-02 10:06:00 ERROR pump P7 stopped with code E41 now",
]
CONTACTS = [
    "Fire brigade of the harbour, by day and night, call 555-0199",
    "Medical post in the hall, from six to twenty, call 555-0142",
    "Electrician on duty, at night and on Sundays, call 555-0177",
]
COLUMNS = ["ARTICLE        STOCK    PRICE", "Hammer            12    14.90", "Cordless drill     5   119.00"]
BARS = ["Branch | Monday     | Phone", "-------+------------+---------", "Alta   | 9:00-18:00 | 555-0101"]
SQL = ["CREATE TABLE boats (", "  id INTEGER PRIMARY KEY, -- never used twice", "  name TEXT NOT NULL", ");"]
SETTINGS = ["[pump]", "name = P7", "  unit = bar", "limit = 5.5"]
PYTHON = ["def wait(n):", "    while n:", "        n -= 1", "    return n"]
ADDRESS = ["Harbour Office", "12 Quay Street", "AB1 2CD Alta"]


@pytest.mark.parametrize("end", ["\r\n", "\r", "\u2028", "\x0b"])
def test_every_kind_of_line_end_is_one(tmp_path: Path, end: str) -> None:
    lines = ["The pier is closed", "  # on weekdays", "", "Depth | Berth", "3 | A\u00a0west"]
    assert read(tmp_path, "a.txt", end.join(lines)).text == read(tmp_path, "b.txt", "\n".join(lines)).text


def test_white_space_that_means_nothing_goes(tmp_path: Path) -> None:
    source = "   - ropes\n   - lamps\n\n    A paragraph set in. Two sentences.\n\n one  word\n two words"
    text = read(tmp_path, "a.txt", source).text
    assert text == "- ropes\n- lamps\n\nA paragraph set in. Two sentences.\n\none word\ntwo words"


@pytest.mark.parametrize("lines", [LOG, CONTACTS, COLUMNS, BARS, SQL, SETTINGS, PYTHON, ADDRESS])
@pytest.mark.parametrize("name", ["a.txt", "a.log", "a.sql"])
def test_lines_that_mean_something_stay_as_they_are(tmp_path: Path, name: str, lines: list[str]) -> None:
    block = "\n".join(lines)
    assert read(tmp_path, name, f"{block}\n").text == block
    wrapped = textwrap.fill(PROSE, 70)
    among = read(tmp_path, "b.txt", f"{wrapped}\n\n{block}\n\n{wrapped}\n").text
    assert f"\n\n{block}\n\n" in among and among.startswith(PROSE)


def test_entries_of_a_log_are_sentences_of_their_own(tmp_path: Path) -> None:
    text = read(tmp_path, "a.log", "\n".join(LOG)).text
    assert [text[start:end] for start, end in split_sentences(text)] == LOG


# --- reStructuredText and Org ----------------------------------------------------------------------

RST = """
Gate rules
==========

:Author: Rosa Lind
:Date: 2024-05-02

Call ``gate.open(id)`` or :py:func:`shut`; see :ref:`the plan <x>`, `it <http://x.y>`_ [1]_ and
10\\ :sup:`6` turns.

Settings
--------

Put this::

    gate:
      bar: 5

.. code-block:: python

   if x:
       go()

.. note:: Mind the tide. Twice.

.. versionadded:: 2.1
   The bell.

.. toctree::
   :maxdepth: 2

+------+-----+------+
| Pier | Fee | Days |
+======+=====+======+
| Old  | 3   | 12   |
+------+-----+------+

====  ===  ====
Pier  Fee  Days
====  ===  ====
New     4    14
====  ===  ====

.. [1] With the brake on.
"""

ORG = """#+TITLE: Gate rules
#+AUTHOR: Rosa Lind
#+DATE: <2024-05-02 Thu>

* Gate rules :night:
:PROPERTIES:
:ID: 7
:END:
Call =gate.open(id)= or ~shut~; see [[http://x.y][the plan]], *bold* and /slanted/ or a/b/c.[fn:1]
# a comment
** Settings
#+BEGIN_SRC yaml
gate:
  bar: 5
#+END_SRC
| Pier | Fee | Days |
|------+-----+------|
| Old  |   3 |   12 |

- bell :: rings once
[fn:1] With the brake on.
"""


def test_rst(tmp_path: Path) -> None:
    parsed = read(tmp_path, "a.rst", RST)
    assert (parsed.title, parsed.date) == ("Gate rules", "2024-05-02")
    text = parsed.text
    for words in (
        "# Gate rules\n", "Author: Rosa Lind", "## Settings\n", "gate:\n  bar: 5\n", "if x:\n    go()\n",
        "Call gate.open(id) or shut; see the plan, it (note 1) and 10^6 turns.", "Mind the tide. Twice.",
        "versionadded: 2.1", "The bell.", "Pier: Old; Fee: 3; Days: 12", "Pier: New; Fee: 4; Days: 14",
        "(note 1) With the brake on.",
    ):  # fmt: skip
        assert words in text
    assert "toctree" not in text and "::" not in text and "`" not in text


def test_rst_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    source = "Title\n=====\n\n.. include:: secret.txt\n\n.. raw:: html\n   :file: secret.txt\n\nEnd.\n"
    text = read(tmp_path, "a.rst", source).text
    assert "secret" not in text and text.endswith("End.")


def test_org(tmp_path: Path) -> None:
    parsed = read(tmp_path, "a.org", ORG)
    assert (parsed.title, parsed.date) == ("Gate rules", "2024-05-02")
    assert parsed.text.split("\n\n") == [
        "author: Rosa Lind; date: <2024-05-02 Thu>",
        "# Gate rules",
        "Call gate.open(id) or shut; see the plan, bold and slanted or a/b/c. (note 1)",
        "## Settings",
        "gate:\n  bar: 5",
        "Pier: Old; Fee: 3; Days: 12",
        "- bell: rings once (note 1) With the brake on.",
    ]


def test_cells_without_a_name_and_bars_in_code_are_kept(tmp_path: Path) -> None:
    table = "|A|B|\n|-|-|\n|1|2|3|\n|x|`a|b`|\n|y|p \\| q|"
    assert read(tmp_path, "a.md", table).text == "A: 1; B: 2; 3\nA: x; B: a|b\nA: y; B: p | q"
    fenced = read(tmp_path, "b.md", f"```\n{table}\n```").text
    assert [line.strip() for line in fenced.split("\n")] == table.split("\n")


def test_colours_of_a_terminal_are_no_text(tmp_path: Path) -> None:
    assert read(tmp_path, "a.log", "\x1b[1;31mERROR\x1b[0m pump 7").text == "ERROR pump 7"


def test_words_that_have_a_hyphen_wherever_they_stand_keep_it(tmp_path: Path) -> None:
    text = (
        "All faults that are reported in the logbook of the pump are well-\nknown to the keeper of the port."
    )
    assert "pump are well-known to" in read(tmp_path, "a.txt", text).text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Keys of the ware-\nhouse are at the desk of the porter.", "Keys of the warehouse are"),
        ("Zgłoś kawał-\nek drutu dozorcy budynku.", "Zgłoś kawałek drutu"),
        ("Alle Ein-\nund Ausgänge sind zu.", "Alle Ein-\nund Ausgänge"),
        ("Before.\n\n-----\n\nBehind it.", "Before.\n\nBehind it."),  # a rule alone
        ("two-\nparts", "two-\nparts"),  # an entry of a list, not a line of prose
    ],
)
def test_words_are_rejoined_however_long_the_lines_are(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    assert line in parse_file(path).text


def test_a_hyphen_that_stands_for_the_rest_of_a_word_stays_where_lines_are_joined() -> None:
    assert join("Alle Ein-", "und Ausgänge") == "Alle Ein- und Ausgänge"
    assert whole_words([join("die Hausver-", "waltung")]) == ["die Hausverwaltung"]


def test_a_notebook_keeps_what_its_cells_printed_and_says_what_was_a_picture(tmp_path: Path) -> None:
    outputs = [
        {"output_type": "stream", "text": ["total 944\n", "# no heading\n"]},
        {"output_type": "execute_result", "data": {"text/plain": "0.81"}},
        {"output_type": "display_data", "data": {"image/png": "AAAA", "text/plain": "<Figure 640x480>"}},
        {"output_type": "error", "ename": "KeyError", "evalue": "no such pump"},
    ]
    cell = {"cell_type": "code", "source": ["run()"], "outputs": outputs}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell]}))
    parsed = parse_file(path)
    assert parsed.text == "run()\n\ntotal 944\n # no heading\n\n0.81\n\nno such pump"
    assert parsed.notes == ("pictures among the outputs left out (1)",)


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (
            "| Ana Holm | Kiel | glazier |\n| Ben Ode | Lund | tailor |",
            ["Ana Holm; Kiel; glazier", "Ben Ode; Lund; tailor"],
        ),
        (
            "| Port | 2024 |  |\n|  | In | Out |\n|------+----+-----|\n| Oulu | *7* | 9 |\n| Pori | 3 | <4 |",
            ["Port: Oulu; 2024 In: 7; 2024 Out: 9", "Port: Pori; 2024 In: 3; 2024 Out: <4"],
        ),
        (
            "|---+---+---|\n| Hall | Day | Fee |\n|---+---+---|\n| A | Mon | 4 |",
            ["Hall: A; Day: Mon; Fee: 4"],
        ),
    ],
)
def test_org_tables_with_no_header_or_two_rows_of_one(tmp_path: Path, table: str, rows: list[str]) -> None:
    text = read(tmp_path, "a.org", f"* Plan\nBefore it.\n{table}\nBehind it.\n").text
    assert [line for line in text.split("\n") if line] == ["# Plan", "Before it.", *rows, "Behind it."]


PIECES = ["CREATE", "DROP", "select", "Boats", "arrive", "12", "2026", "-", "--", "//", "#!", " ", "  "]
PIECES += ["   ", "\t", "|", ";", "{", "}", "=", ":", ".", "/", "(", "é", "x"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_the_quick_look_at_a_line_misses_nothing(line: str) -> None:
    assert plain_text._looks_odd(line) == bool(plain_text._NO_PROSE.search(line))
