"""The benchmark's own arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.datatypes import UserError
from backends.settings import make_settings
from backends.stress.records import STRESS_TESTS
from backends.training.lora import LoraParams
from backends.training.rows import Example
from benchmarks.four_backends import overrides
from benchmarks.stress_table import SHOWN, section
from benchmarks.training import FRAME, TOKENS, Ours, make_examples, tokenizer_of_the_base
from tests.fakes import tiny_language_model


def test_settings_are_given_by_name() -> None:
    settings = make_settings(**overrides(["rerank=false", "top_k=3", "model=some/folder=x"]))
    assert (settings.rerank, settings.top_k, settings.model) == (False, 3, "some/folder=x")
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
    tokenizer = tokenizer_of_the_base()
    for example in make_examples(6, shortest):
        prompt, answer = example.messages[0]["content"], example.answer
        tokens = sum(len(ids) for ids in tokenizer([prompt, answer], add_special_tokens=False)["input_ids"])
        assert shortest // 2 <= tokens + FRAME <= TOKENS
        assert prompt.startswith(answer) or answer.startswith(prompt)
    assert make_examples(6, shortest) == make_examples(6, shortest)


def test_a_turn_of_the_training_benchmark_goes_through_every_row_of_its_steps(tmp_path: Path) -> None:
    examples = [
        Example(n, ({"role": "user", "content": "What is it?"},), f"It is {n}.") for n in range(1, 25)
    ]
    params = LoraParams(rank=4, batch_tokens=64)
    ours = Ours(tiny_language_model(tmp_path), examples, params)
    steps = [sum(map(len, batch)) for batch in ours.run._batches(ours.run.train_rows, 1)]
    assert len(steps) > 2
    turn = ours(2)
    assert turn.tokens == sum(steps[1:3])  # the first step warms up
    assert 0 < turn.loss < 20 and turn.seconds > 0


def test_the_stress_table_shows_every_figure_with_its_interval() -> None:
    def row(test: str, backend: str, details: dict[str, object]) -> dict[str, object]:
        return {"test": test, "backend": backend, "value": 0.5, "interval": [0.1, 0.9], "count": 4,
                "details": details}  # fmt: skip

    gap = {"value": -0.25, "interval": [-0.5, 0.75], "count": 4}
    times = {"100": {"value": 9, "interval": [8, 10], "count": 4},
             "2000": {"value": 12.4, "interval": [11, 13], "count": 4}}  # fmt: skip
    details: dict[str, dict[str, object]] = {
        "erasure": {"likelihood_gap": gap},
        "latency": {"search_alone": times},
    }
    records = [
        {"test": test, "seconds": 9.0, "cpu_seconds": 3.2, "seed": 1, "number": 4, "sentence": "So it is.",
         "rows": [row(test, "rag", details.get(test, {}))]}
        for test in STRESS_TESTS
    ]  # fmt: skip
    lines = section(records).splitlines()
    assert lines[0] == "| | RAG | Fine-tuned | Hybrid | Base |"
    table = {line.split(" | ")[0][2:]: line.split(" | ")[1] for line in lines[2 : 2 + len(SHOWN)]}
    assert table["Fact edited: gives the new one"] == "50 % [10, 90]"
    assert table["Likelihood gap, true against false facts (nats a token)"] == "-0.25 [-0.50, 0.75]"
    assert table["of these the search"] == "12 [11, 13]"  # of the largest corpus
    assert table["Keeps the house style"] == "-"  # not measured
    assert "4 questions a test, seed 1." in "".join(lines) and "latency 9 s (3)." in "".join(lines)
