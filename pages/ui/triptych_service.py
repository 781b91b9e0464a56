"""The service of the real product: `backends.product.Triptych` as the pages see it.

Enters: the workspace. Leaves: one `Service` per visitor. Visitors share the workspace's documents until they
add or remove one; from then on they work on a private copy, so that nobody sees what another has uploaded.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from backends.access.audit import Action, AuditLog, Auditor
from backends.access.sign_in import SignIn, configured
from backends.costs.price_book import PriceBook
from backends.datatypes import (
    Answer,
    AnswerEvent,
    BackendName,
    CatalogueEntry,
    Chunk,
    Document,
    Evidence,
    HistoryEntry,
    UserError,
)
from backends.documents import session_lease
from backends.documents.following import follow
from backends.documents.library import Progress
from backends.documents.page_pictures import page_picture
from backends.erasure import forget as erasure
from backends.erasure import removal
from backends.erasure.forget import Proof
from backends.evaluation.run_rows import open_runs
from backends.feedback.judged_answers import JudgedStore
from backends.feedback.kept_feedback import open_judged, open_question_log, open_votes
from backends.feedback.retrieval_log import Health, Viewer
from backends.feedback.votes import VoteStore
from backends.offline.private_copy import stress
from backends.offline.subject import TriptychSubject
from backends.offline.trainer import Trainer
from backends.product import Status, Triptych
from backends.settings import Settings, default_workspace, make_settings
from backends.stress.records import Result, Retraining, StressTest
from backends.system import public_demo
from backends.system.reporting import Report, no_report
from backends.system.viewers import is_own_view, person_and_role, session_folder
from backends.training.adapters import Adapters
from backends.training.row_building import SourcePassage, build_rows, worded_by_rules
from pages.ui.evaluator import Evaluator, visitors_archive
from pages.ui.service import (
    BackendReadiness,
    FileResult,
    FileStep,
    OnStep,
    Recut,
    Removal,
    Suggested,
)
from pages.ui.text import listing, plural

COUNTS_KEPT = 64
PICTURES_KEPT = 8
LONGEST_SUGGESTED = 110  # characters of a question
log = logging.getLogger(__name__)
READ_ANEW, READ_KEPT = 600.0, 256  # seconds until a document counts as read again; how many are remembered
FOLLOW_EVERY = 5.0  # seconds
STAGES = {"reading": "Reading", "embedding": "Indexing"}


class TriptychService:
    """One visitor's service, or what a reader of one `role` sees of it.

    `open_copy` makes the visitor's private copy, or finds the one made earlier; `made` tells whether there is
    one: another view of the same visitor may have made it meanwhile. With `sign_in` the copy stays and
    follows the shared documents, quotas are those of `sign_in`, and who read and changed what is audited.
    """

    def __init__(
        self,
        shared: Triptych,
        open_copy: Callable[[], Triptych],
        *,
        made: Callable[[], bool] = lambda: False,
        person: str = "",
        role: str | None = None,
        sign_in: SignIn | None = None,
    ) -> None:
        self.role = role
        self._sign_in = sign_in
        self._audit_log = AuditLog(shared.workspace, questions=sign_in.audit.questions) if sign_in else None
        self._read: OrderedDict[tuple[str, int | None], float] = OrderedDict()  # when it was last audited
        self._followed = ""  # the shared documents that the copy was last brought to
        self._looked = 0.0  # when that was last looked at
        self._reader = Viewer(person, role)
        self._monitor = open_question_log(shared.workspace)
        self._open_copy = open_copy
        self._made = made
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[str, int, int, str], Mapping[str, int]] = OrderedDict()
        self._pictures: OrderedDict[tuple[str, int, int, str], bytes | None] = OrderedDict()
        self._shared = self._seen(shared)
        self._own: Triptych | None = None
        self._vanished = False  # the private copy was there, and then it was not

    @property
    def private(self) -> bool:
        with self._lock:
            if self._own is not None and not self._own.library.workspace.exists:
                self._own, self._vanished = None, True  # removed by hand: a new one is made when needed
        return self._own is not None or self._made()

    def lost(self) -> str:
        when = session_lease.removed_at(self._folder)
        if when is None and not self._vanished:
            return ""
        why = f"was unused for a day and was removed on {when:%d %B %Y}" if when else "was removed"
        return (
            f"Your own copy of the documents {why}, and what you had added is gone with it. These are the "
            "documents that everybody shares."
        )

    def dismiss_loss(self) -> None:
        self._vanished = False
        session_lease.dismiss(self._folder)

    @property
    def _folder(self) -> Path:
        return session_folder(self._shared.workspace, self._reader.person)

    @property
    def _triptych(self) -> Triptych:
        return self._private_copy() if self.private else self._shared

    @property
    def model_name(self) -> str:
        return self._triptych.asked("base").name

    @property
    def may_change(self) -> bool:
        return is_own_view(self.role)

    def roles(self) -> Sequence[str]:
        if self.role is not None and self.may_change:
            return ()  # the names of roles that a person does not hold are none of theirs
        return sorted({role for document in self._triptych.library.catalogue() for role in document.roles})

    def catalogue(self) -> Sequence[CatalogueEntry]:
        return self._triptych.library.catalogue(self.role)

    def documents(self) -> Sequence[Document]:
        return self._triptych.library.documents(self.role)

    def document(self, name: str, version: int | None = None) -> Document | None:
        try:
            found = self._triptych.library.get(name, version, self.role)
        except UserError:
            return None
        self._audit_reading(name, version)
        return found

    def answering_words(self, question: str, passage: str) -> tuple[int, int] | None:
        return self._triptych.answering_words(question, passage)

    def page_picture(self, name: str, version: int, page: int, passage: str) -> bytes | None:
        try:
            data = self._triptych.library.original(name, version, self.role)
        except UserError:
            return None
        self._audit_reading(name, version)
        key = (name, version, page, passage)
        if data is not None and key not in self._pictures:
            self._pictures[key] = page_picture(data, page, passage)
            while len(self._pictures) > PICTURES_KEPT:
                self._pictures.popitem(last=False)
        return self._pictures[key] if data is not None else None

    def entry(self, name: str, version: int | None = None) -> CatalogueEntry | None:
        try:
            return self._triptych.library.entry(name, version, self.role)
        except UserError:
            return None

    def text_between(self, name: str, version: int, start: int, end: int) -> str | None:
        try:
            found = self._triptych.library.text_between(name, version, start, end, self.role)
        except UserError:
            return None
        self._audit_reading(name, version)
        return found

    def versions(self, name: str) -> Sequence[int]:
        return self._triptych.library.versions(name, self.role)

    def history(self, name: str) -> Sequence[HistoryEntry]:
        return self._triptych.library.history(name, self.role)

    def chunks(self, name: str, settings: Settings) -> Sequence[Chunk]:
        found = self._triptych.library.chunks(name, settings, self.role)
        self._audit_reading(name, None)
        return found

    def passages(self, settings: Settings) -> Mapping[str, int] | None:
        return self._counts.get(self._key(settings))

    def preview(self, settings: Settings) -> Sequence[Chunk]:
        return self._triptych.library.preview(settings, self.role)

    def recut(self, settings: Settings) -> Recut | None:
        made = self._triptych.library.cut(settings, self.role)
        return Recut(made.passages, made.sentences, made.embedded, made.seconds) if made else None

    def prepare(self, settings: Settings, report: Report, cancelled: threading.Event | None = None) -> None:
        key = self._key(settings)
        retriever = self._triptych.retriever(settings, reporting(report), cancelled)
        self._counts[key] = Counter(chunk.document for chunk in retriever.chunks)
        while len(self._counts) > COUNTS_KEPT:
            self._counts.popitem(last=False)

    @property
    def price_file(self) -> Path:
        return self._triptych.price_file

    def adapters(self) -> Adapters:
        return self._triptych.adapters

    def endpoint_prices(self, model: str) -> Mapping[BackendName, PriceBook]:
        return self._triptych.endpoint_prices(model)

    def models(self) -> Sequence[str]:
        return self._triptych.models()

    def statuses(self) -> Mapping[BackendName, BackendReadiness]:
        return {name: _readiness(status) for name, status in self._triptych.statuses().items()}

    def ask(
        self,
        backend: BackendName,
        question: str,
        settings: Settings,
        stop: threading.Event,
        earlier: Sequence[str] = (),
    ) -> Iterator[AnswerEvent]:
        return self._triptych.ask(question, backend, settings, stop, earlier)

    def ingest(
        self,
        paths: Sequence[Path],
        settings: Settings,
        on_step: OnStep,
        cancelled: threading.Event,
        passwords: Sequence[str] = (),
        roles: Sequence[str] = (),
    ) -> Iterator[FileResult]:
        self._only_the_owner()
        self._check_room(len(paths))
        for item in self._private_copy().library.ingest(
            paths,
            settings=settings,
            source="upload",
            roles=tuple(roles),
            progress=stepping(on_step),
            cancel=cancelled,
            passwords=passwords,
        ):
            if item.status != "rejected":
                self._audit("added", [item.document], detail=item.status)
            yield FileResult(
                item.document,
                item.status,
                item.pages or 0,
                item.chunks,
                item.seconds,
                item.error,
                item.needs_password,
                item.same_as,
                item.notes,
            )

    def forget(self, name: str, report: Report) -> None:
        self._only_the_owner()
        library = self._private_copy().library
        library.entry(name, role=self.role)
        self._audit("forgot", [name])
        removal.forget_whole(library, name, report)
        self._pictures.clear()

    def removals(self) -> Sequence[Removal]:
        if not (self.may_change and self.private):
            return ()
        workspace = self._private_copy().library.workspace
        return [Removal(each.id, account(each), each.proven) for each in erasure.proofs(workspace)]

    def dismiss_removal(self, removal_id: str) -> None:
        erasure.dismiss(self._private_copy().library.workspace, removal_id)

    def suggest(
        self, names: Sequence[str], most: int, report: Report, cancelled: threading.Event
    ) -> Suggested:
        library = self._triptych.library
        known = {entry.name for entry in library.catalogue(self.role)}
        documents = [library.get(name, role=self.role) for name in names if name in known]
        passages = [SourcePassage(d.name, d.title or d.name, d.text) for d in documents]
        data = {document.name for document in documents if document.type == "json"}
        writer = self._triptych.asked("base")
        found: list[str] = []
        # What programs wrote reads like what programs ask for: only where people's documents give too little.
        for some in (
            [passage for passage in passages if passage.document not in data],
            [passage for passage in passages if passage.document in data],
        ):
            if some and len(found) < most:
                left = most - len(found)
                built = build_rows(some, writer=writer, most=left, report=report, cancel=cancelled)
                found += [each.row.question for each in built.rows]
        short = [question for question in found if len(question) <= LONGEST_SUGGESTED] or found
        return Suggested(tuple(short), worded_by_rules(passages))

    def trainer(self) -> Trainer:
        if self.role is not None and self.may_change:
            raise UserError(
                "Training is for the owners of this Triptych: what an adapter learns has no readers."
            )
        if self.role is not None:
            raise UserError("Only the owner trains adapters: choose the owner's view first.")
        self._triptych.model()  # a model behind an address has no weights to train: says so
        return Trainer(self._triptych)

    def evaluator(self, visitor: str) -> Evaluator:
        triptych = self._triptych
        apart = self.private or self.role is not None
        own = visitors_archive(triptych.library.workspace.path, visitor)
        # What a role may not read must not reach it through the runs of others.
        shared = own if self.role is not None else open_runs(self._shared.workspace)
        names = frozenset(entry.name for entry in self.catalogue())
        return Evaluator(TriptychSubject(triptych), shared, own, apart, triptych.model, names)

    def stress(
        self,
        test: StressTest,
        backends: Sequence[BackendName],
        settings: Settings,
        *,
        number: int,
        seed: int,
        retraining: Retraining | None,
        report: Report,
        cancelled: threading.Event,
    ) -> Result:
        return stress(
            self._triptych,
            test,
            backends,
            settings,
            number=number,
            seed=seed,
            retraining=retraining,
            progress=report,
            cancelled=cancelled,
        )

    def _check_room(self, more: int) -> None:
        """UserError where this person may have no more documents of their own."""
        most = self._sign_in.quotas.get("documents") if self._sign_in is not None else None
        if most is None and not public_demo.is_public():
            return
        shared = {document.name for document in self._shared.library.documents()}
        own = sum(document.name not in shared for document in self._triptych.library.documents())
        allowed, whose = (public_demo.MOST_DOCUMENTS, public_demo.VISITORS)
        if most is not None:
            allowed, whose = most, public_demo.PEOPLE
        if own + more > allowed:
            raise UserError(f"{whose} {allowed} documents of their own; you have {own}. Remove some first.")

    def _only_the_owner(self) -> None:
        if not self.may_change:
            raise UserError("Only the owner adds and removes documents: choose the owner's view first.")

    def _private_copy(self) -> Triptych:
        with self._lock:
            if self._own is None:
                self._own = self._seen(self._open_copy(), copy=True)
            if self._sign_in is not None and self.may_change:
                self._follow(self._own)
            if (lease := self._own.library.lease) is not None:
                lease.renew()
            return self._own

    def _follow(self, own: Triptych) -> None:
        """Bring the copy to where the shared documents are, if they or this person's rights have changed."""
        if self._looked and time.monotonic() - self._looked < FOLLOW_EVERY:
            return
        self._looked, shared = time.monotonic(), self._shared.library
        if (now := shared.fingerprint_for(self.role)) != self._followed:
            follow(own.library.workspace, shared, self.role, own.settings)
            self._followed = now

    def _seen(self, triptych: Triptych, *, copy: bool = False) -> Triptych:
        seen = triptych.seen_by(self.role)
        seen.log = self._log
        if self._audit_log is not None:
            person, view = self._reader.person, "" if self.may_change else str(self.role)
            seen.audit = Auditor(self._audit_log, person, person if copy else "", view)
        return seen

    def _audit(self, action: Action, documents: Sequence[str], *, detail: str = "") -> None:
        if (audit := self._triptych.audit) is not None:
            audit(action, documents, detail=detail)

    def _audit_reading(self, name: str, version: int | None) -> None:
        """Once for as long as somebody looks at a document: pages are drawn anew at every click."""
        if self._audit_log is None:
            return
        key, now = (name, version), time.monotonic()
        if now - self._read.get(key, -READ_ANEW) >= READ_ANEW:
            self._audit("read", [name], detail=f"version {version}" if version is not None else "")
            self._read[key] = now
            self._read.move_to_end(key)
            while len(self._read) > READ_KEPT:
                self._read.popitem(last=False)

    def _log(self, answer: Answer, evidence: Evidence | None) -> None:
        try:
            self._monitor.record(self._reader, answer, evidence)
        except (sqlite3.Error, UserError):  # a full disk, a silent database: not at the cost of the answer
            log.exception("The retrieval could not be logged")

    def health(self, days: int) -> Health:
        return self._monitor.health(self._reader, days)

    @property
    def logging(self) -> bool:
        return self._monitor.enabled(self._reader.person)

    def switch_logging(self, on: bool) -> None:
        self._monitor.switch(self._reader.person, on)

    def clear_log(self) -> int:
        return self._monitor.clear(self._reader.person)

    def votes(self) -> VoteStore:
        return open_votes(self._shared.workspace, self._reader.person, self.role)

    def judged(self) -> JudgedStore:
        return open_judged(self._shared.workspace, self._reader.person, self.role)

    def _key(self, settings: Settings) -> tuple[str, int, int, str]:
        fingerprint = self._triptych.library.fingerprint_for(self.role)
        return fingerprint, settings.chunk_size, settings.chunk_overlap, settings.chunking


