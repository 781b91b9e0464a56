"""Puts the keyboard where a visit begins: in the question box, which stands behind the whole sidebar.

Enters: nothing. Leaves: one script, run by the browser when the home page appears. It takes the focus from
nobody, and leaves it alone on a touch screen, where it would open the keyboard over the answers.
"""

from __future__ import annotations

import streamlit as st

_SCRIPT = """<script>
(() => {
  if (matchMedia("(pointer: coarse)").matches) return;
  let tries = 100;
  const look = setInterval(() => {
    const box = document.querySelector('[data-testid=stMain] [aria-label^="Ask a question"]');
    if (!box && --tries > 0) return;
    clearInterval(look);
    if (box && document.activeElement === document.body) box.focus({preventScroll: true});
  }, 200);
})();
</script>"""


def on_the_question_box() -> None:
    """Put the cursor into the question box."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)
