"""Evaluate: who answers how well, where they differ, what changed since a baseline, which settings pay."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import get_args

import pandas as pd
import streamlit as st

from backends.advice.findings import books_of_arms
from backends.costs.monthly import thousand
from backends.datatypes import (
    BACKEND_NAMES,
    Answer,
    BackendName,
    Chunking,
    JsonObject,
    Question,
    RetrievalMode,
    UserError,
)
from backends.evaluation import reports
from backends.evaluation.archive import Entry, RunRecord, slug
from backends.evaluation.comparison import (
    BaselineComparison,
    Board,
    Difference,
    arm_label,
    compare_with_baseline,
)
from backends.evaluation.judging import HOW, Endpoint, answers_left, judge_words
from backends.evaluation.probes import chosen as draw
from backends.evaluation.probes import sample_questions
from backends.evaluation.questions import load_questions
from backends.evaluation.scoring import BY_KEY, MEASURES
from backends.evaluation.support import AGREEMENT
from backends.evaluation.sweeps import axes_of, points_of
from backends.offline.proposed import Proposed
from backends.system.jobs import Job
from backends.system.wording import roughly
from pages.evaluate import score_charts
from pages.ui import assumptions, charts, resources, session, sources
from pages.ui.answer_card import card
from pages.ui.asking import Asked, Column, Round
from pages.ui.conclusion import conclusion
from pages.ui.dropped_questions import dropped_questions
from pages.ui.evaluator import JUDGE, KIND, PROPOSE, Evaluator, Order, grid_of
from pages.ui.look import LOOKS, is_control
from pages.ui.own_prices import own_book
from pages.ui.plain_table import word_table
from pages.ui.service import BackendReadiness, Service
from pages.ui.text import markdown, plural, seconds

POLL = 0.6
SEED = 0
SETS = {
    "test": "Sample questions, test",
    "dev": "Sample questions, development",
    "cases": "Your test cases",
    "own": "Your own file",
    "made": "Proposed from the documents",
}
SECONDS_PER_ANSWER = 0.4  # on two processor cores, for the estimate before a run
FILTERS = {
    "all": "All questions",
    "differing": "Backends differ",
    "wrong": "Somebody is wrong",
    "unsupported": "Somebody is unsupported",
}
UNSUPPORTED = 0.5
# What a cell of the table of questions says, and how it looks: a mark and a word beside the colour.
WORDS_OF = {
    "✓ right": "right", "✓ right, declined": "right", "✗ wrong": "wrong", "– declined": "", "no answer": "",
}  # fmt: skip
CELLS = {
    "light": {
        "right": "background-color: #DFF3EC; color: #00553C",
        "wrong": "background-color: #FBE6E1; color: #8A2413",
        "": "background-color: #EEEDE9; color: #474D57",
    },
    "dark": {
        "right": "background-color: #14352B; color: #7FE0BF",
        "wrong": "background-color: #44211A; color: #F7B3A4",
        "": "background-color: #2A2F36; color: #C3C9D2",
    },
}
SWEPT: dict[
    str, tuple[str, Sequence[str | int], Sequence[str | int]]
] = {  # field -> label, choices, chosen at first
    "chunk_size": ("Chunk sizes, tokens", [32, 64, 96, 128, 192, 256, 384, 512], [64, 128, 256]),
    "top_k": ("Passages per question (top-k)", [1, 2, 3, 4, 6, 8, 12, 16, 20], [2, 4, 8]),
    "chunking": ("Ways of cutting", list(get_args(Chunking)), []),
    "mode": ("Ways of searching", list(get_args(RetrievalMode)), []),
}
MOST_POINTS = 36
PROPOSED = 30
TOLD = 3  # differences told in words
MOST_AT_FIRST = 3  # documents that are chosen before the visitor chooses


# --- a new run -----------------------------------------------------------------------------------


def new_run(now: session.Session, service: Service, evaluator: Evaluator, opened: bool) -> None:
    """What a new run asks of whom; starts it."""
    with st.expander("New run", expanded=opened, icon=":material/add:"):
        st.segmented_control(
            "Questions", list(SETS), format_func=SETS.__getitem__, key="question_set", default="test",
            required=True, help="Every question needs a gold answer: right and wrong are judged by it.",
        )  # fmt: skip
        chosen = str(session.read("question_set") or "test")
        questions = asked_questions(chosen, now, service, evaluator)
        if not questions:
            return
        st.caption(_about(questions))
        left, right = st.columns([2, 1], gap="large")
        with left:
            number = len(questions)
            if number > 1:
                number = st.slider(
                    "How many of them", 1, len(questions), min(40, len(questions)), key=f"many-{chosen}",
                    help="Of each kind of question its share is drawn. More questions take longer and show "
                    "smaller differences.",
                )  # fmt: skip
            sweep = st.toggle(
                "Try several settings (sweep)", key="sweep",
                help="Every combination answers the questions, to find chunk size and top-k that pay.",
            )  # fmt: skip
            grid = sweep_grid() if sweep else ()
            backends = answering(sweep)
            models = asked_models(service.models(), now)
        with right:
            st.text_input("Name of the run (optional)", key="run_name", placeholder="after new chunking")
            answers = number * len(backends) * max(1, len(grid)) * len(models)
            st.caption(
                f"{plural(answers, 'answer')}, about {roughly(answers * SECONDS_PER_ANSWER)} on two cores. "
                "Settings are those of the sidebar."
            )
            drawn = "all" if number == len(questions) else f"{number} drawn from every kind"
            order = Order(
                tuple(draw(questions, number, SEED)), f"{SETS[chosen]}, {drawn}", backends, now.settings,
                own=chosen in ("own", "made", "cases"), grid=grid, models=models,
            )  # fmt: skip
            st.button(
                "Run", type="primary", key="run", icon=":material/play_arrow:", on_click=start,
                args=(evaluator, order, now), disabled=not backends or len(grid) * len(models) > MOST_POINTS,
            )  # fmt: skip


def _about(questions: Sequence[Question]) -> str:
    unanswerable = sum(not question.answers for question in questions)
    extra = f", {unanswerable} of them not answered by the documents" if unanswerable else ""
    few = " With fewer than about 50, only large differences can be told from chance."
    return f"{plural(len(questions), 'question')}{extra}.{few if len(questions) < 50 else ''}"


def answering(sweep: bool) -> tuple[BackendName, ...]:
    """Who takes part; in a sweep only those that look things up."""
    names = [name for name in LOOKS if not sweep or name in ("rag", "hybrid")]
    chosen = st.pills(
        "Who answers", names, selection_mode="multi", default=names if not sweep else names[-1:],
        format_func=lambda name: f"{LOOKS[name].mark} {LOOKS[name].label}", key=f"answering-{sweep}",
    )  # fmt: skip
    return tuple(name for name in BACKEND_NAMES if name in chosen)


def asked_models(known: Sequence[str], now: session.Session) -> tuple[str, ...]:
    """The models of a run: the usual one, unless models.toml names others and they are chosen."""
    if len(known) < 2:
        return (now.settings.model,)
    chosen = st.pills(
        "With which models", list(known), selection_mode="multi", default=[known[0]],
        format_func=markdown, key="run-models",
        help="Those of models.toml. Every backend answers with each of them.",
    )  # fmt: skip
    return tuple(model for model in known if model in chosen) or (now.settings.model,)


def sweep_grid() -> tuple[JsonObject, ...]:
    """The settings to try, one set for each arm."""
    axes = {}
    for field, (title, choices, first) in SWEPT.items():
        if values := st.multiselect(title, choices, default=first, key=f"sweep-{field}"):
            axes[field] = values
    grid = grid_of(axes)
    if len(grid) > MOST_POINTS:
        st.warning(f"{len(grid)} combinations are too many: choose at most {MOST_POINTS}.")
    return grid if axes else ()


def start(evaluator: Evaluator, order: Order, now: session.Session) -> None:
    """Begin the run that was put together."""
    # The name is read here: it may have been typed in the same moment as the click.
    named = replace(order, name=str(session.read("run_name") or "").strip()[:60])
    resources.jobs().start(KIND, now.visitor, evaluator.ordered(named))


def go_on(evaluator: Evaluator, run: str, now: session.Session) -> None:
    """Go on with an interrupted run."""
    resources.jobs().start(KIND, now.visitor, evaluator.continued(run))


# --- where questions come from -------------------------------------------------------------------


def asked_questions(
    chosen: str, now: session.Session, service: Service, evaluator: Evaluator
) -> Sequence[Question]:
    """The questions of the chosen source."""
    if chosen == "own":
        return own_file()
    if chosen == "cases":
        return saved_cases(service)
    if chosen == "made":
        return proposals(now, service, evaluator)
    return sample_questions("test" if chosen == "test" else "dev")


def saved_cases(service: Service) -> Sequence[Question]:
    """What the visitor saved from answers on the Compare page."""
    found = service.judged().questions()
    if not found:
        st.info("No test case yet: below each answer on Compare you can save one with its right answer.")
    else:
        st.button("Drop these test cases", key="drop-cases", on_click=service.judged().clear_cases)
    return found


def own_file() -> Sequence[Question]:
    """The visitor's file, read anew at every run of the page: nothing of it is kept before a run begins."""
    file = st.file_uploader(
        "Questions as JSONL, CSV or a promptfooconfig.yaml", type=["jsonl", "csv", "json", "yaml", "yml"],
        key="own_questions",
        help='One question a line: {"id", "question", "answers": [...], "documents": [...], "category"}; '
        "in CSV the same columns, several answers in one cell parted by |. No answers: not answerable.",
    )  # fmt: skip
    if file is None:
        st.caption("Runs with your own questions are shown to nobody else and kept for 30 days.")
        return ()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"questions{Path(file.name).suffix.lower()}"
        path.write_bytes(file.getvalue())
        try:
            return load_questions(path)
        except UserError as error:
            st.error(markdown(str(error)))
            return ()


