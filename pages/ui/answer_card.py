"""Draws one backend's answer: text with citation chips, what supports it, and what it took.

Enters: a `Column` of a round and a status. Leaves: elements on the page. It computes nothing but wording.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from backends.datatypes import Answer, Citation
from backends.system.wording import CHANCE_OF_AN_ANSWER, FEW_WORDS_FOUND, money
from pages.ui.answer_labels import labels
from pages.ui.asking import Column
from pages.ui.look import Look, arm_look
from pages.ui.places import Place, page_words
from pages.ui.service import BackendReadiness
from pages.ui.text import (
    StyledSpan,
    answer_html,
    block,
    document_html,
    highlight,
    json_text,
    markdown,
    own_words,
    plain_html,
    plural,
    quoted,
    seconds,
)

LONGEST_QUOTE = 240  # characters of the cited passage shown under an answer; the chip shows all of it


def card(
    column: Column,
    others: list[str],
    status: BackendReadiness,
    *,
    waiting_for: str | None = None,
    place: Place = page_words,
    below: Callable[[Answer], None] | None = None,
) -> None:
    """One bordered cell; `others` are the finished texts that differences are marked against.

    `place` says where in its document a passage stands; `below` draws what can be done with the answer.
    """
    look = arm_look(column.backend)
    with st.container(border=True, height="stretch", key=f"card-{column.backend}", gap="small"):
        st.markdown(f"## :{look.tint}[{look.mark}] {look.label}", anchors=False)
        st.caption(look.how)
        if column.state == "failed":
            _problem(column, status)
            return
        _text(column, look, others, waiting_for, place)
        if column.answer is not None:
            labels(column.answer, look, place)
            _citations(column.answer, look, place)
            _notes(column.answer, look, status)
            st.space("stretch")
            _measures(column.answer)
            if below is not None:
                below(column.answer)


def _problem(column: Column, status: BackendReadiness) -> None:
    st.error(f"No answer. {markdown(column.failure or status.reason)}", icon=":material/error:")
    if status.state == "untrained" and status.reason not in ("", column.failure):
        st.caption(markdown(status.reason))


def _text(column: Column, look: Look, others: list[str], waiting_for: str | None, place: Place) -> None:
    if column.answer and (code := json_text(column.text)):
        st.code(code, language="json", wrap_lines=True)
    elif column.text:
        cited = column.answer.citations if column.answer else ()
        titles = {c.marker: place(c) for c in cited}
        passages: dict[int, str] = {}
        for c in cited:
            passages[c.marker] = passages.get(c.marker, "") + _passage_html(c, look, place)
        own = own_words(column.text, others) if column.answer else []
        key = f"cite-{column.backend}-{column.answer.id}" if column.answer else ""
        st.html(answer_html(column.text, look.css, titles, own, passages, key))
    elif column.state == "answering":
        found = column.evidence
        doing = f"Reading {plural(len(found.sources), 'passage')} ..." if found else "Working ..."
        st.caption(doing)
    elif column.state == "waiting":
        st.caption(f"Waits for {waiting_for}, so that each is timed alone." if waiting_for else "Waits ...")
    if column.state == "stopped":
        st.caption("Stopped before it was complete.")


def _passage_html(citation: Citation, look: Look, place: Place) -> str:
    """The cited words with their place, for the popover of a chip in the text."""
    whole = StyledSpan(0, len(citation.text), highlight(look.css))
    version = f", version {citation.version}" if citation.version > 1 else ""
    return (
        f"<p><strong>{plain_html(place(citation))}</strong>{plain_html(version)}</p>"
        f"{block(document_html(citation.text, [whole]), 'margin-bottom:1rem;')}"
    )


def _citations(answer: Answer, look: Look, place: Place) -> None:
    if not answer.citations:
        st.caption("It cites no passage." if answer.sources else "No sources: it answers from its weights.")
        return
    first = answer.citations[0]
    words = quoted(first.text)
    if words.rstrip(".") not in answer.text:
        shown = words if len(words) <= LONGEST_QUOTE else f"{words[:LONGEST_QUOTE].rsplit(' ', 1)[0]} …"
        st.caption(f"[{first.marker}] “{markdown(shown)}”")
    with st.container(horizontal=True, gap="xsmall"):
        for marker in dict.fromkeys(citation.marker for citation in answer.citations):
            cited = [citation for citation in answer.citations if citation.marker == marker]
            with st.popover(
                f"[{marker}] {markdown(_short(cited[0], place))}",
                key=f"chip-{answer.backend}-{marker}",
                help="Show the cited passage.",
            ):
                for citation in cited:
                    passage(citation, look, place)


def _short(citation: Citation, place: Place, longest: int = 30) -> str:
    name = citation.document
    name = name if len(name) <= longest else f"{name[: longest - 10]}…{name[-9:]}"
    name += f", v{citation.version}" if citation.version > 1 else ""
    return name + place(citation).removeprefix(citation.document).replace(", page ", ", p. ")


def passage(citation: Citation, look: Look, place: Place) -> None:
    """The cited words as they stand in the document."""
    st.markdown(f"**{markdown(place(citation))}**")
    st.caption(f"Version {citation.version}, characters {citation.start:,} to {citation.end:,}")
    whole = StyledSpan(0, len(citation.text), highlight(look.css))
    st.html(block(document_html(citation.text, [whole])))


def _measures(answer: Answer) -> None:
    first, second = st.columns(2, gap="small", wrap=False)
    first.metric("Time", seconds(answer.latency_ms["total"]), help=_stages(answer))
    cost = answer.cost
    second.metric("Cost of 1,000", markdown(money(1000 * cost.amount, cost.currency)), help=_basis(answer))
    usage = answer.usage
    st.caption(
        f"{usage.prompt_tokens:,} tokens read, {usage.completion_tokens:,} written",
        help="Tokens of the prompt, then tokens of the answer.",
    )


def _stages(answer: Answer) -> str:
    parts = [f"{name.replace('_', ' ')} {seconds(ms)}" for name, ms in answer.latency_ms.items()]
    return "Measured for this answer: " + ", ".join(markdown(part) for part in parts) + "."


def _basis(answer: Answer) -> str:
    once = markdown(money(answer.cost.amount, answer.cost.currency))
    return f"1,000 questions like this one; this answer alone {once}. Price: {markdown(answer.cost.basis)}"


def notes_of(answer: Answer) -> list[str]:
    """What else is to be said of an answer. Beside a warning no note that says it once more, nor one whose
    chance that the documents answer speaks against it."""
    if answer.checks.warning is None:
        return list(answer.warnings)
    return [note for note in answer.warnings if not note.startswith((FEW_WORDS_FOUND, CHANCE_OF_AN_ANSWER))]


def _notes(answer: Answer, look: Look, status: BackendReadiness) -> None:
    notes = notes_of(answer)
    if status.state == "stale" and status.reason:
        notes.append(status.reason)
    if notes:
        rows = "".join(f"<div>{plain_html(note)}</div>" for note in dict.fromkeys(notes))
        style = f"font-size:.85rem;line-height:1.5;border-left:3px solid {look.css};padding-left:.6rem"
        st.html(f'<div style="{style}">{rows}</div>')
