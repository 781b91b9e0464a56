"""Trains the embedded language model on the rows that prepare.py made; runs unchanged on CPU and GPU.

Enters: <work>/tokenizer and <work>/stage*.npz. Leaves: <work>/checkpoint.pt (to resume), <work>/log.jsonl
and, at the end, <out> in Hugging Face format (bf16 safetensors, shards under 15 MB). A stage ends when its
answer loss is low enough or its tokens are used up; the last stage ends with a linear decay of the learning
rate. A file named <work>/cool starts that decay early, so that a run fits the time there is. `--start FOLDER
--first 5` goes on with a finished model and the last stage alone.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT_WEIGHT = 0.3  # of the loss on prompt tokens, which teach English but not answering
CONTEXT_SHARE = 0.2  # of the prompt tokens that are scored at all: the output layer is a fifth of the work


@dataclass(frozen=True)
class Stage:
    name: str
    tokens: np.ndarray  # uint16 [rows, length]
    kind: np.ndarray  # uint8, see prepare.py
    most: int  # tokens to spend at the most
    enough: float  # mean answer loss over the last 40 steps that ends the stage


def new_model(tokenizer: PreTrainedTokenizerFast, hidden: int, layers: int, heads: int) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=hidden * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.03,
    )
    return LlamaForCausalLM(config)


def batch_loss(
    model: LlamaForCausalLM, body: torch.nn.Module, tokens: torch.Tensor, kind: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Weighted cross-entropy of one batch [rows, length], and the loss on answer tokens alone."""
    hidden = (
        body(input_ids=tokens, use_cache=False)
        .last_hidden_state[:, :-1]
        .reshape(-1, model.config.hidden_size)
    )
    targets, kinds = tokens[:, 1:].reshape(-1), kind[:, 1:].reshape(-1)
    answer = (kinds == 2).nonzero().squeeze(1)
    context = (
        ((kinds == 1) & (torch.rand(kinds.shape, device=kinds.device) < CONTEXT_SHARE)).nonzero().squeeze(1)
    )
    chosen = torch.cat([answer, context])
    logits = functional.linear(hidden[chosen], model.lm_head.weight).float()
    losses = functional.cross_entropy(logits, targets[chosen], reduction="none")
    answer_loss, context_loss = losses[: len(answer)], losses[len(answer) :]
    total = answer_loss.sum() / max(1, len(answer)) + CONTEXT_WEIGHT * context_loss.sum() / max(
        1, len(context)
    )
    return total, float(answer_loss.detach().mean()) if len(answer) else float("nan")


def optimizers(model: LlamaForCausalLM, rate: float) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside the layers, AdamW for embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "layers" in name]
    others = [p for name, p in model.named_parameters() if not (p.ndim == 2 and "layers" in name)]
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