def proposals(now: session.Session, service: Service, evaluator: Evaluator) -> Sequence[Question]:
    """Questions made from the documents, in a table to keep, mend or drop them."""
    job, working = resources.newest_job(now.visitor, PROPOSE)
    names = about(service) if not working else ()
    if job is None or (not working and job.state in ("failed", "cancelled")):
        if job is not None and job.error:
            st.error(markdown(job.error))
        st.caption(
            "Asks about cells of tables and about sentences; a question is kept only if reading its passage "
            "leads back to the answer. Look each one over: only you know whether it is a fair question."
        )
        st.button(
            f"Propose {PROPOSED} questions", key="propose", on_click=propose, disabled=not names,
            args=(evaluator, names, now),
        )  # fmt: skip
        return ()
    if working:
        st.fragment(job_progress, run_every=POLL)(job, "question")
        return ()
    made = job.result if isinstance(job.result, Proposed) else Proposed()
    found = made.questions
    if not found:
        st.info("No question could be made from these documents.")
        dropped_questions(made.dropped)
        return ()
    table = pd.DataFrame(
        {
            "ask": [True] * len(found),
            "question": [q.question for q in found],
            "answers": [" | ".join(q.answers) for q in found],
            "document": [" | ".join(q.documents) for q in found],
            "made from": [q.category for q in found],
        }
    )
    edited = st.data_editor(
        table, key=f"review-{job.id}", hide_index=True, height=320,
        disabled=["document", "made from"],
        column_config={
            "ask": st.column_config.CheckboxColumn(width="small"),
            "question": st.column_config.TextColumn(width="large", required=True),
            "answers": st.column_config.TextColumn(help="Several right answers are parted by |."),
        },
    )  # fmt: skip
    dropped_questions(made.dropped)
    st.button(
        "Propose others", key="propose", on_click=propose, disabled=not names,
        args=(evaluator, names, now),
    )  # fmt: skip
    return [
        Question(
            q.id,
            str(row["question"]).strip(),
            tuple(part.strip() for part in str(row["answers"] or "").split("|") if part.strip()),
            q.documents,
            q.category,
        )
        for q, row in zip(found, edited.to_dict("records"), strict=True)
        if row["ask"] and str(row["question"] or "").strip()
    ]


