"""The labels of an answer: whether it answers, what the documents say of it, and a warning to be seen.

Enters: an `Answer` with its checks. Leaves: elements on the page. Each label says in its help how often it
was right on development answers; those figures come with the rule that gives the labels.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from backends.answering.checks import DECLINED, DOUBTFUL, answers_it, shipped_rule
from backends.datatypes import Answer, Excerpt, Support
from backends.system.wording import NEVER_LEARNED
from pages.ui.look import Look
from pages.ui.places import Place
from pages.ui.text import StyledSpan, block, document_html, highlight, markdown

TRAIN = str(Path(__file__).resolve().parents[1] / "tune" / "fine_tune_page.py")
SUPPORT: dict[Support, tuple[str, str]] = {
    "backed": ("Backed by a source", "green"),
    "contradicted": ("Contradicted by a source", "red"),
    "not mentioned": ("Not in the documents", "orange"),
}
WORST_FIRST = ("red", "orange", "green", "gray")
# What a good label says beside a worse one or a warning, where it must not reassure.
BESIDE_A_DOUBT = {"Seems to answer": "Fits the question", "Backed by a source": "A source says the same"}


def labels(answer: Answer, look: Look, place: Place) -> None:
    """The badges, the warning in full, and the passage to open; nothing of an answer that was not judged."""
    checks = answer.checks
    badges = _badges(answer)
    if badges:
        with st.container(horizontal=True, gap="xsmall"):
            for text, colour, help_ in badges:
                st.badge(text, color=colour, help=help_)  # type: ignore[arg-type]
    if checks.warning is not None and checks.warning != DOUBTFUL:  # the badge says that one
        st.warning(markdown(checks.warning), icon=":material/warning:")
    if checks.passage is not None:
        _passage(checks.passage, answer, look, place)
    if any(warning.startswith(NEVER_LEARNED) for warning in answer.warnings):
        st.page_link(TRAIN, label="Train it on your documents", icon=":material/model_training:")


def _badges(answer: Answer) -> list[tuple[str, str, str]]:
    """Words, colour and help of each label, the worst first; green only where nothing speaks against it."""
    if answer.abstained:
        return [("Declined", "gray", "It says that it does not know, or that the documents do not say.")]
    found = []
    answers = answers_it(answer.checks)
    if answers is not None:
        text, colour = ("Seems to answer", "green") if answers else ("May not answer", "orange")
        found.append((text, colour, answers_help()))
    if (support := answer.checks.support) is not None:
        found.append((*SUPPORT[support], support_help()))
    if answer.checks.warning is not None or any(colour != "green" for _, colour, _ in found):
        found = [
            (BESIDE_A_DOUBT[text], "gray", help_) if colour == "green" else (text, colour, help_)
            for text, colour, help_ in found
        ]
    return sorted(found, key=lambda badge: WORST_FIRST.index(badge[1]))


def _passage(passage: Excerpt, answer: Answer, look: Look, place: Place) -> None:
    backs = "What backs it" if answer.checks.warning is None else "The source that says the same"
    names = {"backed": backs, "contradicted": "What says otherwise"}
    name = names.get(answer.checks.support or "", "What may answer instead")
    name = "What seems to answer" if answer.checks.warning == DECLINED else name
    with st.popover(name, key=f"checked-{answer.backend}", icon=":material/find_in_page:", type="tertiary"):
        st.markdown(f"**{markdown(place(passage))}**")
        st.caption(f"Version {passage.version}, characters {passage.start:,} to {passage.end:,}")
        st.html(
            block(document_html(passage.text, [StyledSpan(0, len(passage.text), highlight(look.css))])),
        )


def answers_help() -> str:
    """What the label rests on, and how often it was right."""
    reliability = shipped_rule().reliability
    measured, alone = reliability["answers"], reliability["alone"]
    return (
        "Judged after the answer was written, from what the documents hold for the question and for the "
        "answer, and once all have answered from whether the others say the same. On "
        f"{measured['answers']:,} development answers it agreed with the right answer for "
        f"{measured['agree']:.0%}; {measured['wrong_unwarned']:.0%} of the wrong answers carried no warning, "
        f"and {measured['right_warned']:.0%} of the right ones carried one. Of answers asked of one backend "
        f"alone: {alone['agree']:.0%}, {alone['wrong_unwarned']:.0%} and {alone['right_warned']:.0%}."
    ).replace("%", " %")


def support_help() -> str:
    """What backed, contradicted and not mentioned mean, and how often they were right."""
    measured = shipped_rule().reliability["support"]
    return (
        "The documents are searched with the question and the answer: a sentence states the answer, a "
        "sentence answers otherwise, or none does either. Of "
        f"{measured['statements']} constructed statements {measured['right']} were judged rightly."
    )
