"""TRL's SFTTrainer on rows of token ids; started by `benchmarks.training`, one round per line of stdin.

Enters: a job file (model folder, rows as token ids, how many answer tokens end each, settings) and whether
to keep TRL's defaults or to give it the settings a CPU wants. Leaves: one JSON line per round. It imports
nothing of Triptych: the peer lives in an environment of its own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

# What a small model on a CPU does better without: activations fit in memory, and padding costs time.
TUNED = {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"}


class Stopwatch(TrainerCallback):
    """From the end of the first step to the end of the last: building and warming up are not timed."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float, int]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.marks.append((time.perf_counter(), time.process_time(), state.num_input_tokens_seen))


def train(job: dict[str, Any], tuned: bool, steps: int, folder: str) -> dict[str, float]:
    rows = job["rows"]
    dataset = Dataset.from_list(
        [
            {"input_ids": ids, "completion_mask": [0] * (len(ids) - answer) + [1] * answer}
            for ids, answer in rows
        ]
    )
    config = SFTConfig(
        output_dir=folder,
        per_device_train_batch_size=job["batch"],
        max_steps=steps + 1,
        max_length=None,
        learning_rate=job["learning_rate"],
        completion_only_loss=True,
        include_num_input_tokens_seen="non_padding",
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        logging_strategy="no",
        disable_tqdm=True,
        seed=0,
        **(TUNED if tuned else {}),
    )
    watch = Stopwatch()
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(job["model"], dtype="float32"),
        args=config,
        train_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        peft_config=LoraConfig(
            task_type="CAUSAL_LM",
            r=job["rank"],
            lora_alpha=job["alpha"],
            lora_dropout=0.0,
            target_modules="all-linear",
        ),
        callbacks=[watch],
    )
    done = trainer.train()
    (wall, cpu, tokens), (wall_end, cpu_end, tokens_end) = watch.marks[0], watch.marks[-1]
    return {
        "tokens": tokens_end - tokens,
        "seconds": wall_end - wall,
        "cpu_seconds": cpu_end - cpu,
        "loss": done.training_loss,
    }


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    out, sys.stdout = sys.stdout, sys.stderr  # the trainer prints its own lines
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            print(json.dumps(train(job, sys.argv[2] == "tuned", int(line), folder)), file=out, flush=True)


if __name__ == "__main__":
    main()
