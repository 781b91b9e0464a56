"""The documents: what is loaded, adding and removing some, and how a document is cut into passages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from backends.datatypes import Document, UserError
from backends.jobs import Job, JobContext
from backends.settings import Settings
from pages.ui import resources, session
from pages.ui.asking import KIND, round_of
from pages.ui.boundaries import boundaries
from pages.ui.desk import Desk, FileResult
from pages.ui.text import block, markdown, marked_html, plural

UPLOAD = "upload"
POLL = 0.3
LONGEST = 60_000  # characters of a document drawn at once
SUPPORTED = "PDF, Word, PowerPoint, Excel, CSV, HTML, e-mail, Markdown, text"


# --- adding ------------------------------------------------------------------------------------------


def drop_zone(now: session.Session) -> None:
    files = st.file_uploader(
        f"Add documents: {SUPPORTED}",
        accept_multiple_files=True,
        key=f"drop-{now.uploads}",
        help="They are added to your own copy of the documents; no other visitor sees them.",
    )
    if files:
        now.uploads += 1
        folder = save(files)
        desk = resources.desk(now.visitor)
        resources.jobs().start(UPLOAD, now.visitor, ingesting(desk, folder, now.settings))
        st.rerun()


def save(files: Sequence[UploadedFile]) -> Path:
    """The dropped files in a folder of their own; names are the browser's, so only their last part counts."""
    folder = Path(tempfile.mkdtemp(prefix="triptych-upload-"))
    for file in files:
        name = PurePosixPath(file.name.replace("\\", "/")).name.strip() or "unnamed"
        (folder / name).write_bytes(file.getvalue())
    return folder


def ingesting(desk: Desk, folder: Path, settings: Settings) -> Callable[[JobContext], None]:
    """The job: one result per file as it is done; the saved files go when it ends."""

    def run(context: JobContext) -> None:
        try:
            paths = sorted(folder.iterdir())
            for result in desk.ingest(paths, settings, context.progress, context.cancelled):
                context.emit(result)
            desk.prepare(settings, context.progress)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return run


def upload_progress(job: Job, polled: bool) -> None:
    """Files done and the one at hand, while the job runs; afterwards what became of each."""
    if polled and job.finished:
        st.rerun()  # the whole page: the list has changed
    results: list[FileResult] = job.events_since(0)
    if not job.finished:
        _, total, what = job.progress
        left = job.seconds_left
        rest = f", about {max(1, round(left))} s left" if total and left is not None else ""
        st.progress(job.fraction, text=f"{markdown(what) or 'Waiting'}{rest}")
        st.button("Cancel", on_click=job.cancel, key="cancel-upload", icon=":material/close:")
    for result in results:
        _result(result)
    if job.state == "failed":
        st.error(markdown(job.error or "The upload failed."))
    if job.state == "cancelled":
        st.warning("Cancelled: the files that are not listed here were not added.")


def _result(result: FileResult) -> None:
    name = markdown(result.document)
    if result.status == "rejected":
        st.error(f"**{name}** was not added. {markdown(result.error or '')}", icon=":material/block:")
        return
    words = {
        "indexed": "is ready",
        "replaced": "replaced the version before",
        "unchanged": "was already here",
    }
    pages = f"{plural(result.pages, 'page')}, " if result.pages else ""
    st.success(
        f"**{name}** {words[result.status]}: {pages}{plural(result.chunks, 'passage')}, "
        f"{result.seconds:.1f} s.",
        icon=":material/check:",
    )


# --- the list ------------------------------------------------------------------------------------------


