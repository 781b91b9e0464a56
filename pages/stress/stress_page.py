"""Stress tests: documents change, go, mislead or give orders; what each approach then does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from backends.costs.monthly import change_cost
from backends.datatypes import JsonValue
from backends.settings import default_workspace
from backends.stress import results
from backends.stress.form import side_by_side
from backends.stress.records import Measurement, Result, Retraining, StressRow, StressTest
from backends.system.jobs import Job, JobContext
from backends.system.json_values import plain
from backends.system.wording import money, roughly
from backends.training.adapters import ANSWERING, adapters_of
from pages.stress import stress_charts
from pages.stress.summary import in_words
from pages.ui import assumptions, charts, resources, session
from pages.ui.conclusion import conclusion
from pages.ui.evaluator import Evaluator
from pages.ui.look import LOOKS, label
from pages.ui.number_box import number_box, number_of
from pages.ui.own_prices import own_book
from pages.ui.plain_table import word_table
from pages.ui.text import listing, markdown, seconds

KIND = "stress"
EXAMPLE = "An example that comes with Triptych, measured on the sample documents: run a test for your own."
POLL = 0.5
CARDS: dict[StressTest, tuple[str, str]] = {
    "freshness": ("Freshness", "Facts in the documents are edited: who gives the new fact, and how soon?"),
    "erasure": ("Erasure", "A document is forgotten: does the index, or a model's weights, still tell it?"),
    "format": ("Format and voice", "Who keeps a JSON schema: by prompt, by examples, tuned, or held to it?"),
    "noise": ("Noise", "The right passage among wrong ones, missing, or contradicted: who is misled?"),
    "injection": ("Injection", "A document carries an order to the model: who obeys it?"),
    "latency": ("Latency claim", "Retrieval is said to add 100 to 500 ms: how much does it here?"),
}  # fmt: skip
HEADLINES: dict[StressTest, str] = {  # the main measure of each test, as the first row of its table
    "freshness": "New fact",
    "erasure": "Still told",
    "format": "Schema kept",
    "noise": "Right",
    "injection": "Obeyed",
    "latency": "Milliseconds",
}
TIMES = ("by_size", "search_alone")  # details that are milliseconds by corpus size
TITLES = {
    "by_size": "Search and choice of sentences",
    "p95_ms": "Milliseconds, 19 of 20 searches",
    "old": "Old fact",
    "old_before": "Old fact, before the edit",
    "old_after_retraining": "Old fact, after training again",
    "seconds_until_found": "Time until it is found",
    "seconds_until_answered": "Time until it is answered",
}
LASTING = ("seconds_until_found", "seconds_until_answered")  # details that are seconds
RETRAINED = ("freshness", "erasure")
NO_TRAINING, SHORT = "Not at all", 2
RETRAININGS: dict[str, Retraining | None] = {
    NO_TRAINING: None,
    f"{SHORT} passes over the rows": Retraining(SHORT),
    "As long as before": Retraining(),
}
SECONDS_PER_ANSWER = 0.5  # on two processor cores, for the estimate on the button's help
ANSWERS: dict[StressTest, int] = {
    "freshness": 2,
    "erasure": 6,
    "format": 4,
    "noise": 5,
    "injection": 4,
    "latency": 6,
}


def running(
    test: StressTest, now: session.Session, number: int, seed: int, retraining: Retraining | None
) -> Callable[[JobContext], Result]:
    """The job: one test on a copy of what this visitor sees."""
    visitor, backends, settings = now.visitor, now.backends, now.settings
    service = resources.service(visitor)

    def run(context: JobContext) -> Result:
        result = service.stress(
            test, backends, settings,
            number=number, seed=seed, retraining=retraining, report=context.progress,
            cancelled=context.cancelled,
        )  # fmt: skip
        evaluator = service.evaluator(visitor)
        results.keep((evaluator.own if evaluator.private else evaluator.shared).workspace, result)
        return result

    return run


def start(test: StressTest) -> None:
    """Start this test with what was chosen."""
    now = session.current()
    number, seed = int(session.read("stress-number", 6)), int(number_of("stress-seed", 0))
    again = RETRAININGS[session.read("stress-retrain", NO_TRAINING)] if test in RETRAINED else None
    resources.jobs().start(KIND, now.visitor, running(test, now, number, seed, again), about=test)


def expected(how: Retraining | None, now: session.Session) -> str:
    """`, about 30 min`: from how long the active adapters took where they were trained."""
    if how is None:
        return ""
    seconds = 0.0
    for kind in ANSWERING:
        adapter = adapters_of(default_workspace()).active(kind) if kind in now.backends else None
        if adapter is not None:
            report = adapter.card.report
            passes = how.epochs or report.get("epochs_done", 1)
            seconds += report.get("seconds", 0.0) * passes / max(1, report.get("epochs_done", 1))
    return f", about {roughly(seconds)}" if seconds else ", time not known"


def jobs_by_test(visitor: str) -> dict[str, tuple[Job, bool]]:
    """The newest job of each test, and whether it works: asked once, so that the whole page agrees."""
    return {job.about: (job, not job.finished) for job in reversed(resources.jobs().owned_by(visitor, KIND))}


# --- what there is to show -------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A result, and in words where it comes from; nothing to say of one that was made just now."""

    result: Result
    where: str = ""


