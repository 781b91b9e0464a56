"""The sources of one question: who used which passage, and the passage marked in its document.

Enters: a round and the service. Leaves: elements on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import streamlit as st

from backends.datatypes import Citation, SourceRecord
from pages.ui.asking import Round
from pages.ui.look import LOOKS, arm_look, label
from pages.ui.places import Place, places
from pages.ui.service import Service
from pages.ui.text import (
    StyledSpan,
    block,
    document_html,
    emphasised,
    highlight,
    listing,
    markdown,
    plain_html,
    quoted,
    scrolled,
)

AROUND = 600  # characters shown before and after the passage
LONGEST = 60_000  # characters of a document shown as a whole
BEGINNING = 60  # characters of a passage in the list


@dataclass
class UsedPassage:
    """One passage and what each backend did with it."""

    source: SourceRecord
    shown: list[str] = field(default_factory=list)
    citations: list[tuple[str, Citation]] = field(default_factory=list)

    @property
    def beginning(self) -> str:
        """Its first words: two passages of one page are told apart by them."""
        words = quoted(self.source.text)
        return words if len(words) <= BEGINNING else f"{words[:BEGINNING].rsplit(' ', 1)[0]} …"

    @property
    def use(self) -> str:
        """Who cited and who read it, in words."""
        cited = list(dict.fromkeys(label(name) for name, _ in self.citations))
        read = [label(name) for name in self.shown if label(name) not in cited]
        parts = [f"cited by {listing(cited)}"] if cited else []
        parts += [f"read by {listing(read)}"] if read else []
        return ", ".join(parts)


def passages_of(made: Round) -> list[UsedPassage]:
    """Every passage that a backend was shown, the cited ones first, then by rank."""
    found: dict[tuple[str, int, int, int], UsedPassage] = {}
    for answer in made.answers:
        for source in answer.sources:
            key = (source.document, source.version, source.start, source.end)
            item = found.setdefault(key, UsedPassage(source))
            item.shown.append(answer.backend)
            item.citations += [(answer.backend, c) for c in answer.citations if _within(c, source)]
    return sorted(found.values(), key=lambda item: (-len({n for n, _ in item.citations}), item.source.rank))


def _within(citation: Citation, source: SourceRecord) -> bool:
    return (
        (citation.document, citation.version) == (source.document, source.version)
        and source.start <= citation.start
        and citation.end <= source.end
    )


def draw(made: Round, service: Service) -> None:
    """The passages of a round and the chosen one in its document."""
    found = passages_of(made)
    if not found:
        st.caption("No passage was looked up for this question.")
        return
    place = places(service)
    left, right = st.columns([2, 3], gap="large")
    with left:
        # Streamlit tells options apart by their words alone: the number makes each one its own.
        chosen = st.radio(
            "Passages",
            range(len(found)),
            format_func=lambda index: f"{index + 1}. {markdown(place(found[index].source))}",
            captions=[f"{markdown(each.beginning)}{' · ' if each.use else ''}{each.use}" for each in found],
            key=f"source-{made.id}",
        )
    with right:
        in_document(made.asked.question, found[chosen or 0], service, place)


def in_document(question: str, found: UsedPassage, service: Service, place: Place) -> None:
    """The passage in its document: the passage tinted, the cited words underlined by who cites them, what
    answers the question in bold."""
    source = found.source
    spans = _spans(found)
    if (words := service.answering_words(question, source.text)) is not None:
        spans = emphasised(spans, source.start + words[0], source.start + words[1])
    entry = service.entry(source.document, source.version)
    title = entry.title if entry is not None and entry.title else source.document
    st.markdown(f"**{markdown(title)}**")
    st.caption(
        f"{markdown(place(source))}, version {source.version}",
        help=f"Characters {source.start:,} to {source.end:,} of the text as it was read. Score "
        f"{source.score:.3f}: it orders the passages of one question and means nothing beyond it.",
    )
    newest = service.entry(source.document)
    if newest is not None and newest.version > source.version:
        st.caption(f"Version {newest.version} has replaced it since.")
    # One character more than is shown on either side tells whether the text goes on there.
    offset = max(0, source.start - AROUND - 1)
    text = service.text_between(source.document, source.version, offset, source.end + AROUND + 1)
    if entry is None or text is None or text[source.start - offset : source.end - offset] != source.text:
        st.caption("The document has changed or is gone since; this is the passage as it was read.")
        st.html(block(document_html(source.text, _moved(spans, source.start))))
        return
    if entry.type == "pdf" and source.page is not None and _picture(found, service, place):
        return
    whole = st.toggle("Show the whole document", key=f"whole-{source.document}-{source.start}")
    if whole and (document := service.document(source.document, source.version)) is not None:
        offset, text = 0, document.text
    start, end = _window(text, source.start - offset, source.end - offset, LONGEST // 2 if whole else AROUND)
    if whole and len(text) <= LONGEST:
        start, end = 0, len(text)
    before = "… " if start > 0 else ""
    after = " …" if end < len(text) else ""
    shown = document_html(text[start:end], _moved(spans, offset + start))
    with st.container(height=460 if whole else "content", border=True):
        st.html(scrolled(block(f"{plain_html(before)}{shown}{plain_html(after)}"), f"Text of {title}"))


def _picture(found: UsedPassage, service: Service, place: Place) -> bool:
    """The page as it looks, with the passage marked; False where it is wanted as text, or has no picture."""
    source = found.source
    how = st.segmented_control(
        "How", ["Page", "Text"], default="Page", key=f"how-{source.document}-{source.start}",
        required=True, label_visibility="collapsed",
    )  # fmt: skip
    if how == "Text":
        return False
    cited = " ".join(citation.text for _, citation in found.citations) or source.text
    picture = service.page_picture(source.document, source.version, source.page or 1, cited)
    if picture is None:
        st.caption("This page cannot be shown as a picture; this is its text.")
        return False
    st.image(picture, width="stretch")
    st.caption(f"{markdown(place(source))}: what is cited is marked in yellow.")
    return True


def _window(text: str, start: int, end: int, around: int) -> tuple[int, int]:
    """The passage with some text around it, cut at line ends where there are any."""
    first, last = max(0, start - around), min(len(text), end + around)
    line = text.find("\n", first, start)
    first = line + 1 if first > 0 and line >= 0 else first
    line = text.rfind("\n", end, last)
    return first, line if last < len(text) and line >= 0 else last


def _moved(spans: Sequence[StyledSpan], offset: int) -> list[StyledSpan]:
    """The same spans in a text that begins at `offset`."""
    return [replace(span, start=span.start - offset, end=span.end - offset) for span in spans]


def _spans(found: UsedPassage) -> list[StyledSpan]:
    """Spans of the document: the passage in grey, within it what each backend cites."""
    source = found.source
    cited = sorted({(c.start, c.end): n for n, c in found.citations}.items())
    spans: list[StyledSpan] = []
    position = source.start
    for (a, b), name in cited:
        if a > position:
            spans.append(StyledSpan(position, a, highlight(LOOKS["base"].css, 12)))
        if b > position:
            who = listing([label(n) for n, c in found.citations if (c.start, c.end) == (a, b)])
            style = highlight(arm_look(name).css, 28)
            spans.append(StyledSpan(max(a, position), b, style, f"cited by {who}"))
        position = max(position, b)
    if position < source.end:
        spans.append(StyledSpan(position, source.end, highlight(LOOKS["base"].css, 12)))
    return spans
