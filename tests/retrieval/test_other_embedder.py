"""Another sentence-transformers model in MiniLM's place: MiniLM's own folder, by the library's way."""

from __future__ import annotations

import numpy as np
import pytest

from backends.datatypes import UserError
from backends.retrieval.embedding import MiniLM, model_folder
from backends.retrieval.other_embedder import OtherEmbedder, describe, embedder_in

TEXTS = ["Moorings are let by the season. The kiosk opens early.", "Lanterns hang in the yard."]
PARTS = [[(0, 31), (32, 54)], [(0, 26)]]


@pytest.fixture(scope="module")
def other() -> OtherEmbedder:
    return OtherEmbedder(str(model_folder()))


def test_vectors_parts_and_tokens_are_those_of_the_model(other):
    own = MiniLM("fp32")
    np.testing.assert_allclose(other.embed(TEXTS), own.embed(TEXTS), atol=1e-5)
    for found, wanted in zip(other.embed_parts(TEXTS, PARTS), own.embed_parts(TEXTS, PARTS), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert [other.token_spans(text) for text in TEXTS] == [own.token_spans(text) for text in TEXTS]
    assert other.dimension == own.dimension and other.embed([]).shape == (0, 384)
    assert other.reads("Where is the pier?") and not other.reads("ᚠᚢᚦᚨᚱᚲ ᚷᚹᚺᚾᛁᛃ")


def test_a_model_that_pools_otherwise_is_given_each_part_alone(other, monkeypatch):
    monkeypatch.setattr(other, "_means", False)
    pieces = [text[a:b] for text, spans in zip(TEXTS, PARTS, strict=True) for a, b in spans]
    np.testing.assert_allclose(
        np.concatenate(other.embed_parts(TEXTS, PARTS)), other.embed(pieces), atol=1e-6
    )


def test_a_folder_says_which_model_it_stands_for_and_another_one_is_refused(other, tmp_path):
    describe(tmp_path, other, str(model_folder()))
    same = embedder_in(tmp_path)
    assert same.name == other.name != MiniLM().name
    changed = OtherEmbedder(str(model_folder()), "0" * 64)
    with pytest.raises(UserError, match="its weights have changed"):
        changed.embed(["x"])
    (tmp_path / "embedder.json").write_text("{}")
    with pytest.raises(UserError, match="no readable"):
        embedder_in(tmp_path)


def test_what_is_no_such_model_is_told_in_a_sentence(tmp_path):
    with pytest.raises(UserError, match="could not be loaded"):
        OtherEmbedder(str(tmp_path)).embed(["x"])
