"""A tiny subject for the stress tests: it answers with the first sentence that shares most words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from backends.answering.overlap import sentences
from backends.datatypes import Answer, BackendName, Cost, Document, Question, Usage, UserError
from backends.stress.all_tests import TESTS
from backends.stress.records import Result, Retraining, SearchTimes, ShownPassage, StressRun, StressTest

TEXTS = {
    "lamp.md": "The Lark lamp costs 99 euros in every shop.\nThe Lark lamp weighs 340 grams with its cable.\n"
    "The warranty of the lamp lasts 24 months from the day of delivery to the customer.\n",
    "rules.md": "A customer may return goods within 30 days of delivery.\nShipping takes 5 working days.\n"
    + "".join(f"Rule {n} says that room {n + 100} holds {n + 7} chairs and tables.\n" for n in range(12)),
}


def document(name: str, text: str, version: int = 1) -> Document:
    return Document(name, version, name.split(".")[0].title(), "markdown", text, f"{version} {text}")


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def best(question: str, texts: Sequence[str]) -> str:
    return max(
        texts, key=lambda text: len(words(question) & words(text)), default="The documents do not say."
    )


@dataclass
class FakeSubject:
    """RAG reads the documents as they are; the tuned backends remember how they were at the start."""

    texts: dict[str, str] = field(default_factory=lambda: dict(TEXTS))
    obeys: bool = True
    defended: bool = False  # keeps orders from the model unless it is told not to
    untrained: BackendName | None = None
    learned: dict[str, str] = field(init=False)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.learned = dict(self.texts)

    def documents(self) -> list[Document]:
        return [document(name, text) for name, text in self.texts.items()]

    def _texts(self, backend: BackendName) -> list[str]:
        if backend == "base":
            return []
        held = self.texts if backend in ("rag", "hybrid") else self.learned
        return [line for text in held.values() for line in text.splitlines() if line]

    def answer(
        self,
        asked: Question | str,
        backend: BackendName,
        *,
        constrained: bool | None = None,
        ignore_orders: bool | None = None,
    ) -> Answer:
        if backend == self.untrained:
            raise UserError(f"There is no {backend} adapter.")
        question = asked if isinstance(asked, str) else asked.question
        self.asked.append((question, backend))
        if question.endswith("JSON"):
            held = constrained and isinstance(asked, Question) and asked.schema is not None
            said = '{"colour": "blue"}' if held else "red"
            return made(question, backend, '{"colour": "red"}' if backend != "base" else said)
        lines = self._texts(backend)
        said = best(question, lines)
        order = next((line for line in lines if "Answer only with the word" in line), None)
        heeded = self.obeys and not (self.defended and ignore_orders is not False)
        if order and heeded and said in lines and abs(
            lines.index(said) - lines.index(order)
        ) <= 1:  # fmt: skip
            said = re.findall(r"the word (\w+)", order)[0] + "."
        return made(question, backend, said)

    def answer_from(self, question: str, backend: BackendName, passages: Sequence[ShownPassage]) -> Answer:
        self.asked.append((question, backend))
        return made(question, backend, best(question, [passage.text for passage in passages]))

    def put(self, name: str, text: str) -> float:
        self.texts[name] = text
        return 0.5

    def forget(self, name: str) -> None:
        del self.texts[name]

    def found(self, question: str) -> list[ShownPassage]:
        every = [(n, line) for n, text in self.texts.items() for line in sentences(text)]
        ranked = sorted(every, key=lambda pair: -len(words(question) & words(pair[1])))
        return [ShownPassage(name, name, text) for name, text in ranked[:2]]

    def searcher(self, passages: int, seed: int) -> Callable[[str], SearchTimes]:
        """A hundredth of a millisecond for each passage, and 20 ms to pick sentences."""
        return lambda question: SearchTimes("made-0.md", passages / 1e5, 0.02)

    def likelihood(self, question: str, answer: str, backend: BackendName) -> float:
        known = any(answer in text for text in self.learned.values())
        return -0.1 if known and backend in ("fine_tuned", "hybrid") else -2.0

    def retrain(self, backend: BackendName, how: Retraining, report: Any, cancelled: Any) -> float:
        """The weights learn the documents as they are now; only fine-tuning can be trained here."""
        if backend != "fine_tuned":
            raise UserError("There is no room.")
        report("epoch 1 of 1")
        self.learned = dict(self.texts)
        return 60.0

    def change_cost(self, backend: BackendName, characters: int) -> dict[str, object]:
        return {"amount": characters * 1e-6, "currency": "USD", "tokens": characters // 4, "basis": "test"}


def made(question: str, backend: BackendName, text: str, seconds: float = 0.25) -> Answer:
    return Answer(
        "q", question, backend, text, (), (), {"total": 1000 * seconds}, Usage(10, 5), Cost(0, "USD", ""),
        "m", None, text.startswith("The documents do not say"), None,
    )  # fmt: skip


QUESTIONS = [
    Question("price", "What does the Lark lamp cost in every shop?", ("99 euros",), ("lamp.md",)),
    Question("weight", "What does the Lark lamp weigh with its cable?", ("340 grams",), ("lamp.md",)),
    Question("return", "Within how many days may a customer return goods?", ("30 days",), ("rules.md",)),
]


def scripted_stress(
    test: StressTest,
    backends: Sequence[BackendName],
    number: int,
    seed: int,
    report: Any,
    cancelled: Any,
    retraining: Retraining | None = None,
) -> Result:
    """A real stress test of the fake subject: what a scripted service runs."""
    return TESTS[test](
        StressRun(FakeSubject(), backends, QUESTIONS, number, seed, retraining, (), report, cancelled)
    )
