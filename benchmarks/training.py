"""`python -m benchmarks.training`: how fast LoRA training is, beside TRL's SFTTrainer on the same rows.

Enters: a random Llama-shaped model of 17 million parameters, made here, and rows: 16 x 256 tokens a step, or
rows of 64 to 256 tokens. Leaves: JSON rows, tokens per second of each side and the ratio over the rounds. All
sides use one thread and the same token ids, LoRA layers and optimiser settings; they take turns in processes
that stay. Tokens per second of the processor hardly depend on what else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from backends.language.base_model import untuned
from backends.training.lora import LoraParams, _Row, _Run
from backends.training.rows import Example

ROOT = Path(__file__).resolve().parents[1]
SIDE = Path(__file__).resolve().parent / "peers" / "side_trl.py"
TOKENS, BATCH = 256, 16
SHORTEST = 64  # of the rows of different lengths
FRAME = 12  # tokens of the chat template
ANSWER_WORDS = 20
KINDS = {"full": TOKENS, "mixed": SHORTEST}  # shortest row of each
PARAMS = LoraParams(batch_tokens=TOKENS * BATCH)


@dataclass(frozen=True)
class Round:
    """What one side did in one turn; the first step of it warmed up and does not count."""

    tokens: int  # of rows, padding not counted
    seconds: float
    cpu_seconds: float
    loss: float


class Side(Protocol):
    def __call__(self, steps: int) -> Round: ...


# --- what is trained -----------------------------------------------------------------------------


@cache
def tokenizer_of_the_base() -> Any:
    """The embedded model's tokenizer."""
    return AutoTokenizer.from_pretrained(untuned())


def make_model(folder: Path) -> None:
    """A random model with the embedded one's tokenizer: 9 layers of width 384."""
    tokenizer = tokenizer_of_the_base()
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=9,
        num_attention_heads=6,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_examples(count: int, shortest: int) -> list[Example]:
    """A piece of the sample's text to read and its first words to answer: `shortest` to 256 tokens in all."""
    tokenizer = tokenizer_of_the_base()
    files = sorted((ROOT / "sample_corpus" / "documents").glob("*.md"))
    words = " ".join(file.read_text(encoding="utf-8") for file in files).split()
    rng, made = random.Random(0), []

    def length(start: int, end: int) -> int:
        return len(tokenizer(" ".join(words[start:end]), add_special_tokens=False)["input_ids"])

    for number in range(1, count + 1):
        at = rng.randrange(len(words) - TOKENS)
        room = rng.randint(shortest, TOKENS) - FRAME - length(at, at + ANSWER_WORDS)
        fits = bisect_right(range(TOKENS), room, key=lambda taken, at=at: length(at, at + taken)) - 1
        prompt = {"role": "user", "content": " ".join(words[at : at + fits])}
        made.append(Example(number, (prompt,), " ".join(words[at : at + ANSWER_WORDS])))
    return made


# --- the sides -----------------------------------------------------------------------------------


class Ours:
    """The loop of `backends.training.lora`, step by step, at the full learning rate."""

    def __init__(self, model: Path, examples: list[Example], params: LoraParams = PARAMS) -> None:
        self.run = _Run(model, examples, [], params)
        self.epoch = 0

    def __call__(self, steps: int) -> Round:
        run, losses = self.run, []
        batches = iter(self._batches())
        rate = run.params.learning_rate
        run._step(next(batches), rate)
        before, wall, cpu = run.at.tokens, time.perf_counter(), time.process_time()
        for _ in range(steps):
            loss, _ = run._step(next(batches), rate)
            losses.append(loss)
        return Round(
            run.at.tokens - before,
            time.perf_counter() - wall,
            time.process_time() - cpu,
            statistics.mean(losses),
        )

    def _batches(self) -> Iterator[list[_Row]]:
        while True:
            self.epoch += 1
            yield from self.run._batches(self.run._rows_of(self.epoch), self.epoch)


@contextmanager
def trl(python: Path, job: Path, settings: str) -> Iterator[Side]:
    """TRL in a process that waits between its turns."""
    process = subprocess.Popen(
        [str(python), str(SIDE), str(job), settings],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    given, said = process.stdin, process.stdout

    def turn(steps: int) -> Round:
        given.write(f"{steps}\n")
        given.flush()
        line = said.readline()
        if not line:
            raise SystemExit(f"TRL failed; see why: echo {steps} | {' '.join(map(str, process.args))}")
        return Round(**json.loads(line))

    try:
        yield turn
    finally:
        given.close()
        process.wait(30)


# --- the comparison ------------------------------------------------------------------------------


def compare(args: argparse.Namespace, folder: Path, kind: str, shortest: int) -> Iterator[dict[str, Any]]:
    """Rows of figures for one kind of rows, after the last turn."""
    examples = make_examples(BATCH * (args.steps + 1) * 2, shortest)
    ours = Ours(folder / "model", examples)
    rows = [
        ([*row.encoded.prompt, *row.encoded.answer], len(row.encoded.answer)) for row in ours.run.train_rows
    ]
    job = folder / f"{kind}.json"
    job.write_text(
        json.dumps(
            {
                "model": str(folder / "model"), "rows": rows, "batch": BATCH, "rank": PARAMS.rank,
                "alpha": PARAMS.alpha, "learning_rate": PARAMS.learning_rate,
            }
        )
    )  # fmt: skip
    with ExitStack() as stack:
        sides: dict[str, Side] = {"triptych": ours}
        if args.peer_python:
            for settings in ("defaults", "tuned"):
                sides[f"trl, {settings}"] = stack.enter_context(trl(args.peer_python, job, settings))
        found: dict[str, list[Round]] = {name: [] for name in sides}
        for number in range(args.rounds):
            for name, side in sides.items():
                found[name].append(side(args.steps))
                print(kind, number + 1, name, found[name][-1], file=sys.stderr, flush=True)
    mean = statistics.mean(len(tokens) for tokens, _ in rows)
    for name, turns in found.items():
        ratios = [
            (mine.tokens / mine.cpu_seconds) / (theirs.tokens / theirs.cpu_seconds)
            for mine, theirs in zip(found["triptych"], turns, strict=True)
        ]
        yield {
            "rows": kind,
            "mean_tokens_of_a_row": round(mean),
            "side": name,
            "tokens_per_second": round(statistics.median(t.tokens / t.seconds for t in turns)),
            "tokens_per_cpu_second": round(statistics.median(t.tokens / t.cpu_seconds for t in turns)),
            "triptych_is_times_as_fast": [
                round(value, 2) for value in (statistics.median(ratios), min(ratios), max(ratios))
            ],
            "loss": round(statistics.mean(t.loss for t in turns[:1]), 3),
            "rounds": args.rounds,
            "steps": args.steps,
            "threads": torch.get_num_threads(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", type=Path, help="of an environment with benchmarks/peers/trl.txt")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="timed steps of a turn")
    parser.add_argument("--rows", choices=KINDS, nargs="*", default=list(KINDS))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    found = []
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder) / "model")
        for kind in args.rows:
            for row in compare(args, Path(folder), kind, KINDS[kind]):
                found.append(row)
                print(json.dumps(row), flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