class TriptychServices:
    """The workspace's own documents and the models everybody shares."""

    def __init__(self, workspace: Path, shared: Triptych, sign_in: SignIn | None = None) -> None:
        self._workspace = workspace
        self._shared = shared
        self._sign_in = sign_in

    def check(self) -> None:
        self._shared.library.current_hashes()

    def service(self, visitor: str) -> TriptychService:
        settings = self._shared.settings
        person, role = person_and_role(visitor)
        open_copy = partial(Triptych.open, self._workspace, settings, session=person)
        # A copy made before the server was started again is still the visitor's.
        made = (session_folder(self._workspace, person) / "triptych.db").exists
        service = TriptychService(
            self._shared, open_copy, made=made, person=person, role=role, sign_in=self._sign_in
        )
        service.prepare(settings, no_report)
        return service


def open_services(report: Report) -> TriptychServices:
    """Read and index the workspace's documents, then load the model."""
    workspace, settings = default_workspace().expanduser(), make_settings()
    report(0, 0, "Reading the documents")
    shared = Triptych.open(workspace, settings, progress=reporting(report))
    shared.library.retriever(settings, progress=reporting(report))
    report(0, 0, "Loading the language model")
    shared.asked("base")
    return TriptychServices(workspace, shared, configured(workspace))


