"""Writes training rows for a trainer elsewhere: TRL, Unsloth, LLaMA-Factory, Axolotl, or a hosted service.

Enters: examples of both sides of the split, and how to train. Leaves: a folder with the rows as chat JSONL, a
configuration in the trainer's own form, and the card that an adapter brought back is registered with. The
held-out rows are a file of their own and part of no training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from backends.datatypes import JsonObject, JsonValue, UserError
from backends.system.files import write_whole
from backends.training.adapters import AdapterCard, write_card
from backends.training.lora import LoraParams
from backends.training.rows import Example

Form = Literal["trl", "unsloth", "llama-factory", "axolotl", "hosted"]
FORMS: tuple[Form, ...] = get_args(Form)
TRAIN, HELD_OUT = "train.jsonl", "held_out.jsonl"
TRL_FILES = ("data/train.jsonl", "data/test.jsonl")  # a folder whose file names say which split they are
OUTPUT = "adapter"  # where the trainer is to leave the PEFT folder
BATCH, STEPS = 8, 2  # rows at once, and batches of one step
LONGEST = 2048  # tokens of a row
WARM_UP = 0.05


def write_rows(
    folder: Path,
    form: Form,
    train: Sequence[Example],
    held_out: Sequence[Example],
    params: LoraParams,
    base: str,
    card: AdapterCard,
) -> list[Path]:
    """The files of this form, new in `folder`; `base` is what the trainer is to call the base model.

    Raises UserError when the folder is there already, so that nothing of an earlier export is mixed in.
    """
    if folder.exists():
        raise UserError(f"{folder} is there already: rows are exported into a new folder.")
    rows = TRL_FILES if form == "trl" else (TRAIN, HELD_OUT)
    texts = (_lines(train, form), _lines(held_out, form))
    files = {**dict(zip(rows, texts, strict=True)), **CONFIGS[form](params, base)}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, text)
    write_card(folder, card)
    return [folder / name for name in files]


def _lines(examples: Sequence[Example], form: Form) -> str:
    return "".join(json.dumps(_row(example, form), ensure_ascii=False) + "\n" for example in examples)


def _row(example: Example, form: Form) -> dict[str, JsonValue]:
    """One exchange. TRL learns the completion alone where prompt and completion are apart."""
    prompt = list(example.messages)
    answer = {"role": "assistant", "content": example.answer}
    return {"prompt": prompt, "completion": [answer]} if form == "trl" else {"messages": [*prompt, answer]}


def _yaml(fields: JsonObject) -> str:
    import yaml

    return str(yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=True))


def _trl(params: LoraParams, base: str) -> dict[str, str]:
    """For `trl sft --config config.yaml`, run in the folder."""
    fields = {
        "model_name_or_path": base,
        "dataset_name": "data",
        "dataset_train_split": "train",
        "dataset_test_split": "test",
        "completion_only_loss": True,
        "max_length": LONGEST,
        **_lora(params),
        "use_peft": True,
        "lora_target_modules": params.target_modules,
        "eval_strategy": "epoch",
        **_steps(params),
    }
    return {"config.yaml": _yaml(fields)}


def _llama_factory(params: LoraParams, base: str) -> dict[str, str]:
    """For `llamafactory-cli train config.yaml`, run in the folder."""
    columns = {
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {
            "role_tag": "role", "content_tag": "content", "user_tag": "user",
            "assistant_tag": "assistant", "system_tag": "system",
        },
    }  # fmt: skip
    data = {
        "triptych_train": {"file_name": TRAIN, **columns},
        "triptych_held_out": {"file_name": HELD_OUT, **columns},
    }
    fields = {
        "model_name_or_path": base,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": params.rank,
        "lora_alpha": params.alpha,
        "lora_dropout": params.dropout,
        "lora_target": "all",
        "dataset_dir": ".",
        "dataset": "triptych_train",
        "eval_dataset": "triptych_held_out",
        "template": "default",  # the template of your base model, where it has one of its own
        "cutoff_len": LONGEST,
        "eval_strategy": "epoch",
        **_steps(params),
    }
    return {"config.yaml": _yaml(fields), "dataset_info.json": json.dumps(data, indent=1) + "\n"}


def _axolotl(params: LoraParams, base: str) -> dict[str, str]:
    """For `axolotl train config.yaml`, run in the folder."""

    def dataset(file: str) -> dict[str, JsonValue]:
        return {
            "path": file,
            "ds_type": "json",
            "split": "train",  # the only split that a file of JSON lines has
            "type": "chat_template",
            "field_messages": "messages",
            "roles_to_train": ["assistant"],
            "train_on_eos": "turn",
        }

    fields = {
        "base_model": base,
        "adapter": "lora",
        **_lora(params),
        "lora_target_linear": True,
        "chat_template": "tokenizer_default",
        "datasets": [dataset(TRAIN)],
        "test_datasets": [dataset(HELD_OUT)],
        "val_set_size": 0,
        "sequence_len": LONGEST,
        "micro_batch_size": BATCH,
        "gradient_accumulation_steps": STEPS,
        "num_epochs": params.epochs,
        "learning_rate": params.learning_rate,
        "lr_scheduler": "linear",
        "warmup_ratio": WARM_UP,
        "optimizer": "adamw_torch",
        "bf16": "auto",
        "seed": params.seed,
        "output_dir": OUTPUT,
    }
    return {"config.yaml": _yaml(fields)}


def _unsloth(params: LoraParams, base: str) -> dict[str, str]:
    """A script: Unsloth is a library, and has to be imported before the others."""
    return {
        "train.py": f'''"""Trains a LoRA adapter on these rows with Unsloth: python train.py"""

from unsloth import FastLanguageModel
from unsloth.chat_templates import train_on_responses_only  # noqa: F401 - see below

from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

model, tokenizer = FastLanguageModel.from_pretrained({base!r}, max_seq_length={LONGEST})
model = FastLanguageModel.get_peft_model(
    model, r={params.rank}, lora_alpha={params.alpha}, lora_dropout={params.dropout},
    random_state={params.seed},
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
)


def as_text(batch):
    texts = [tokenizer.apply_chat_template(each, tokenize=False) for each in batch["messages"]]
    return {{"text": texts}}


rows = load_dataset("json", data_files={{"train": {TRAIN!r}, "test": {HELD_OUT!r}}})
rows = rows.map(as_text, batched=True)
trainer = SFTTrainer(
    model=model, processing_class=tokenizer, train_dataset=rows["train"], eval_dataset=rows["test"],
    args=SFTConfig(
        output_dir={OUTPUT!r}, dataset_text_field="text", max_length={LONGEST}, eval_strategy="epoch",
        per_device_train_batch_size={BATCH}, gradient_accumulation_steps={STEPS},
        learning_rate={params.learning_rate}, num_train_epochs={params.epochs}, warmup_ratio={WARM_UP},
        lr_scheduler_type="linear", seed={params.seed}, report_to="none",
    ),
)
# To learn the answers alone, give the markers of your base model's template, for example:
# trainer = train_on_responses_only(
#     trainer, instruction_part="<|im_start|>user\\n", response_part="<|im_start|>assistant\\n"
# )
trainer.train()
model.save_pretrained({OUTPUT!r})
'''
    }


def _hosted(params: LoraParams, base: str) -> dict[str, str]:
    """The job of OpenAI's and compatible services: the two files are uploaded, their ids filled in."""
    job = {
        "model": base,
        "training_file": f"<id of the uploaded {TRAIN}>",
        "validation_file": f"<id of the uploaded {HELD_OUT}>",
        "seed": params.seed,
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": params.epochs}}},
    }
    return {"job.json": json.dumps(job, indent=1) + "\n"}


def _lora(params: LoraParams) -> dict[str, JsonValue]:
    return {"lora_r": params.rank, "lora_alpha": params.alpha, "lora_dropout": params.dropout}


def _steps(params: LoraParams) -> dict[str, JsonValue]:
    """What transformers' trainer calls the run of a training."""
    return {
        "per_device_train_batch_size": BATCH,
        "gradient_accumulation_steps": STEPS,
        "learning_rate": params.learning_rate,
        "num_train_epochs": params.epochs,
        "lr_scheduler_type": "linear",
        "warmup_ratio": WARM_UP,
        "seed": params.seed,
        "output_dir": OUTPUT,
        "report_to": "none",
    }


CONFIGS: Mapping[Form, Callable[[LoraParams, str], dict[str, str]]] = {
    "trl": _trl,
    "unsloth": _unsloth,
    "llama-factory": _llama_factory,
    "axolotl": _axolotl,
    "hosted": _hosted,
}