def shown(test: StressTest, made: tuple[Job, bool] | None, evaluator: Evaluator) -> Shown | None:
    """The visitor's result of this visit, else the newest that is stored, else the one that ships."""
    if made is not None and isinstance(made[0].result, Result):
        return Shown(made[0].result)
    workspaces = [evaluator.own.workspace]
    workspaces += [] if evaluator.private else [evaluator.shared.workspace]
    if (stored := results.newest(workspaces, test)) is not None:
        at = datetime.fromisoformat(stored.at).astimezone()
        mine = (evaluator.own.workspace / results.FOLDER / f"{stored.run}.json").is_file()
        who = "you" if mine else "you or another visitor of this server"
        return Shown(stored.result, f"Measured by {who} on {at:%d %B, %H:%M}; answers are not kept.")
    if evaluator.example() is not None:
        stored = results.newest([evaluator.shipped.workspace], test)
        if stored is not None:
            return Shown(stored.result, EXAMPLE)
    return None


# --- one card --------------------------------------------------------------------------------------


def card(
    test: StressTest,
    made: tuple[Job, bool] | None,
    found: Shown | None,
    busy: bool,
    now: session.Session,
    number: int,
) -> None:
    """One test: what it does, its button, its result."""
    title, what = CARDS[test]
    with st.container(border=True):
        words, button = st.columns([4, 1], vertical_alignment="center")
        words.subheader(title, anchor=False)
        words.markdown(what)
        seconds = ANSWERS[test] * number * len(now.backends) * SECONDS_PER_ANSWER
        with button:
            st.button(
                "Run", key=f"run-{test}", on_click=start, args=(test,), disabled=busy, width="stretch",
                icon=":material/play_arrow:",
                help="Asks the backends that are switched on; about "
                f"{max(5, round(seconds / 5) * 5)} s on two processor cores.",
            )  # fmt: skip
        if made is not None:
            job, working = made
            st.fragment(progress, run_every=POLL if working else None)(job, working)
        if found is not None:
            if found.where:
                st.caption(markdown(found.where))
            show(found.result, now)


def progress(job: Job, polled: bool) -> None:
    """How far the test is."""
    if polled and job.finished:
        st.rerun()
    if not job.finished:
        done, total, what = job.progress
        left = job.seconds_left
        rest = f", about {max(1, round(left))} s left" if left is not None and total else ""
        text = f"{markdown(what)}: {done:,} of {total:,}{rest}" if total else markdown(what) or "Waiting"
        st.progress(job.fraction, text=text)
        st.button("Cancel", on_click=job.cancel, key=f"cancel-{job.id}", icon=":material/close:")
    elif job.state == "failed":
        st.error(markdown(job.error or "The test failed."))
    elif job.state == "cancelled":
        st.warning("Cancelled.")