def _readiness(status: Status) -> BackendReadiness:
    return BackendReadiness("untrained" if status.state == "withheld" else status.state, status.reason)


def reporting(report: Report) -> Callable[[Progress], None]:
    """The library's progress in the words of the page."""

    def pass_on(step: Progress) -> None:
        report(step.done, step.total, f"{STAGES.get(step.stage, step.stage)} {step.item}".strip())

    return pass_on


def stepping(on_step: OnStep) -> Callable[[Progress], None]:
    """The library's progress as steps of files: while one is embedded, its place among the files stays."""
    place = (0, 0)

    def pass_on(step: Progress) -> None:
        nonlocal place
        if step.stage == "reading":
            place = (step.done, step.total)
            on_step(FileStep(step.item, "reading", *place))
        else:
            on_step(FileStep(step.item, step.stage, *place, step.done, step.total))

    return pass_on


def account(gone: Proof) -> str:
    """What disappeared with a document, how that was checked, and what stays."""
    parts = [f"{gone.document} is gone from your copy{_counts(gone)}."]
    if gone.stopped_trainings:
        parts.append(f"The training of {listing(gone.stopped_trainings)} was ended: it learned from it.")
    parts += _checked(gone)
    if gone.also_in:
        parts.append(f"Some of the same text stands in {listing(gone.also_in)} and stays.")
    if gone.adapters:
        parts.append(f"What {listing(gone.adapters)} learned from it stays in the weights.")
    return " ".join(parts)


