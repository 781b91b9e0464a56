"""Turns public text and invented companies into packed training rows for the embedded language model.

Enters: <data>/prose/*.jsonl.xz and <work>/qa_train.jsonl (made by score_sentences.py). Leaves in <work>:
tokenizer/ (byte-level BPE with chat template) and stage1..5.npz (`tokens` uint16 [rows, length], `kind`
uint8: 0 padding, 1 context, 2 answer). The stages are a curriculum: copy a sentence, find it by its words,
answer real questions, then answer from evidence as serving shows it: several sentences of a document on a
line, the best first, and more than one question about them. Prompts are built by backends.language.prompts,
the module that serves them later.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from companies import facts
from score_sentences import sentences_of
from tasks import LEADS, Example, Tasks
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from backends.language.prompts import (
    INSTRUCTION,
    build_messages,
)

SHORT_FIRST = " Give the short answer first, then the reason."
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SPECIAL = ["<|pad|>", "<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
PROSE_SHARE = {
    "digitalgov": 0.5,
    "sourcegraph_handbook": 1.0,
    "streamlit_docs": 0.6,
    "keps": 0.15,
    "peps": 0.1,
    "factbook": 0.25,
    "medquad": 0.15,
    "powershell": 0.1,
    "novels": 0.05,
}


def train_tokenizer(texts: Iterator[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE; digits are single tokens so that any number can be copied exactly."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        min_frequency=3,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        bos_token="<|begin|>",
        eos_token="<|end|>",
        additional_special_tokens=SPECIAL[3:],
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def load_prose(folder: Path, rng: random.Random) -> list[tuple[str, list[str]]]:
    """(title, sentences) of a weighted sample of the prose documents; sentences of 6 to 40 words only."""
    documents = []
    for path in sorted(folder.glob("*.jsonl.xz")):
        share = PROSE_SHARE[path.name.split(".")[0]]
        with lzma.open(path, "rt", encoding="utf8") as file:
            for line in file:
                if rng.random() > share:
                    continue
                row = json.loads(line)
                body = [
                    s
                    for s in sentences_of(row["text"][:12000])
                    if 6 <= len(s.split()) <= 40 and s[0] not in "#-|`*"
                ]
                if len(body) >= 4:
                    documents.append((" ".join(row["title"].split()[:7]), body))
    rng.shuffle(documents)
    return documents


STAGES: dict[str, dict] = {
    "stage1": {"length": 256, "mix": {"copy": 0.85, "reading": 0.15}},
    "stage2": {"length": 256, "mix": {"copy": 0.2, "keywords": 0.42, "fact": 0.28, "reading": 0.1}},
    "stage3": {
        "length": 512,
        "mix": {
            "real": 0.38,
            "real_short": 0.08,
            "fact": 0.2,
            "fact_short": 0.08,
            "cell": 0.07,
            "cell_short": 0.03,
            "two_facts": 0.03,
            "keywords": 0.05,
            "unknown": 0.03,
            "reading": 0.05,
        },
    },
    "stage4": {
        "length": 512,
        "mix": {
            "paper": 0.38,
            "paper_short": 0.1,
            "paragraph": 0.2,
            "paragraph_short": 0.05,
            "fact": 0.04,
            "cell": 0.05,
            "cell_short": 0.02,
            "two_statements": 0.03,
            "labels": 0.03,
            "ask_back": 0.04,
            "standalone": 0.02,
            "unknown": 0.02,
            "reading": 0.02,
        },
    },
}
# The reranker knows better than this model which sentence answers: at the end it learns to trust the order.
STAGES["stage5"] = STAGES["stage4"]


def draw(tasks: Tasks, mix: dict[str, float]) -> Example:
    kind = tasks.rng.choices(list(mix), weights=list(mix.values()))[0]
    maker: Callable[..., Example] = getattr(tasks, kind.removesuffix("_short"))
    return maker(True) if kind.endswith("_short") else maker()


def encode(tokenizer: PreTrainedTokenizerFast, example: Example) -> tuple[list[int], list[int]]:
    """Token ids and their kind; the answer (kind 2) includes the end token."""
    if not example.question and not example.request:
        ids = tokenizer.encode(example.answer, add_special_tokens=False)[:254]
        return [1, *ids], [1] * (len(ids) + 1)
    messages = build_messages(example.question, example.evidence)
    if example.request:
        messages = [{"role": "user", "content": example.request}]
    if example.short_first:
        messages[0]["content"] = INSTRUCTION + SHORT_FIRST
    prompt = "".join(f"<|{m['role']}|>{m['content']}" for m in messages) + "<|assistant|>"
    ids: list[int] = []
    kinds: list[int] = []
    turns = [(prompt, example.answer)]
    turns += [(f"<|user|>{build_messages(q)[-1]['content']}<|assistant|>", a) for q, a in example.later]
    for asked, said in turns:
        before = tokenizer.encode(asked, add_special_tokens=False)
        answer = tokenizer.encode(said + "<|end|>", add_special_tokens=False)
        ids += before + answer
        kinds += [1] * len(before) + [2] * len(answer)
    return ids, kinds


def pack(
    tokenizer: PreTrainedTokenizerFast, tasks: Tasks, mix: dict[str, float], length: int, budget: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `length` tokens filled with whole examples (best fit) until `budget` tokens are made."""
    rows = budget // length
    tokens = np.zeros((rows, length), dtype=np.uint16)
    kinds = np.zeros((rows, length), dtype=np.uint8)
    pool: list[tuple[list[int], list[int]]] = []
    for row in range(rows):
        used = 0
        while True:
            while len(pool) < 64:
                encoded = encode(tokenizer, draw(tasks, mix))
                if len(encoded[0]) <= length:
                    pool.append(encoded)
            # The first example of a row is taken as drawn; the rest fill the gap as well as they can.
            fitting = [i for i, (ids, _) in enumerate(pool) if len(ids) <= length - used]
            if not fitting:
                break
            chosen = fitting[0] if used == 0 else max(fitting, key=lambda i: len(pool[i][0]))
            ids, kind = pool.pop(chosen)
            tokens[row, used : used + len(ids)] = ids
            kinds[row, used : used + len(ids)] = kind
            used += len(ids)
    return tokens, kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument(
        "--million", type=float, nargs=5, default=[5, 4, 16, 16, 2], help="tokens of each stage"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep-tokenizer", action="store_true")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    prose = load_prose(args.data / "prose", rng)
    with (args.work / "qa_train.jsonl").open(encoding="utf8") as file:
        questions = [json.loads(line) for line in file]
    questions = [q for q in questions if q["sentences"] and len(q["question"].split()) < 30]
    print(len(prose), "documents", len(questions), "questions", flush=True)
    if args.keep_tokenizer:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(args.work / "tokenizer")
    else:
        sample = (" ".join(body) for _, body in prose[:2500])
        invented = (f.sentence + " " + " ".join(f.questions) for _ in range(3000) for f in facts(rng, 3))
        asked = (q["question"] + " " + " ".join(q["sentences"][:6]) for q in questions[:4000])
        texts = (text for source in (sample, invented, asked) for text in source)
        tokenizer = train_tokenizer(texts, args.vocabulary)
        tokenizer.save_pretrained(args.work / "tokenizer")
    tasks = Tasks(prose, questions, rng)
    for (name, stage), million in zip(STAGES.items(), args.million, strict=True):
        if not million:
            continue
        tasks.leads = LEADS.get(name, tasks.leads)
        tokens, kinds = pack(tokenizer, tasks, stage["mix"], stage["length"], int(million * 1e6))
        np.savez(args.work / f"{name}.npz", tokens=tokens, kind=kinds)
        print(
            name,
            tokens.shape,
            f"answer share {(kinds == 2).mean():.3f} padding {(kinds == 0).mean():.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