def about(service: Service) -> Sequence[str]:
    """The documents that questions are to be made from: the visitor's uploads at first, or else all."""
    documents = {document.name: document for document in service.catalogue()}
    uploaded = [name for name, document in documents.items() if document.source == "upload"]
    kept = session.recall("propose-from", uploaded or list(documents)[:MOST_AT_FIRST])
    session.put("propose-from", [name for name in kept if name in documents])
    names = st.multiselect(
        "Documents", list(documents), key="propose-from", placeholder="Choose documents",
        help="Questions are made from these documents alone.",
    )  # fmt: skip
    session.keep("propose-from", names)
    return names


def propose(evaluator: Evaluator, names: Sequence[str], now: session.Session) -> None:
    """Start the job that proposes questions about these documents."""
    service = resources.service(now.visitor)
    documents = [found for name in names if (found := service.document(name)) is not None]
    resources.jobs().start(PROPOSE, now.visitor, evaluator.proposing(documents, PROPOSED))


# --- progress ------------------------------------------------------------------------------------


def job_progress(job: Job, what: str) -> None:
    """How far a job is, with its stop button."""
    if job.finished:
        st.rerun()
    done, total, label = job.progress
    left = job.seconds_left
    rest = f", about {roughly(left)} left" if left is not None and done > 4 else ""
    text = f"{what.capitalize()} {done:,} of {total:,}{rest}" if total else "Waiting for its turn"
    st.progress(job.fraction, text=f"{text}. {markdown(label[:90])}" if total else markdown(label) or text)
    st.button("Stop", key=f"stop-{job.id}", on_click=job.cancel, icon=":material/stop:")


