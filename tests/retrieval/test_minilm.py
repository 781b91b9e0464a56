"""The network in small, with random weights: what is left out of the last layer changes nothing."""

from __future__ import annotations

import pytest

from backends.retrieval.minilm import Bert

WIDTH, INNER, WORDS, PLACES = 48, 96, 200, 64


@pytest.fixture(scope="module")
def weights():
    import torch

    torch.manual_seed(1)
    shapes = {
        "embeddings.word_embeddings.weight": (WORDS, WIDTH),
        "embeddings.position_embeddings.weight": (PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "embeddings.LayerNorm": (WIDTH,),
    }
    for layer in range(Bert.LAYERS):
        at = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            shapes[f"{at}attention.self.{part}"] = (WIDTH, WIDTH)
        shapes |= {
            f"{at}attention.output.dense": (WIDTH, WIDTH),
            f"{at}attention.output.LayerNorm": (WIDTH,),
            f"{at}intermediate.dense": (INNER, WIDTH),
            f"{at}output.dense": (WIDTH, INNER),
            f"{at}output.LayerNorm": (WIDTH,),
        }
    made = {}
    for name, shape in shapes.items():
        if name.endswith(".weight"):
            made[name] = torch.randn(shape)
        else:
            weight = torch.ones(shape) if name.endswith("LayerNorm") else torch.randn(shape) * 0.2
            made |= {f"{name}.weight": weight, f"{name}.bias": torch.randn(shape[0]) * 0.2}
    return made


@pytest.mark.parametrize(("precision", "apart"), [("fp32", 1e-5), ("bf16", 0.1)])
@pytest.mark.parametrize("lengths", [[5], [3, 3, 3], [1, 1, 4, 9, 9, 20], [7] * 40])
def test_the_first_states_alone_are_those_of_the_whole(weights, precision, apart, lengths):
    """Rows of the same length, of many lengths, and more rows than the smallest batch holds."""
    import torch

    bert = Bert(weights, precision)
    firsts = [[103 + n % 90, 150] for n in range(len(lengths))]
    seconds = [[(7 * n + at) % WORDS for at in range(length)] for n, length in enumerate(lengths)]
    for given in ((firsts, seconds), (firsts, None)):
        with torch.inference_mode():
            whole = torch.stack([row[0] for row in bert(*given)]).float()
            alone = bert.first_states(*given).float()
        assert alone.shape == (len(lengths), WIDTH)
        torch.testing.assert_close(alone, whole, atol=apart, rtol=0)
        assert len(lengths) == 1 or (whole[0] - whole[-1]).abs().max() > 3 * apart  # rows differ