def _counts(gone: Proof) -> str:
    counts = [
        (gone.versions, "version"),
        (gone.chunks, "passage"),
        (gone.vectors, "vector"),
        (gone.logged_questions, "logged question"),
        (gone.training_rows, "training row"),
    ]
    told = ", ".join(plural(count, what) for count, what in counts if count)
    return f": {told}" if told else ""


def _checked(gone: Proof) -> list[str]:
    """What the search for its text found, and what keeps it from being a proof."""
    parts = []
    if gone.searched_for:
        where = f"still found in {listing(gone.found_in)}" if gone.found_in else "found nowhere"
        read = f"{gone.scanned_files:,}, {gone.scanned_bytes / 1e6:.1f} MB"
        parts.append(
            f"Every file of your copy ({read}) was searched for {plural(gone.searched_for, 'piece')} of its "
            f"text: {where}."
        )
    elif gone.scanned_files:
        parts.append("None of its text was its own, so there was nothing to search for.")
    else:
        parts.append("The removal was interrupted and finished later; its text was not searched for then.")
    if gone.unread:
        parts.append(f"That is no proof: {listing(gone.unread)} could not be read and may hold some of it.")
    if gone.busy:
        parts.append(
            f"That is no proof yet: {listing(gone.busy)} was in use, and its journal may hold some of it; it "
            "is emptied when your copy is opened again."
        )
    return [*parts, *gone.limits]
