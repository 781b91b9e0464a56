"""What can be done with one answer: copy it, ask again, call it right or wrong, save it as a test case.

Enters: a round, one of its answers and the visitor's judgements. Leaves: a row of buttons; a job that asks
one backend again; kept judgements, which the Evaluate page offers as questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import streamlit as st

from backends.datatypes import Answer
from backends.feedback.judged_answers import JudgedAnswer, JudgedStore, counts, gold_of
from pages.ui import resources, session
from pages.ui.asking import KIND, Round, asking
from pages.ui.look import label
from pages.ui.text import markdown, plain_html, plural

# Copies what the button carries; where the page is not served securely browsers know only the older way.
COPY = """<script>
document.querySelectorAll("button.copy:not([data-on])").forEach(button => {
  button.dataset.on = "1";
  button.addEventListener("click", async () => {
    const text = button.dataset.copy;
    try { await navigator.clipboard.writeText(text); }
    catch { const box = document.createElement("textarea"); box.value = text; document.body.append(box);
            box.select(); document.execCommand("copy"); box.remove(); }
    button.textContent = "check";
    setTimeout(() => { button.textContent = "content_copy"; }, 1500);
  });
});
</script>"""


def draw(made: Round, answer: Answer, judged: JudgedStore) -> None:
    """The row below an answer."""
    said = judged.find(made.id, answer.backend) or _unsaid(made, answer)
    name = answer.backend
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key=f"act-{name}"):
        _mark(judged, said, right=True)
        _mark(judged, said, right=False)
        st.button(
            "Ask again", key=f"again-{name}", type="tertiary", icon=":material/refresh:",
            on_click=again, args=(made, answer),
            help=f"Ask {label(name)} alone once more, with the settings of this answer. At temperature 0 the "
            "words stay the same; the time is measured anew.",
        )  # fmt: skip
        with st.popover(
            "Save as a test case", key=f"case-{name}", type="tertiary",
            icon=":material/bookmark_added:" if said.gold else ":material/bookmark_add:",
            help="Keep this question with its right answer: Evaluate asks it as one of your test cases.",
        ):  # fmt: skip
            _case(judged, said)
        st.html(
            '<button type="button" class="copy" aria-label="Copy the answer" title="Copy the answer" '
            f'data-copy="{plain_html(answer.text)}">content_copy</button>{COPY}',
            width="content",
            unsafe_allow_javascript=True,
        )


def _unsaid(made: Round, answer: Answer) -> JudgedAnswer:
    cited = [citation.document for citation in answer.citations]
    shown = cited or [source.document for source in answer.sources]
    return JudgedAnswer(
        made.id, answer.backend, made.asked.question, answer.text, tuple(dict.fromkeys(shown))
    )


def _mark(judged: JudgedStore, said: JudgedAnswer, *, right: bool) -> None:
    word = "Right" if right else "Wrong"
    on = said.right is right
    icon = "thumb_up" if right else "thumb_down"
    st.button(
        f"{word}, as you said" if on else word,
        key=f"{word.lower()}-{said.backend}",
        type="secondary" if on else "tertiary",
        icon=f":material/{icon}:",
        on_click=judged.keep,
        args=(replace(said, right=None if on else right),),
        help=f"You called it {word.lower()}; click again to take that back."
        if on
        else f"It is {word.lower()}.",
    )


def _case(judged: JudgedStore, said: JudgedAnswer) -> None:
    first = said.gold or ("" if said.right is False else gold_of(said.text))
    key = f"gold-{said.round}-{said.backend}"
    session.restore(key, first)
    with st.form(f"form-{key}", border=False, enter_to_submit=True):
        st.markdown(f"**{markdown(said.question)}**")
        st.text_input("The right answer, as short as it can be", key=key)
        st.form_submit_button("Save", type="primary", on_click=_save, args=(judged, said, key))
    if said.gold:
        st.caption(f"Saved as “{markdown(said.gold)}”: choose *Your test cases* on the Evaluate page.")


def _save(judged: JudgedStore, said: JudgedAnswer, key: str) -> None:
    judged.keep(replace(said, gold=" ".join(str(session.read(key) or "").split())))


def again(made: Round, answer: Answer) -> None:
    """Ask this one backend again; its new answer takes the place of this one."""
    now = session.current()
    only = next(name for name in made.columns if name == answer.backend)
    asked = replace(made.asked, arms=(only,), at=datetime.now().astimezone(), blind=False)
    service = resources.service(now.visitor)
    resources.jobs().start(KIND, now.visitor, asking(service, asked), about=made.id)


def results(judged: Sequence[JudgedAnswer]) -> None:
    """What was called right so far, by backend."""
    said = [f"{label(name)} {right:,} of {all_:,}" for name, (right, all_) in counts(judged).items()]
    if said:
        st.markdown(f"**Called right by you:** {markdown(', '.join(said))}")
    saved = sum(bool(each.gold) for each in judged)
    if saved:
        st.caption(
            f"{plural(saved, 'test case')} saved from answers; Evaluate asks them as *Your test cases*."
        )
