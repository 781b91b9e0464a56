"""The lean forward pass of Llama: what it gives beside transformers' own, prompt and single tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from backends.language.llama_decoder import PROMPT_STEP, LlamaDecoder, Projection
from backends.language.loading import load_pretrained
from backends.language.network import Network, reading
from tests.fakes import random_adapter, tiny_language_model

PROMPT = list(range(7, 7 + PROMPT_STEP + 5))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> LlamaForCausalLM:
    folder = tiny_language_model(tmp_path_factory.mktemp("base"), hidden=64, layers=3)
    loaded = load_pretrained(str(folder), torch.float32)[0].eval()
    assert isinstance(loaded, LlamaForCausalLM)
    return loaded


def test_a_prompt_gives_the_logits_of_the_networks_own_pass(network: LlamaForCausalLM) -> None:
    expected = reading(network)(PROMPT)
    got = Network(network).start(64)(PROMPT)
    # The output layer is int8: its rounding is all that differs.
    assert torch.allclose(got, expected, atol=0.05)
    assert int(got.argmax()) == int(expected.argmax())


@pytest.mark.parametrize("first", [1, PROMPT_STEP - 1, PROMPT_STEP, PROMPT_STEP + 3])
def test_tokens_read_one_by_one_or_in_parts_are_the_tokens_read_at_once(
    network: LlamaForCausalLM, first: int
) -> None:
    whole = Network(network).start(64)(PROMPT)
    read = Network(network).start(64)
    read(PROMPT[:first])
    parts = read(PROMPT[first:])
    assert torch.allclose(parts, whole, atol=0.1)
    step = Network(network).start(64)
    step(PROMPT[:-2])
    step(PROMPT[-2:-1])
    assert torch.allclose(step(PROMPT[-1:]), whole, atol=0.1)


def test_int8_rows_lie_within_half_a_step_of_the_weights() -> None:
    weight = torch.nn.Parameter(torch.randn(48, 64))
    made = Projection.joined(weight)
    error = (made.small.float() * made.scales[:, None] - weight).abs()
    assert (error <= made.scales[:, None] / 2 + 1e-6).all()


def test_joined_matrices_are_the_networks_own_memory(network: LlamaForCausalLM) -> None:
    decoder = LlamaDecoder(network)
    attention = network.model.layers[0].self_attn
    joined = decoder._layers[0].query_key_value.weight
    assert attention.q_proj.weight.data_ptr() == joined.data_ptr()
    assert torch.equal(
        torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]), joined
    )


def test_memories_do_not_mix(network: LlamaForCausalLM) -> None:
    shared = Network(network)
    one, two, alone = shared.start(64), shared.start(64), shared.start(64)
    one(PROMPT)
    two(PROMPT[::-1])
    alone(PROMPT)
    assert torch.equal(one([9]), alone([9]))


def test_adapters_share_the_embeddings_and_the_output_layer(tmp_path: Path) -> None:
    from backends.language.generation import LanguageModel

    folder = tiny_language_model(tmp_path / "base")
    adapter = random_adapter(folder, tmp_path / "adapter")
    model = LanguageModel.load(folder)
    base, tuned = model._base, model._network(adapter)
    assert base._decoder is not None and tuned._decoder is not None
    assert tuned._decoder._head is base._decoder._head
    assert tuned.model.get_input_embeddings().weight is base.model.get_input_embeddings().weight
