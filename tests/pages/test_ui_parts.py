"""The page's pure parts: escaping, marking, numbers, verdict, identity, theme."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import streamlit
from hypothesis import given
from hypothesis import strategies as st

from backends.answering.checks import CONTRADICTED, DECLINED, DOUBTFUL, INVENTED, WRONG_VERDICT
from backends.datatypes import Answer, Checks, Cost
from backends.documents.differences import compare
from backends.feedback.retrieval_log import Health
from backends.settings import make_settings
from pages.ask.verdict import agree, verdict
from pages.evaluate import score_charts
from pages.evaluate.score_charts import SCALES
from pages.library.boundaries import boundaries
from pages.library.changed_lines import row_html
from pages.library.health_charts import volume
from pages.ui import charts, css_rules, plain_table, session
from pages.ui.answer_card import notes_of
from pages.ui.answer_labels import _badges
from pages.ui.asking import Asked, Column, Round
from pages.ui.look import EMBEDDER, LOOKS, Theme, contrast, ink_on, soft_ink
from pages.ui.text import (
    StyledSpan,
    answer_html,
    document_html,
    emphasised,
    markdown,
    marked_html,
    own_words,
    quoted,
    seconds,
)
from tests.pages.scripted import ScriptedService

ROOT = Path(__file__).resolve().parents[2]


def record(backend: str, text: str, **changes: object) -> Answer:
    service = ScriptedService("v")
    made = service._record("rag" if backend == "base" else backend, "q", make_settings(), None)  # type: ignore[arg-type]
    changes = {"abstained": False, "checks": Checks(0.9), **changes}
    return replace(made, backend=backend, text=text, **changes)  # type: ignore[arg-type]


@given(st.text(max_size=200), st.lists(st.tuples(st.integers(-5, 210), st.integers(-5, 210)), max_size=5))
def test_marking_changes_nothing_of_the_text(text: str, pairs: list[tuple[int, int]]) -> None:
    made = marked_html(text, [StyledSpan(a, b, "color:red") for a, b in pairs])
    assert html.unescape(re.sub(r"</?mark[^>]*>", "", made)) == text


@given(st.integers(0, 30), st.integers(0, 30))
def test_words_in_bold_keep_their_place_and_every_other_mark(a: int, b: int) -> None:
    start, end = sorted((a, b))
    made = emphasised([StyledSpan(2, 10, "x;", "cited"), StyledSpan(10, 25, "y;")], start, end)
    styles = {n: span.style for span in made for n in range(span.start, span.end)}
    for n in range(2, 25):
        assert styles[n] == ("x;" if n < 10 else "y;") + ("font-weight:700;" if start <= n < end else "")
    assert {span.title for span in made if span.start < 10} == {"cited"}


MARKED = (
    "# Fees\n\n## Berths\nA **guest boat** pays 24 euros.\n| Boat | Fee |\n|---|---|\n| 9 m | 24 |\n"
    "- No # sign"
)


def test_signs_of_headings_bold_and_tables_are_read_and_not_shown() -> None:
    made = document_html(MARKED)
    bold = '<mark style="color:inherit;background:none;font-weight:700;">'
    assert made == (
        f"{bold}Fees</mark>\n\n{bold}Berths</mark>\nA {bold}guest boat</mark> pays 24 euros.\n"
        "| Boat | Fee |\n| 9 m | 24 |\n- No # sign"
    )
    assert quoted("## Berths\nA **guest boat** pays.\n- 24 euros") == "Berths: A guest boat pays. 24 euros"


@given(st.integers(0, len(MARKED)), st.integers(0, len(MARKED)))
def test_a_marked_passage_holds_the_same_words_without_their_signs(a: int, b: int) -> None:
    start, end = sorted((a, b))
    made = document_html(MARKED, [StyledSpan(start, end, "x;")] if start < end else [])
    inside = "".join(re.findall(r'<mark style="x;[^"]*">(.*?)</mark>', made, re.S))
    everything = re.sub(r"</?mark[^>]*>", "", made)
    assert everything == re.sub(r"</?mark[^>]*>", "", document_html(MARKED))
    assert [c for c in inside if c.isalnum()] == [c for c in MARKED[start:end] if c.isalnum()]
    assert inside.count("#") == (
        start <= MARKED.rindex("#") < end
    )  # no sign of a heading, only the word's own


def labelled(checks: Checks) -> list[tuple[str, str]]:
    return [(text, colour) for text, colour, _ in _badges(record("rag", "18 days.", checks=checks))]


def test_no_label_reassures_beside_a_worse_one_or_a_warning() -> None:
    assert labelled(Checks(0.95, "backed")) == [("Seems to answer", "green"), ("Backed by a source", "green")]
    assert labelled(Checks(0.1, "backed", None, DOUBTFUL)) == [
        ("May not answer", "orange"),
        ("A source says the same", "gray"),
    ]
    assert labelled(Checks(0.95, "contradicted", None, CONTRADICTED)) == [
        ("Contradicted by a source", "red"),
        ("Fits the question", "gray"),
    ]
    assert {colour for _, colour in labelled(Checks(0.95, "backed", None, WRONG_VERDICT))} == {"gray"}


def test_a_button_that_is_off_keeps_the_colour_of_its_words() -> None:
    told = [rule for rule in css_rules.RULES.split("}") if 'button[kind^="primary"]' in rule]
    assert told and all(
        part.startswith(":not(:disabled)") for rule in told for part in rule.split('[kind^="primary"]')[1:]
    )


def test_a_changed_heading_is_shown_without_its_signs() -> None:
    rows = compare("## 1 Berths\nText", "## 1 Moorings\nText")
    shown = "".join(row_html(row) for row in rows if row.changed)
    assert "#" not in re.sub(r"#[0-9a-f]{6}", "", shown) and "<strong>" in shown
    assert "Berths" in shown and "Moorings" in shown


def test_days_of_the_health_chart_are_short_and_a_single_question_is_not_all_of_them() -> None:
    days = (("2026-11-29", 0), ("2026-11-30", 1))
    one = Health(1, 2, days, 40.0, None, 60.0, 0, 0, (), ())
    made = volume(one, "light")
    assert made.title == "1 question in 2 days, on 30 Nov"
    assert list(made.figure.data[0].x) == ["29 Nov", "30 Nov"]
    two = replace(one, questions=2, per_day=(("2026-11-29", 0), ("2026-11-30", 2)))
    assert volume(two, "light").title == "2 questions in 2 days, all on 30 Nov"


def test_answer_never_becomes_markup() -> None:
    made = answer_html("<script>x</script> costs $5 [1], not $10 [7]", "red", {1: 'a "quoted" name.md'})
    assert "<script>" not in made and "$5" in made
    assert 'title="a &quot;quoted&quot; name.md"' in made and 'title="no such source"' in made


@pytest.mark.parametrize(
    "text", ["$5 and $10", "*a* _b_ `c` [d](e)", "# h", ":red[x] :smile:", "<b>", "a|b~c~"]
)
def test_markdown_escapes_every_punctuation(text: str) -> None:
    escaped = markdown(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == text
    assert not re.search(r"(?<!\\)[$*_`\[\]<>#:|~]", escaped)


def test_own_words_ignore_small_words_and_shared_ones() -> None:
    text = "Within 45 days of delivery."
    assert [text[a:b] for a, b in own_words(text, ["30 days from delivery"])] == ["45"]
    assert own_words(text, []) == []


def test_seconds_show_what_one_measurement_supports() -> None:
    assert [seconds(ms) for ms in (0.2, 38.4, 420.0, 12_345.0)] == ["< 1 ms", "38 ms", "0.42 s", "12.3 s"]


def test_agreement_needs_the_same_numbers() -> None:
    a = record("rag", "30 days from delivery [1].")
    assert agree(a, record("hybrid", "Within 30 days of the delivery [2]."))
    assert not agree(a, record("fine_tuned", "45 days from delivery."))
    assert agree(a, record("hybrid", "30 days"))


def test_verdict_names_ties_and_leaves_the_control_out() -> None:
    quick = {"latency_ms": {"total": 100.0}, "groundedness": 0.9}
    same = verdict([record("rag", "Yes.", **quick), record("hybrid", "Yes.", **quick)])
    assert same.fastest == "a tie (0.10 s)"
    assert same.conclusion == "RAG and Hybrid agree: “Yes”."
    base = record("base", "No.", latency_ms={"total": 1.0})
    alone = verdict([record("rag", "Yes."), base])
    assert (alone.conclusion, alone.parts) == ("RAG answers without a warning: “Yes”.", [])
    assert verdict([base]).conclusion == ""


def test_prices_in_two_currencies_are_not_held_against_each_other() -> None:
    dollars = record("rag", "Yes.", cost=Cost(0.002, "USD", "a"))
    euros = record("hybrid", "Yes.", cost=Cost(0.001, "EUR", "b"))
    assert verdict([dollars, euros]).cheapest == "not told, prices are in EUR and USD"
    assert verdict([dollars, replace(euros, cost=Cost(0.001, "USD", "b"))]).cheapest == "Hybrid (2.0×)"
    assert charts.cost([dollars, euros], "light") is None
    assert charts.cost([dollars, dollars], "light") is not None
    asked = Asked("q", ("rag",), make_settings(), datetime(2026, 11, 30))
    rounds = [Round("a", asked, {a.backend: Column(a.backend, answer=a)}) for a in (dollars, euros)]
    assert charts.session_cost(charts.session_frame(rounds), "light") is None
    alone = charts.session_cost(charts.session_frame(rounds[1:]), "light")
    assert alone is not None and "0.0010 EUR" in alone.title


def test_verdict_praises_no_answer_that_does_not_answer() -> None:
    doubted = {"checks": Checks(0.1, "not mentioned", None, INVENTED)}
    fast = record("fine_tuned", "40 square metres.", latency_ms={"total": 10.0}, **doubted)
    declined = record("rag", "The documents do not say.", latency_ms={"total": 20.0}, abstained=True)
    right = record("hybrid", "10 m.", latency_ms={"total": 900.0})
    one = verdict([fast, declined, right])
    assert one.conclusion == (
        "Only Hybrid answers without a warning: “10 m”. Fine-tuned carries a warning; RAG declines."
    )
    assert (one.fastest, one.cheapest) == ("", "")
    wrong = verdict([fast, replace(fast, backend="hybrid")])
    assert wrong.conclusion == "No answer stands: Fine-tuned and Hybrid carry a warning."
    nobody = verdict([declined, replace(declined, backend="hybrid")])
    assert nobody.conclusion == "RAG and Hybrid decline."
    overlooks = replace(declined, checks=Checks(warning=DECLINED))
    assert verdict([overlooks]).conclusion == "RAG declines, though a passage seems to answer."


LABELLED = {
    "backed": Checks(0.9, "backed"),
    "unsaid": Checks(0.9, "not mentioned"),
    "against": Checks(0.1, "contradicted", None, CONTRADICTED),
}


@pytest.mark.parametrize(
    ("said", "conclusion"),
    [
        ((("7 days.", "backed"), ("7 days.", "backed"), ("7 days.", "backed")), "All 3 agree: “7 days”."),
        (
            (("7 days.", "backed"), ("7 days.", "against"), ("7 days.", "backed")),
            "RAG and Hybrid agree: “7 days”. Fine-tuned says the same, with a warning.",
        ),
        (
            (("7 days.", "unsaid"), ("9 days.", "against"), ("7 days.", "unsaid")),
            "RAG and Hybrid agree: “7 days”, though no passage found says it. "
            "A source contradicts Fine-tuned.",
        ),
        (
            (("7 days.", "backed"), ("9 days.", "backed"), ("7 days.", "backed")),
            "RAG and Hybrid agree, Fine-tuned says something else; none of these carries a warning: compare "
            "their sources.",
        ),
        (
            (("7 days.", "backed"), ("9 days.", "backed"), ("11 days.", "backed")),
            "RAG, Fine-tuned and Hybrid say different things and none carries a warning: "
            "compare their sources.",
        ),
        (
            (("7 days.", "backed"), ("", "backed")),
            "Only RAG answers without a warning: “7 days”. Fine-tuned says nothing.",
        ),
        (
            (("7 days.", "against"), ("", "backed")),
            "No answer stands: a source contradicts RAG; Fine-tuned says nothing.",
        ),
    ],
)
def test_the_conclusion_says_what_the_labels_say(said: tuple[tuple[str, str], ...], conclusion: str) -> None:
    names = ("rag", "fine_tuned", "hybrid")
    made = [record(n, text, checks=LABELLED[kind]) for n, (text, kind) in zip(names, said, strict=False)]
    assert verdict(made).conclusion == conclusion


def test_the_conclusion_repeats_no_long_answer_and_no_json() -> None:
    long = record("rag", "It is " + "very " * 30 + "long.")
    assert verdict([long]).conclusion == "RAG answers without a warning."
    assert verdict([record("rag", '{"a": 1}')]).conclusion == "RAG answers without a warning."
    denied = record("rag", "No. They replace neither " + "smoke alarms nor carbon " * 4 + "alarms.")
    assert verdict([denied]).conclusion == "RAG answers without a warning: “No”."


def test_no_note_speaks_against_the_warning_beside_it() -> None:
    notes = ("Declined: by what the passages hold the chance is 9%.", "Ungrounded: 3 words.", "Cut short.")
    calm = record("rag", "The documents do not say.", warnings=notes, abstained=True, checks=Checks())
    assert notes_of(calm) == list(notes)
    assert notes_of(replace(calm, checks=Checks(warning=DECLINED))) == ["Cut short."]


def test_boundaries_cover_each_passage_once_and_mark_hits() -> None:
    service = ScriptedService("v")
    text = service.library["returns-policy.md"].text
    chunks = service.chunks("returns-policy.md", make_settings())
    spans = boundaries(len(text), chunks, [(chunks[1].start, chunks[1].end)])
    assert [(s.start, s.end) for s in spans] == [(c.start, c.end) for c in chunks]
    assert [("found by the last question" in s.title) for s in spans] == [False, True, False]


def test_visitor_id_survives_the_cookie_s_new_masks() -> None:
    def cookie(mask: bytes, token: bytes) -> str:
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(token))
        return f"2|{mask.hex()}|{masked.hex()}|1795222082"

    token = bytes(range(16))
    assert session._stable_part(cookie(b"abcd", token)) == session._stable_part(cookie(b"wxyz", token))
    assert session._stable_part(cookie(b"abcd", token)) != session._stable_part(cookie(b"abcd", token[::-1]))
    assert session._stable_part("odd") == "odd"


def test_accents_are_those_of_the_theme() -> None:
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"]
    for look in LOOKS.values():
        assert theme["light"][f"{look.tint}Color"] == look.light
        assert theme["dark"][f"{look.tint}Color"] == look.dark


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_colours_have_enough_contrast(mode: str) -> None:
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"][mode]
    pairs = [("textColor", "backgroundColor"), ("textColor", "secondaryBackgroundColor")]
    pairs += [(f"{look.tint}TextColor", f"{look.tint}BackgroundColor") for look in LOOKS.values()]
    pairs += [(f"{look.tint}TextColor", "backgroundColor") for look in LOOKS.values()]
    for text, page in pairs:
        assert contrast(theme[text], theme[page]) >= 4.5, (text, page)


def test_the_start_screen_does_not_wait_for_the_models() -> None:
    """Whatever it imports stands between the first visit and the first sign of life."""
    code = "import sys; from pages.ui import start_screen; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(("theme", "page"), [("light", "#FFFFFF"), ("dark", "#14171B")])
def test_what_is_written_in_a_chart_can_be_read(theme: Theme, page: str) -> None:
    bars = [look.colour(theme) for look in (*LOOKS.values(), EMBEDDER)]
    cells = [str(colour) for _, colour in SCALES[theme]]
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)
    assert contrast(soft_ink(theme), page) >= 4.5
    assert min(contrast(ink_on(bar), bar) for bar in bars) >= 4.5
    assert min(contrast(ink_on(cells[-1]), cell) for cell in cells) >= 4.5


def test_a_table_of_words_says_the_head_beside_every_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(streamlit, "html", drawn.append)
    plain_table.word_table(["What", '"Of"'], [["cost", "RAG <1>"]], "costs")
    assert 'class="plain words"' in drawn[0]
    assert '<td role="cell" data-head="&quot;Of&quot;">RAG &lt;1&gt;</td>' in drawn[0]


def test_a_plain_table_holds_only_text_and_draws_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(streamlit, "html", drawn.append)
    plain_table.plain_table(["<b>", "RAG"], [["a & b", 0.25], ["c", "<i>1</i>"]], 'say "x"')
    (made,) = drawn
    assert 'aria-label="say &quot;x&quot;"' in made and "<b>" not in made and "&lt;i&gt;1" in made
    assert '<th scope="row" role="rowheader">a &amp; b</th><td role="cell"><span class="bar">' in made
    assert '<i style="width:25%"></i></span>0.25</td>' in made


def test_the_cheapest_is_one_to_choose_and_the_control_is_called_so() -> None:
    made = score_charts.cost_chart({"base": 0.01, "rag": 0.04, "fine_tuned": 0.03}, "USD", "light")
    assert made.title == "Cheapest for 1,000 answers: Fine-tuned, $0.03; Base is the control"
    assert score_charts.cost_chart({"rag": 0.04}, "USD", "light").title.endswith("RAG, $0.04")
    assert "Base, $0.01" in score_charts.cost_chart({"base": 0.01}, "USD", "light").title


@pytest.mark.parametrize("address", ["http://evil.example/x", "HTTPS://evil.example", "www.evil.example"])
def test_an_address_in_foreign_words_is_parted_where_it_would_become_a_link(address: str) -> None:
    shown = markdown(f"see {address}").replace("\\", "")
    assert address not in shown
    assert shown.replace("\u2060", "") == f"see {address}"


def test_an_address_of_mail_can_be_copied() -> None:
    assert markdown("write to help@firm.example").replace("\\", "") == "write to help@firm.example"


def test_words_of_a_picture_are_no_html() -> None:
    assert charts.wrapped("<a href='//evil'> & b") == "&lt;a href=&#x27;//evil&#x27;&gt; &amp; b"
