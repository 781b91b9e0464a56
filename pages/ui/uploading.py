"""Adding documents: the files a visitor gives, the job that reads them, and what the page shows meanwhile.

Enters: dropped files. Leaves: one row per file with what became of it, how far the one at hand is, and how
long it will take. Nothing of a file stays behind when the job ends, except what waits for a password.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from backends.datatypes import UserError
from backends.documents import limits
from backends.settings import Settings
from backends.system.jobs import Job, JobContext
from backends.system.viewers import check_roles
from pages.ui import resources, session
from pages.ui.service import FileResult, FileStep, Service
from pages.ui.text import markdown, plural

UPLOAD = "upload"
POLL = 0.3
LONG_LIST = 12  # rows; a longer list scrolls
WAITING_SHOWN = 5
SUPPORTED = (
    "PDF, Word, PowerPoint, Excel, OpenDocument, CSV, HTML, e-book, e-mail, Markdown, text, JSON, SQLite, "
    "or a zip of them"
)
CANCELLED = "Cancelled."
MOST_ROLES = 8
LONGEST_NAME, LONGEST_ENDING = 200, 40  # bytes of one part of a path


# --- what was given ----------------------------------------------------------------------------------


@dataclass
class Upload:
    """Files of one drop. The folder is removed with this object at the latest."""

    folder: tempfile.TemporaryDirectory[str]
    paths: list[Path]  # files, zips, or one folder
    names: list[str]  # as the visitor knows them
    passwords: tuple[str, ...] = field(default=(), repr=False)  # until its job begins
    roles: tuple[str, ...] = ()  # who may read them; nobody named: everyone
    before: dict[str, FileResult] = field(default_factory=dict)  # of an earlier attempt, by name
    meter: Meter = field(default_factory=lambda: Meter())


class Meter:
    """How far the file at hand is and how long it will take; written by the job, read by the page."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now: tuple[FileStep, float] | None = None  # and when its stage began

    def take(self, step: FileStep) -> None:
        """Note where the upload is."""
        same = self._now is not None and (self._now[0].name, self._now[0].stage) == (step.name, step.stage)
        self._now = (step, self._now[1] if same and self._now else self._clock())

    @property
    def step(self) -> FileStep | None:
        """Where it is; None before it began."""
        return self._now[0] if self._now is not None else None

    @property
    def fraction(self) -> float:
        """Share of the file at hand that is done: reading is short, indexing is what takes time."""
        step = self.step
        if step is None or step.stage != "embedding":
            return 0.0
        return step.done / step.total if step.total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """For the file at hand; None before anything of it is indexed."""
        if self._now is None or not self.fraction:
            return None
        return (self._clock() - self._now[1]) * (1 - self.fraction) / self.fraction


def save(files: Sequence[UploadedFile], *, tree: bool, roles: Sequence[str] = ()) -> Upload:
    """The dropped files in a folder of their own, to be read by these roles.

    Names come from the browser: only the last part counts, or with `tree` the path within the chosen folder.
    """
    folder = tempfile.TemporaryDirectory(prefix="triptych-upload-", ignore_cleanup_errors=True)
    names = [_inside(file.name) if tree else PurePosixPath(_inside(file.name)).name for file in files]
    paths = []
    for number, (file, name) in enumerate(zip(files, names, strict=True)):
        # Two files of one name in a drop are two versions of a document, in the order given.
        path = Path(folder.name) / ("tree" if tree else str(number)) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.getbuffer())
        paths.append(path)
    return Upload(folder, [Path(folder.name) / "tree"] if tree else paths, names, roles=tuple(roles))


def _inside(name: str) -> str:
    """A relative path that leads nowhere else and that every file system can hold."""
    parts = [_part(part) for part in name.replace("\\", "/").split("/")]
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "unnamed"


def _part(name: str) -> str:
    """A part of a path without control characters, cut before its ending where it is too long."""
    name = "".join(character for character in name if character.isprintable()).strip()
    stem, dot, ending = name.rpartition(".")
    ending = (dot + ending).encode()[:LONGEST_ENDING].decode(errors="ignore") if stem else ""
    whole = stem or name
    return whole.encode()[: LONGEST_NAME - len(ending.encode())].decode(errors="ignore") + ending


# --- the job -----------------------------------------------------------------------------------------


def start(upload: Upload, now: session.Session) -> None:
    """Start the job that takes the upload in."""
    service = resources.service(now.visitor)
    resources.jobs().start(UPLOAD, now.visitor, adding(service, upload, now.settings))


def adding(service: Service, upload: Upload, settings: Settings) -> Callable[[JobContext], None]:
    """The job: the upload as its first event, then one result per file as it is done."""

    def run(context: JobContext) -> None:
        def step(at: FileStep) -> None:
            upload.meter.take(at)
            context.progress(at.number, at.files, at.name)

        # The job's record outlives the job: no password may stay in it.
        passwords, upload.passwords = upload.passwords, ()
        context.emit(upload)
        locked = False
        try:
            for result in service.ingest(
                upload.paths, settings, step, context.cancelled, passwords, upload.roles
            ):
                locked = locked or result.needs_password
                context.emit(result)
        finally:
            if not locked:
                upload.folder.cleanup()
        if not context.cancelled.is_set():
            service.prepare(settings, context.progress, context.cancelled)

    return run


