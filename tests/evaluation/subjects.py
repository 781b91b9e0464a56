"""A scripted subject for the evaluation tests: backends whose skill is a number, drawn by hash, no model."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from backends.datatypes import Answer, BackendName, Citation, Cost, Question, SourceRecord, Usage, UserError
from backends.evaluation.archive import Setting
from backends.evaluation.runner import Answered
from backends.evaluation.scoring import Passage
from backends.settings import Settings

SKILL: dict[str, float] = {"rag": 0.6, "fine_tuned": 0.4, "hybrid": 0.8, "base": 0.05}
CATEGORIES = ("lookup", "table", "condition")
JSON_GOLD = '{"risk":"low","action":"accept"}'


def make_questions(count: int) -> list[Question]:
    """Answerable ones, every tenth unanswerable, every tenth a JSON label."""
    made = []
    for number in range(count):
        name = f"q{number:03d}"
        if number % 10 == 8:
            made.append(Question(name, f"Who is person {number}?", (), (), "unanswerable"))
        elif number % 10 == 9:
            made.append(Question(name, f"Label {number}", (JSON_GOLD,), ("d9.md",), "structured"))
        else:
            gold = f"{number} days"
            made.append(
                Question(
                    name,
                    f"How long is term {number}?",
                    (gold,),
                    (f"d{number % 10}.md",),
                    CATEGORIES[number % 3],
                    number % 2 == 0,
                )
            )
    return made


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@dataclass
class ScriptedSubject:
    """Right with probability `skill`; a top k of 1 finds the gold passage half as often as 8."""

    skill: dict[str, float] = field(default_factory=lambda: dict(SKILL))
    adapter: str = "a1"
    temperature_noise: bool = False  # draws depend on the settings' seed
    broken: str | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    warmed: list[str] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda question, backend: None
    before_warm_up: Callable[[], None] = lambda: None

    def as_now(self) -> ScriptedSubject:
        return self

    def fingerprint(self, settings: Settings) -> str:
        return self.adapter

    def answer(self, question: Question, backend: BackendName, settings: Settings) -> Answered:
        self.before(question.id, backend)
        if backend == self.broken:
            raise UserError("The adapter is not trained yet.")
        self.asked.append((question.id, backend))
        seed = settings.seed if self.temperature_noise else 0
        found = self.found(question.question, settings)
        reads = backend in ("rag", "hybrid")
        held = not reads or any(p.document in question.documents for p in found) or not question.answers
        lucky = chance(question.id, backend, seed) < self.skill[backend] and held
        if not question.answers:
            text = "The documents do not say." if lucky else "It is Ada."
        elif question.category == "structured":
            text = '{"action": "accept", "risk": "low"}' if lucky else "low risk"
        else:
            text = f"{question.answers[0] if lucky else 'no idea'}. The term is set. [1]"
        shown = found if reads else []
        return Answered(self._record(question, backend, settings, text, shown), tuple(shown))

    def _record(
        self, question: Question, backend: str, settings: Settings, text: str, found: Sequence[Passage]
    ) -> Answer:
        sources = tuple(
            SourceRecord(p.document, p.version, None, p.start, p.end, p.text, rank=rank, score=0.5)
            for rank, p in enumerate(found, start=1)
        )
        cited = sources[:1] if "[1]" in text else ()
        return Answer(
            id=question.id,
            question=question.question,
            backend=backend,
            text=text,
            citations=tuple(
                Citation(s.document, s.version, s.page, s.start, s.end, s.text, marker=1) for s in cited
            ),
            sources=sources,
            latency_ms={"generate": 90.0, "total": 100.0 + 10 * len(found)},
            usage=Usage(50 + 20 * len(found), 8),
            cost=Cost((50 + 20 * len(found)) / 1e6, "USD", "your input"),
            model="scripted",
            adapter=None,
            abstained=text.startswith("The documents do not say"),
            groundedness=0.9 if found else 0.4,
            settings=settings.model_dump(mode="json"),
        )

    def warm_up(
        self, backends: Sequence[BackendName], settings: Settings, stop: threading.Event | None = None
    ) -> None:
        self.before_warm_up()
        if stop is not None and stop.is_set():
            raise UserError("Cancelled.")
        self.warmed += backends

    def found(self, question: str, settings: Settings) -> list[Passage]:
        number = int("".join(c for c in question if c.isdigit()) or 0)
        gold = int(chance(question) * 4)  # the rank of the gold passage, from 0
        names = [f"d{(number + (rank - gold)) % 10}.md" for rank in range(settings.top_k)]
        return [Passage(name, 1, 0, 20, f"Term of {number} days set in {name}.") for name in names]

    def likeness(self, one: str, other: str) -> float:
        return 0.5

    def describe(self, settings: Settings) -> Setting:
        documents = {f"d{number}.md": 1 for number in range(10)}
        adapters = {"fine_tuned": {"name": "fine_tuned", "fingerprint": self.adapter}}
        return Setting(
            corpus="c" * 64,
            documents=documents,
            model="scripted",
            model_fingerprint="f" * 16,
            adapters=adapters,
            machine={"processor": "test"},
        )


def without_times(answer: Answer | None) -> Answer | None:
    return None if answer is None else replace(answer, latency_ms={})