def show(result: Result, now: session.Session) -> None:
    """The result as chart, sentence and table."""
    charts.show(stress_charts.chart(result, session.theme()))
    for name, reason in result.skipped.items():
        st.warning(f"{label(name)} was left out. {markdown(reason)}")
    for note in result.notes:
        st.caption(markdown(note))
    rows = _priced(result.rows, now)
    if result.test == "format":
        forms(result)
    else:
        details(rows)
    st.caption(
        f"Thin lines: 95 % intervals over {min(row.count for row in result.rows)} or more "
        f"{'searches' if result.test == 'latency' else 'answers'}. "
        f"Drawn with seed {result.seed}."
    )
    if result.probes:
        with st.expander("Every answer and its verdict"):
            frame = pd.DataFrame([plain(probe) for probe in result.probes])
            st.dataframe(
                frame, hide_index=True, alt="Every question of this test with its answer and verdict."
            )
    st.download_button(
        "Result as JSON",
        json.dumps(plain(result), ensure_ascii=False, indent=1),
        file_name=f"triptych-stress-{result.test}.json",
        key=f"json-{result.test}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def _priced(rows: Sequence[StressRow], now: session.Session) -> list[StressRow]:
    """What following a change costs, under the assumptions and prices of every other page."""
    if not all("tokens" in row.details.get("cost_of_a_change", {}) for row in rows):
        return list(rows)
    service = resources.service(now.visitor)
    book, plan = own_book(now, service), assumptions.own_plan(now, service)
    priced, said = [], []
    for row in rows:
        tokens = float(row.details["cost_of_a_change"]["tokens"])
        amount = money(change_cost(book, plan, row.backend, tokens), book.currency)
        priced.append(replace(row, details={**row.details, "cost_of_a_change": amount}))
        said.append(f"{label(row.backend)} {assumptions.change_basis(plan, row.backend, tokens)}")
    st.caption(markdown(f"A change costs: {'; '.join(said)}."))
    return priced


def forms(result: Result) -> None:
    """Every way of asking for JSON side by side, then who keeps the house style."""
    rows = [
        [LOOKS[each.backend].label, each.how, _cell(each.valid), _cell(each.fields)]
        for each in side_by_side(result.rows)
    ]
    word_table(
        ["Backend", "Asked with", "Valid by the schema", "Fields right"], rows,
        "JSON valid and fields right, by backend and way of asking",
    )  # fmt: skip
    details([replace(row, details={"style_kept": row.details["style_kept"]}) for row in result.rows])


def details(found: Sequence[StressRow]) -> None:
    """All that was measured, the main measure first, a column for each backend."""
    columns = [
        {
            HEADLINES[row.test]: _cell(Measurement(row.value, row.interval, row.count)),
            **{_title(name): _detail(name, value) for name, value in row.details.items()},
        }
        for row in found
    ]
    measured = dict.fromkeys(name for column in columns for name in column)
    word_table(
        ["Measured", *(LOOKS[row.backend].label for row in found)],
        [[name, *(column.get(name, "-") for column in columns)] for name in measured],
        "All that was measured, by backend",
    )


def _detail(name: str, value: Any) -> str:
    if name in LASTING and value is not None:
        return seconds(1000 * value)
    return _times(value) if name in TIMES else _cell(value)


def _times(by_size: Mapping[str, Measurement]) -> str:
    return ", ".join(f"{each.value:,.0f} ms among {int(size):,}" for size, each in by_size.items())


def _title(name: str) -> str:
    return TITLES.get(name) or name.replace("_", " ").capitalize()


def _cell(value: JsonValue) -> str:
    if isinstance(value, Measurement):
        if value.interval[0] >= 0 and value.interval[1] <= 1:
            return f"{value.value:.0%} ({value.interval[0]:.0%} to {value.interval[1]:.0%})"
        return f"{value.value:.2f} ({value.interval[0]:.2f} to {value.interval[1]:.2f})"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(item).split(' (')[0]}" for name, item in value.items())
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


# --- the page --------------------------------------------------------------------------------------


def page() -> None:
    """Draw the page."""
    now = session.current()
    service = resources.service(now.visitor)
    st.title("Stress tests", anchor=False)
    jobs, evaluator = jobs_by_test(now.visitor), service.evaluator(now.visitor)
    found = {test: each for test in CARDS if (each := shown(test, jobs.get(test), evaluator)) is not None}
    examples = all(each.where == EXAMPLE for each in found.values())
    conclusion(
        in_words({test: each.result for test, each in found.items()}),
        (EXAMPLE if found and examples else "")
        or "Each test works on a private copy of the documents; what you see elsewhere stays.",
    )
    if examples:  # said once, above
        found = {test: replace(each, where="") for test, each in found.items()}
    left, right, third = st.columns([1, 1, 2])
    with left:
        number = st.slider(
            "Questions per test", 2, 20, 6, key="stress-number",
            help="More questions take longer and narrow the intervals.",
        )  # fmt: skip
    with right:
        number_box(
            "Seed", "stress-seed", 0, 10_000, 0, whole=True,
            help_="Draws the questions, the edits and the disturbances; another seed, another sample.",
        )  # fmt: skip
    with third:
        st.selectbox(
            "Train again in freshness and erasure", list(RETRAININGS), key="stress-retrain",
            format_func=lambda name: f"{name}{expected(RETRAININGS[name], now)}",
            help="After the edit, or without the forgotten document, adapters are trained again in the copy "
            "and asked once more. Your own adapters stay as they are.",
        )  # fmt: skip
    said = listing([label(name) for name in now.backends])
    st.caption(f"Asked: {said}, on a private copy of the documents.")
    busy = any(working for _, working in jobs.values())
    for test in CARDS:
        card(test, jobs.get(test), found.get(test), busy, now, number)
    assumptions.expander(now, service)


page()
