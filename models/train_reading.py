"""Teaches the base model to read: a LoRA adapter, general, merged into the base that all backends share.

Enters: the base model, qa/train of the data folder, the invented papers and tables. Leaves: a PEFT folder.
Several questions about the same evidence share its tokens in one row: each is a branch that sees the evidence
and itself alone (an attention mask and positions say so), which is exactly as if each had been a row of its
own, for a third of the work. Every batch has one shape, so that compiled and oneDNN code is made once.

Runs the same on CPU and GPU and goes on from WORK/checkpoint.safetensors. `touch WORK/cool` begins the decay.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from reading_rows import Lesson, Lessons
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from backends.language.base_model import untuned
from backends.training.checkpoints import read_checkpoint, write_checkpoint
from backends.training.compiled import CompiledLayers
from backends.training.lora import answer_loss
from backends.training.master_weights import MasterWeights
from backends.training.packing import Encoded, Packed, pack, tensors

CHECKPOINT_SECONDS = 240
Batches = Iterator[list[list[Packed]]]
Run = Callable[[list[list[Packed]]], tuple[torch.Tensor, int, int]]


def encode(lesson: Lesson, tokenizer: Any, length: int) -> Packed | None:
    """A lesson as one tree of at most `length` tokens; turns that do not fit are left out."""
    turns = []
    for turn in lesson.turns:
        prompt = tokenizer.apply_chat_template(
            list(turn.messages), tokenize=False, add_generation_prompt=True
        )
        asked = tokenizer.encode(prompt, add_special_tokens=False)
        answered = tokenizer.encode(turn.answer + "<|im_end|>", add_special_tokens=False)
        turns.append(Encoded(tuple(asked), tuple(answered)))
    while turns and len(packed := pack(turns)) > length:
        turns.pop()
    return packed if turns else None


def batches(lessons: Lessons, tokenizer: Any, size: int, length: int) -> Iterator[list[list[Packed]]]:
    """Rows of lessons as they are drawn, `size` at a time; a lesson goes where it first fits."""
    batch: list[list[Packed]] = [[] for _ in range(size)]
    for lesson in lessons.draw():
        packed = encode(lesson, tokenizer, length)
        if packed is None:
            continue
        open_row = next((row for row in batch if sum(map(len, row)) + len(packed) <= length), None)
        if open_row is None:
            yield batch
            batch = [[] for _ in range(size)]
            open_row = batch[0]
        open_row.append(packed)


def kept_aside(row: dict[str, Any]) -> bool:
    """A twelfth of the public titles (or, without one, contexts) serves the held-out loss alone."""
    name = row["title"] or row["context"]
    return hashlib.sha256(name.encode()).digest()[0] % 12 == 0


@dataclass
class Progress:
    """What has been learned since the start of this process, and where the schedule stands."""

    step: int
    cooled: int  # the step at which the decay begins
    loss: float = 0.0  # summed since the last line, over `answers` tokens
    answers: int = 0
    questions: int = 0
    plain_tokens: int = 0
    began: float = field(default_factory=time.perf_counter)

    def add(self, rows: Sequence[Sequence[Packed]], loss: float, answers: int) -> None:
        packed = [tree for row in rows for tree in row]
        self.step += 1
        self.loss, self.answers = self.loss + loss, self.answers + answers
        self.questions += sum(tree.examples for tree in packed)
        self.plain_tokens += sum(tree.plain_tokens for tree in packed)

    def line(self, last: int, rate: float) -> str:
        """One line for the log; the loss is that since the line before."""
        seconds = time.perf_counter() - self.began
        mean, self.loss, self.answers = self.loss / self.answers, 0.0, 0
        return (
            f"step {self.step}/{last} loss {mean:.3f} rate {rate:.1e} questions {self.questions} "
            f"plain tokens {self.plain_tokens:,} ({self.plain_tokens / seconds:.0f} a second) {seconds:.0f} s"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="a finished reading adapter to go on from")
    parser.add_argument("--rank", type=int, default=24)
    parser.add_argument("--rate", type=float, default=7e-4)
    parser.add_argument("--steps", type=int, default=440)
    parser.add_argument("--decay", type=int, default=200, help="steps of the final decay")
    parser.add_argument("--warm-up", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=448)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="faster, with a C++ compiler")
    return parser.parse_args()


def prepared(args: argparse.Namespace, place: torch.device) -> Any:
    """The untuned model with LoRA layers in bfloat16, begun anew or with those of `--start`."""
    base = AutoModelForCausalLM.from_pretrained(untuned(), dtype=torch.bfloat16, attn_implementation="eager")
    layers = LoraConfig(
        task_type="CAUSAL_LM", r=args.rank, lora_alpha=2 * args.rank, target_modules="all-linear"
    )
    network = get_peft_model(base.to(place), layers)
    network.peft_config["default"].base_model_name_or_path = "SmolLM2-135M-Instruct"
    for weight in network.parameters():
        if weight.requires_grad:
            weight.data = weight.data.bfloat16()
    if args.start:
        set_peft_model_state_dict(network, load_file(args.start / "adapter_model.safetensors"))
    return network


def drawn(args: argparse.Namespace) -> tuple[Batches, list[list[list[Packed]]]]:
    """(batches to learn from, without end; six batches of what is kept aside)."""
    tokenizer = AutoTokenizer.from_pretrained(untuned())
    with lzma.open(args.data / "qa" / "train.jsonl.xz", "rt", encoding="utf8") as file:
        questions = [json.loads(line) for line in file]
    learned = Lessons([r for r in questions if not kept_aside(r)], random.Random(args.seed))
    aside = Lessons([r for r in questions if kept_aside(r)], random.Random(1), held_out=True)
    held = list(islice(batches(aside, tokenizer, args.batch, args.length), 6))
    return batches(learned, tokenizer, args.batch, args.length), held


def main() -> None:
    args = arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.work.mkdir(parents=True, exist_ok=True)
    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = prepared(args, place)
    stream, held = drawn(args)
    masters = MasterWeights([w for w in network.parameters() if w.requires_grad], args.rate)
    checkpoint = args.work / "checkpoint.safetensors"
    at = Progress(0, args.steps - args.decay)
    if checkpoint.exists():
        state, position = read_checkpoint(checkpoint)
        masters.restore(state)
        at = Progress(position["step"], position["cooled"])
    stream = islice(stream, at.step, None)  # the lessons before it were learned

    def run(rows: list[list[Packed]]) -> tuple[torch.Tensor, int, int]:
        return answer_loss(network, tensors(rows, args.length, torch.bfloat16).to(place))

    compiled = CompiledLayers(network.base_model.model.model.layers) if args.compile else None
    with compiled.in_use() if compiled else nullcontext():
        learn(args, network, stream, held, masters, at, run)
    save(network, args.out)
    print(json.dumps({"steps": at.step, "questions": at.questions, "plain_tokens": at.plain_tokens}))


def learn(
    args: argparse.Namespace,
    network: Any,
    stream: Batches,
    held: Sequence[list[list[Packed]]],
    masters: MasterWeights,
    at: Progress,
    run: Run,
) -> None:
    """Step after step to the end of the decay; a checkpoint every CHECKPOINT_SECONDS."""
    if at.step == 0:
        report_held(network, held, run, 0)
    network.train()
    saved = time.perf_counter()
    while at.step < (last := at.cooled + args.decay):
        rows = next(stream)
        loss, answers, _ = run(rows)
        (loss / answers).backward()
        if (args.work / "cool").exists() and at.step < at.cooled:
            at.cooled, last = at.step, at.step + args.decay
        rate = args.rate * min(1.0, (at.step + 1) / args.warm_up, (last - at.step) / args.decay)
        masters.step(rate)
        at.add(rows, float(loss.detach()), answers)
        if at.step % 5 == 0:
            print(at.line(last, rate), flush=True)
        if at.step % 60 == 0 or at.step == last:
            report_held(network, held, run, at.step)
        if time.perf_counter() - saved > CHECKPOINT_SECONDS:
            position = {"step": at.step, "cooled": at.cooled}
            write_checkpoint(args.work / "checkpoint.safetensors", masters.state(), position)
            saved = time.perf_counter()


def save(network: Any, out: Path) -> None:
    """Write the adapter as a PEFT folder."""
    out.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(network, save_embedding_layers=False)
    weights = {name: weight.detach().cpu().contiguous() for name, weight in state.items()}
    save_file(weights, out / "adapter_model.safetensors")
    network.peft_config["default"].save_pretrained(str(out))


@torch.no_grad()
def report_held(network: Any, held: Sequence[list[list[Packed]]], run: Run, step: int) -> None:
    network.eval()
    total = [run(rows) for rows in held]
    answers = sum(n for _, n, _ in total)
    loss, right = sum(float(x) for x, _, _ in total) / answers, sum(r for _, _, r in total) / answers
    print(f"held out at {step}: loss {loss:.3f}, tokens put first {right:.3f}", flush=True)
    network.train()


if __name__ == "__main__":
    main()