def job_line(job: Job | None, working: bool) -> None:
    """One line about a job that works."""
    if job is None:
        return
    if working:
        st.fragment(job_progress, run_every=POLL)(job, "answer")
    elif job.state == "failed":
        st.error(f"The run stopped. {markdown(job.error or '')}")
    elif job.state == "cancelled":
        st.info("Stopped. What was answered is kept; you can go on below.")


# --- choosing a run ------------------------------------------------------------------------------


def run_label(record: RunRecord) -> str:
    """How a run is named in a list."""
    at = datetime.fromisoformat(record.created).astimezone()
    name = record.name or record.question_set
    kind = "sweep, " if record.sweep else ""
    state = "" if record.complete else ", interrupted"
    return f"{name} ({kind}{plural(len(record.questions), 'question')}, {at:%d %b %H:%M:%S}{state})"


def run_labels(runs: Sequence[RunRecord]) -> dict[str, str]:
    """A label for each run, no two the same: a list picks its options by their labels."""
    labels = {record.run: run_label(record) for record in runs}
    often = Counter(labels.values())
    return {run: f"{said}, {run}" if often[said] > 1 else said for run, said in labels.items()}


def chosen_runs(runs: Sequence[RunRecord], now: session.Session) -> tuple[RunRecord, RunRecord | None]:
    """The run that is shown, and the baseline it is held against."""
    labels = run_labels(runs)
    made = [e for job in resources.jobs().owned_by(now.visitor, KIND) for e in job.events_of(str)]
    first = made[0] if made and made[0] in labels else runs[0].run
    left, right = st.columns(2, gap="large")
    with left:
        run = st.selectbox(
            "Run", list(labels), index=list(labels).index(first), format_func=labels.__getitem__,
            key=f"shown-{first}",
        )  # fmt: skip
    shown = next(record for record in runs if record.run == run)
    kept = session.read("baseline", "")  # stays an option whatever is shown: the list must not lose it
    others = [
        r.run for r in runs
        if r.run == kept or (r.run != run and r.sweep == shown.sweep and r.complete)
    ]  # fmt: skip
    with right:
        baseline = st.selectbox(
            "Compare with a baseline", ["", *others], key="baseline",
            format_func=lambda each: labels[each] if each else "No baseline",
            help="An earlier run: what got significantly worse since then is flagged.",
        )  # fmt: skip
    if baseline == run:
        st.caption("This run is the baseline itself: choose another run to see what changed.")
        return shown, None
    return shown, next((record for record in runs if record.run == baseline), None)


# --- what came out -------------------------------------------------------------------------------


def baseline_words(board: Board, earlier: Board) -> BaselineComparison | None:
    """Plain words first: what got worse, what got better, what else is different."""
    try:
        compared = compare_with_baseline(board, earlier)
    except UserError as error:
        st.warning(markdown(str(error)))
        return None
    st.subheader("Against the baseline", anchor=False)
    for made in compared.regressions:
        st.warning(markdown(made.sentence), icon=":material/trending_down:")
    for made in compared.improvements:
        st.success(markdown(made.sentence), icon=":material/trending_up:")
    if not compared.regressions and not compared.improvements:
        st.info(markdown(reports.baseline_lines(compared)[0]), icon=":material/trending_flat:")
    for note in compared.notes:
        st.caption(markdown(note))
    with st.expander(f"All {len(compared.differences)} comparisons"):
        tests_table(compared.differences)
    return compared


