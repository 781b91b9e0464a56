"""Trains a LoRA adapter on examples: an own plain loop, loss on the answers alone, atomic save.

Enters: a base model, `Example`s for training and held out, parameters. Leaves: a PEFT folder with card.json,
and a `TrainingReport`. It knows no retrieval and no registry; prompts are rendered as in service.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import random
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch.nn import functional

from backends.datatypes import UserError
from backends.hardware import cpu_has_fast_bf16, device
from backends.language.adapters import AdapterCard, AdapterKind, LearnedDocument, write_card
from backends.language.examples import FEWEST_ROWS, Example, with_noisy_question
from backends.language.generation import (
    TextStream,
    decode,
    encode,
    end_tokens,
    load_pretrained,
    locate_model,
    model_fingerprint,
    render,
)
from backends.language.prompts import without_markers

IGNORE = -100
# A later epoch is kept unless it gets this share more of the held-out tokens wrong. The loss would be a poor
# judge: learning by heart makes a model surer, and so its rare errors dearer, while it still gains.
SLACK = 0.02
BUCKET = 16  # batches whose rows are sorted by length together: little padding, still mixed


@dataclass(frozen=True)
class LoraParams:
    """Defaults suit the embedded model; larger models want a learning rate near 2e-4."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    learning_rate: float = 2e-3
    epochs: int = 12
    batch_tokens: int = 2048  # prompt and answer tokens of one step, padding included
    warm_up: float = 0.05  # share of the steps with a rising learning rate; then a linear decay
    seed: int = 0
    scored_rows: int = 48  # held-out rows that are answered before and after
    # Up to this share of a question's words is left out, anew in every epoch, so that a fact is also
    # recognised in other words.
    question_noise: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.question_noise < 1:
            raise UserError(f"The question noise must be at least 0 and below 1, not {self.question_noise}.")
        if min(self.rank, self.epochs, self.batch_tokens) < 1 or self.learning_rate <= 0:
            raise UserError(
                f"Training needs positive numbers: rank {self.rank}, epochs {self.epochs}, "
                f"batch tokens {self.batch_tokens}, learning rate {self.learning_rate}."
            )


@dataclass(frozen=True)
class TrainingProgress:
    """Where a training run stands; `held_out_loss` is that of the last finished epoch."""

    epoch: int  # from 1
    epochs: int
    step: int
    steps: int
    loss: float
    held_out_loss: float | None
    tokens_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class HeldOutScore:
    """Share of the held-out rows answered with exactly the right words, and with them contained."""

    exact: float
    contains: float
    rows: int


@dataclass(frozen=True)
class TrainingReport:
    """What a run did. Losses are mean cross-entropies per answer token, in nats, on the held-out rows."""

    rows: int
    held_out_rows: int
    loss_before: float | None
    loss_after: float | None
    score_before: HeldOutScore | None
    score_after: HeldOutScore | None
    train_loss: float
    epochs_done: int
    kept_epoch: int
    cancelled: bool
    tokens: int
    seconds: float
    trainable_share: float  # of the model's parameters
    curve: tuple[tuple[int, float, float | None], ...]  # (epoch, train loss, held-out loss)
    warnings: tuple[str, ...] = ()

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class _Row:
    tokens: list[int]
    answer: int  # how many of the last tokens are the answer, its end token included
    text: str


def train_adapter(
    model: str | Path,
    train: Sequence[Example],
    held_out: Sequence[Example],
    out_dir: Path,
    params: LoraParams,
    *,
    kind: AdapterKind = "fine_tuned",
    documents: Sequence[LearnedDocument] = (),
    warnings: Sequence[str] = (),
    progress: Callable[[TrainingProgress], None] | None = None,
    cancel: threading.Event | None = None,
) -> TrainingReport:
    """Train on `train`, measure on `held_out`, and save the adapter in `out_dir`, whole or not at all.

    Set `cancel` to stop: the best finished epoch is saved. Before the first one has ended there is nothing to
    keep, and UserError is raised, as it is for too few rows and for a row longer than the model's context.
    """
    run = _Run(model, train, held_out, params)
    report = run.train(progress, cancel, tuple(warnings))
    card = AdapterCard(
        name=out_dir.name,
        kind=kind,
        base_model=run.name,
        base_fingerprint=run.fingerprint,
        documents=tuple(documents),
        rows=len(train) + len(held_out),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        parameters=asdict(params),
        report=asdict(report),
    )
    save_adapter(run.network, out_dir, card)
    return report


