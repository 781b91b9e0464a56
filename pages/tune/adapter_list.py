"""The adapters on the fine-tuning page: scores with intervals, freshness, cost, and what to do.

Enters: a trainer. Leaves: nothing; every action is a callback that changes the trainer's registry.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from backends.costs.prices import Book
from backends.datatypes import UserError
from backends.offline.trainer import SCHEDULES, Staleness, Trainer
from backends.system.reporting import Report
from backends.system.wording import duration, money
from backends.training.adapter_comparison import compare, same_rows, size_of, training_cost
from backends.training.adapter_exchange import import_adapter, pack
from backends.training.adapters import ADAPTER_KINDS, ANSWERING, DAMAGED, Adapter, AdapterKind
from backends.training.embedder_training import FOUND_AMONG
from backends.training.runs import TrainingRun
from backends.training.serving_files import ServedBase, pack_gguf, writable
from pages.tune import tuning_charts
from pages.ui import charts, resources, session, training_jobs
from pages.ui.look import look_of
from pages.ui.own_prices import own_book
from pages.ui.plain_table import word_table
from pages.ui.service import Service
from pages.ui.text import listing, markdown, plural

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

WATTS = 60
RISKS_SHOWN = 8
SENTENCES_SHOWN = 6


def picture(trainer: Trainer) -> None:
    """What each adapter gained; nothing before there is one."""
    chart = tuning_charts.gains(trainer.adapters.all(), session.theme())
    if chart is not None:
        charts.show(chart)
        st.caption(
            "Bars are 95 % intervals: where they overlap, the difference may be chance. An answer is right "
            "when it holds the wanted words, word for word; a search, when the passage is among "
            f"the first {FOUND_AMONG}."
        )


def draw(trainer: Trainer, service: Service, now: session.Session) -> None:
    """The table, the chosen adapter, and the door for adapters from elsewhere."""
    st.subheader("4  Adapters", anchor=False)
    adapters = trainer.adapters.all()
    for name in trainer.adapters.damaged():
        st.warning(markdown(DAMAGED.format(name)), icon=":material/warning:")
    if not adapters:
        st.info("No adapters yet: train one above.", icon=":material/inventory_2:")
    else:
        stale = {adapter.name: trainer.stale(adapter) for adapter in adapters}
        book = own_book(now, service)
        chosen = _table(trainer, adapters, stale, book)
        _roll_backs(trainer)
        _schedule(trainer)
        if chosen is not None:
            _card(trainer, chosen, adapters, stale[chosen.name], now)
    _importer(trainer)


def _active(trainer: Trainer) -> set[str]:
    fingerprint = trainer.triptych.model().fingerprint
    found = [trainer.adapters.active(kind, fingerprint) for kind in ANSWERING]
    found.append(trainer.triptych.tuned_embedder())
    return {adapter.name for adapter in found if adapter is not None}


def _energy(adapter: Adapter) -> None:
    """What its training drew, at the watts that the visitor types."""
    if not adapter.card.report.get("seconds"):
        return
    watts = st.number_input(
        "Watts the training machine draws (your input)", 1, 5000, WATTS, key="tune-watts", width=320
    )
    drawn = training_cost(adapter.card.report, watts=watts, price_per_hour=0.0).watt_hours
    st.caption(f"Its training drew about {drawn:.1f} Wh: watts times measured time.")


def _table(
    trainer: Trainer,
    adapters: Sequence[Adapter],
    stale: dict[str, list[Staleness]],
    book: Book,
) -> Adapter | None:
    active = _active(trainer)
    rows = []
    for adapter in adapters:
        report = adapter.card.report
        cost = training_cost(report, watts=0.0, price_per_hour=book["training_hour"])
        before, after = (
            tuning_charts.RightAnswers.from_record(report.get(f"score_{when}"))
            for when in ("before", "after")
        )
        rows.append(
            {
                "Name": adapter.name,
                "Kind": f"{look_of(adapter.card.kind).mark} {look_of(adapter.card.kind).label}",
                "Answers": "yes" if adapter.name in active else "",
                "State": "stale" if stale[adapter.name] else "fresh",
                "Rows": adapter.card.rows or None,
                "Documents": len(adapter.card.documents) or None,
                "Right before": before.words if before else "",
                "Right after": after.words if after else "",
                "Trained in": duration(cost.seconds) if cost.seconds else "",
                "Cost": money(cost.amount, book.currency) if cost.seconds else "",
            }
        )
    picked = st.dataframe(
        pd.DataFrame(rows),
        key=session.table_key("adapters", [adapter.name for adapter in adapters]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={"Rows": st.column_config.NumberColumn(format="localized")},
        alt=f"{plural(len(rows), 'adapter')} with scores, state and cost.",
    )
    retrained = trainer.retraining_seconds()
    spent = f" All retraining so far took {duration(retrained)}." if retrained else ""
    hour = markdown(money(book["training_hour"], book.currency))
    st.caption(
        f"Choose a row to open it. Cost is the price of the training machine's hour, {hour}, times measured "
        f"time.{spent}"
    )
    chosen = picked["selection"]["rows"]
    return adapters[chosen[0]] if chosen and chosen[0] < len(adapters) else None


def _roll_backs(trainer: Trainer) -> None:
    with st.container(horizontal=True):
        for kind in ADAPTER_KINDS:
            earlier = trainer.adapters.previous(kind)
            if earlier is not None:
                st.button(
                    f"{look_of(kind).label}: back to {earlier.name}",
                    key=f"back-{kind}",
                    icon=":material/undo:",
                    on_click=_run_action,
                    args=(partial(trainer.adapters.roll_back, kind),),
                )
        if (active := trainer.triptych.tuned_embedder()) is not None:
            st.button(
                f"{look_of('embedder').label}: back to the published model",
                key="back-published",
                icon=":material/undo:",
                on_click=_run_action,
                args=(partial(trainer.adapters.deactivate, active.card.kind),),
            )


def _schedule(trainer: Trainer) -> None:
    session.restore("tune-schedule", trainer.schedule)
    st.segmented_control(
        "Retrain stale adapters by themselves",
        list(SCHEDULES),
        key="tune-schedule",
        required=True,
        on_change=_take_schedule,
        args=(trainer,),
        help="Looked at while the app is in use. Each retrain is a new adapter; you can always go back.",
    )


def _take_schedule(trainer: Trainer) -> None:
    trainer.set_schedule(session.read("tune-schedule", "never"))


def activate(trainer: Trainer, adapter: Adapter) -> None:
    """At once, or for an embedder once it has read the documents: a job of its own."""
    if adapter.card.kind == "embedder":
        job = training_jobs.adopting(trainer, adapter.name)
        resources.jobs().start(training_jobs.TRAIN, session.current().visitor, job)
    else:
        _run_action(partial(trainer.adapters.activate, adapter.name))


def _run_action(action: Callable[[], object], said: str = "") -> None:
    now = session.current()
    try:
        action()
        now.notice = said or None
    except UserError as error:
        now.notice = str(error)


# --- one adapter -----------------------------------------------------------------------------------


def _card(
    trainer: Trainer,
    adapter: Adapter,
    adapters: Sequence[Adapter],
    stale: Sequence[Staleness],
    now: session.Session,
) -> None:
    card = adapter.card
    with st.container(border=True):
        st.markdown(f"**{look_of(card.kind).mark} {markdown(adapter.name)}**")
        learned = (
            listing([f"{seen.name} (version {seen.version})" for seen in card.documents[:6]])
            or "no named document"
        )
        more = f" and {len(card.documents) - 6} more" if len(card.documents) > 6 else ""
        st.caption(
            f"Learned {plural(card.rows, 'row')} from {markdown(learned)}{more}. Data fingerprint "
            f"{card.data_fingerprint or 'not recorded'}; base model {markdown(card.base_model)}; made on "
            f"{card.created[:10]}; {size_of(adapter) / 1e6:.1f} MB."
        )
        for warning in card.report.get("warnings", ()):
            st.caption(f"Note: {markdown(warning)}")
        _gap(adapter)
        _energy(adapter)
        with st.container(horizontal=True):
            st.button(
                "Let it answer" if card.kind != "embedder" else "Search with it",
                key="activate", icon=":material/check:",
                disabled=adapter.name in _active(trainer), on_click=activate, args=(trainer, adapter),
            )  # fmt: skip
            st.download_button(
                "Download", partial(pack, adapter), file_name=f"{adapter.name}.zip", mime="application/zip",
                key="pack", on_click="ignore", icon=":material/download:",
                help="A zip of a standard PEFT folder, with its card.",
            )  # fmt: skip
            if adapter.card.kind != "embedder" and writable(
                base := ServedBase.from_model(trainer.triptych.model())
            ):
                st.download_button(
                    "GGUF", partial(pack_gguf, adapter, base), file_name=f"{adapter.name}-gguf.zip",
                    mime="application/zip", key="pack-gguf", on_click="ignore", icon=":material/download:",
                    help="For llama.cpp and Ollama: the adapter and a Modelfile. The model itself is written "
                    "by `triptych adapters gguf`.",
                )  # fmt: skip
            if trainer.adapters.owns(adapter):
                st.button(
                    "Delete", key="delete", icon=":material/delete:", on_click=_run_action,
                    args=(partial(trainer.adapters.delete, adapter.name), f"{adapter.name} is gone."),
                )  # fmt: skip
        if stale:
            _staleness(trainer, adapter, stale, now)
        _comparison(adapter, adapters)


def _gap(adapter: Adapter) -> None:
    """How far the loss on rows it learned lies below that on rows it never saw."""
    report = adapter.card.report
    learned, held = report.get("train_loss"), report.get("loss_after")
    if learned is not None and held is not None:
        st.caption(
            f"Loss on the rows it learned {learned:.3f}, on held-out rows {held:.3f}: the gap is what the "
            "numbers of training alone would hide."
        )


def _staleness(trainer: Trainer, adapter: Adapter, stale: Sequence[Staleness], now: session.Session) -> None:
    risk = sum(len(each.at_risk) for each in stale)
    st.warning(
        f"Stale: {markdown('; '.join(each.words for each in stale[:5]))}. "
        f"{plural(risk, 'learned answer')} may be wrong now.",
        icon=":material/history:",
    )
    for each in stale:
        with st.expander(f"What changed in {markdown(each.document)}"):
            if each.change is not None:
                for words, lines in (("Gone", each.change.gone), ("New", each.change.new)):
                    for line in lines[:SENTENCES_SHOWN]:
                        st.markdown(f"{words}: {markdown(line)}")
            st.markdown("**Questions at risk**")
            for row in each.at_risk[:RISKS_SHOWN]:
                st.markdown(f"- {markdown(row.question)}")
            if not each.at_risk:
                st.caption("None that is known.")
    _, busy = resources.newest_job(now.visitor, training_jobs.TRAIN)
    st.button(
        "Retrain on the documents as they are now", key="retrain", type="primary",
        icon=":material/autorenew:",
        disabled=busy, on_click=_retrain, args=(trainer, adapter, now.visitor),
        help="Rows at risk are left out, changed documents are asked anew, everything else stays.",
    )  # fmt: skip


def _retrain(trainer: Trainer, adapter: Adapter, visitor: str) -> None:
    def plan(report: Report) -> TrainingRun:
        return trainer.retrain(adapter, visitor, report)

    resources.jobs().start(training_jobs.TRAIN, visitor, training_jobs.training(trainer, [plan]))


def _comparison(adapter: Adapter, adapters: Sequence[Adapter]) -> None:
    others = [each.name for each in adapters if each.name != adapter.name]
    if not others:
        return
    name = st.selectbox(
        "Compare with", others, index=None, key="compare-with", placeholder="Choose an adapter"
    )
    other = next((each for each in adapters if each.name == name), None)
    if other is None:
        return
    found = compare(adapter, other)
    word_table(
        ["What", adapter.name, other.name], [[each.what, each.first, each.second] for each in found],
        f"{plural(len(found), 'difference')} between two adapters",
    )  # fmt: skip
    if not same_rows(adapter, other):
        st.caption(
            "They were measured on different held-out rows, so their scores say little about each other."
        )


# --- from elsewhere --------------------------------------------------------------------------------


def _importer(trainer: Trainer) -> None:
    with st.expander("Take in an adapter from elsewhere"):
        st.caption(
            "A PEFT LoRA folder as a zip, with safetensors, or a GGUF file. Pickled files are refused."
        )
        file = st.file_uploader(
            "Adapter", type=["zip", "gguf"], key=f"import-{session.read('tune-imports', 0)}"
        )
        name = st.text_input("Name", key="import-name", placeholder="for example support-style")
        kind: AdapterKind | None = st.segmented_control(
            "It answers", ["fine_tuned", "hybrid"], default="fine_tuned", key="import-kind",
            format_func={"fine_tuned": "from memory", "hybrid": "from passages"}.__getitem__,
        )  # fmt: skip
        if st.button("Take in", key="import", disabled=file is None or not name) and file is not None:
            _take_in(trainer, file, name or "", kind or "fine_tuned")


def _take_in(trainer: Trainer, file: UploadedFile, name: str, kind: AdapterKind) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"adapter{Path(file.name).suffix.lower()}"
        path.write_bytes(file.getvalue())
        try:
            adapter = import_adapter(trainer.adapters, path, name.strip(), kind, trainer.triptych.model())
        except UserError as error:
            st.error(markdown(str(error).replace(path.name, file.name)))
            return
    session.put("tune-imports", session.read("tune-imports", 0) + 1)
    session.current().notice = f"{adapter.name} fits the model and is in the list; it does not answer yet."
    st.rerun()