def scoreboard(board: Board) -> None:
    """The scores of every arm."""
    theme = session.theme()
    st.subheader("Scoreboard", anchor=False)
    drawn = [
        score_charts.interval_chart(board, "right", theme),
        score_charts.interval_chart(board, "groundedness", theme),
        score_charts.latency_chart(board, theme),
        cost_chart(board),
    ]
    grid([chart for chart in drawn if chart is not None])
    for line in board.verdicts()[1:TOLD]:  # the first one stands under the conclusion
        st.markdown(f"- {markdown(line)}")
    st.caption("Thin bars are 95 % intervals. " + reports.WITHIN)
    with st.expander("All measures"):
        all_measures(board)


def cost_chart(board: Board) -> charts.Chart | None:
    """Priced as on every other page: measured tokens and times at the visitor's prices and assumptions,
    those of a model behind an address at its own."""
    now = session.current()
    service = resources.service(now.visitor)
    book, plan = own_book(now, service), assumptions.own_plan(now, service)
    books = books_of_arms(board.run.record.arms, book, service.endpoint_prices)
    costs = {
        name: cost
        for name in board.arms
        if name in books and (cost := thousand(_answers(board, name), books[name], plan)) is not None
    }
    return score_charts.cost_chart(costs, book.currency, session.theme()) if costs else None


def _answers(board: Board, arm: str) -> list[Answer]:
    return [entry.answer for entry in board.run.entries_of(arm).values() if entry.answer is not None]


def grid(drawn: Sequence[charts.Chart], columns: int = 2) -> None:
    """The charts beside each other."""
    for first in range(0, len(drawn), columns):
        cells = st.columns(columns, gap="large")
        for cell, chart in zip(cells, drawn[first : first + columns], strict=False):
            with cell, st.container(border=True, height="stretch"):
                charts.show(chart)


def all_measures(board: Board) -> None:
    """All measures in one table."""
    rows = [
        [
            measure.label,
            *(reports.shown(arm.scores.get(measure.key), measure) for arm in board.arms.values()),
            measure.help,
        ]
        for measure in MEASURES
        if any(measure.key in arm.scores for arm in board.arms.values())
    ]
    word_table(
        ["Measure", *map(arm_label, board.arms), "What it says"], rows,
        "Every measure of every backend with its interval",
    )  # fmt: skip
    st.caption(markdown(f"{reports.INTERVALS} {reports.JUDGED} {AGREEMENT}"))


def tests_table(differences: Sequence[Difference]) -> None:
    """The paired tests."""
    rows = [
        [
            made.sentence,
            f"{made.difference:+.3f}",
            "{:+.3f} to {:+.3f}".format(*made.interval),
            f"{made.only_first} / {made.only_second}" if made.only_first is not None else "",
            f"{made.p:.4f}",
            f"{made.corrected:.4f}",
            "" if made.detectable == float("inf") else f"{made.detectable:.3f}",
        ]
        for made in differences
    ]
    heads = [
        "In words",
        "Difference",
        "95 % interval",
        "Only first / second",
        "p",
        "p corrected",
        "Detectable",
    ]
    word_table(heads, rows, "Paired tests with their numbers")
    st.caption(
        "Only first / second: questions that one of the two alone answers right. p corrected: after Holm's "
        "correction for so many tests. Detectable: the smallest difference that so many questions find in 80 "
        "of 100 cases."
    )


# --- where they differ ---------------------------------------------------------------------------


def differences_tab(board: Board, service: Service) -> None:
    """Where arms differ, question by question."""
    arms = list(board.arms)
    wanted = st.segmented_control(
        "Show", list(FILTERS), format_func=FILTERS.__getitem__, default="differing", key="filter-questions",
        required=True,
    )  # fmt: skip
    entries = {arm: board.run.entries_of(arm) for arm in arms}
    shown = [
        q for q in board.run.record.questions if _passes(str(wanted), [e.get(q.id) for e in entries.values()])
    ]
    if not shown:
        st.caption("No question of this kind in this run.")
        return
    table = pd.DataFrame(
        {
            "Question": [q.question for q in shown],
            "Kind": [q.category.replace("_", " ") for q in shown],
            **{arm_label(a): [_mark(entries[a].get(q.id)) for q in shown] for a in arms},
        }
    )
    colours = CELLS[session.theme()]
    cells = table.style.map(lambda mark: colours[WORDS_OF[mark]], subset=[arm_label(arm) for arm in arms])
    picked = st.dataframe(
        cells, key=f"questions-{board.run.record.run}-{wanted}", hide_index=True, on_select="rerun",
        selection_mode="single-row", height=min(38 + 35 * len(shown), 320),
        column_config={"Question": st.column_config.TextColumn(width="large")},
        alt=f"{plural(len(shown), 'question')} with who answered right.",
    )  # fmt: skip
    st.caption(f"{plural(len(shown), 'question')}. Choose a row to see the answers side by side.")
    rows = picked["selection"]["rows"]
    question = shown[rows[0]] if rows and rows[0] < len(shown) else shown[0]
    side_by_side(
        question, {arm: e[question.id] for arm, e in entries.items() if question.id in e}, board, service
    )


