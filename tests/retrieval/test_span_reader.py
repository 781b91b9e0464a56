"""The span reader is the network that was trained: it equals transformers, reads beyond one window, and says
why it cannot run."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from backends.datatypes import UserError
from backends.retrieval import span_reader
from backends.retrieval.span_reader import NOTHING, SPAN_READER, SpanReader

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models"))

import train_span_reader as recipe
from reader_rows import Window

QUESTION = "What does the Heron cost?"
PASSAGES = [
    "Price list. The Heron costs 149 EUR; the Wren is cheaper.",
    "The canteen opens at noon.",
    "Heron: 149 EUR",
    "Ø 12 mm, naïve – the Heron’s price",
]


@pytest.fixture(scope="module")
def network():
    """The recipe's network before any training, with heads that say something."""
    import torch

    torch.manual_seed(3)
    made = recipe.SpanNetwork().eval()
    torch.nn.init.normal_(made.span.weight, std=0.5)
    return made


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("reader")
    recipe.save(network, path, recipe.Progress(), recipe.Calibration(1.0, 0.5, 0.25))
    return path


@pytest.fixture(scope="module")
def reader(folder):
    return SpanReader(folder, "fp32")


def expected(network, passage: str) -> tuple[float, float]:
    """(highest sum of start and end over that of none, logit of the head) by transformers in float32."""
    import torch

    tokenizer = recipe.load_tokenizer()
    [row] = recipe.encode([Window(QUESTION, passage)], tokenizer)
    with torch.inference_mode():
        start, end, answers = network.float()(recipe.collate([row]))
    start, end = start[0].numpy(), end[0].numpy()
    best = max(
        start[a] + end[b]
        for a in range(row.question, len(row.ids) - 1)
        for b in range(a, min(len(row.ids) - 1, a + span_reader.LONGEST_SPAN))
    )
    return float(best - start[0] - end[0]), float(answers[0])


def test_scores_equal_those_of_transformers(network, reader):
    spans = reader.read(QUESTION, PASSAGES)
    for span, passage in zip(spans, PASSAGES, strict=True):
        margin, head = expected(network, passage)
        # The frozen layers are rounded to bf16 there, not here.
        assert span.score == pytest.approx(margin + 0.5 * head + 0.25, abs=0.05)
        assert span.no_answer == pytest.approx(1 / (1 + math.exp(span.score)))


def test_a_span_is_a_piece_of_its_passage_and_company_changes_nothing(reader):
    spans = reader.read(QUESTION, PASSAGES)
    for span, passage in zip(spans, PASSAGES, strict=True):
        assert passage[span.start : span.end] == span.text != ""
        [alone] = reader.read(QUESTION, [passage])
        assert (alone.start, alone.end) == (span.start, span.end)
        assert alone.score == pytest.approx(span.score, abs=1e-3)


def test_nothing_to_read_answers_nothing(reader):
    assert reader.read(QUESTION, []) == []
    [span] = reader.read(QUESTION, ["  "])
    assert (span.text, span.score, span.no_answer) == ("", NOTHING, 1.0)


def test_a_long_passage_is_read_to_its_end(reader):
    filler = "The canteen opens at noon. " * 60
    [whole] = reader.read(QUESTION, [filler + PASSAGES[0]])
    [start] = reader.read(QUESTION, [filler])
    assert whole.score >= start.score - 1e-3
    assert whole.text == (filler + PASSAGES[0])[whole.start : whole.end]
    windows = span_reader._windows(1000, 200)
    assert windows[0] == 0 and windows[-1] == 800
    assert all(b - a <= 200 - span_reader.OVERLAP for a, b in pairwise(windows))


def test_bf16_finds_much_the_same(folder, reader):
    for exact, rough in zip(
        reader.read(QUESTION, PASSAGES), SpanReader(folder, "bf16").read(QUESTION, PASSAGES), strict=True
    ):
        assert rough.score == pytest.approx(exact.score, abs=0.5)


def test_the_best_span_ends_after_it_starts_and_is_not_too_long():
    logits = np.full((60, 2), -5.0)
    logits[0] = 0.0
    logits[4, 0], logits[59 - 1, 1], logits[6, 1], logits[3, 1] = 4.0, 9.0, 3.0, 8.0
    found = span_reader._best(logits, 0.0, 3)
    assert (found.first, found.last, found.margin) == (1, 3, 7.0)


@pytest.mark.parametrize("key", ["weights_sha256", "base_sha256", "reranker_sha256"])
def test_the_card_vouches_for_the_weights(folder, tmp_path, key):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    card = json.loads((copy / "card.json").read_text())
    assert (
        SpanReader(copy).fingerprint == hashlib.sha256((copy / "model.safetensors").read_bytes()).hexdigest()
    )
    (copy / "card.json").write_text(json.dumps({**card, key: "0" * 64}))
    with pytest.raises(UserError, match="span reader"):
        SpanReader(copy).read(QUESTION, PASSAGES)


def test_a_missing_reader_is_said(tmp_path):
    with pytest.raises(UserError, match="no span reader"):
        SpanReader(tmp_path).read(QUESTION, PASSAGES)


def test_rows_point_at_the_answer():
    tokenizer = recipe.load_tokenizer()
    passage = PASSAGES[0]
    start = passage.index("149 EUR")
    [row, none] = recipe.encode(
        [Window(QUESTION, passage, start, start + 7), Window(QUESTION, passage)], tokenizer
    )
    assert tokenizer.decode(list(row.ids[row.start : row.end + 1])) == "149 eur"
    assert (none.start, none.end) == (0, 0)
    cut = Window(QUESTION, "word " * 300 + passage, 1500 + start, 1500 + start + 7)
    assert recipe.encode([cut], tokenizer) == []


@pytest.mark.skipif(not SPAN_READER.is_dir(), reason="no weights here")
def test_the_shipped_reader_points_at_a_price_and_tells_when_there_is_none():
    reader = SpanReader.load()
    said, other = reader.read(QUESTION, ["Price list 2031: The Heron costs 149 EUR.", PASSAGES[1]])
    assert "149" in said.text and said.no_answer < 0.5 < other.no_answer