def unlock(upload: Upload, results: dict[str, FileResult], password: str, now: session.Session) -> None:
    """Read once more what needed a password; what is in the library already is recognised and stays."""
    again = Upload(upload.folder, upload.paths, upload.names, (password,), upload.roles, results)
    start(again, now)


# --- what the page shows -----------------------------------------------------------------------------


def drop_zone(now: session.Session, service: Service, title: str = "Add documents") -> None:
    """Where files are dropped."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{title}**")
        choice = st.segmented_control(
            "What to add",
            ["Files", "A whole folder"],
            default="Files",
            key="drop-kind",
            label_visibility="collapsed",
        )
    tree = choice == "A whole folder"
    readers = _readers(service) if now.owner else []
    files = st.file_uploader(
        f"Add documents: {SUPPORTED}",
        accept_multiple_files="directory" if tree else True,
        key=f"drop-{'folder' if tree else 'files'}-{now.uploads}",
        label_visibility="collapsed",
    )
    st.caption(
        f"{SUPPORTED} ({limits.MAX_ZIP_FILES:,} files at most). "
        "They are added to your own copy of the documents; no other visitor sees them. "
        "A file of a known name becomes the document's next version."
    )
    if files:
        try:
            roles = check_roles(readers)
        except UserError as error:  # the files stay in the box until the readers are right
            st.error(markdown(f"{error} Nothing was added yet."))
            return
        now.uploads += 1
        start(save(files, tree=tree, roles=roles), now)
        st.rerun()


def _readers(service: Service) -> list[str]:
    return st.multiselect(
        "Who may read what you add",
        list(service.roles()),
        key="drop-roles",
        accept_new_options=True,
        max_selections=MOST_ROLES,
        placeholder="Everyone; or choose or type roles, such as finance",
        help="For anybody else these documents do not exist: they are taken out before anything is searched "
        "or counted. A new version of a document keeps its readers unless you name others here. Choose the "
        "readers first, then drop the files.",
    )


def panels(now: session.Session) -> None:
    """Uploads that work, and the newest one that has ended until it is closed."""
    jobs = resources.jobs().owned_by(now.visitor, UPLOAD)
    working = [job for job in jobs if not job.finished]
    closed = session.read("upload-closed")
    for job in working or [job for job in jobs[:1] if job.id != closed]:
        st.fragment(panel, run_every=POLL if working else None)(job, bool(working))


def news(now: session.Session) -> None:
    """For another page than the library's: uploads at work, and one of which something was not added."""
    jobs = resources.jobs().owned_by(now.visitor, UPLOAD)
    newest = jobs[0] if jobs else None
    if newest is None:
        return
    rejected = any(result.status == "rejected" for result in newest.events_of(FileResult))
    if not newest.finished or rejected or newest.state == "failed":
        panels(now)


def panel(job: Job, polled: bool) -> None:
    """One upload: how far it is, then what became of its files."""
    if polled and job.finished:
        st.rerun()  # the whole page: the list has changed
    upload = next(iter(job.events_of(Upload)), None)
    if upload is None:
        st.progress(0.0, text="Waiting for another upload to end")
        st.button("Cancel", on_click=job.cancel, key=f"cancel-{job.id}", icon=":material/close:")
        return
    results = merged(upload, job.events_of(FileResult))
    with st.container(border=True):
        if job.finished:
            _ended(job, results)
        else:
            _working(job, upload.meter)
        # What needs a decision comes first: a long list scrolls.
        there = _there(job) if job.finished else None
        ordered = sorted(results.values(), key=lambda r: r.status != "rejected")
        rows = [_row(result, there) for result in ordered]
        rows += _waiting(job, upload, results)
        if rows:
            with st.container(height=400 if len(rows) > LONG_LIST else "content", border=False, gap="xsmall"):
                for row in rows:
                    st.markdown(row)
        if job.finished:
            _passwords(job, upload, results)


def merged(upload: Upload, found: Sequence[FileResult]) -> dict[str, FileResult]:
    """Results by name; a second attempt replaces only what the first one could not read: what is here
    already is "unchanged" now, or asks for a password that was given before and is kept nowhere."""
    results = dict(upload.before)
    for result in found:
        earlier = upload.before.get(result.document)
        if earlier is None or earlier.status == "rejected":
            results[result.document] = result
    return results


