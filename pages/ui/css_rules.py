"""The few rules of style that Streamlit's own options do not reach. Enters: nothing. Leaves: a style element.

Cards stand side by side as long as each has room and wrap below each other otherwise, so that at every width
and zoom a value is whole. The title of a card is a heading of the second order, though it is written small.
A list and what is open beside it stand below each other where either would be cut.
What stands on the primary colour is dark where that colour is light. Selectors are keys of our own containers
and the test ids that Streamlit documents for its elements.
"""

from __future__ import annotations

import streamlit as st

CARD = 17  # rem; the least width of an answer
RULES = f"""
[data-testid="stMainBlockContainer"] {{ padding-left: clamp(1rem, 4vw, 5rem); padding-right: clamp(1rem, 4vw, 5rem); }}
[data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] [class*="st-key-card-"]) {{ flex-wrap: wrap; }}
[data-testid="stColumn"]:has([class*="st-key-card-"]) {{ flex: 1 1 {CARD}rem; min-width: min({CARD}rem, 100%); }}
[class*="st-key-card-"] [data-testid="stMetricValue"], [class*="st-key-card-"] [data-testid="stMetricValue"] * {{
  white-space: normal; overflow: visible; text-overflow: clip; }}
.st-key-library [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]), .st-key-figures [data-testid="stHorizontalBlock"] {{ flex-wrap: wrap; }}
.st-key-library [data-testid="stHorizontalBlock"] > [data-testid="stColumn"] {{ flex: 1 1 27rem; min-width: min(27rem, 100%); }}
.st-key-beside > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] {{ flex-wrap: wrap; }}
.st-key-beside > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"] {{ flex: 2.2 1 24rem; min-width: min(24rem, 100%); }}
.st-key-beside > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:last-child {{ flex: 1 1 17rem; min-width: min(17rem, 100%); }}
.st-key-assumed {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); align-items: end; }}
.st-key-assumed > :first-child {{ grid-column: 1 / -1; }}
.st-key-figures [data-testid="stColumn"] {{ flex: 1 1 9rem; min-width: 9rem; }}
[data-testid="stButtonGroup"] > div, [data-testid="stButtonGroup"] [role="group"], [data-testid="stButtonGroup"] [role="radiogroup"] {{
  flex-wrap: wrap; }}
.st-key-ask-form [data-testid="InputInstructions"] {{ display: none; }}
[class*="st-key-act-"] button p {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}
[class*="st-key-card-"] h2 {{ font-size: 1rem; padding: 0 0 .25rem; }}
.read :is(h1, h4) {{ font-size: 1.3rem; }}
.read :is(h2, h5) {{ font-size: 1.15rem; }}
.read :is(h3, h6) {{ font-size: 1rem; }}
button[kind^="primary"]:not(:disabled), button[kind^="primary"]:not(:disabled) *, [data-testid="stMultiSelect"] [data-tag], [data-tag] * {{
  color: light-dark(#FFFFFF, #0F1318); }}
button.cite {{ font: inherit; border: 0; cursor: pointer; border-radius: 4px; padding: 2px 6px; font-size: .82em;
  font-weight: 600; font-variant-numeric: tabular-nums; }}
button.cite:hover, button.cite:focus-visible {{ outline: 2px solid currentColor; outline-offset: 1px; }}
button.copy {{ font: 1.25rem "Material Symbols Rounded"; color: inherit; background: none; cursor: pointer;
  border: 0; border-radius: .5rem; padding: 4px; min-width: 2rem; min-height: 2rem; display: block; line-height: 1; }}
button.copy:hover, button.copy:focus-visible {{ color: light-dark(#1F4E79, #9CC9F0); }}
table.plain {{ width: 100%; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; margin-bottom: 1rem; }}
table.plain :is(th, td) {{ padding: .5rem .4rem; border-bottom: 1px solid light-dark(#DDD9CF, #363C44); text-align: right;
  font-weight: 400; white-space: nowrap; }}
table.plain :is(th:first-child, thead th) {{ white-space: normal; }}
table.plain th:first-child {{ text-align: left; padding-left: 0; }}
table.plain thead th {{ color: light-dark(#565D68, #B4BBC6); vertical-align: bottom; }}
table.plain:not(.words) tbody tr:last-child > * {{ font-weight: 600; }}
.around {{ container-type: inline-size; }}
table.words :is(th, td) {{ text-align: left; white-space: normal; vertical-align: top; overflow-wrap: break-word; }}
@container (max-width: 46rem) {{
  table.words :is(tbody, tr, th, td) {{ display: block; border: 0; padding: .1rem 0; }}
  table.words tr {{ border-bottom: 1px solid light-dark(#DDD9CF, #363C44); padding: .5rem 0; }}
  table.words th {{ font-weight: 600; }}
  table.words td {{ display: grid; grid-template-columns: 9rem 1fr; gap: .5rem; }}
  table.words td:empty {{ display: none; }}
  table.words td::before {{ content: attr(data-head); color: light-dark(#565D68, #B4BBC6); }}
  table.words thead {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}
}}
table.plain .bar {{ display: inline-block; width: 4rem; height: .4rem; margin-right: .6rem; border-radius: .2rem; vertical-align: middle;
  background: light-dark(#EEEBE4, #2A2F36); overflow: hidden; }}
table.plain .bar i {{ display: block; height: 100%; background: light-dark(#1F4E79, #9CC9F0); }}
@media (max-width: 1200px) {{ table.plain .bar {{ display: none; }} }}
@media (max-width: 640px) {{ table.plain {{ font-size: .8rem; }} table.plain :is(th, td) {{ padding: .45rem .25rem; }} }}
@media (max-width: 640px) {{ [data-testid="stMarkdownContainer"] table {{ table-layout: fixed; width: 100%; font-size: .75rem; overflow-wrap: anywhere; }}
  [data-testid="stMarkdownContainer"] table :is(th, td) {{ padding: .25rem; }} }}
[popover].cited {{ max-width: min(40rem, 92vw); max-height: 80vh; overflow: auto; padding: 1rem 1.25rem;
  border: 1px solid light-dark(#DDD9CF, #363C44); border-radius: .5rem; color: light-dark(#1B1F24, #E8E6E1);
  background: light-dark(#FFFFFF, #14171B); font-size: 1rem; box-shadow: 0 8px 30px rgb(0 0 0 / .25); }}
[popover].cited::backdrop {{ background: rgb(0 0 0 / .25); }}
"""  # noqa: E501 (a selector is read as one line)


def draw() -> None:
    """Put the rules into the page."""
    st.html(f"<style>{RULES}</style>")