def listing(documents: Sequence[Document], counts: Mapping[str, int]) -> Document | None:
    """The table; returns the document that is open."""
    wanted = st.text_input(
        "Filter by name", key="filter", placeholder="Filter by name", icon=":material/search:"
    )
    shown = [d for d in documents if (wanted or "").strip().casefold() in f"{d.name} {d.title}".casefold()]
    if not shown:
        st.caption("No document of that name." if documents else "No documents yet: drop some above.")
        return None
    rows = pd.DataFrame(
        {
            "Name": [d.name for d in shown],
            "Type": [d.type for d in shown],
            "Pages": [len(d.pages) or None for d in shown],
            "Passages": [counts.get(d.name) for d in shown],
            "Version": [d.version for d in shown],
            "Readers": [", ".join(d.roles) or "everyone" for d in shown],
            "From": [d.source for d in shown],
        }
    )
    picked = st.dataframe(
        rows,
        key="documents",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        height=min(38 + 35 * len(shown), 560),
        column_config={"Name": st.column_config.TextColumn(width="medium")},
        alt=f"{plural(len(shown), 'document')} with type, pages, passages, version and who may read them.",
    )
    st.caption(f"{plural(len(shown), 'document')} of {len(documents):,}. Choose a row to open it.")
    chosen = picked["selection"]["rows"]
    now = session.current()
    if chosen and chosen[0] < len(shown):
        now.document = shown[chosen[0]].name
    return next((d for d in shown if d.name == now.document), shown[0])


# --- one document ----------------------------------------------------------------------------------------


def opened(document: Document, desk: Desk, now: session.Session) -> None:
    chunks = desk.chunks(document.name, now.settings)
    st.subheader(markdown(document.title or document.name), anchor=False)
    facts = [markdown(document.name), document.type, f"version {document.version}"]
    facts += [plural(len(document.pages), "page")] if document.pages else []
    facts += [f"dated {document.date}"] if document.date else []
    facts += [f"for {', '.join(document.roles)} only"] if document.roles else []
    st.caption(" · ".join(facts))
    st.caption(
        f"{plural(len(chunks), 'passage')} at the current chunk size: each tint is one passage, "
        "what two passages share is darker, and a line marks what the last question found."
    )
    with st.container(height=560, border=True):
        text = document.text[:LONGEST]
        st.html(block(marked_html(text, boundaries(len(text), chunks, hits(now, document)))))
    if len(document.text) > LONGEST:
        st.caption(f"The first {LONGEST:,} of {len(document.text):,} characters.")
    if st.button("Remove this document", icon=":material/delete:", key="remove"):
        confirm_removal(document.name)


def hits(now: session.Session, document: Document) -> list[tuple[int, int]]:
    """The passages of this document that the newest question found."""
    newest = next(iter(resources.jobs().of(now.visitor, KIND)), None)
    made = round_of(newest) if newest is not None else None
    if made is None:
        return []
    found = {
        (source.start, source.end)
        for answer in made.answers
        for source in answer.sources
        if (source.document, source.version) == (document.name, document.version)
    }
    return sorted(found)


@st.dialog("Remove this document?")
def confirm_removal(name: str) -> None:
    st.markdown(
        f"**{markdown(name)}**, all its versions and its passages will be removed from your copy. "
        "Other visitors keep theirs. What an adapter has learned from it stays in the adapter."
    )
    with st.container(horizontal=True):
        if st.button("Remove", type="primary", key="confirm-remove", on_click=remove, args=(name,)):
            st.rerun()
        if st.button("Keep", key="keep"):
            st.rerun()


def remove(name: str) -> None:
    now = session.current()
    try:
        now.notice = resources.desk(now.visitor).forget(name)
    except UserError as error:
        now.notice = str(error)
    now.document = now.indexed = None  # the rest is a new set of passages


# --- the page ----------------------------------------------------------------------------------------


def page() -> None:
    now = session.current()
    desk = resources.desk(now.visitor)
    st.title("Documents", anchor=False)
    whose = "Your own copy" if desk.private else "The sample company, shared until you change something"
    st.caption(f"{whose}.")
    drop_zone(now)
    job = next(iter(resources.jobs().of(now.visitor, UPLOAD)), None)
    if job is not None:
        working = not job.finished
        st.fragment(upload_progress, run_every=POLL if working else None)(job, working)
    if now.notice:
        st.success(markdown(now.notice))
        now.notice = None
    documents = desk.documents()
    left, right = st.columns([1, 1], gap="large")
    with left:
        document = listing(documents, desk.passages(now.settings) or {})
    if document is not None:
        with right:
            opened(document, desk, now)


page()
