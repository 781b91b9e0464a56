"""Pages and XML: what is content is read, with its rows, powers and code as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.datatypes import ParsedFile
from backends.documents.parsing import parse_file


def page(folder: Path, body: str, name: str = "a.html") -> ParsedFile:
    path = folder / name
    path.write_bytes(body.encode())
    return parse_file(path)


def lines(folder: Path, body: str, name: str = "a.html") -> list[str]:
    return [line for line in page(folder, body, name).text.split("\n") if line]


# --- what is content -------------------------------------------------------------------------------

PROSE = "<p>" + "The gauge is read at dawn and at dusk by the keeper on duty. " * 8 + "</p>"


@pytest.mark.parametrize(
    "frame",
    [
        "<article><p>Gate one: 4 euros.</p></article><article><p>Gate two: 5 euros.</p></article>",
        "<div>Gate one: 4 euros.</div><section><article><p>Gate two: 5 euros.</p></article></section>",
        "<form><input type=hidden value=x><div>Gate one: 4 euros.<p>Gate two: 5 euros.</p></div></form>",
        "<div class=x><p>Gate one: 4 euros.</p></div><div class=x hidden><p>Gate two: 5 euros.</p></div>",
        "<p>Gate one: 4 euros.</p><div role=tabpanel aria-hidden=true><p>Gate two: 5 euros.</p></div>",
        "<p>Gate one: 4 euros.</p><h3>Two</h3><div style='display:none'>Gate two: 5 euros.</div>",
        "Gate one: 4 euros. <a href='#x'>Two</a><div id=x style='display:none'>Gate two: 5 euros.</div>",
        "<p>Gate one: 4 euros.</p><div hidden=until-found>Gate two: 5 euros.</div>",
        "<p>Gate one: 4 euros.</p><aside><p>Gate two: 5 euros.</p></aside>",
        "<details><summary>Gates</summary>Gate one: 4 euros.<p>Gate two: 5 euros.</p></details>",
        "<table><tr><td><ul><li><a href=a>Home</a></li></ul></td><td><h1>Gates</h1><p>Gate one: 4 euros.</p>"
        "<p>Gate two: 5 euros.</p></td></tr></table>",
        "<main><p>Gate one: 4 euros.</p></main><main hidden></main><main><p>Gate two: 5 euros.</p></main>",
    ],
)
def test_every_part_of_a_page_is_read(tmp_path: Path, frame: str) -> None:
    text = page(tmp_path, f"<body>{frame}</body>").text
    assert "Gate one: 4 euros." in text and "Gate two: 5 euros." in text


def test_buttons_that_open_something_are_questions_and_others_are_not(tmp_path: Path) -> None:
    body = (
        "<button>Where do I park?</button><div style='display:none'>Behind hall 6.</div>"
        "<h3><button aria-expanded=false>Opening hours</button></h3><div hidden>From nine.</div>"
        "<button>Send</button>"
    )
    assert lines(tmp_path, body) == ["Where do I park?", "Behind hall 6.", "### Opening hours", "From nine."]


@pytest.mark.parametrize(
    "hidden",
    [
        "<div style='display: none'>Draft of the fees.</div>",
        "<p hidden>Draft of the fees.</p>",
        "<div class='modal tab' style='display:none'>Draft of the fees.</div>",
        "<p>Visible <span aria-hidden=true>Draft of the fees.</span></p>",
    ],
)
def test_hidden_text_is_left_out_and_said(tmp_path: Path, hidden: str) -> None:
    parsed = page(tmp_path, f"<div>The gate is open.</div>{hidden}")
    assert "Draft" not in parsed.text and parsed.notes == ("hidden text left out (4 words)",)


def test_struck_out_text_is_left_out_and_said(tmp_path: Path) -> None:
    parsed = page(tmp_path, "<p>The fee is <s>99</s> <strike>89</strike> 79 euros.</p>")
    assert parsed.text == "The fee is 79 euros."
    assert parsed.notes == ("struck-out text left out (2 places)",)


def links(names: list[str]) -> str:
    return "".join(f'<li><a href="/{at}">{name}</a></li>' for at, name in enumerate(names))


SITE = ["Home", "Products", "News", "About us", "Contact", "Imprint"]


@pytest.mark.parametrize(
    "menu",
    [
        f"<nav><ul>{links(SITE)}</ul></nav>",
        f"<ul class=topMenu>{links(SITE)}</ul>",
        f"<div id=side-bar class=sidebar><ul>{links(SITE)}</ul></div>",
        f"<div role=navigation>{links(SITE)}</div>",
        f"<ul>{links(SITE)}</ul>",  # unmarked, in front of the heading
    ],
)
def test_menus_are_left_out(tmp_path: Path, menu: str) -> None:
    text = page(tmp_path, f"<body>{menu}<h1>Gauge</h1>{PROSE}</body>").text
    assert "Imprint" not in text and "# Gauge" in text and "gauge is read" in text


@pytest.mark.parametrize(
    ("content", "item"),
    [
        (f"<ul>{links([f'Station {n}' for n in 'ABCDEFGHIJKLMN'])}</ul>", "- Station N"),
        (f"<ul class=links>{links([f'K{n} door open' for n in range(20)])}</ul>", "- K19 door open"),
        ("<ul class=menu><li>Soup 4 euros<li>Fish 9 euros<li>Tea 3 euros</ul>", "- Tea 3 euros"),
    ],
)
def test_lists_of_the_text_are_kept(tmp_path: Path, content: str, item: str) -> None:
    assert item in lines(tmp_path, f"<body><h1>Gauge</h1>{PROSE}<p>These are all:</p>{content}{PROSE}</body>")


def test_a_page_of_links_keeps_them(tmp_path: Path) -> None:
    assert "- Imprint" in lines(tmp_path, f"<body><ul>{links(SITE)}</ul><h1>Index</h1></body>")


def test_what_stands_outside_the_main_part_is_said(tmp_path: Path) -> None:
    outside = "<div>" + "The old fee was four euros. " * 20 + "</div>"
    parsed = page(tmp_path, f"<body><main>{PROSE}</main>{outside}</body>")
    assert "old fee" not in parsed.text
    assert parsed.notes == ("text outside the page's main part left out (120 words)",)


# --- how it is written -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("at most 10<sup>6</sup> turns", "at most 10^6 turns"),
        ("10<sup>−3</sup> mol", "10^-3 mol"),
        ("12 m<sup>2</sup>, 3 m<sup>3</sup>", "12 m^2, 3 m^3"),
        ("CO<sub>2</sub> and H<sub>2</sub>O", "CO2 and H2O"),
        ("x<sub>i</sub> of log<sub>2</sub>8", "x_i of log_2 8"),
        ("the 1<sup>st</sup> and M<sup>lle</sup> Duc", "the 1st and Mlle Duc"),
        ("at most 250<sup>1</sup> kg", "at most 250 kg (note 1)"),
        ("at most 250<sup><a href='#n2'>2</a></sup> kg", "at most 250 kg (note 2)"),
        ("the hull<sup>2</sup> is steel.<sup>3</sup>", "the hull (note 2) is steel. (note 3)"),
        ("It is <del>99 euros</del> <ins>79 euros</ins>", "It is 79 euros"),
        ("one&nbsp;in&shy;stal&#8209;ment&#150;two&#133;", "one instal-ment–two…"),
        ("<b>bold</b>face <i>and</i> <code>a  b</code>", "boldface and a b"),
        ("<a href=a>One</a><a href=b>Two</a>", "One Two"),
        ("19<span>.99</span> euros", "19.99 euros"),
        ("He said <q>no</q>.", "He said “no”."),
        ("<math><mfrac><mi>a</mi><msup><mi>b</mi><mn>2</mn></msup></mfrac></math>", "a/(b^2)"),
        ("<label><input type=checkbox checked> Paid</label>", "[x] Paid"),
        ("Name <input value='Rosa Lind'> <input type=hidden value=x>", "Name Rosa Lind"),
        ("Size <select><option>S<option selected>M</select>", "Size M"),
        ("Line one<br>Line two", "Line one\nLine two"),
    ],
)
def test_running_text(tmp_path: Path, source: str, text: str) -> None:
    assert page(tmp_path, f"<p>{source}</p>").text == text


def test_a_mark_of_a_footnote_is_one_wherever_it_stands(tmp_path: Path) -> None:
    body = "<p>Load: 250<sup>2</sup> kg on 4 m<sup>2</sup></p><p><sup>2</sup> With the brake on.</p>"
    assert lines(tmp_path, body) == ["Load: 250 kg (note 2) on 4 m^2", "(note 2) With the brake on."]


def test_code_keeps_its_lines_and_indentation(tmp_path: Path) -> None:
    code = "pump:\n  name: P7\n  limits:\n    bar: 5.5\n# the end"
    parsed = page(tmp_path, f"<h1>Settings</h1><p>Like this:</p><pre><code>{code}</code></pre><p>Done.</p>")
    assert "pump:\n  name: P7\n  limits:\n    bar: 5.5\n # the end" in parsed.text
    assert page(tmp_path, "<ul><li><pre>if x:\n    go()</pre></li></ul>").text == "if x:\n    go()"


def test_lists_and_definitions(tmp_path: Path) -> None:
    body = (
        "<ol start=3><li>Shut it.<li value=7>Drain it.<ul><li>slowly</ul></ol><ol type=a><li>one<li>two</ol>"
        "<dl><dt>Late fee</dt><dd>12 euros</dd><div><dt>Who pays?</dt><dd>The guest.</dd></div>"
        "<dt>Terms</dt><dd><p>One.</p><p>Two.</p></dd></dl>"
    )
    assert lines(tmp_path, body) == [
        "3. Shut it.", "7. Drain it.", "- slowly", "a. one", "b. two", "Late fee: 12 euros",
        "Who pays? The guest.", "Terms", "One.", "Two.",
    ]  # fmt: skip


# --- tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (  # cells over several rows, and over several columns
            "<tr><th>Pier<th>Day<th>Fee<tr><td rowspan=2>East<td>Mon<td>3<tr><td>Tue<td>4<tr><td>Old"
            "<td colspan=2>no",
            ["Pier: East; Day: Mon; Fee: 3", "Pier: East; Day: Tue; Fee: 4", "Pier: Old; Day: no; Fee: no"],
        ),
        (  # an empty corner
            "<tr><td><th>Mon<th>Tue<tr><th>Gym<td>6-20<td>8-22<tr><th>Court<td>closed<td>10-18",
            ["Gym; Mon: 6-20; Tue: 8-22", "Court; Mon: closed; Tue: 10-18"],
        ),
        (  # a table in a cell
            "<tr><th>Order<th>Parts<tr><td>A1<td><table><tr><th>SKU<th>Pieces<tr><td>S7<td>2<tr><td>S8"
            "<td>1</table>",
            ["Order: A1; Parts: SKU S7, Pieces 2 / SKU S8, Pieces 1"],
        ),
        (  # a list in a cell
            "<tr><th>Crew<th>Boat<th>Year<tr><td><ul><li>Ana<li>Bo</ul><td>Terra<td>2019",
            ["Crew: Ana, Bo; Boat: Terra; Year: 2019"],
        ),
        (  # the header comes again with other names
            "<tr><th>Pier<th>Fee<th>Day<tr><td>East<td>3<td>Mon<tr><th>Hall<th>Rent<th>Month<tr><td>Old<td>90"
            "<td>May",
            ["Pier: East; Fee: 3; Day: Mon", "Hall: Old; Rent: 90; Month: May"],
        ),
        (  # the foot stands before the body in the source
            "<thead><tr><th>Pier<th>Fee<th>Day</thead><tfoot><tr><td>All<td>7<td>-</tfoot><tbody><tr><td>East"
            "<td>3<td>Mon",
            ["Pier: East; Fee: 3; Day: Mon", "Pier: All; Fee: 7; Day: -"],
        ),
    ],
)  # fmt: skip
def test_tables(tmp_path: Path, rows: str, expected: list[str]) -> None:
    assert lines(tmp_path, f"<table>{rows}</table>") == expected


# --- XML -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (  # text and elements mix
            "<doc><para>Call <phone>555-0101</phone> at <b>once</b>, then wait.</para></doc>",
            ["Call 555-0101 at once, then wait."],
        ),
        (  # attributes are content
            '<shop><item sku="A1" price="4.50"/><item sku="B2" price="9.00">sold out</item></shop>',
            ["item sku: A1; item price: 4.50", "item: sold out; item sku: B2; item price: 9.00"],
        ),
        (  # a record a line
            '<l><p id="7"><who>Ana</who><fee cur="EUR">4</fee></p><p id="8"><who>B</who><fee>5</fee></p></l>',
            ["id: 7; who: Ana; fee: 4; fee cur: EUR", "id: 8; who: B; fee: 5"],
        ),
        (  # a record within a record
            "<c><x><who><first>Ana</first><last>Holm</last></who><age>30</age></x><x><age>31</age></x></c>",
            ["who first: Ana; who last: Holm; age: 30", "age: 31"],
        ),
        (  # rows and cells
            "<t><row><c>Town</c><c>Fee</c><c>Days</c></row><row><c>Alta</c><c>3</c><c>12</c></row></t>",
            ["Town: Alta; Fee: 3; Days: 12"],
        ),
        ('<!DOCTYPE d [<!ENTITY co "A &amp; B">]><d><a>By &co;.</a><b>x</b></d>', ["a: By A & B.; b: x"]),
        ("<f><e><content>&lt;p&gt;Open &lt;b&gt;daily&lt;/b&gt;&lt;/p&gt;</content></e></f>", ["Open daily"]),
        ("<x:a xmlns:x='u'><x:fee>4</x:fee><!-- no --><x:day>Mon</x:day></x:a>", ["fee: 4; day: Mon"]),
    ],
)  # fmt: skip
def test_xml(tmp_path: Path, source: str, expected: list[str]) -> None:
    assert lines(tmp_path, source, "a.xml") == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "<p>Tie it<a role=doc-noteref href='#a'><sup>3</sup></a>.</p>"
            "<aside role=doc-footnote><p>3. Twice.</p></aside>",
            ["Tie it (note 3).", "(note 3) Twice."],
        ),
        (
            "<p>Tie it<a epub:type=noteref href='#a'>b</a>.</p><aside epub:type=footnote>[b] Twice.</aside>",
            ["Tie it (note b).", "(note b) Twice."],
        ),
        ("<aside epub:type=rearnote><p>Always twice.</p></aside>", ["Note: Always twice."]),
    ],
)
def test_notes_of_books_have_their_marks_apart(tmp_path: Path, body: str, expected: list[str]) -> None:
    assert lines(tmp_path, body) == expected


def test_text_between_links_is_as_it_was_written(tmp_path: Path) -> None:
    body = "<p><a>Ana</a> (<a>Ben</a>), &amp;<a>Cid</a>::<a>new</a><a>Dan</a> <a>Eve</a></p>"
    assert lines(tmp_path, body) == ["Ana (Ben), &Cid::new Dan Eve"]


def test_lines_of_xml_that_are_to_be_kept_stay_lines(tmp_path: Path) -> None:
    kept = "<text xml:space='preserve'>== Rope ==\n* new\n  : 8 mm</text>"
    source = f"<wiki><page><title>Crane</title>{kept}</page></wiki>"
    assert lines(tmp_path, source, "a.xml") == ["## Crane", "== Rope ==", "* new", "  : 8 mm"]
    assert lines(tmp_path, "<a><b xml:space='preserve'> 4 </b><c>\n x\n y</c></a>", "b.xml") == [
        "b: 4; c: x y"
    ]


def test_broken_xml_is_read_as_far_as_it_goes_and_said(tmp_path: Path) -> None:
    parsed = page(tmp_path, "<d>\n<a>One & two</a><b>three</b></d>", "a.xml")
    assert "three" in parsed.text
    assert parsed.notes == ("not well-formed in line 2: something may be missing",)


def test_xml_in_its_declared_encoding(tmp_path: Path) -> None:
    source = "<?xml version='1.0' encoding='ISO-8859-1'?><d><fee>45 € – Köln</fee><day>Mon</day></d>"
    (tmp_path / "a.xml").write_bytes(source.encode("cp1252"))
    assert parse_file(tmp_path / "a.xml").text == "fee: 45 € – Köln; day: Mon"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<p>Milk <b>1<sup>99</sup></b> €, ham <b>2.<sup>49</sup></b> euros</p>",
         ["Milk 1.99 €, ham 2.49 euros"]),
        ("<p>25 m<sup>2</sup> and 10<sup>12</sup> euros</p>", ["25 m^2 and 10^12 euros"]),
        ("<p><span style='text-decoration: line-through'>40</span> 30 euros</p>", ["30 euros"]),
        ("<div role=table><div role=row><span role=columnheader>Plan</span>"
         "<span role=columnheader>Seats</span><span role=columnheader>Fee</span></div>"
         "<div role=row><span role=cell>Gold</span><span role=cell>50</span><span role=cell>90</span></div>"
         "</div>", ["Plan: Gold; Seats: 50; Fee: 90"]),
        ("<label>Zone</label><select><option selected>North</select><textarea>By the gate</textarea>",
         ["Zone North By the gate"]),
    ],
)  # fmt: skip
def test_nothing_is_glued_and_no_old_price_stands(tmp_path: Path, body: str, expected: list[str]) -> None:
    assert lines(tmp_path, f"<body>{body}</body>") == expected


def test_elements_of_xml_that_nothing_stands_between_are_words_of_their_own(tmp_path: Path) -> None:
    body = "<r><i><n>Kettle</n><t>Holds <b>1.7</b> l<br/>of water</t><v>19</v> in all</i><i>x</i></r>"
    assert lines(tmp_path, body, "a.xml")[0] == "i: Kettle Holds 1.7 l of water 19 in all"