def _passes(wanted: str, entries: Sequence[Entry | None]) -> bool:
    answered = [entry for entry in entries if entry is not None and entry.answer is not None]
    right = {entry.scores["right"] for entry in answered}
    if wanted == "differing":
        return len(right) > 1
    if wanted == "wrong":
        return 0.0 in right
    if wanted == "unsupported":
        return any(entry.scores.get("groundedness", 1.0) < UNSUPPORTED for entry in answered)
    return bool(entries)


def _mark(entry: Entry | None) -> str:
    if entry is None or entry.answer is None:
        return "no answer"
    if entry.scores["right"]:
        return "✓ right, declined" if entry.answer.abstained else "✓ right"
    return "– declined" if entry.answer.abstained else "✗ wrong"


def side_by_side(question: Question, entries: dict[str, Entry], board: Board, service: Service) -> None:
    """Answers to one question beside each other."""
    st.markdown(f"#### {markdown(question.question)}", anchors=False)
    gold = " or ".join(question.answers) or "the documents do not say"
    where = f", in {', '.join(question.documents)}" if question.documents else ""
    st.markdown(f"**Gold answer:** {markdown(gold + where)}")
    # An arm with a model behind its backend stands where a backend does.
    columns = {
        arm: Column(
            arm,
            "done" if entry.answer else "failed",
            entry.answer.text if entry.answer else "",
            answer=replace(entry.answer, backend=arm) if entry.answer else None,
            failure=entry.failure,
        )
        for arm, entry in entries.items()
    }
    names = list(columns)
    for first in range(0, len(names), 2):  # two in a row: four are too narrow for their numbers
        for cell, arm in zip(st.columns(2), names[first : first + 2], strict=False):
            with cell:
                rivals = [name for name in names if name != arm and not is_control(name)]
                others = [columns[name].text for name in rivals if columns[name].text]
                card(columns[arm], others, BackendReadiness("ready"))
                st.caption(markdown(f"{_mark(entries[arm])}: {_scores_line(entries[arm])}"))
    record = board.run.record
    asked = Asked(question.question, tuple(columns), session.current().settings, datetime.now())
    made = Round(f"{record.run}-{question.id}", asked, columns, finished=True)
    with st.expander("Sources: the passages in their documents"):
        sources.draw(made, service)


def _scores_line(entry: Entry) -> str:
    keys = ("f1", "faithfulness", "citation_recall", "context_recall")
    found = [f"{BY_KEY[key].label.lower()} {entry.scores[key]:.2f}" for key in keys if key in entry.scores]
    return ", ".join(found) or "nothing more to score"


# --- sweeps --------------------------------------------------------------------------------------


def sweep_section(board: Board) -> None:
    """What the varied settings bring and cost."""
    theme = session.theme()
    points, axes = points_of(board), axes_of(board)
    if not points or not axes:
        st.caption("The sweep has no answers yet.")
        return
    st.subheader("Which settings pay", anchor=False)
    across = "top_k" if "top_k" in axes else list(axes)[-1]
    down = next((name for name in ("chunk_size", *axes) if name in axes and name != across), None)
    shown = points
    with st.container(horizontal=True):
        backends = list(dict.fromkeys(p.backend for p in points))
        if len(backends) > 1:
            backend = st.segmented_control(
                "Backend", backends, format_func=lambda b: LOOKS[b].label, default=backends[0], required=True,
                key="sweep-backend",
            )  # fmt: skip
            shown = [p for p in shown if p.backend == backend]
        for name in axes:
            if name not in (across, down):
                value = st.segmented_control(
                    name.replace("_", " ").capitalize(), axes[name], default=axes[name][0], required=True,
                    key=f"sweep-at-{name}",
                )  # fmt: skip
                shown = [p for p in shown if p.at[name] == value]
    if shown:
        grid(score_charts.heat_maps(shown, axes, across, down, theme), columns=3)
    with st.container(border=True):
        charts.show(score_charts.pareto_chart(points, theme))
    st.caption(
        "Worth having: no other combination is at least as right, as fast and as cheap. Chunk sizes were "
        "worked through one after the other; times between them hold as far as the machine was equally busy. "
        "A best cell among many is partly luck: confirm it on other questions before you rely on it."
    )


