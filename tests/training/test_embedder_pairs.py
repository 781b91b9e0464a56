"""Questions become pairs: the passage that answers, and passages that only look as if."""

from __future__ import annotations

import pytest

from backends.datatypes import Chunk, TrainingRow
from backends.retrieval.passages import passage_text
from backends.retrieval.retriever import Retriever
from backends.training.embedder_pairs import LOOKED_AT, Pairing, documents_of
from tests.fakes import HashingEmbedder

TEXTS = {
    "ovens.md": "The bread oven reaches 300 degrees after 40 minutes of heating.",
    "mixers.md": "The dough mixer turns at 90 rounds a minute and stops by itself.",
    "shifts.md": "The night shift starts at 22:00 and ends when the bread oven is cold.",
    "rent.md": "The landlord is paid on the third working day.",
}


def passages() -> list[Chunk]:
    return [Chunk(name, 1, 0, len(text), text, None, 12, name, "") for name, text in TEXTS.items()]


@pytest.fixture(scope="module")
def pairing() -> Pairing:
    found, embedder = passages(), HashingEmbedder(256)
    vectors = embedder.embed([passage_text(each) for each in found])
    return Pairing(found, Retriever(found, vectors, embedder))


def named(pairing: Pairing, at: int) -> str:
    return pairing.passages[at].document


def test_the_passage_is_that_which_holds_the_answer(pairing: Pairing) -> None:
    row = TrainingRow("How hot does the bread oven get?", "300 degrees, after 40 minutes.", ("ovens.md",))
    (pair,) = pairing.pairs([(7, row)])
    assert pair.row == 7 and pair.question == row.question
    assert named(pairing, pair.passage) == "ovens.md"


def test_a_row_that_names_no_document_is_looked_for(pairing: Pairing) -> None:
    (pair,) = pairing.pairs([(1, TrainingRow("When does the night shift start?", "At 22:00."))])
    assert named(pairing, pair.passage) == "shifts.md"


def test_negatives_look_alike_and_do_not_answer(pairing: Pairing) -> None:
    row = TrainingRow("When is the bread oven cold?", "When the night shift ends.", ("shifts.md",))
    (pair,) = pairing.pairs([(1, row)])
    assert [named(pairing, at) for at in pair.negatives] == ["ovens.md"]


def test_what_may_answer_too_is_no_negative() -> None:
    twin = Chunk(
        "copy.md", 1, 0, 60, "Heating takes 40 minutes, then the oven has 300 degrees, bread too.", None, 12
    )
    found, embedder = [*passages(), twin], HashingEmbedder(256)
    retriever = Retriever(found, embedder.embed([passage_text(each) for each in found]), embedder)
    row = TrainingRow("How hot is the bread oven after 40 minutes?", "300 degrees.", ("ovens.md",))
    (pair,) = Pairing(found, retriever).pairs([(1, row)])
    assert "copy.md" not in documents_of(found, [pair])


def test_a_row_whose_answer_stands_nowhere_makes_no_pair(pairing: Pairing) -> None:
    wrong = TrainingRow("How hot is the bread oven?", "Eighty kilos of flour.", ("ovens.md",))
    elsewhere = TrainingRow("How hot is the bread oven?", "300 degrees.", ("gone.md",))
    assert pairing.pairs([(1, wrong), (2, elsewhere)]) == []


def test_passages_that_may_not_be_learned_are_never_shown() -> None:
    found, embedder = passages(), HashingEmbedder(256)
    retriever = Retriever(found, embedder.embed([passage_text(each) for each in found]), embedder)
    pairing = Pairing([each for each in found if each.document != "ovens.md"], retriever)
    rows = [(1, TrainingRow("When is the bread oven cold?", "When the night shift ends."))]
    assert "ovens.md" not in documents_of(pairing.passages, pairing.pairs(rows))
    assert len(found) < LOOKED_AT
