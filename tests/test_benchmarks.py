"""The benchmark's own arguments."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from backends.datatypes import UserError
from backends.settings import make_settings
from benchmarks.four_backends import overrides
from benchmarks.training import EMBEDDED, FRAME, TOKENS, make_examples


def test_settings_are_given_by_name() -> None:
    settings = make_settings(**overrides(["quote_only=true", "top_k=3", "model=some/folder=x"]))
    assert (settings.quote_only, settings.top_k, settings.model) == (True, 3, "some/folder=x")
    assert overrides([]) == {}


@pytest.mark.parametrize("given", ["quote=true", "=1", "top_k "])
def test_a_name_that_is_no_setting_is_refused(given: str) -> None:
    with pytest.raises(UserError, match="There is no setting"):
        overrides([given])


def test_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="top k"):
        make_settings(**overrides(["top_k=many"]))


@pytest.mark.parametrize("shortest", [64, TOKENS])
def test_rows_to_train_on_fill_the_length_they_are_meant_to_have(shortest: int) -> None:
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED)
    for example in make_examples(6, shortest):
        prompt, answer = example.messages[0]["content"], example.answer
        tokens = sum(len(ids) for ids in tokenizer([prompt, answer], add_special_tokens=False)["input_ids"])
        assert shortest // 2 <= tokens + FRAME <= TOKENS
        assert prompt.startswith(answer) or answer.startswith(prompt)
    assert make_examples(6, shortest) == make_examples(6, shortest)
