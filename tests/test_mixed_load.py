"""Eight threads ask all four backends while adapters are swapped: every answer equals its lonely twin."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backends.datatypes import BACKEND_NAMES, Answer, BackendName
from backends.documents.opening import open_folder
from backends.language.generation import LanguageModel
from backends.product import Triptych
from backends.settings import make_settings
from backends.training.adapters import AdapterCard, Adapters, write_card
from tests.fakes import HashingEmbedder, random_adapter, tiny_language_model

THREADS = 8
SWAPS = (("fine_tuned", "one"), ("hybrid", "three"), ("fine_tuned", "two"), ("hybrid", "four"))
QUESTIONS = ("How long may goods be returned?", "What does the lamp cost?", "Who pays the way back?")


def build(home: Path) -> Triptych:
    base = tiny_language_model(home / "base", context=1024)
    documents = home / "documents"
    documents.mkdir()
    (documents / "returns.md").write_text("Customers return goods within 30 days. Shipping back is free.\n")
    (documents / "lamps.txt").write_text("The Lark lamp costs 99 euros. It weighs 2 kilos.\n")
    settings = make_settings(max_tokens=8, context_tokens=64, top_k=2, rerank=False)
    model = LanguageModel.load(base)
    for seed, (kind, name) in enumerate(SWAPS):
        folder = random_adapter(base, home / "workspace" / "adapters" / name, seed=seed)
        write_card(folder, AdapterCard(name, kind, "base", model.fingerprint))  # type: ignore[arg-type]
    library = open_folder(home / "workspace", documents, HashingEmbedder(), settings)
    adapters = Adapters(home / "workspace" / "adapters", home / "none")
    return Triptych(home / "workspace", settings, library, adapters=adapters, model=model)


def seen(answer: Answer) -> tuple[str, tuple[str, ...]]:
    return answer.text, tuple(citation.text for citation in answer.citations)


def test_mixed_requests_while_adapters_are_swapped(tmp_path: Path) -> None:
    triptych = build(tmp_path)
    wanted: dict[tuple[BackendName, str | None, str], tuple[str, tuple[str, ...]]] = {}
    for first, second in (("one", "three"), ("two", "four")):
        triptych.adapters.activate(first)
        triptych.adapters.activate(second)
        for name, question in itertools.product(BACKEND_NAMES, QUESTIONS):
            answer = triptych.answer(question, name)
            wanted[name, answer.adapter, question] = seen(answer)
    assert len(wanted) == 3 * (1 + 1 + 2 + 2)  # rag and base have no adapter, the others two
    assert wanted["fine_tuned", "one", QUESTIONS[0]] != wanted["fine_tuned", "two", QUESTIONS[0]]

    stop = threading.Event()

    def swap() -> None:
        for _, name in itertools.cycle(SWAPS):
            if stop.is_set():
                return
            triptych.adapters.activate(name)

    def ask(work: tuple[BackendName, str]) -> tuple[BackendName, str, Answer]:
        name, question = work
        return name, question, triptych.answer(question, name)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            works = [*itertools.product(BACKEND_NAMES, QUESTIONS)] * 4
            answers = list(pool.map(ask, works))
    finally:
        stop.set()
        swapper.join()
    assert {(name, answer.adapter) for name, _, answer in answers} >= {("rag", None), ("base", None)}
    for name, question, answer in answers:
        assert seen(answer) == wanted[name, answer.adapter, question]
