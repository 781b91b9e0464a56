"""Joins documents and training: rows from the library, examples as serving shows them, runs, stale adapters.

Enters: a `Triptych`, chosen documents or rows. Leaves: a `Draft` of rows with its held-out part fixed, plans
ready to train, and what has become of the documents that an adapter learned.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from backends.answering.evidence import evidence_for
from backends.datatypes import Chunk, Document, Source, TrainingRow, UserError
from backends.system.files import SAMPLE_CORPUS, read_json
from backends.system.reporting import Report, no_report
from backends.training.adapters import ANSWERING, Adapter, AdapterCard, AdapterKind, LearnedDocument
from backends.training.embedder_pairs import Pair, Pairing, documents_of
from backends.training.embedder_training import EmbedderParams
from backends.training.lora import LoraParams
from backends.training.row_building import WAYS, Built, Dropped, SourcePassage, Way, build_rows, reasons
from backends.training.row_review import Change, at_risk, changes, rows_to_leave_out
from backends.training.rows import (
    FEWEST_ROWS,
    Example,
    HybridOptions,
    check_rows,
    closed_book,
    load_rows,
    split_held_out,
    with_passages,
)
from backends.training.runs import TrainingPlan, TrainingRun, TrainingRuns, write_json

if TYPE_CHECKING:
    from backends.product import Triptych

HELD_OUT = 0.1
SAMPLE_ROWS = SAMPLE_CORPUS / "training"
Schedule = Literal["never", "daily", "weekly", "on change"]
SCHEDULES: tuple[Schedule, ...] = ("never", "daily", "weekly", "on change")
PERIODS = {"daily": timedelta(days=1), "weekly": timedelta(weeks=1)}


def default_params(kind: AdapterKind, model: str) -> LoraParams:
    """What suits the model and a visitor's few rows, which models/LOG.md compares.

    The small embedded one learns facts by heart, at a high rate; to read it has learned already, so that the
    hybrid, like larger models, wants a gentle one. Facts are learned by its upper ten layers of 30 as well as
    by all, in little more than half of the time.
    """
    if model != "embedded":
        return LoraParams(rank=16, alpha=32, learning_rate=2e-4, epochs=3, question_noise=0.1)
    if kind == "fine_tuned":
        return LoraParams(
            rank=32,
            alpha=64,
            learning_rate=2e-3,
            epochs=6,
            batch_tokens=512,
            question_noise=0.1,
            first_layer=20,
        )
    return LoraParams(rank=16, alpha=32, learning_rate=3e-4, epochs=2, batch_tokens=1024)


# --- drafts ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DraftRow:
    """A training row with the way it came and the side of the split it is on."""

    question: str
    answer: str
    documents: tuple[str, ...] = ()
    way: Way = "yours"
    held_out: bool = False

    @property
    def row(self) -> TrainingRow:
        """The row as it is trained on."""
        return TrainingRow(self.question.strip(), self.answer.strip(), self.documents)


@dataclass(frozen=True)
class Draft:
    """Rows to train on. Which are held out was drawn when they came in, before anything was trained."""

    rows: tuple[DraftRow, ...] = ()
    dropped: tuple[Dropped, ...] = ()  # questions that were made and not kept

    @property
    def held_out(self) -> set[int]:
        """Numbers of the rows that are held out."""
        return {index for index, each in enumerate(self.rows) if each.held_out}

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[tuple[TrainingRow, Way]],
        share: float = HELD_OUT,
        dropped: Sequence[Dropped] = (),
    ) -> Draft:
        """Draw the held-out part: by the question alone, so the same one is held out every time."""
        given = list(rows)
        if not given:
            return cls(dropped=tuple(dropped))
        _, held = split_held_out([row for row, _ in given], share)
        numbers = {number for number, _ in held}
        return cls(
            tuple(
                DraftRow(row.question, row.answer, row.documents, way, number in numbers)
                for number, (row, way) in enumerate(given, start=1)
            ),
            tuple(dropped),
        )

    def sides(self) -> tuple[list[tuple[int, TrainingRow]], list[tuple[int, TrainingRow]]]:
        """(train, held out) with row numbers from 1, without empty rows and leaks of held-out questions."""
        rows = [each.row for each in self.rows]
        dropped = rows_to_leave_out(rows, self.held_out)
        train: list[tuple[int, TrainingRow]] = []
        held: list[tuple[int, TrainingRow]] = []
        for index, (each, row) in enumerate(zip(self.rows, rows, strict=True)):
            if row.question and row.answer and index not in dropped:
                (held if each.held_out else train).append((index + 1, row))
        return train, held


@dataclass(frozen=True)
class EmbedderQuestions:
    """Questions for an embedder: their rows, the passages they are asked among, and what it learns from."""

    rows: tuple[TrainingRow, ...]
    passages: tuple[Chunk, ...]
    train: tuple[Pair, ...]
    held_out: tuple[Pair, ...]
    documents: tuple[LearnedDocument, ...]  # whose passages it is shown
    warnings: tuple[str, ...]


# --- what became of learned documents ---------------------------------------------------------------


@dataclass(frozen=True)
class Staleness:
    """One document that an adapter learned and that is no longer what it was; `now` None: it is gone."""

    document: str
    learned: int
    now: int | None
    change: Change | None
    at_risk: tuple[TrainingRow, ...]

    @property
    def words(self) -> str:
        """What has become of the document, in words."""
        now = "is gone now" if self.now is None else f"now version {self.now}"
        return f"{self.document}: learned version {self.learned}, {now}"


# --- the trainer ----------------------------------------------------------------------------------


class Trainer:
    """Everything that is done about fine-tuning in one workspace, or in one visitor's private copy."""

    def __init__(self, triptych: Triptych) -> None:
        self.triptych = triptych
        self.folder = triptych.library.workspace.path
        self.adapters = triptych.adapters
        self.runs = TrainingRuns(self.folder)

    @property
    def model_name(self) -> str:
        """Of the model whose adapters these are."""
        return self.triptych.settings.model

    # --- rows --------------------------------------------------------------------------------------

    def build(
        self,
        documents: Sequence[str] | None,
        ways: Sequence[Way],
        *,
        most: int = 400,
        report: Report = no_report,
        cancel: threading.Event | None = None,
    ) -> Draft:
        """Rows from these documents (all when None); raises UserError when there is nothing to ask for."""
        built = self._built(self._passages(documents), ways, most, report, cancel)
        there = self._names()  # a document may have been forgotten while its rows were made
        kept = [(each.row, each.way) for each in built.rows if there.issuperset(each.row.documents)]
        dropped = [each for each in built.dropped if each.document in there]
        if not kept and dropped:
            why = ", ".join(f"{number} {reason}" for reason, number in reasons(dropped).items())
            raise UserError(
                f"None of the {len(dropped)} questions that were made could be kept: {why}. Choose more "
                "documents, or bring your own rows."
            )
        if not kept:
            raise UserError(
                "Nothing in these documents could be made into a question: choose more documents or ways."
            )
        return Draft.from_rows(kept, dropped=dropped)

    def _built(
        self,
        passages: Sequence[SourcePassage],
        ways: Sequence[Way],
        most: int,
        report: Report = no_report,
        cancel: threading.Event | None = None,
    ) -> Built:
        writer = self.triptych.asked("base")
        return build_rows(passages, ways, writer=writer, most=most, report=report, cancel=cancel)

    def _passages(self, names: Sequence[str] | None) -> list[SourcePassage]:
        wanted = None if names is None else set(names)
        return [
            SourcePassage(document.name, document.title or document.name, document.text)
            for document in self.triptych.library.documents(self.triptych.role)
            if wanted is None or document.name in wanted
        ]

    def texts(self) -> dict[str, str]:
        """The text of every document, to hold answers against."""
        return {d.name: d.text for d in self.triptych.library.documents(self.triptych.role)}

    def load_draft(self, owner: str) -> Draft:
        """The rows as this visitor left them, before a restart too."""
        path = self._draft(owner)
        if not path.is_file():
            return Draft()
        raw = read_json(path)
        rows = tuple(
            DraftRow(**{**row, "documents": tuple(row["documents"])})
            for row in raw["rows"]
            if row["way"] in get_args(Way)  # an erasure blanks the rows of what was forgotten
        )
        return Draft(rows, tuple(Dropped(**each) for each in raw.get("dropped", ())))

    def save_draft(self, draft: Draft, owner: str) -> None:
        """Keep the rows in the workspace."""
        (self.folder / "training").mkdir(parents=True, exist_ok=True)
        write_json(self._draft(owner), asdict(draft))

    def _draft(self, owner: str) -> Path:
        return self.folder / "training" / f"draft-{owner}.json"

    # --- examples and plans ------------------------------------------------------------------------

    def examples(
        self,
        rows: Sequence[tuple[int, TrainingRow]],
        kind: AdapterKind,
        options: HybridOptions | None = None,
        report: Report = no_report,
    ) -> list[Example]:
        """The rows as this kind of adapter is asked: alone, or with the sources that serving would show."""
        if kind == "fine_tuned":
            return closed_book(rows)
        settings, model = self.triptych.settings, self.triptych.asked("rag")
        retriever = self.triptych.library.retriever(settings, role=self.triptych.role)
        done = 0

        def retrieve(question: str) -> Sequence[Source]:
            nonlocal done
            report(done, len(rows), "Finding passages for the rows")
            done += 1
            return evidence_for(question, retriever, model, settings).sources

        return with_passages(rows, retrieve, options or HybridOptions(share_memorised=1.0))

    def plan(
        self,
        draft: Draft,
        kind: AdapterKind,
        name: str,
        params: LoraParams,
        *,
        options: HybridOptions | None = None,
        owner: str = "",
        replaces: str = "",
        activate: bool = True,
        report: Report = no_report,
    ) -> TrainingRun:
        """A run on disk, ready to be launched. Raises UserError when the rows or the name will not do."""
        self.check_name(name)
        train, held = draft.sides()
        if len(train) < FEWEST_ROWS:
            raise UserError(f"{len(train)} training rows are too few: at least {FEWEST_ROWS} are needed.")
        warnings = check_rows([row for _, row in train])
        dropped = len(draft.rows) - len(train) - len(held)
        if dropped:
            warnings.append(
                f"{dropped} rows were left out: empty, or nearly the same as a held-out question."
            )
        plan = TrainingPlan(
            name=name,
            kind=kind,
            model=self.model_name,
            params=asdict(params),
            documents=self.learned(row for _, row in [*train, *held]),
            warnings=tuple(warnings),
            owner=owner,
            activate=activate,
            replaces=replaces,
        )
        learned, tested = (self.examples(side, kind, options, report) for side in (train, held))
        self._audit(plan)
        return self._kept(self.runs.create(plan, [row for _, row in [*train, *held]], learned, tested))

    def asked(self, draft: Draft, report: Report = no_report) -> EmbedderQuestions:
        """The draft's questions with the passages that answer them, for an embedder to learn.

        Only documents that everybody may read are learned: every reader's passages are found with the same
        weights. Raises UserError when too few remain.
        """
        train, held = draft.sides()
        retriever = self.triptych.retriever()
        closed = self.triptych.library.restricted()
        passages = tuple(each for each in retriever.chunks if each.document not in closed)
        pairing = Pairing(passages, retriever)
        learned, tested = (pairing.pairs(side, report) for side in (train, held))
        if len(learned) < FEWEST_ROWS:
            raise UserError(
                f"{len(learned)} questions with a passage that answers them are too few: at least "
                f"{FEWEST_ROWS} are needed. Make rows from more documents, or bring your own."
            )
        numbers = {pair.row for pair in (*learned, *tested)}
        rows = tuple(row for number, row in [*train, *held] if number in numbers)
        lost = len(draft.rows) - len(rows)
        note = f"{lost} rows were left out: repeats, or no passage holds their answer."
        documents = self._versions(documents_of(passages, [*learned, *tested]))
        return EmbedderQuestions(
            rows, passages, tuple(learned), tuple(tested), documents, (note,) if lost else ()
        )

    def plan_embedder(
        self,
        draft: Draft,
        name: str,
        params: EmbedderParams,
        *,
        owner: str = "",
        replaces: str = "",
        report: Report = no_report,
    ) -> TrainingRun:
        """A run that tunes the embedder to these questions. Raises UserError as `plan` does."""
        self.check_name(name)
        asked = self.asked(draft, report)
        present = self.triptych.tuned_embedder()
        plan = TrainingPlan(
            name=name,
            kind="embedder",
            model="",
            params=asdict(params),
            documents=asked.documents,
            warnings=asked.warnings,
            owner=owner,
            activate=False,  # the documents are read with it first: see `adopt`
            replaces=replaces,
            present=str(present.folder) if present is not None else "",
        )
        self._audit(plan)
        return self._kept(self.runs.create(plan, asked.rows, asked.train, asked.held_out, asked.passages))

    def _kept(self, run: TrainingRun) -> TrainingRun:
        """The run as it was made; it goes again where a document it learns from was removed meanwhile."""
        try:
            self.check_still_there(run.plan.documents)
        except UserError:
            self.runs.remove(run)
            raise
        return run

    def _audit(self, plan: TrainingPlan) -> None:
        if self.triptych.audit is not None:
            self.triptych.audit("trained", [seen.name for seen in plan.documents], detail=plan.name)

    def adopt(self, name: str, report: Report = no_report, cancel: threading.Event | None = None) -> Adapter:
        """Let a tuned embedder read every document, then find with it. Raises UserError when cancelled."""
        adapter = self.adapters.get(name)
        self.triptych.read_with(adapter, report, cancel)
        self.check_still_there(adapter.card.documents)
        activated = self.adapters.activate(name)
        self.triptych.use_active_embedder()
        return activated

    def learned(self, rows: Iterable[TrainingRow]) -> tuple[LearnedDocument, ...]:
        """The versions, as they are now, of the documents that these rows came from."""
        return self._versions({name for row in rows for name in row.documents})

    def _versions(self, named: Collection[str]) -> tuple[LearnedDocument, ...]:
        return tuple(
            LearnedDocument(entry.name, entry.version, entry.content_hash)
            for entry in self.triptych.library.catalogue()
            if entry.name in named
        )

    def card_for(
        self, name: str, kind: AdapterKind, rows: Sequence[TrainingRow], params: LoraParams
    ) -> AdapterCard:
        """The card of an adapter that is trained elsewhere on these rows; brought back, it is known by it.

        A base model behind an address has no fingerprint of weights: whatever it fits is taken then.
        """
        model = self.triptych.asked("base")
        here = self.triptych.served("base") is None
        return AdapterCard(
            name=name,
            kind=kind,
            base_model=model.name,
            base_fingerprint=model.fingerprint if here else "",
            documents=self.learned(rows),
            rows=len(rows),
            parameters=asdict(params),
            origin="imported",
        )

    def check_name(self, name: str) -> None:
        """Raises UserError when no new adapter may bear this name."""
        self.adapters.path_for(name)
        if any(adapter.name == name for adapter in self.adapters.all()):
            raise UserError(f"There is already an adapter {name!r}: choose another name.")

    def free_name(self, like: str) -> str:
        """A name like this one that is not taken: `mine`, `mine-2`, `mine-3`."""
        stem = re.sub(r"-\d+$", "", like)[:56]
        number = next(n for n in count(1) if not self.is_taken(_numbered(stem, n)))
        return _numbered(stem, number)

    def is_taken(self, name: str) -> bool:
        """Whether an adapter or a run has this name, or one of the two made from it for both kinds."""
        taken = {adapter.name for adapter in self.adapters.all()} | {run.plan.name for run in self.runs.all()}
        return not taken.isdisjoint({name, *(name_for(name, kind) for kind in ANSWERING)})

    # --- staleness ---------------------------------------------------------------------------------

    def stale(self, adapter: Adapter) -> list[Staleness]:
        """The documents this adapter learned that have changed or are gone, with the rows at risk."""
        library = self.triptych.library
        now = {entry.name: entry for entry in library.catalogue()}
        found = []
        rows = None
        for seen in adapter.card.documents:
            current = now.get(seen.name)
            if current is not None and current.content_hash == seen.content_hash:
                continue
            rows = self.rows_of(adapter) if rows is None else rows
            change, risk = None, [row for row in rows if seen.name in row.documents]
            old: Document | None = None
            new: Document | None = None
            with suppress(UserError):
                old, new = library.get(seen.name, seen.version), library.get(seen.name)
            if old is not None and new is not None and old.content_hash == seen.content_hash:
                change = changes(old.text, new.text)
                risk = at_risk(rows, seen.name, old.text, new.text)
            found.append(
                Staleness(seen.name, seen.version, current.version if current else None, change, tuple(risk))
            )
        return found

    def rows_of(self, adapter: Adapter) -> list[TrainingRow]:
        """The rows it learned from, as far as they are still here."""
        if adapter.shipped:
            return [row for path in sorted(SAMPLE_ROWS.glob("*.jsonl")) for row in load_rows(path)]
        run = self.runs.newest_of(adapter.name)
        return run.rows() if run is not None else []

    def renewed(self, adapter: Adapter, report: Report = no_report) -> Draft:
        """The adapter's rows for a retrain: those at risk go, changed documents are asked anew."""
        stale = self.stale(adapter)
        names = {each.document for each in stale}
        risky = {(row.question, row.answer) for each in stale for row in each.at_risk}
        kept: list[tuple[TrainingRow, Way]] = [
            (row, "yours") for row in self.rows_of(adapter) if (row.question, row.answer) not in risky
        ]
        asked = {row.question for row, _ in kept}
        built = self._built(self._passages(sorted(names)), WAYS, 200, report)
        fresh = [(each.row, each.way) for each in built.rows if each.row.question not in asked]
        return Draft.from_rows([*kept, *fresh])

    def parameters(self, adapter: Adapter) -> LoraParams:
        """Those it was trained with, as far as its card says."""
        given: Mapping[str, object] = adapter.card.parameters
        known = {name: value for name, value in given.items() if name in LoraParams.__dataclass_fields__}
        return replace(default_params(adapter.card.kind, self.model_name), **known)  # type: ignore[arg-type]

    def retrain(self, adapter: Adapter, owner: str = "", report: Report = no_report) -> TrainingRun:
        """Plan the same training on the documents as they are now."""
        draft = self.renewed(adapter, report)
        name = self.free_name(adapter.name if self.adapters.owns(adapter) else f"{adapter.name}-own")
        if adapter.card.kind == "embedder":
            return self.plan_embedder(
                draft, name, EmbedderParams(**adapter.card.parameters), owner=owner, replaces=adapter.name,
                report=report,
            )  # fmt: skip
        params = self.parameters(adapter)
        return self.plan(
            draft, adapter.card.kind, name, params, owner=owner, replaces=adapter.name, report=report
        )

    # --- the schedule ------------------------------------------------------------------------------

    @property
    def schedule(self) -> Schedule:
        """How often stale adapters are retrained by themselves."""
        every = str(self._scheduled().get("every", "never"))
        return next((each for each in SCHEDULES if each == every), "never")

    def set_schedule(self, every: Schedule) -> None:
        """Choose when stale adapters are trained again."""
        self._schedule({**self._scheduled(), "every": every})

    def note_retrain(self, now: datetime) -> None:
        """Remember that the schedule was followed, whatever comes of it: a failing run must not repeat."""
        state = {"last": now.isoformat(timespec="seconds"), "documents": self.triptych.library.fingerprint}
        self._schedule({**self._scheduled(), **state})

    def due(self, now: datetime) -> list[Adapter]:
        """The active adapters that the schedule wants retrained now."""
        state, every = self._scheduled(), self.schedule
        if every == "never":
            return []
        if every == "on change" and state.get("documents") == self.triptych.library.fingerprint:
            return []
        last = state.get("last")
        if every in PERIODS and last and now - datetime.fromisoformat(str(last)) < PERIODS[every]:
            return []
        fingerprint = self.triptych.model().fingerprint
        active = [self.adapters.active(kind, fingerprint) for kind in ANSWERING]
        active.append(self.triptych.tuned_embedder())
        return [adapter for adapter in active if adapter is not None and self.stale(adapter)]

    def _scheduled(self) -> dict[str, object]:
        path = self.folder / "training" / "schedule.json"
        return dict(read_json(path)) if path.is_file() else {}

    def _schedule(self, state: Mapping[str, object]) -> None:
        (self.folder / "training").mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "training" / "schedule.json", state)

    def retraining_seconds(self) -> float:
        """What all retrains of this workspace have taken."""
        return sum(run.seconds for run in self.runs.all() if run.plan.replaces)

    # --- documents that go meanwhile ---------------------------------------------------------------

    def _names(self) -> set[str]:
        return {name for name, _, _ in self.triptych.library.current_hashes()}

    def check_still_there(self, documents: Iterable[LearnedDocument]) -> None:
        """Raises UserError when one of these has been forgotten since."""
        gone = sorted({each.name for each in documents} - self._names())
        if gone:
            raise UserError(f"{gone[0]} was forgotten meanwhile: nothing that learned from it is kept.")


def name_for(name: str, kind: AdapterKind) -> str:
    """What an adapter of this kind is called when both kinds are trained under one name."""
    return f"{name}-{kind.replace('_', '-')}"


def _numbered(stem: str, number: int) -> str:
    return stem if number == 1 else f"{stem}-{number}"
