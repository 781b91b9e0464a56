"""Fine-tune: documents become rows, rows become adapters, adapters are judged, switched and renewed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from backends.datatypes import UserError
from backends.offline.trainer import Draft, DraftRow, Trainer, default_params, name_for
from backends.system.jobs import Job
from backends.system.reporting import Report
from backends.system.wording import duration, roughly
from backends.training.adapters import ANSWERING, AdapterKind
from backends.training.lora import LoraParams
from backends.training.row_building import WAYS, Way
from backends.training.row_review import count_advice, review
from backends.training.rows import FEW_ROWS, FEWEST_ROWS, HybridOptions, load_rows
from backends.training.runs import ENDED, TrainingRun
from pages.tune import adapter_list, embedder_part, training_summary, tuning_charts
from pages.ui import assumptions, charts, resources, session, training_jobs
from pages.ui.conclusion import conclusion
from pages.ui.dropped_questions import dropped_questions
from pages.ui.look import look_of
from pages.ui.service import Service
from pages.ui.text import markdown, plural

POLL = 1.0
WAY_WORDS: dict[Way, str] = {
    "table": "Tables",
    "model": "Sentences",
    "yours": "Yours",
}
LEARNS: dict[AdapterKind, str] = {
    "fine_tuned": "by heart, no documents at hand",
    "hybrid": "to answer from retrieved passages",
}
NOTE = "What stands out"


# --- 1: rows ---------------------------------------------------------------------------------------


def rows_step(trainer: Trainer, service: Service, now: session.Session) -> Draft:
    """The first step: rows made or brought; returns them."""
    st.subheader("1  Rows to learn from", anchor=False)
    st.caption(
        "A row is a question and the answer you want. A tenth of the rows is held out before anything is "
        "trained: the model never sees them, so they tell what it has really learned."
    )
    made, brought = st.tabs(["Make them from documents", "Bring your own"])
    with made:
        _maker(trainer, service, now)
    with brought:
        _importer(trainer, now.visitor)
    job, working = resources.newest_job(now.visitor, training_jobs.BUILD)
    if job is not None:
        st.fragment(_building, run_every=POLL if working else None)(job, working)
    draft = trainer.load_draft(now.visitor)
    if not draft.rows:
        if not working:
            st.info(
                "No rows yet: make some from your documents, or bring a file.", icon=":material/table_rows:"
            )
        return draft
    if working:  # the job replaces the rows, and a table of the old ones would write them back
        return draft
    done = job.id[:8] if job is not None else ""
    return _table(trainer, draft, now.visitor, f"{session.read('tune-version', 0)}-{done}")


def _maker(trainer: Trainer, service: Service, now: session.Session) -> None:
    names = [document.name for document in service.catalogue()]
    uploaded = [document.name for document in service.catalogue() if document.source == "upload"]
    kept = [name for name in session.read("tune-documents", uploaded or names[:3]) if name in names]
    session.put("tune-documents", kept)
    chosen = st.multiselect("Documents", names, key="tune-documents", placeholder="Choose documents")
    left, right = st.columns([3, 2])
    ways = left.pills(
        "Ways",
        list(WAYS),
        selection_mode="multi",
        default=list(WAYS),
        format_func=WAY_WORDS.__getitem__,
        key="tune-ways",
        help="Tables: what a column says about a row. Sentences: an amount, a time, a name, a reason or a "
        "rule in running text. Questions are worded by rules, else by the language model, and kept only if "
        "reading the passage leads back to the answer.",
    )
    most = right.slider("At most", 20, 1000, 300, 20, format="%d rows", key="tune-most")
    if st.button(
        "Make rows",
        key="tune-build",
        icon=":material/auto_awesome:",
        disabled=not chosen or not ways,
        help="Takes the place of the rows below.",
    ):
        _build(trainer, now.visitor, chosen, [way for way in WAYS if way in ways], most)


def _build(trainer: Trainer, visitor: str, names: Sequence[str], ways: Sequence[Way], most: int) -> None:
    resources.jobs().start(
        training_jobs.BUILD, visitor, training_jobs.building(trainer, visitor, names, ways, most)
    )


def _building(job: Job, polled: bool) -> None:
    if polled and job.finished:
        st.rerun()
    if not job.finished:
        left = job.seconds_left
        rest = f", about {max(1, round(left))} s left" if left else ""
        st.progress(job.fraction, text=f"{markdown(job.progress[2]) or 'Reading the documents'}{rest}")
        st.button("Stop here", on_click=job.cancel, key="cancel-build", icon=":material/close:")
    elif job.state == "failed":
        st.error(markdown(job.error or "No rows could be made."))


def _importer(trainer: Trainer, visitor: str) -> None:
    st.caption(
        'JSONL with "question", "answer" and, if you like, "documents"; or chat rows with "messages"; '
        "or CSV with the columns question and answer."
    )
    file = st.file_uploader("Rows", type=["jsonl", "csv"], key=f"tune-file-{session.read('tune-version', 0)}")
    add = st.checkbox("Add to the rows below", value=True, key="tune-add")
    if file is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(file.name).name
        path.write_bytes(file.getvalue())
        try:
            rows = load_rows(path)
        except UserError as error:
            st.error(markdown(str(error)))
            return
    brought = Draft.from_rows((row, "yours") for row in rows)
    old = trainer.load_draft(visitor) if add else Draft()
    trainer.save_draft(replace(old, rows=(*old.rows, *brought.rows)), visitor)
    session.put("tune-version", session.read("tune-version", 0) + 1)
    session.current().notice = f"{plural(len(rows), 'row')} came in from {file.name}."
    st.rerun()


def _table(trainer: Trainer, draft: Draft, visitor: str, version: str) -> Draft:
    """The rows to edit; what is edited is kept at once, what stands out is noted beside its row.

    The table starts from the rows as they were when this version of them came: Streamlit keeps the edits.
    """
    base: tuple[str, Draft] = session.read("tune-base", ("", draft))
    if base[0] != version:
        base = (version, draft)
        session.put("tune-base", base)
    shown = base[1]
    findings = review([each.row for each in shown.rows], shown.held_out, trainer.texts())
    notes: dict[int, list[str]] = {}
    for finding in findings:
        notes.setdefault(finding.row, []).append(finding.message)
    edited = st.data_editor(
        pd.DataFrame(
            {
                "Question": [each.question for each in shown.rows],
                "Answer": [each.answer for each in shown.rows],
                NOTE: [" ".join(notes.get(index, [])) for index in range(len(shown.rows))],
                "Held out": [each.held_out for each in shown.rows],
                "Documents": ["; ".join(each.documents) for each in shown.rows],
                "Made": [WAY_WORDS[each.way] for each in shown.rows],
            }
        ),
        key=f"tune-rows-{version}",
        num_rows="dynamic",
        disabled=[NOTE, "Held out", "Made"],
        hide_index=True,
        height=min(80 + 35 * len(shown.rows), 420),
        column_config={
            "Question": st.column_config.TextColumn(width="large", required=True),
            "Answer": st.column_config.TextColumn(width="large", required=True),
            NOTE: st.column_config.TextColumn(width="medium"),
        },
    )
    draft = replace(shown, rows=tuple(_row(raw) for raw in edited.to_dict("records")))
    if draft != trainer.load_draft(visitor):
        trainer.save_draft(draft, visitor)
    _summary(draft, len(findings))
    dropped_questions(draft.dropped)
    return draft


def _row(raw: Mapping[Hashable, object]) -> DraftRow:
    """A row as the table holds it; one that was typed in has no side yet and is trained on."""
    way: Way = next((way for way, words in WAY_WORDS.items() if words == raw["Made"]), "yours")
    documents = tuple(name.strip() for name in _text(raw["Documents"]).split(";") if name.strip())
    held_out = raw["Held out"] in (True,)  # a new row holds no value here
    return DraftRow(_text(raw["Question"]), _text(raw["Answer"]), documents, way, held_out)


def _text(value: object) -> str:
    """What stands in a cell; an empty one of a new row is no string."""
    return value if isinstance(value, str) else ""


def _summary(draft: Draft, findings: int) -> None:
    train, held = draft.sides()
    left_out = len(draft.rows) - len(train) - len(held)
    parts = [f"{plural(len(train), 'row')} to learn, {len(held):,} held out"]
    parts += [f"{left_out} left out (empty, or nearly the same as a held-out question)"] if left_out else []
    parts += [f"{plural(findings, 'note')} beside the rows"] if findings else []
    st.caption(f"{'; '.join(parts)}. {count_advice(len(train))}")
    lines = [
        {"question": each.question, "answer": each.answer, "documents": list(each.documents)}
        for each in draft.rows
    ]
    with st.container(horizontal=True):
        st.button("Check again", key="tune-check", icon=":material/rule:", on_click=_check)
        st.download_button(
            "Rows as JSONL",
            "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines),
            file_name="triptych-rows.jsonl",
            key="tune-download",
            on_click="ignore",
            icon=":material/download:",
        )


def _check() -> None:
    session.put("tune-version", session.read("tune-version", 0) + 1)


# --- 2: training -----------------------------------------------------------------------------------


def train_step(trainer: Trainer, draft: Draft, now: session.Session) -> None:
    """The second step: how to train, and the running training."""
    st.subheader("2  Train", anchor=False)
    job, working = resources.newest_job(now.visitor, training_jobs.TRAIN)
    if not working:
        _planner(trainer, draft, now)
    run = next((r for r in trainer.runs.all() if r.plan.owner == now.visitor), None)
    if job is not None and job.state == "failed" and not (run is not None and run.state == "interrupted"):
        st.error(markdown(job.error or "Training failed."))
    if job is not None and working:
        st.fragment(_live, run_every=POLL)(trainer, job)
    elif run is not None and run.state == "running":
        st.fragment(_ending, run_every=POLL)(run)
    elif run is not None:
        _past(run, now, trainer)


def _ending(run: TrainingRun) -> None:
    """A run whose server is gone: its process notices, writes what it has and ends."""
    if run.state != "running":
        st.rerun()
    st.caption(
        f"**{markdown(run.plan.name)}** was started by a server that has ended. It is writing its "
        "checkpoint; in a moment you can resume it."
    )


def _kind_words(kind: AdapterKind) -> str:
    return f"{look_of(kind).mark} {look_of(kind).label}"


def _planner(trainer: Trainer, draft: Draft, now: session.Session) -> None:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    kinds = left.pills(
        "What to train",
        list(ANSWERING),
        selection_mode="multi",
        default=list(ANSWERING),
        format_func=_kind_words,
        key="tune-kinds",
        help="; ".join(f"{look_of(kind).label}: learns {words}" for kind, words in LEARNS.items()) + ".",
    )
    if trainer.is_taken(session.read("tune-name", "mine")) or not session.read("tune-name"):
        session.put("tune-name", trainer.free_name(session.read("tune-name") or "mine"))
    name = right.text_input("Name", key="tune-name", help="Letters, digits, dots and dashes.") or "mine"
    chosen: list[AdapterKind] = [kind for kind in ANSWERING if kind in kinds]
    params: dict[AdapterKind, LoraParams] = {
        kind: default_params(kind, trainer.model_name) for kind in ANSWERING
    }
    options = HybridOptions(share_memorised=1.0)
    with st.expander("Settings of the training"):
        params = {kind: _params(kind, params[kind]) for kind in chosen}
        if "hybrid" in chosen:
            options = _options(options)
    rows = len(draft.sides()[0])
    few = rows < FEWEST_ROWS
    if not few and rows < FEW_ROWS:
        st.warning(count_advice(rows), icon=":material/warning:")
    names = {kind: name if len(chosen) == 1 else name_for(name, kind) for kind in chosen}
    # No callback: it would be given what the fields held when the page was last drawn to its end, not what
    # was typed right before the click.
    if st.button(
        "Train",
        type="primary",
        key="tune-train",
        icon=":material/model_training:",
        disabled=few or not chosen,
        help=f"At least {FEWEST_ROWS} rows are needed." if few else None,
    ):
        _train(trainer, draft, names, params, options, now.visitor)
        st.rerun()
    st.caption(_whose(trainer, now))


def _whose(trainer: Trainer, now: session.Session) -> str:
    before = [run for run in trainer.runs.all() if run.seconds and run.plan.owner == now.visitor]
    took = f" The last training took {duration(before[0].seconds)}." if before else ""
    who = "you alone" if resources.service(now.visitor).private else "everyone who uses this workspace"
    return (
        f"If the held-out questions show a gain, the finished adapter answers for {who} from then on; "
        f"otherwise you decide. You can go back at any time.{took}"
    )


def _params(kind: AdapterKind, given: LoraParams) -> LoraParams:
    st.markdown(f"**{look_of(kind).label}**")
    first, second, third = st.columns(3)
    rank = first.select_slider(
        "Rank",
        [4, 8, 16, 32, 64, 128],
        given.rank,
        key=f"tune-rank-{kind}",
        help="Size of the adapter: how much it can hold.",
    )
    epochs = second.number_input(
        "Epochs", 1, 200, given.epochs, key=f"tune-epochs-{kind}", help="How often each row is seen."
    )
    rate = third.number_input(
        "Learning rate",
        1e-6,
        1e-1,
        given.learning_rate,
        format="%g",
        key=f"tune-rate-{kind}",
        help="How far one step goes.",
    )
    noise = first.slider(
        "Words left out of questions", 0.0, 0.5, given.question_noise, 0.05, key=f"tune-noise-{kind}",
        help="Up to this share, others in every epoch, so that a fact is also found in other words.",
    )  # fmt: skip
    patience = second.number_input(
        "Stop early after",
        0,
        50,
        given.patience,
        key=f"tune-patience-{kind}",
        help="Epochs without a gain on held-out rows; 0: never.",
    )
    modules = third.text_input(
        "Layers that learn",
        given.target_modules,
        key=f"tune-modules-{kind}",
        help="all-linear, or names such as q_proj, v_proj.",
    )
    seed = first.number_input(
        "Seed",
        0,
        10_000,
        given.seed,
        key=f"tune-seed-{kind}",
        help="The same seed repeats the same training.",
    )
    lowest = second.number_input(
        "Lowest layer that learns",
        0,
        1000,
        given.first_layer,
        key=f"tune-first-{kind}",
        help="0: all of them. Those below it stay as they are, which saves time.",
    )
    return replace(
        given, rank=int(rank), alpha=2 * int(rank), epochs=int(epochs), learning_rate=float(rate),
        question_noise=float(noise), patience=int(patience), seed=int(seed),
        target_modules=modules.strip() or "all-linear", first_layer=int(lowest),
    )  # fmt: skip


def _options(given: HybridOptions) -> HybridOptions:
    share = st.slider(
        "Rows shown with the passage that answers", 0.0, 1.0, given.share_with_answer, 0.05, key="tune-share",
        help="The others show passages that do not answer, so that it learns not to lean on them blindly.",
    )  # fmt: skip
    distractors = st.slider(
        "Other passages beside it",
        0,
        8,
        8,
        key="tune-distractors",
        help="8 keeps as many as an answer would see.",
    )
    return replace(given, share_with_answer=share, distractors=None if distractors == 8 else distractors)


def _train(
    trainer: Trainer,
    draft: Draft,
    names: dict[AdapterKind, str],
    params: dict[AdapterKind, LoraParams],
    options: HybridOptions,
    visitor: str,
) -> None:
    now = session.current()
    try:
        for name in names.values():
            trainer.check_name(name)
    except UserError as error:
        now.notice = str(error)
        return
    plans = [
        partial(_plan, trainer, draft, kind, name, params[kind], options, visitor)
        for kind, name in names.items()
    ]
    resources.jobs().start(training_jobs.TRAIN, visitor, training_jobs.training(trainer, plans))


def _plan(
    trainer: Trainer,
    draft: Draft,
    kind: AdapterKind,
    name: str,
    params: LoraParams,
    options: HybridOptions,
    visitor: str,
    report: Report,
) -> TrainingRun:
    return trainer.plan(draft, kind, name, params, options=options, owner=visitor, report=report)


def _live(trainer: Trainer, job: Job) -> None:
    """The run while it works; it goes on when this page is closed."""
    if job.finished:
        st.rerun()
    runs = [run for run in trainer.runs.all() if run.id in set(job.events_of(str))]
    run = runs[0] if runs else None
    if run is None or run.state in ENDED:
        st.progress(job.fraction, text=markdown(job.progress[2]) or "Waiting for the training before it")
        st.button("Cancel", key="cancel-train", on_click=job.cancel, icon=":material/close:")
        return
    shown = training_jobs.picture(run)
    _standing(run, shown)
    st.button(
        "Stopping after the best epoch so far" if job.cancelling else "Stop and keep the best so far",
        key="cancel-train",
        on_click=job.cancel,
        disabled=job.cancelling,
        icon=":material/stop:",
    )
    _drawn(run, shown)
    st.caption("You can leave this page or close it. Answers come meanwhile, marked as timed under load.")


def _standing(run: TrainingRun, shown: training_jobs.Picture) -> None:
    name = markdown(run.plan.name)
    if shown.measuring is not None:
        done, total = shown.measuring["done"], shown.measuring["total"]
        when = shown.measuring["when"]
        st.progress(done / total, text=f"{name}: held-out questions {when} training, {done} of {total}")
    if shown.last is None:
        if shown.measuring is None:
            st.progress(0.0, text=f"{name}: loading the model")
        return
    last = shown.last
    if shown.measuring is None:
        left = roughly(last["seconds_left"])
        st.progress(
            last["step"] / last["steps"],
            text=f"{name}: epoch {last['epoch']} of {last['epochs']}, about {left} left",
        )
    cells = st.columns(4)
    cells[0].metric("Loss", f"{last['loss']:.3f}", help="How surprised the model is by the right answer.")
    held = last["held_out_loss"]
    cells[1].metric("Held-out loss", "-" if held is None else f"{held:.3f}")
    cells[2].metric("Speed", f"{last['tokens_per_second']:,.0f} tokens/s")
    cells[3].metric("Memory", f"{last['memory_bytes'] / 1e9:.2f} GB", help="The most the training has held.")


def _drawn(run: TrainingRun, shown: training_jobs.Picture) -> None:
    chart = tuning_charts.losses(shown, run.plan.kind, run.plan.name, session.theme())
    if chart is not None:
        charts.show(chart)
    _samples(shown)


def _samples(shown: training_jobs.Picture) -> None:
    """What the model says to the same held-out questions, epoch by epoch."""
    if not shown.epochs:
        return
    for index, sample in enumerate(shown.epochs[0]["samples"]):
        st.markdown(f"**{markdown(sample['question'])}**  \nWanted: {markdown(sample['wanted'])}")
        said = [(each["epoch"], each["samples"][index]["said"]) for each in shown.epochs]
        lines = [said[0], *said[-2:]] if len(said) > 2 else said
        for epoch, text in lines:
            when = "before" if epoch == 0 else f"epoch {epoch}"
            st.caption(f"{when}: {markdown(text) or '(nothing)'}")


def _finished(run: TrainingRun, trainer: Trainer) -> None:
    """What the held-out rows say, and the decision where they do not show a gain."""
    name, said = markdown(run.plan.name), markdown(run.error)
    adapter = next((each for each in trainer.adapters.all() if each.name == run.plan.name), None)
    if adapter is None:  # deleted since
        st.caption(f"**{name}** was trained. {said}")
        return
    active = trainer.adapters.active(run.plan.kind, adapter.card.base_fingerprint)
    does, does_not = ("answers", "answer") if adapter.card.kind != "embedder" else ("finds", "find")
    if active is not None and active.name == adapter.name:
        st.success(f"**{name}** is trained and {does} now. {said}", icon=":material/check:")
        return
    st.warning(f"**{name}** is trained and does not {does_not}. {said}", icon=":material/balance:")
    st.button(
        "Let it answer all the same" if adapter.card.kind != "embedder" else "Search with it all the same",
        key="tune-activate", icon=":material/check:",
        on_click=adapter_list.activate, args=(trainer, adapter),
    )  # fmt: skip


def _past(run: TrainingRun, now: session.Session, trainer: Trainer) -> None:
    """The newest run that is no longer at work."""
    name = markdown(run.plan.name)
    if run.state == "interrupted":
        st.warning(
            f"**{name}** did not come to its end: the server or the training stopped. "
            f"{markdown(run.error)} Nothing is lost but the steps since its last checkpoint.",
            icon=":material/pause_circle:",
        )
        _go_on("Resume", trainer, run, now.visitor)
    elif run.state == "waiting":
        st.warning(f"**{name}** was planned and never began.", icon=":material/pause_circle:")
        _go_on("Begin", trainer, run, now.visitor)
    elif run.state == "done":
        _finished(run, trainer)
    elif run.state == "cancelled":
        st.caption(f"{name} was cancelled. {markdown(run.error)}")
    if run.state in ENDED or run.state == "interrupted":
        with st.expander("How the last training went", expanded=run.state == "interrupted"):
            _drawn(run, training_jobs.picture(run))


def _go_on(label: str, trainer: Trainer, run: TrainingRun, visitor: str) -> None:
    with st.container(horizontal=True):
        st.button(
            label,
            type="primary",
            key="tune-resume",
            icon=":material/play_arrow:",
            on_click=_resume,
            args=(trainer, run, visitor),
        )
        st.button("Discard", key="tune-discard", on_click=run.cancel)


def _resume(trainer: Trainer, run: TrainingRun, visitor: str) -> None:
    resources.jobs().start(training_jobs.TRAIN, visitor, training_jobs.following(trainer, run))


# --- the page ----------------------------------------------------------------------------------------


def page() -> None:
    """Draw the page."""
    now = session.current()
    service = resources.service(now.visitor)
    st.title("Fine-tune", anchor=False)
    try:
        trainer = service.trainer()
    except UserError as error:
        conclusion("Nothing can be trained in this view.", str(error))
        return
    statuses = service.statuses()
    stale = [kind for kind in ANSWERING if statuses[kind].state == "stale"]
    conclusion(
        training_summary.in_words(trainer, stale),
        "Rows are made from your documents, adapters are trained on them; each can be judged, switched and "
        "undone below.",
    )
    adapter_list.picture(trainer)
    if now.notice:
        st.info(markdown(now.notice))
        now.notice = None
    draft = rows_step(trainer, service, now)
    st.divider()
    train_step(trainer, draft, now)
    st.divider()
    embedder_part.draw(trainer, draft, service.votes(), now)
    st.divider()
    adapter_list.draw(trainer, service, now)
    assumptions.expander(now, service)


page()