class Run:
    """One training run with everything that a checkpoint must hold."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(args.work / "tokenizer")
        torch.manual_seed(args.seed)
        self.model = self.begin().to(self.device)
        self.body = torch.compile(self.model.model, dynamic=False) if args.compile else self.model.model
        self.optimizers = optimizers(self.model, args.rate)
        self.stage, self.spent, self.step = args.first - 1, 0, 0
        self.cooling: int | None = None  # tokens of the last stage spent when the decay began
        self.checkpoint = args.work / "checkpoint.pt"
        if self.checkpoint.exists():
            self.load()

    def begin(self) -> LlamaForCausalLM:
        """A finished model to go on with, or one with random weights."""
        if self.args.start:
            return LlamaForCausalLM.from_pretrained(self.args.start, dtype=torch.float32)
        return new_model(self.tokenizer, self.args.hidden, self.args.layers, self.args.heads)

    def load(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.stage, self.spent, self.step, self.cooling = (
            state[k] for k in ("stage", "spent", "step", "cooling")
        )

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "stage": self.stage,
            "spent": self.spent,
            "step": self.step,
            "cooling": self.cooling,
        }
        partial = self.checkpoint.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def rate(self, stage: Stage, last: bool) -> float:
        """Warm-up over 100 steps, then constant; a linear decay to 2 % at the end of the last stage."""
        rate = self.args.rate * min(1.0, (self.step + 1) / 100)
        decay = int(self.args.decay_million * 1e6)
        if (
            last
            and self.cooling is None
            and (self.spent >= stage.most - decay or (self.args.work / "cool").exists())
        ):
            self.cooling = self.spent
        if self.cooling is not None:
            rate *= max(0.02, 1 - (self.spent - self.cooling) / decay)
        return rate

    def train_stage(self, stage: Stage, last: bool) -> None:
        rows = max(1, self.args.batch // stage.tokens.shape[1])
        recent: list[float] = []
        started, logged = time.time(), time.time()
        epoch_seed, saved, counted = self.args.seed + self.stage, time.time(), 0
        at, order = len(stage.tokens), np.empty(0, dtype=np.int64)
        while self.spent < stage.most:
            if at + rows > len(stage.tokens):
                epoch_seed += 1000 + self.step
                order, at = np.random.default_rng(epoch_seed).permutation(len(stage.tokens)), 0
            index = np.sort(order[at : at + rows])
            at += rows
            tokens = torch.from_numpy(stage.tokens[index].astype(np.int64)).to(self.device)
            kind = torch.from_numpy(stage.kind[index]).to(self.device)
            rate = self.rate(stage, last)
            if (
                last
                and self.cooling is not None
                and self.spent - self.cooling >= self.args.decay_million * 1e6
            ):
                break
            for optimizer in self.optimizers:
                optimizer.param_groups[0]["lr"] = rate
            with torch.autocast(self.device, torch.bfloat16):
                loss, answer = batch_loss(self.model, self.body, tokens, kind)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            self.step += 1
            self.spent += tokens.numel()
            counted += tokens.numel()
            recent = [*recent[-39:], answer]
            if time.time() - logged > 20:
                row = {
                    "stage": stage.name,
                    "step": self.step,
                    "million": round(self.spent / 1e6, 3),
                    "loss": round(float(loss), 3),
                    "answer": round(float(np.nanmean(recent)), 3),
                    "rate": round(rate, 6),
                    "tokens_per_s": round(counted / (time.time() - started)),
                }
                with (self.args.work / "log.jsonl").open("a") as log:
                    log.write(json.dumps(row) + "\n")
                logged = time.time()
            if time.time() - saved > 240:
                self.save()
                saved = time.time()
            if not last and len(recent) == 40 and np.nanmean(recent) < stage.enough:
                break

    def finish(self) -> None:
        """Write the Hugging Face folder; Triptych loads it like any other."""
        self.save()
        model = self.model.to(torch.bfloat16)
        model.config.dtype = torch.bfloat16
        model.save_pretrained(self.args.out, max_shard_size="14MB")
        self.tokenizer.save_pretrained(self.args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "embedded")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4096, help="tokens of one step")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument(
        "--million", type=float, nargs=5, default=[6, 5, 18, 16, 2], help="most tokens of each stage"
    )
    parser.add_argument(
        "--enough",
        type=float,
        nargs=5,
        default=[0.35, 0.25, 0.12, 0.0, 0.0],
        help="answer loss that ends a stage",
    )
    parser.add_argument("--decay-million", type=float, default=4)
    parser.add_argument("--start", type=Path, help="a finished model to go on with")
    parser.add_argument("--first", type=int, default=1, choices=[1, 2, 3, 4, 5], help="stage to begin with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    run = Run(args)
    for number in range(run.stage, 5):
        data = np.load(args.work / f"stage{number + 1}.npz")
        stage = Stage(
            f"stage{number + 1}",
            data["tokens"],
            data["kind"],
            int(args.million[number] * 1e6),
            args.enough[number],
        )
        run.train_stage(stage, last=number == 4)
        if number < 4:
            run.stage, run.spent = number + 1, 0
            run.save()
    run.finish()


if __name__ == "__main__":
    main()