class _Run:
    """One training run: the network with its LoRA layers, the rows as tokens, and the best state so far."""

    def __init__(
        self, model: str | Path, train: Sequence[Example], held_out: Sequence[Example], params: LoraParams
    ) -> None:
        if len(train) < FEWEST_ROWS:
            raise UserError(f"{len(train)} training rows are too few: at least {FEWEST_ROWS} are needed.")
        torch.manual_seed(params.seed)
        self.params = params
        self.device = device()
        source = locate_model(model)
        base, self.tokenizer = load_pretrained(source, torch.float32)
        self.name = "triptych-embedded" if str(model) == "embedded" else Path(str(model)).name
        self.fingerprint = model_fingerprint(source, base)
        self.ends = end_tokens(base, self.tokenizer)
        self._end = self._end_token()
        self.context = int(base.config.get_text_config().max_position_embeddings)
        self.examples = list(train)
        self.train_rows = [self._row(example) for example in train]
        self.held_rows = [self._row(example) for example in held_out]
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=params.rank,
            lora_alpha=params.alpha,
            lora_dropout=params.dropout,
            target_modules="all-linear",
        )
        self.network: PeftModel = get_peft_model(base.to(self.device), config)
        # What is saved must not hold a path of this machine.
        self.network.peft_config["default"].base_model_name_or_path = self.name
        self.weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.tokens = 0

    def _row(self, example: Example) -> _Row:
        row = self._tokens_of(example)
        if len(row.tokens) > self.context:
            raise UserError(
                f"Row {example.row} has {len(row.tokens):,} tokens with its prompt, but "
                f"{self.name} reads {self.context:,}: shorten it."
            )
        return row

    def _tokens_of(self, example: Example) -> _Row:
        prompt = encode(self.tokenizer, render(self.tokenizer, example.messages))
        answer = [*encode(self.tokenizer, example.answer), self._end]
        return _Row([*prompt, *answer], len(answer), example.answer)

    def _rows_of(self, epoch: int) -> list[_Row]:
        """The training rows of this epoch, with the noise of this epoch in their questions."""
        if not self.params.question_noise:
            return self.train_rows
        rng = random.Random(f"{self.params.seed} noise {epoch}")
        noisy = [
            self._tokens_of(with_noisy_question(example, self.params.question_noise, rng))
            for example in self.examples
        ]
        # Words in another order can take a token more than the same words before.
        return [
            row if len(row.tokens) <= self.context else clean
            for row, clean in zip(noisy, self.train_rows, strict=True)
        ]

    def _end_token(self) -> int:
        """What closes an answer in the chat template: the token that follows it there, else the usual end."""
        if self.tokenizer.chat_template is not None:
            turn = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
            shown = self.tokenizer.apply_chat_template(turn, tokenize=False)
            for token in encode(self.tokenizer, shown[shown.rindex("b") + 1 :]):
                if token in self.ends:
                    return token
        if self.tokenizer.eos_token_id is None:
            raise UserError(f"{self.name} has no token that ends an answer, so it cannot be trained.")
        return int(self.tokenizer.eos_token_id)

    # --- the loop ----------------------------------------------------------------------------------

    def train(
        self,
        progress: Callable[[TrainingProgress], None] | None,
        cancel: threading.Event | None,
        warnings: tuple[str, ...],
    ) -> TrainingReport:
        loss_before, _ = self.held_out_loss()
        score_before = self.held_out_score()
        batches = sum(1 for _ in self._batches(self.train_rows, 0))
        steps = batches * self.params.epochs
        optimizer = torch.optim.AdamW(self.weights, lr=self.params.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: self._rate(at, steps))
        best, best_accuracy, kept, curve = None, -math.inf, 0, []
        held, step, began = loss_before, 0, time.perf_counter()
        cancelled = False
        for epoch in range(1, self.params.epochs + 1):
            summed = counted = 0.0
            for batch in self._batches(self._rows_of(epoch), epoch):
                if cancel is not None and cancel.is_set():
                    cancelled = True
                    break
                loss, answers = self._step(batch, optimizer)
                schedule.step()
                summed, counted, step = summed + loss * answers, counted + answers, step + 1
                if progress is not None:
                    spent = time.perf_counter() - began
                    left = spent / step * max(0, steps - step)
                    speed = self.tokens / spent
                    shown = TrainingProgress(
                        epoch, self.params.epochs, step, steps, summed / counted, held, speed, left
                    )
                    progress(shown)
            if cancelled:
                break
            held, accuracy = self.held_out_loss()
            curve.append((epoch, summed / counted, held))
            if accuracy >= best_accuracy - SLACK:
                best, best_accuracy, kept = self._state(), max(accuracy, best_accuracy), epoch
        seconds = time.perf_counter() - began
        if best is None:
            raise UserError(
                "Training was stopped before its first epoch had ended, so there is nothing to keep."
            )
        set_peft_model_state_dict(self.network, best)
        kept_train, kept_held = next((t, h) for e, t, h in curve if e == kept)
        return TrainingReport(
            rows=len(self.train_rows),
            held_out_rows=len(self.held_rows),
            loss_before=loss_before,
            loss_after=kept_held,
            score_before=score_before,
            score_after=self.held_out_score(),
            train_loss=kept_train,
            epochs_done=len(curve),
            kept_epoch=kept,
            cancelled=cancelled,
            tokens=self.tokens,
            seconds=round(seconds, 3),
            trainable_share=sum(w.numel() for w in self.weights)
            / sum(w.numel() for w in self.network.parameters()),
            curve=tuple(curve),
            warnings=warnings,
        )

    def _rate(self, step: int, steps: int) -> float:
        """Linear warm-up, then linear decay to a fiftieth."""
        warm = max(1, round(self.params.warm_up * steps))
        if step < warm:
            return (step + 1) / warm
        return max(0.02, (steps - step) / max(1, steps - warm))

    def _step(self, batch: Sequence[_Row], optimizer: torch.optim.Optimizer) -> tuple[float, int]:
        """(mean loss per answer token, answer tokens) of one update."""
        self.network.train()
        with self._fast():
            summed, answers, _ = self._loss(batch)
            loss = summed / answers
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.tokens += sum(len(row.tokens) for row in batch)
        return float(loss.detach()), answers

    def _loss(self, batch: Sequence[_Row]) -> tuple[torch.Tensor, int, int]:
        """Summed cross-entropy of the answer tokens, how many there are, and how many it puts first.

        Rows are padded on the left, so that all answers end together and the output layer, a fifth of the
        work in a small model, is spent on them alone.
        """
        longest = max(len(row.tokens) for row in batch)
        keep = max(row.answer for row in batch) + 1
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        labels = torch.full((len(batch), longest), IGNORE)
        for index, row in enumerate(batch):
            ids[index, longest - len(row.tokens) :] = torch.tensor(row.tokens)
            mask[index, longest - len(row.tokens) :] = 1
            labels[index, longest - row.answer :] = torch.tensor(row.tokens[-row.answer :])
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        logits = self.network(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            position_ids=positions.to(self.device),
            use_cache=False,
            logits_to_keep=keep,
        ).logits
        targets = labels[:, -keep + 1 :].to(self.device)
        flat = logits[:, -keep:-1].float().reshape(-1, logits.shape[-1])
        summed = functional.cross_entropy(flat, targets.reshape(-1), ignore_index=IGNORE, reduction="sum")
        right = (flat.argmax(-1) == targets.reshape(-1)).sum()
        return summed, int((targets != IGNORE).sum()), int(right)

    def _batches(self, rows: Sequence[_Row], epoch: int) -> Iterator[list[_Row]]:
        """Rows of similar length together, in an order that differs by epoch; at most `batch_tokens` each."""
        rng = random.Random(f"{self.params.seed} {epoch}")
        order = list(rows)
        rng.shuffle(order)
        per_bucket = BUCKET * max(1, self.params.batch_tokens // max(len(row.tokens) for row in rows))
        batches: list[list[_Row]] = []
        for start in range(0, len(order), per_bucket):
            batch: list[_Row] = []
            for row in sorted(order[start : start + per_bucket], key=lambda row: len(row.tokens)):
                if batch and (len(batch) + 1) * len(row.tokens) > self.params.batch_tokens:
                    batches.append(batch)
                    batch = []
                batch.append(row)
            batches.append(batch)
        rng.shuffle(batches)
        yield from batches

    def _fast(self) -> Any:
        """bfloat16 arithmetic where the machine is fast at it."""
        if self.device.type == "cuda" or cpu_has_fast_bf16():
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def _state(self) -> dict[str, torch.Tensor]:
        state = get_peft_model_state_dict(self.network, save_embedding_layers=False)
        return {name: weight.detach().cpu().clone() for name, weight in state.items()}

    # --- measuring ---------------------------------------------------------------------------------

    def held_out_loss(self) -> tuple[float | None, float]:
        """Mean loss per answer token on the held-out rows, and the share of tokens the model puts first.

        (None, 0) when there are none.
        """
        if not self.held_rows:
            return None, 0.0
        self.network.eval()
        summed, answers, right = 0.0, 0, 0
        with torch.inference_mode(), self._fast():
            for batch in self._batches(self.held_rows, 0):
                loss, count, first = self._loss(batch)
                summed, answers, right = summed + float(loss), answers + count, right + first
        return summed / answers, right / answers

    def held_out_score(self) -> HeldOutScore | None:
        """Answers the first `scored_rows` held-out rows, greedily, and compares the words."""
        rows = self.held_rows[: self.params.scored_rows]
        if not rows:
            return None
        # Merged, as in service: decoding through unmerged adapters would cost half as much again.
        network = copy.deepcopy(self.network).merge_and_unload().eval()
        exact = contains = 0
        for row in rows:
            said, wanted = _words(self._say(network, row)), _words(row.text)
            exact += said == wanted
            contains += f" {wanted} " in f" {said} "
        return HeldOutScore(exact / len(rows), contains / len(rows), len(rows))

    def _say(self, network: Any, row: _Row) -> str:
        prompt, stream, pieces = row.tokens[: -row.answer], TextStream(self.tokenizer), []
        with self._fast():
            for token in decode(network, prompt, self.ends, row.answer + 8, 0.0, 0):
                if token in self.ends:
                    break
                pieces.append(stream.push(token))
        return "".join([*pieces, stream.end()])


def _words(text: str) -> str:
    """Letters and digits alone, lower case: what two answers must share to count as equal."""
    plain = "".join(character if character.isalnum() else " " for character in without_markers(text).lower())
    return " ".join(plain.split())


# --- saving --------------------------------------------------------------------------------------


def save_adapter(network: PeftModel, out_dir: Path, card: AdapterCard) -> None:
    """Write a PEFT folder beside `out_dir`, flush it to the disk, and then move it into place.

    Whoever reads meanwhile, or after a crash, finds the old adapter or the new one.
    """
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    partial = out_dir.with_name(f".{out_dir.name}.{uuid.uuid4().hex}.partial")
    try:
        # LoRA leaves the embeddings alone; "auto" would look for the base model on the hub to make sure.
        network.save_pretrained(str(partial), safe_serialization=True, save_embedding_layers=False)
        (partial / "README.md").unlink(missing_ok=True)  # PEFT's empty model card; ours is card.json
        write_card(partial, replace(card, name=out_dir.name))
        for path in partial.iterdir():
            _flush(path)
        _flush(partial)
        replaced = out_dir.with_name(f".{out_dir.name}.{uuid.uuid4().hex}.old")
        if out_dir.exists():
            out_dir.rename(replaced)
        partial.rename(out_dir)
        _flush(out_dir.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"The adapter {out_dir.name} could not be saved: {error.strerror or error}."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
