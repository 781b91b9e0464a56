"""Where a page cuts words or writes them over each other: by where their letters are, whatever their style.

Enters: a page in the browser. Leaves: what is not shown whole, and by what. A frame that scrolls cuts
nothing: all of it can be reached. What a screen reader alone reads, in a box of a pixel or two, is meant not
to be seen; the words of a canvas are no text of the page; a question may be longer than its box.
"""

from __future__ import annotations

from playwright.sync_api import Page

SHOWN = """
const shown = each => each.checkVisibility({visibilityProperty: true, opacityProperty: true})
    && !each.closest('canvas, script, style, textarea, [data-testid=stSidebar][data-collapsed=true]');
const quoted = words => `"${words.trim().slice(0, 70)}"`;
"""
CUT = f"""() => {{ {SHOWN}
const found = [];
const clips = style => ['hidden', 'clip'].includes(style);
const scrolls = style => ['auto', 'scroll'].includes(style);
const say = (words, by) => found.push(`${{quoted(words)}} by ${{by.dataset?.testid || by.tagName}}`);
const lettersOf = text => {{
    const range = document.createRange();
    range.selectNodeContents(text);
    const boxes = [...range.getClientRects()].filter(each => each.width > 0);
    const all = (edge, pick) => pick(...boxes.map(each => each[edge]));
    return boxes.length && {{left: all('left', Math.min), right: all('right', Math.max),
                             top: all('top', Math.min), bottom: all('bottom', Math.max)}};
}};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {{
    const text = walker.currentNode;
    if (!text.data.trim() || !shown(text.parentElement)) continue;
    const at = lettersOf(text);
    for (let each = text.parentElement; at && each !== document.body; each = each.parentElement) {{
        const style = getComputedStyle(each), box = each.getBoundingClientRect();
        if (box.width <= 2 || box.height <= 2) break;
        if (style.display !== 'inline') {{
            const wide = clips(style.overflowX) && (at.left < box.left - 2 || at.right > box.right + 2);
            // A line's letters reach a little above and below it.
            const tall = clips(style.overflowY) && (at.top < box.top - 8 || at.bottom > box.bottom + 8);
            if (wide || tall) {{ say(text.data, each); break; }}
        }}
        if (scrolls(style.overflowX) || scrolls(style.overflowY) || style.position === 'fixed') break;
    }}
}}
for (const field of document.querySelectorAll('input:not([aria-label^="Ask a question"])'))
    if (shown(field) && field.clientWidth > 2 && field.scrollWidth > field.clientWidth + 1)
        say(field.value || field.placeholder, field);
return found;
}}"""
OVER = f"""() => {{ {SHOWN}
const found = [];
for (const picture of document.querySelectorAll('.js-plotly-plot')) {{
    const words = [...picture.querySelectorAll('svg text')].filter(each => each.textContent.trim() && shown(each));
    const boxes = words.map(each => each.getBoundingClientRect());
    for (let a = 0; a < words.length; a++) for (let b = a + 1; b < words.length; b++) {{
        const across = Math.min(boxes[a].right, boxes[b].right) - Math.max(boxes[a].left, boxes[b].left);
        const down = Math.min(boxes[a].bottom, boxes[b].bottom) - Math.max(boxes[a].top, boxes[b].top);
        if (across > 2 && down > 4) found.push(`${{quoted(words[a].textContent)}} over ${{quoted(words[b].textContent)}}`);
    }}
}}
return found;
}}"""  # noqa: E501
SIDEWAYS = """() => [document.documentElement, document.querySelector('[data-testid=stMain]')]
    .filter(each => each.scrollWidth > each.clientWidth)
    .map(each => `the page is ${each.scrollWidth} wide in a window of ${each.clientWidth}`)"""


def not_whole(page: Page) -> list[str]:
    """Every text that is cut or written over, and the page itself where it is wider than its window."""
    return [each for script in (CUT, OVER, SIDEWAYS) for each in page.evaluate(script)]
