"""A question is cut where another one begins, and nowhere else; joined hits are fused by rank."""

from __future__ import annotations

import pytest

from backends.datatypes import Chunk, Hit
from backends.retrieval.decompose import decompose, join


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "What does the Team plan cost and how many monitors does it include?",
            ["What does the Team plan cost?", "How many monitors does it include?"],
        ),
        (
            "Who signs travel requests? And by when must they be filed?",
            ["Who signs travel requests?", "By when must they be filed?"],
        ),
        (
            "How long is the warranty, what does it cover, and who pays the postage?",
            ["How long is the warranty?", "What does it cover?", "Who pays the postage?"],
        ),
        ("What do Lark One and Lark Pro weigh?", []),
        ("Which sensors and cables are in the box?", []),
        ("Do customers in Norway or Iceland pay duty?", []),
        ("What is the price, if any?", []),
        ("When and where does the course take place?", []),
        ("Really? Who pays?", []),
        ("The ring stays amber all the time; what is that?", []),
        ("If the buyer is a university, what reduction needs no approval?", []),
        ("", []),
    ],
)
def test_questions_are_cut_where_another_begins(question, parts):
    assert decompose(question) == parts


def hit(name: str, rank: int, dense: float) -> Hit:
    return Hit(Chunk(name, 1, 0, 1, "x", None, 1), rank, 9.0, dense)


def test_joined_hits_are_fused_by_rank_and_each_stands_once():
    joined = join([[hit("a", 1, 0.5), hit("b", 2, 0.4)], [hit("b", 1, 0.6), hit("c", 2, 0.1)]], top_k=3)
    assert [(h.chunk.document, h.rank, h.dense) for h in joined] == [
        ("b", 1, 0.6),
        ("a", 2, 0.5),
        ("c", 3, 0.1),
    ]
    assert [h.score for h in joined] == [1 / 62 + 1 / 61, 1 / 61, 1 / 62]
    assert [h.chunk.document for h in join([[hit("a", 1, 0.5), hit("b", 2, 0.4)]], top_k=1)] == ["a"]