# --- a judge model ---------------------------------------------------------------------------------


def judge_tab(evaluator: Evaluator, run: str, now: session.Session) -> None:
    """What a judge model says of the answers, beside our offline figures, and the button that asks it."""
    job, working = resources.newest_job(now.visitor, JUDGE)
    board = evaluator.board(run)
    if board.run.verdicts:
        st.caption(markdown(judge_words(board)))
        word_table(
            reports.JUDGE_COLUMNS, [[str(cell) for cell in row] for row in reports.judged_cells(board)],
            "Figures of the judge model and offline figures over the same answers",
        )  # fmt: skip
    else:
        st.caption(
            "All figures of this page are computed here, without a judge model. The RAGAS library can ask a "
            "language model of yours for a second opinion on what the answers claim and the passages hold."
        )
    try:
        endpoint = Endpoint.configured()
    except UserError as error:
        st.warning(markdown(str(error)))
        return
    if endpoint is None:
        st.caption(markdown(f"No judge model is configured. {HOW} Then start the app again."))
        return
    if job is not None and working:
        st.fragment(job_progress, run_every=POLL)(job, "verdict")
        return
    if job is not None and job.error and job.events_of(str) == [run]:
        st.error(markdown(job.error))
    left = answers_left(board.run, endpoint.model)
    if left:
        st.button(
            f"Let {endpoint.model} judge {plural(left, 'answer')}", key="judge", icon=":material/gavel:",
            on_click=start_judging, args=(evaluator, run, now),
            help="Sends these questions, answers and passages to the model at "
            f"{endpoint.url}, four to fifteen calls an answer.",
        )  # fmt: skip


def start_judging(evaluator: Evaluator, run: str, now: session.Session) -> None:
    """Start the job in which a judge model reads the answers."""
    resources.jobs().start(JUDGE, now.visitor, evaluator.judging(run))


# --- the rest ------------------------------------------------------------------------------------