def _working(job: Job, meter: Meter) -> None:
    done, total, _ = job.progress
    overall = (done + meter.fraction) / total if total else 0.0
    left = job.seconds * (1 - overall) / overall if overall > 0 else None
    if total > 1:
        text = f"{min(done + 1, total):,} of {total:,} files{_about(left)}"
        st.progress(min(overall, 1.0), text=text)
    step = meter.step
    if step is None or not step.name:
        st.progress(0.0, text="Making ready to be asked" if step else "Unpacking")
    elif step.stage == "embedding":
        what = f"**{markdown(step.name)}**: indexing passage {step.done:,} of {step.total:,}"
        st.progress(min(meter.fraction, 1.0), text=f"{what}{_about(meter.seconds_left)}")
    else:
        st.progress(0.0, text=f"**{markdown(step.name)}**: reading")
    label = "Stopping" if job.cancelling else "Cancel"
    st.button(
        label, on_click=job.cancel, key=f"cancel-{job.id}", icon=":material/close:", disabled=job.cancelling
    )


def _about(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return f", about {max(1, round(seconds))} s left"
    return f", about {round(seconds / 60)} min left"


def _ended(job: Job, results: dict[str, FileResult]) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{summary(list(results.values()))}**")
        st.button(
            "Close this list",
            key=f"close-{job.id}",
            type="tertiary",
            icon=":material/close:",
            on_click=session.put,
            args=("upload-closed", job.id),
        )
    if job.state == "failed":
        st.error(markdown(job.error or "The upload failed."))
    if job.state == "cancelled":
        st.warning("Cancelled: what is not marked as ready was not added.")


def summary(results: Sequence[FileResult]) -> str:
    """How many files came to what, in one line."""
    counts = [
        (sum(r.status == "indexed" for r in results), "added"),
        (sum(r.status == "replaced" for r in results), "replaced with a new version"),
        (sum(r.status == "unchanged" for r in results), "already here"),
        (sum(r.status == "rejected" for r in results), "not added"),
    ]
    parts = [f"{count:,} {words}" for count, words in counts if count]
    return f"{plural(len(results), 'file')}: {', '.join(parts)}" if parts else "No file was read"


def _notes(result: FileResult) -> str:
    """What the reader left out or guessed, in one sentence."""
    return f" Note: {'; '.join(map(markdown, result.notes))}." if result.notes else ""


def _there(job: Job) -> set[str]:
    """The visitor's documents as they are now: what was added may have been removed since."""
    return {document.name for document in resources.service(job.owner).catalogue()}


def _row(result: FileResult, there: set[str] | None = None) -> str:
    name = f"**{markdown(result.document)}**"
    if there is not None and result.status != "rejected" and result.document not in there:
        return f":gray[:material/auto_delete:] {name} was removed since."
    if result.status == "rejected":
        if result.error == CANCELLED:
            return f":gray[:material/do_not_disturb_on:] {name} was not added: cancelled."
        icon = ":orange[:material/lock:]" if result.needs_password else ":red[:material/block:]"
        why = result.error or ""
        if why.startswith(f"{result.document} "):  # the sentence begins with the name
            return f"{icon} {name} {markdown(why.removeprefix(result.document))} It was not added."
        return f"{icon} {name} was not added. {markdown(why)}"
    words = {
        "indexed": "is ready",
        "replaced": "is ready; it replaces the version before",
        "unchanged": "was already here, unchanged",
    }
    pages = f"{plural(result.pages, 'page')}, " if result.pages else ""
    twin = f" Its contents are the same as those of {markdown(result.same_as)}." if result.same_as else ""
    return (
        f":green[:material/check_circle:] {name} {words[result.status]}: "
        f"{pages}{plural(result.chunks, 'passage')}, {result.seconds:.1f} s.{twin}{_notes(result)}"
    )


def _waiting(job: Job, upload: Upload, results: dict[str, FileResult]) -> list[str]:
    """The files whose turn has not come, or never came."""
    at_hand = upload.meter.step.name if upload.meter.step else ""
    # Zips are listed by what is in them, once they are opened.
    left = [n for n in upload.names if n not in results and n != at_hand and not n.lower().endswith(".zip")]
    if job.state == "done" or not left:
        return []
    icon = ":gray[:material/schedule:]" if not job.finished else ":gray[:material/do_not_disturb_on:]"
    words = "waits" if not job.finished else "was not added"
    rows = [f"{icon} {markdown(name)} {words}" for name in left[:WAITING_SHOWN]]
    return rows + (
        [f"{icon} and {plural(len(left) - WAITING_SHOWN, 'more file')}"] if left[WAITING_SHOWN:] else []
    )


def _passwords(job: Job, upload: Upload, results: dict[str, FileResult]) -> None:
    """Ask for the password of the files that need one."""
    locked = [result.document for result in results.values() if result.needs_password]
    if not locked:
        return
    with st.form(f"unlock-{job.id}", border=False):
        names = ", ".join(markdown(name) for name in locked[:3]) + (" and others" if locked[3:] else "")
        password = st.text_input(f"Password of {names}", type="password", key=f"password-{job.id}")
        st.caption("It is used to read the file now and is not stored.")
        if st.form_submit_button("Read again", icon=":material/lock_open:") and password:
            unlock(upload, results, password, session.current())
            st.rerun()
