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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from reading_rows import Lesson, Lessons
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from backends.language.base_model import untuned
from backends.training.checkpoints import read_checkpoint, write_checkpoint
from backends.training.lora import answer_loss
from backends.training.master_weights import MasterWeights
from backends.training.packing import Encoded, Packed, pack, tensors

CHECKPOINT_SECONDS = 240


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="a finished reading adapter to go on from")
    parser.add_argument("--rank", type=int, default=24)
    parser.add_argument("--rate", type=float, default=7e-4)
    parser.add_argument("--steps", type=int, default=480)
    parser.add_argument("--decay", type=int, default=200, help="steps of the final decay")
    parser.add_argument("--warm-up", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=448)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.work.mkdir(parents=True, exist_ok=True)
    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base_folder = untuned()
    tokenizer = AutoTokenizer.from_pretrained(base_folder)
    base = AutoModelForCausalLM.from_pretrained(
        base_folder, dtype=torch.bfloat16, attn_implementation="eager"
    )
    config = LoraConfig(
        task_type="CAUSAL_LM", r=args.rank, lora_alpha=2 * args.rank, target_modules="all-linear"
    )
    network = get_peft_model(base.to(place), config)
    network.peft_config["default"].base_model_name_or_path = "SmolLM2-135M-Instruct"
    for weight in network.parameters():
        if weight.requires_grad:
            weight.data = weight.data.bfloat16()
    if args.start:
        set_peft_model_state_dict(network, load_file(args.start / "adapter_model.safetensors"))
    masters = MasterWeights([w for w in network.parameters() if w.requires_grad], args.rate)
    with lzma.open(args.data / "qa" / "train.jsonl.xz", "rt", encoding="utf8") as file:
        questions = [json.loads(line) for line in file]
    learned = Lessons([r for r in questions if not kept_aside(r)], random.Random(args.seed))
    aside = Lessons([r for r in questions if kept_aside(r)], random.Random(1), held_out=True)
    held = [b for b, _ in zip(batches(aside, tokenizer, args.batch, args.length), range(6), strict=False)]

    checkpoint = args.work / "checkpoint.safetensors"
    step, cooled = 0, args.steps - args.decay
    if checkpoint.exists():
        state, at = read_checkpoint(checkpoint)
        masters.restore(state)
        step, cooled = at["step"], at["cooled"]
    stream = batches(learned, tokenizer, args.batch, args.length)
    for _ in range(step):
        next(stream)
    if args.compile:
        for layer in network.base_model.model.model.layers:
            layer.self_attn.layer_idx = 0  # no cache is used, and one number for all means one compilation
            layer.forward = torch.compile(layer.forward, dynamic=False)

    def run(rows: list[list[Packed]]) -> tuple[torch.Tensor, int, int]:
        return answer_loss(network, tensors(rows, args.length, torch.bfloat16).to(place))

    network.train()
    began = saved = time.perf_counter()
    plain = asked = counted = 0
    summed, tokens = 0.0, 0
    while step < cooled + args.decay:
        rows = next(stream)
        loss, answers, _ = run(rows)
        (loss / answers).backward()
        if (args.work / "cool").exists() and step < cooled:
            cooled = step
        rate = args.rate * min(1.0, (step + 1) / args.warm_up, (cooled + args.decay - step) / args.decay)
        masters.step(rate)
        step += 1
        summed, counted = summed + float(loss.detach()), counted + answers
        plain, asked = (
            plain + sum(p.plain_tokens for r in rows for p in r),
            asked + sum(p.examples for r in rows for p in r),
        )
        tokens += args.batch * args.length
        if step % 5 == 0:
            seconds = time.perf_counter() - began
            print(
                f"step {step}/{cooled + args.decay} loss {summed / counted:.3f} rate {rate:.1e} "
                f"questions {asked} plain tokens {plain:,} {tokens / seconds:.0f} tokens/s {seconds:.0f} s",
                flush=True,
            )
            summed, counted = 0.0, 0
        if step % 60 == 0:
            report_held(network, held, run, step)
        if time.perf_counter() - saved > CHECKPOINT_SECONDS:
            write_checkpoint(checkpoint, masters.state(), {"step": step, "cooled": cooled})
            saved = time.perf_counter()
    report_held(network, held, run, step)
    args.out.mkdir(parents=True, exist_ok=True)
    state = {
        name: w.detach().cpu().contiguous()
        for name, w in get_peft_model_state_dict(network, save_embedding_layers=False).items()
    }
    save_file(state, args.out / "adapter_model.safetensors")
    network.peft_config["default"].save_pretrained(str(args.out))
    print(
        json.dumps(
            {
                "steps": step,
                "questions": asked,
                "plain_tokens": plain,
                "seconds": round(time.perf_counter() - began),
            }
        )
    )


@torch.no_grad()
def report_held(network: Any, held: Sequence[list[list[Packed]]], run: Any, step: int) -> None:
    network.eval()
    total = [run(rows) for rows in held]
    answers = sum(n for _, n, _ in total)
    loss, right = sum(float(x) for x, _, _ in total) / answers, sum(r for _, _, r in total) / answers
    print(f"held out at {step}: loss {loss:.3f}, tokens put first {right:.3f}", flush=True)
    network.train()


if __name__ == "__main__":
    main()