def downloads(board: Board, compared: BaselineComparison | None, baseline: str | None) -> None:
    """The run as files."""
    record = board.run.record
    files = {
        "HTML report": ("html", "text/html", lambda: reports.as_html(board, compared)),
        "Markdown": ("md", "text/markdown", lambda: reports.as_markdown(board, compared)),
        "CSV": ("csv", "text/csv", lambda: reports.as_csv(board)),
        "JSON": ("json", "application/json", lambda: reports.as_json(board, compared, baseline)),
        "JUnit XML": ("xml", "application/xml", lambda: reports.as_junit(board, compared)),
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Take the run with you:", width="content")
        for label, (suffix, mime, make) in files.items():
            st.download_button(
                label, make, file_name=f"triptych-{slug(record.name or record.run)}.{suffix}", mime=mime,
                key=f"report-{suffix}", on_click="ignore", icon=":material/download:",
            )  # fmt: skip


def made_with(board: Board, evaluator: Evaluator) -> None:
    """Documents, model, adapters and machine of the run."""
    record = board.run.record
    st.table(pd.Series(reports.made_with(board), name="").to_frame())
    if record.sittings > 1:
        st.caption(f"Made in {record.sittings} sittings: times come from several stretches.")
    command = f"triptych evaluate --questions questions.jsonl --baseline {record.run}"
    st.caption("The same comparison on the command line, for a build server:")
    st.code(command, language="bash")
    if evaluator.is_own(record.run):
        st.button("Delete this run", key="delete-run", on_click=evaluator.delete, args=(record.run,))


def interrupted(
    record: RunRecord, board: Board, evaluator: Evaluator, now: session.Session, busy: bool
) -> None:
    """What to do about a run that has not come to its end."""
    done, total = len(board.run.entries), len(record.questions) * len(record.arms)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(f"{done:,} of {total:,} answers are there; the numbers below are of these.")
        st.button("Go on", key="go-on", on_click=go_on, args=(evaluator, record.run, now), disabled=busy)


def shown_run(
    board: Board, compared: BaselineComparison | None, baseline: str | None, service: Service, ev: Evaluator
) -> None:
    """The chosen run with its tabs."""
    record = board.run.record
    failures = [entry for entry in board.run.entries if entry.answer is None]
    if failures:
        count = plural(len(failures), "answer")
        st.warning(markdown(f"{count} failed and do not count: {failures[0].failure}"))
    for note in board.notes:
        st.info(markdown(note), icon=":material/find_in_page:")
    if not board.arms:
        st.info("No answer yet.")
        return
    if record.sweep:
        sweep_section(board)
    else:
        scoreboard(board)
    names = [] if record.sweep else ["Where they differ", "By category", "Time by stage"]
    names += ["Tests", "Made with"] if ev.is_example(record.run) else ["Tests", "Judge model", "Made with"]
    tabs = st.tabs(names, key=f"tabs-{record.sweep}", on_change="rerun")
    drawings = {
        "Where they differ": lambda: differences_tab(board, service),
        "By category": lambda: by_category(board),
        "Time by stage": lambda: by_stage(board),
        "Tests": lambda: tests_table(board.differences),
        "Judge model": lambda: judge_tab(ev, record.run, session.current()),
        "Made with": lambda: made_with(board, ev),
    }
    for tab, name in zip(tabs, names, strict=True):
        if tab.open:
            with tab:
                drawings[name]()
    downloads(board, compared, baseline)


def by_category(board: Board) -> None:
    """Scores by category of question."""
    chart = score_charts.category_chart(board, session.theme())
    if chart is None:
        st.caption("These questions carry no categories.")
    else:
        charts.show(chart)


def by_stage(board: Board) -> None:
    """Times by stage."""
    charts.show(score_charts.stage_chart(board, session.theme()))
    stages = [(arm_label(name), stage, shares) for name, arm in board.arms.items()
              for stage, shares in arm.latency_ms.items()]  # fmt: skip
    points = list(dict.fromkeys(point for _, _, shares in stages for point in shares))
    rows = [
        [name, stage.replace("_", " "), *(seconds(shares[p]) if p in shares else "" for p in points)]
        for name, stage, shares in stages
    ]
    heads = ["Backend", "Stage", *(f"{point} of 100 faster" for point in points)]
    word_table(heads, rows, "Percentiles of every stage")


def page() -> None:
    """Draw the page."""
    now = session.current()
    service = resources.service(now.visitor)
    evaluator = service.evaluator(now.visitor)
    st.title("Evaluate", anchor=False)
    opening = st.container()
    job, working = resources.newest_job(now.visitor, KIND)
    busy = [each for each in resources.jobs().owned_by(now.visitor, KIND) if not each.finished]
    runs = evaluator.runs()
    # What a run in the making is called and says still changes. Asked last: it may have begun just now.
    made = {event for each in busy for event in each.events_of(str)}
    runs = [record for record in runs if record.run not in made]
    example = evaluator.example() if not runs else None
    new_run(now, service, evaluator, opened=not runs and example is None and not working)
    job_line(job, working)
    if not runs and example is None:
        with opening:
            conclusion(
                "Nothing has been evaluated yet.",
                "Ask many questions with known answers: forty show large differences in about a minute.",
            )
        return
    record, earlier = chosen_runs(runs, now) if example is None else (example, None)
    board = evaluator.board(record.run)
    with opening:
        conclusion(board.conclusion(), _rests_on(board, example is not None))
    if not record.complete:
        interrupted(record, board, evaluator, now, working)
    compared = baseline_words(board, evaluator.board(earlier.run)) if earlier else None
    shown_run(board, compared, earlier.run if earlier else None, service, evaluator)


def _rests_on(board: Board, example: bool) -> str:
    """RAG against the fine-tuned model in words, and what the numbers are of."""
    record = board.run.record
    of = f"{plural(len(record.questions), 'question')}, {record.question_set}"
    if example:
        count = plural(len(record.questions), "question")
        of = f"An example that comes with Triptych, {count} about the sample: your first run takes its place"
    told = [f"{line.removesuffix('.')}." for line in board.verdicts()[:1]]
    return " ".join([*told, f"{of}."])


page()
