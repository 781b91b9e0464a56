"""Trains a LoRA adapter on examples: an own plain loop, loss on the answers alone, atomic save.

Enters: a base model, `Example`s for training and held out, parameters. Leaves: a PEFT folder with card.json,
and a `TrainingReport`. It knows no retrieval and no registry; prompts are rendered as in service. Frozen
weights and adapter are bfloat16 where the machine is fast at it, with float32 copies of what learns.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import random
import resource
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from torch.nn import functional

from backends.answering.answer_text import without_markers
from backends.datatypes import JsonObject, UserError
from backends.language.compared_words import holds, says_the_same
from backends.language.generation import TextStream, decode, encode, end_tokens, render
from backends.language.loading import (
    CausalModel,
    load_pretrained,
    locate_model,
    model_fingerprint,
    model_name,
)
from backends.language.network import Network, Read, reading
from backends.system.files import move_into_place
from backends.system.hardware import device, serving_dtype
from backends.training.adapters import AdapterCard, AdapterKind, LearnedDocument, write_card
from backends.training.checkpoints import read_checkpoint, write_checkpoint
from backends.training.compiled import CompiledLayers
from backends.training.gain import check_finite
from backends.training.master_weights import MasterWeights
from backends.training.packing import IGNORE, Batch, Encoded, filled, plain_tensors, tensors
from backends.training.rows import FEWEST_ROWS, Example, question_of, with_noisy_question

# A later epoch is kept unless it gets this share more of the held-out tokens wrong. The loss would be a poor
# judge: learning by heart makes a model surer, and so its rare errors dearer, while it still gains.
SLACK = 0.02
CHECKPOINT_SECONDS = 30.0
LONGEST_PACKED = 256  # tokens of a row where no example is longer: attention's work grows with the square
SPARE = 8  # tokens that an answer to a held-out row may be longer than the row's own
SAMPLES = 2  # held-out questions that are answered after every epoch, for who watches
SIZES = 64  # lengths of rows and numbers of answer tokens come in multiples of this: few kernels are made
SAME_LOSS = 0.05  # relative difference up to which a model is taken to heed masks and positions


@dataclass(frozen=True)
class LoraParams:
    """Defaults suit the embedded model; larger models want a learning rate near 2e-4."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    learning_rate: float = 2e-3
    epochs: int = 12
    batch_tokens: int = 1024  # tokens of one step, beginnings that rows share counted once, padding included
    warm_up: float = 0.05  # share of the steps with a rising learning rate; then a linear decay
    seed: int = 0
    scored_rows: int = 48  # held-out rows that are answered before and after
    # Up to this share of a question's words is left out, anew in every epoch, so that a fact is also
    # recognised in other words.
    question_noise: float = 0.0
    target_modules: str = "all-linear"  # or names of the layers that learn, with commas between them
    # The decoder layers below this one stay as they are: no gradient goes down to them, which saves a third
    # of the time where half of them learn. The uppermost layer always learns.
    first_layer: int = 0
    patience: int = 0  # stop after so many epochs without more held-out tokens right; 0 = never
    # QLoRA (Dettmers et al. 2023): frozen weights of 4 bits (NF4), for models that are large for the memory.
    four_bits: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.question_noise < 1:
            raise UserError(f"The question noise must be at least 0 and below 1, not {self.question_noise}.")
        if self.first_layer < 0:
            raise UserError(f"The first layer that learns is counted from 0, not {self.first_layer}.")
        if min(self.rank, self.epochs, self.batch_tokens) < 1 or self.patience < 0 or self.learning_rate <= 0:
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
    memory_bytes: int = 0  # the most this process has held so far; on a GPU, of the GPU's memory


@dataclass(frozen=True)
class SampleAnswer:
    """What the model says to a held-out question at this point of its training."""

    question: str
    wanted: str
    said: str


@dataclass(frozen=True)
class EpochDone:
    """An epoch has ended, or nothing is learned yet (epoch 0)."""

    epoch: int
    train_loss: float | None
    held_out_loss: float | None
    samples: tuple[SampleAnswer, ...]


@dataclass(frozen=True)
class Measuring:
    """The held-out rows are being answered, `when` "before" or "after" the training."""

    when: str
    done: int
    total: int


class TrainingPaused(UserError):
    """The run was asked to pause: its checkpoint holds everything needed to go on."""


@dataclass(frozen=True)
class HeldOutScore:
    """Share of the held-out rows answered with exactly the right words, and with them contained."""

    exact: float
    contains: float
    rows: int
    right: tuple[int, ...] = ()  # numbers of the rows whose answer holds the right words


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
    device: str = "cpu"
    memory_bytes: int = 0  # the most it held
    started_from: str = ""  # name of the adapter whose weights it began with
    # Of an embedder: the passage of a question is right among so many. 0: answers were judged.
    found_among: int = 0

    @property
    def tokens_per_second(self) -> float:
        """Trained tokens a second."""
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class _Row:
    number: int
    encoded: Encoded
    text: str

    def __len__(self) -> int:
        return len(self.encoded)


@dataclass
class _Position:
    """How far a run is: everything but the weights, so that a checkpoint can go on with the next batch."""

    epoch: int = 1
    batch: int = 0  # batches of this epoch that are done
    step: int = 0
    summed: float = 0.0  # loss of this epoch so far, over `counted` answer tokens
    counted: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    loss_before: float | None = None
    score_before: HeldOutScore | None = None
    held_out_loss: float | None = None
    best_accuracy: float = -math.inf
    best_epoch: int = 0  # the one with `best_accuracy`
    kept_epoch: int = 0
    curve: list[tuple[int, float, float | None]] = field(default_factory=list)

    @classmethod
    def from_state(cls, state: JsonObject) -> _Position:
        made = cls(**state)
        made.curve = [(int(e), float(t), h) for e, t, h in made.curve]
        if isinstance(made.score_before, dict):
            score = {**made.score_before, "right": tuple(made.score_before["right"])}
            made.score_before = HeldOutScore(**score)
        return made


def peak_memory() -> int:
    """Most bytes this process has held so far; where it trains on a GPU, of the GPU's memory."""
    if device().type == "cuda":
        return int(torch.cuda.max_memory_allocated())
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


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
    watch: Callable[[EpochDone | Measuring], None] | None = None,
    cancel: threading.Event | None = None,
    pause: threading.Event | None = None,
    checkpoint: Path | None = None,
    start: Path | None = None,
    compiled: bool = False,
) -> TrainingReport:
    """Train on `train`, measure on `held_out`, and save the adapter in `out_dir`, whole or not at all.

    The weights begin as those of the adapter `start`, of the same rank and layers, or else as LoRA begins.
    Set `cancel` to stop: the best finished epoch is saved. Before the first one has ended there is nothing to
    keep, and UserError is raised, as it is for too few rows and for a row longer than the model's context.
    With a `checkpoint` file the run goes on where that file says, and writes it after each epoch and every
    CHECKPOINT_SECONDS; set `pause` to write it now and leave with TrainingPaused. `compiled` layers are
    faster in long runs and need a C++ compiler.
    """
    run = _Run(model, train, held_out, params, start)
    if compiled:
        run.compile()
    signals = _Signals(progress, watch, cancel or threading.Event(), pause or threading.Event(), checkpoint)
    report = run.train(signals, tuple(warnings))
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
        data_fingerprint=run.data_fingerprint,
    )
    save_adapter(run.network, out_dir, card)
    return report


@dataclass(frozen=True)
class _Signals:
    """What goes out of a run while it works, and what comes in."""

    progress: Callable[[TrainingProgress], None] | None
    watch: Callable[[EpochDone | Measuring], None] | None
    cancel: threading.Event
    pause: threading.Event
    checkpoint: Path | None

    def tell(self, event: EpochDone | Measuring) -> None:
        if self.watch is not None:
            self.watch(event)


class _Run:
    """One training run: the network with its LoRA layers, the rows as tokens, and the best state so far."""

    def __init__(
        self,
        model: str | Path,
        train: Sequence[Example],
        held_out: Sequence[Example],
        params: LoraParams,
        start: Path | None = None,
    ) -> None:
        if len(train) < FEWEST_ROWS:
            raise UserError(f"{len(train)} training rows are too few: at least {FEWEST_ROWS} are needed.")
        torch.manual_seed(params.seed)
        self.params = params
        self.device = device()
        source = locate_model(model)
        base, self.tokenizer = load_pretrained(
            source, serving_dtype(), attention="eager", four_bits=params.four_bits
        )
        self.name = model_name(model)
        self.fingerprint = model_fingerprint(source, base)
        self.ends = end_tokens(base, self.tokenizer)
        self._end = self._end_token()
        self.context = int(base.config.get_text_config().max_position_embeddings)
        self.examples = list(train)
        self.train_rows = [self._row(example) for example in train]
        self.held_out = list(held_out)
        self.held_rows = [self._row(example) for example in held_out]
        longest = max(map(len, [*self.train_rows, *self.held_rows]))
        # A row takes what the step may hold, or at least the longest example.
        self.length = _up_to(max(longest, min(LONGEST_PACKED, params.batch_tokens)))
        self.rows_at_once = max(1, params.batch_tokens // self.length)
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=params.rank,
            lora_alpha=params.alpha,
            lora_dropout=params.dropout,
            target_modules=_target_modules(params.target_modules),
            exclude_modules=_layers_below(
                min(params.first_layer, int(base.config.get_text_config().num_hidden_layers) - 1)
            ),
        )
        try:
            placed = base if params.four_bits else CausalModel.to(base, self.device)
            self.network: PeftModel = get_peft_model(placed, config)
        except ValueError as error:
            raise UserError(
                f"{self.name} has no layers of the name {params.target_modules!r} to learn with."
            ) from error
        self.started_from = ""
        if start is not None:
            self._begin_with(start)
        # What is saved must not hold a path of this machine.
        self.network.peft_config["default"].base_model_name_or_path = self.name
        self.weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        for weight in self.weights:
            weight.data = weight.data.to(serving_dtype())
        self.masters = MasterWeights(self.weights, params.learning_rate)
        self.packs = self._heeds_masks()
        self._compiled: CompiledLayers | None = None
        self.at = _Position()
        self.best: dict[str, torch.Tensor] | None = None

    def compile(self) -> None:
        """Make the steps with compiled layers from now on."""
        model: Any = self.network.get_base_model()
        self._compiled = CompiledLayers(model.base_model.layers)

    def _begin_with(self, start: Path) -> None:
        """Take the weights of a finished adapter, to go on from what it has learned."""
        state = load_file(start / "adapter_model.safetensors")
        wanted = get_peft_model_state_dict(self.network)
        if {n: tuple(w.shape) for n, w in state.items()} != {n: tuple(w.shape) for n, w in wanted.items()}:
            raise UserError(
                f"The adapter {start.name} has other layers or another rank than rank {self.params.rank} of "
                f"{self.params.target_modules!r}: training cannot begin with it."
            )
        set_peft_model_state_dict(self.network, state)
        self.started_from = start.name

    def _row(self, example: Example) -> _Row:
        row = self._tokens_of(example)
        if len(row) > self.context:
            raise UserError(
                f"Row {example.row} has {len(row):,} tokens with its prompt, but "
                f"{self.name} reads {self.context:,}: shorten it."
            )
        return row

    def _tokens_of(self, example: Example) -> _Row:
        prompt = encode(self.tokenizer, render(self.tokenizer, example.messages))
        answer = [*encode(self.tokenizer, example.answer), self._end]
        return _Row(example.row, Encoded(tuple(prompt), tuple(answer)), example.answer)

    def _rows_of(self, epoch: int) -> list[_Row]:
        """The training rows of this epoch, with the noise of this epoch in their questions."""
        if not self.params.question_noise:
            return self.train_rows
        rng = random.Random(f"{self.params.seed} noise {epoch}")
        noisy = [
            self._tokens_of(with_noisy_question(example, self.params.question_noise, rng))
            for example in self.examples
        ]
        # Words in another order can take a token more than the same words before, and a row has its size.
        return [
            row if len(row) <= self.length else clean
            for row, clean in zip(noisy, self.train_rows, strict=True)
        ]

    def _end_token(self) -> int:
        """What closes an answer in the chat template: the token that follows it there, else the usual end."""
        if self.tokenizer.chat_template is not None:
            turn = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
            shown = str(self.tokenizer.apply_chat_template(turn, tokenize=False))
            for token in encode(self.tokenizer, shown[shown.rindex("b") + 1 :]):
                if token in self.ends:
                    return token
        if self.tokenizer.eos_token_id is None:
            raise UserError(f"{self.name} has no token that ends an answer, so it cannot be trained.")
        return int(self.tokenizer.eos_token_id)

    # --- the loop ----------------------------------------------------------------------------------

    def train(self, signals: _Signals, warnings: tuple[str, ...]) -> TrainingReport:
        resumed = signals.checkpoint is not None and signals.checkpoint.is_file()
        if resumed:
            self._restore(signals.checkpoint)
        else:
            self._measure_before(signals)
        cancelled = False
        while not cancelled and self.at.epoch <= self.params.epochs and not self._stagnates():
            cancelled = not self._epoch(signals)
        if self.best is None:
            raise UserError(
                "Training was stopped before its first epoch had ended, so there is nothing to keep."
            )
        set_peft_model_state_dict(self.network, self.best)
        learning, of_all = self.network.get_nb_trainable_parameters()
        kept_train, kept_held = next((t, h) for e, t, h in self.at.curve if e == self.at.kept_epoch)
        return TrainingReport(
            rows=len(self.train_rows),
            held_out_rows=len(self.held_rows),
            loss_before=self.at.loss_before,
            loss_after=kept_held,
            score_before=self.at.score_before,
            score_after=self.held_out_score("after", signals),
            train_loss=kept_train,
            epochs_done=len(self.at.curve),
            kept_epoch=self.at.kept_epoch,
            cancelled=cancelled,
            tokens=self.at.tokens,
            seconds=round(self.at.seconds, 3),
            trainable_share=learning / of_all,
            curve=tuple(self.at.curve),
            warnings=warnings,
            device=self.device.type,
            memory_bytes=peak_memory(),
            started_from=self.started_from,
        )

    def _measure_before(self, signals: _Signals) -> None:
        self.at.loss_before, _ = self.held_out_loss()
        self.at.held_out_loss = self.at.loss_before
        start = self._as_served()
        self.at.score_before = self.held_out_score("before", signals, start)
        signals.tell(EpochDone(0, None, self.at.loss_before, self.samples(start)))

    def _epoch(self, signals: _Signals) -> bool:
        """Work through what is left of the current epoch; False when it was cancelled on the way."""
        at, began = self.at, time.perf_counter()
        before, saved = at.seconds, began
        steps = self._steps
        for batch in self._batches(self._rows_of(at.epoch), at.epoch)[at.batch :]:
            if signals.cancel.is_set():
                return False
            if signals.pause.is_set():
                self._pause(signals)
            loss, answers = self._step(batch, self.params.learning_rate * self._rate(at.step, steps))
            at.summed, at.counted = at.summed + loss * answers, at.counted + answers
            at.step, at.batch = at.step + 1, at.batch + 1
            at.seconds = before + time.perf_counter() - began
            self._report(signals, steps)
            if signals.checkpoint is not None and time.perf_counter() - saved > CHECKPOINT_SECONDS:
                self._save(signals.checkpoint)
                saved = time.perf_counter()
        self._end_epoch(signals)
        at.seconds = before + time.perf_counter() - began
        if signals.checkpoint is not None:
            self._save(signals.checkpoint)
        return True

    def _end_epoch(self, signals: _Signals) -> None:
        at = self.at
        at.held_out_loss, accuracy = self.held_out_loss()
        check_finite(at.held_out_loss, at.epoch, self.params.learning_rate)
        train_loss = at.summed / at.counted
        at.curve.append((at.epoch, train_loss, at.held_out_loss))
        if accuracy >= at.best_accuracy - SLACK:
            self.best, at.kept_epoch = self._state(), at.epoch
        if accuracy > at.best_accuracy:
            at.best_accuracy, at.best_epoch = accuracy, at.epoch
        told = self.samples(self._as_served())
        signals.tell(EpochDone(at.epoch, train_loss, at.held_out_loss, told))
        at.epoch, at.batch, at.summed, at.counted = at.epoch + 1, 0, 0.0, 0.0

    def _stagnates(self) -> bool:
        """Whether the held-out rows have not gained for as many epochs as `patience` allows."""
        if not self.params.patience or not self.held_rows:
            return False
        return self.at.epoch - 1 - self.at.best_epoch >= self.params.patience

    @cached_property
    def _steps(self) -> int:
        """Updates of the whole run, taking each epoch for the first: noise may make it one more or less."""
        return len(self._batches(self._rows_of(1), 1)) * self.params.epochs

    def _report(self, signals: _Signals, steps: int) -> None:
        if signals.progress is None:
            return
        at = self.at
        signals.progress(
            TrainingProgress(
                epoch=at.epoch,
                epochs=self.params.epochs,
                step=at.step,
                steps=steps,
                loss=at.summed / at.counted,
                held_out_loss=at.held_out_loss,
                tokens_per_second=at.tokens / at.seconds,
                seconds_left=at.seconds / at.step * max(0, steps - at.step),
                memory_bytes=peak_memory(),
            )
        )

    # --- checkpoints -------------------------------------------------------------------------------

    def _pause(self, signals: _Signals) -> None:
        if signals.checkpoint is not None:
            self._save(signals.checkpoint)
        raise TrainingPaused(
            f"Training was interrupted in epoch {self.at.epoch} of {self.params.epochs}; it can go on there."
        )

    @cached_property
    def _key(self) -> str:
        """What a checkpoint must have in common with the run that goes on from it."""
        return f"{self.params} {self.fingerprint} {self.data_fingerprint}"

    @cached_property
    def data_fingerprint(self) -> str:
        """Of every row as the model sees it, and of which side of the split it is on."""
        digest = hashlib.sha256()
        for side in (self.train_rows, self.held_rows):
            digest.update(json.dumps([[*row.encoded.prompt, *row.encoded.answer] for row in side]).encode())
        return digest.hexdigest()[:16]

    def _save(self, path: Path) -> None:
        tensors = {f"best.{name}": weight for name, weight in (self.best or {}).items()}
        tensors |= {f"masters.{name}": tensor for name, tensor in self.masters.state().items()}
        tensors["random"] = torch.get_rng_state()
        # A position before the first epoch has no best accuracy, and JSON has no infinity.
        position = {**asdict(self.at), "best_accuracy": max(-1.0, self.at.best_accuracy)}
        write_checkpoint(path, tensors, {"key": self._key, "position": position})

    def _restore(self, path: Path | None) -> None:
        assert path is not None
        tensors, state = read_checkpoint(path)
        if state.get("key") != self._key:
            raise UserError("The checkpoint belongs to other rows, settings or another model: start anew.")
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = tensor
        self.best = parts.get("best")
        self.masters.restore(parts["masters"])
        torch.set_rng_state(tensors["random"])
        self.at = _Position.from_state(state["position"])

    def _rate(self, step: int, steps: int) -> float:
        """Linear warm-up, then linear decay to a fiftieth."""
        warm = max(1, round(self.params.warm_up * steps))
        if step < warm:
            return (step + 1) / warm
        return max(0.02, (steps - step) / max(1, steps - warm))

    def _step(self, batch: Sequence[_Row], rate: float) -> tuple[float, int]:
        """(mean loss per answer token, answer tokens) of one update with this learning rate."""
        self.network.train()
        with self._compiled.in_use() if self._compiled else nullcontext():
            summed, answers, _ = self._loss(batch)
            loss = summed / answers
            check_finite(float(loss.detach()), self.at.epoch, self.params.learning_rate)
            loss.backward()
        self.masters.step(rate)
        self.at.tokens += sum(map(len, batch))
        return float(loss.detach()), answers

    def _loss(self, batch: Sequence[_Row]) -> tuple[torch.Tensor, int, int]:
        """Summed cross-entropy of the answer tokens, how many there are, and how many it puts first."""
        encoded = [row.encoded for row in batch]
        if self.packs:
            made = tensors([[row] for row in filled(encoded, self.length)], self.length, serving_dtype())
        else:
            made = plain_tensors(encoded, self.length)
        return answer_loss(self.network, made.to(self.device))

    def _batches(self, rows: Sequence[_Row], epoch: int) -> list[list[_Row]]:
        """The rows in an order that differs by epoch, as many together as fill one step."""
        order = list(rows)
        random.Random(f"{self.params.seed} {epoch}").shuffle(order)
        if not self.packs:
            return [order[at : at + self.rows_at_once] for at in range(0, len(order), self.rows_at_once)]
        sizes = [packed.examples for packed in filled([row.encoded for row in order], self.length)]
        ends = list(accumulate(sizes))[self.rows_at_once - 1 :: self.rows_at_once]
        cuts = [0, *ends] if ends and ends[-1] == len(order) else [0, *ends, len(order)]
        return [order[start:end] for start, end in pairwise(cuts)]

    def _heeds_masks(self) -> bool:
        """Whether packed rows have the loss of the same rows alone; where not, rows are not packed."""
        rows = [row.encoded for row in self.train_rows[:3]]
        self.network.eval()
        with torch.inference_mode():
            alone = answer_loss(self.network, plain_tensors(rows, self.length).to(self.device))[0]
            packed = tensors([[row] for row in filled(rows, self.length)], self.length, serving_dtype())
            together = answer_loss(self.network, packed.to(self.device))[0]
        return abs(float(together - alone)) <= SAME_LOSS * max(1.0, float(alone))

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
        with torch.inference_mode():
            for batch in self._batches(self.held_rows, 0):
                loss, count, first = self._loss(batch)
                summed, answers, right = summed + float(loss), answers + count, right + first
        return summed / answers, right / answers

    def held_out_score(
        self, when: str = "", signals: _Signals | None = None, start: Callable[[int], Read] | None = None
    ) -> HeldOutScore | None:
        """Answers the first `scored_rows` held-out rows, greedily, and compares the words.

        `start` is what `_as_served` gave, if somebody has it.
        """
        rows = self.held_rows[: self.params.scored_rows]
        if not rows:
            return None
        start = start or self._as_served()
        exact, right = 0, []
        for done, row in enumerate(rows):
            if signals is not None:
                signals.tell(Measuring(when, done, len(rows)))
            said = without_markers(self._say(start(self._most(row)), row))
            wanted = without_markers(row.text)
            exact += says_the_same(said, wanted)
            if holds(said, wanted):
                right.append(row.number)
        return HeldOutScore(exact / len(rows), len(right) / len(rows), len(rows), tuple(right))

    def _as_served(self) -> Callable[[int], Read]:
        """Merged, as in service: unmerged adapters cost half as much again; weights of 4 bits as they are."""
        if self.params.four_bits:
            self.network.eval()
            return lambda _: reading(self.network)
        return Network(copy.deepcopy(self.network).merge_and_unload().eval()).start

    def samples(self, start: Callable[[int], Read]) -> tuple[SampleAnswer, ...]:
        """What the model says now to the first held-out questions; `start` is what `_as_served` gave."""
        examples = self.held_out[:SAMPLES] or self.examples[:1]
        rows = self.held_rows[:SAMPLES] or self.train_rows[:1]
        return tuple(
            SampleAnswer(question_of(example), example.answer, self._say(start(self._most(row)), row))
            for example, row in zip(examples, rows, strict=True)
        )

    def _most(self, row: _Row) -> int:
        """Tokens that a row's prompt and an answer to it take at most."""
        return len(row) + SPARE

    def _say(self, read: Read, row: _Row) -> str:
        stream, pieces = TextStream(self.tokenizer), []
        most = len(row.encoded.answer) + SPARE
        for token, _ in decode(read, row.encoded.prompt, self.ends, most, 0.0, 0):
            if token in self.ends:
                break
            pieces.append(stream.push(token))
        return "".join([*pieces, stream.end()])


def answer_loss(network: PeftModel, batch: Batch) -> tuple[torch.Tensor, int, int]:
    """(summed cross-entropy in nats of the answer tokens, how many there are, how many are put first).

    The output layer, a fifth of the work in a small model, is spent on answer tokens alone.
    """
    # The state at position i tells about token i + 1.
    at = (batch.labels[:, 1:] != IGNORE).nonzero(as_tuple=True)
    known = len(at[0])
    spare = -known % SIZES
    targets = functional.pad(batch.labels[:, 1:][at], (0, spare), value=IGNORE)
    model: Any = network.get_base_model()
    hidden = model.base_model(
        input_ids=batch.ids, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False
    ).last_hidden_state
    states = functional.pad(hidden[:, :-1][at], (0, 0, 0, spare))
    logits = model.get_output_embeddings()(states).float()
    summed = functional.cross_entropy(logits, targets, reduction="sum", ignore_index=IGNORE)
    return summed, known, int((logits.argmax(-1) == targets).sum())


def _up_to(tokens: int) -> int:
    """The next multiple of SIZES."""
    return -(-tokens // SIZES) * SIZES


def _target_modules(given: str) -> str | list[str]:
    """PEFT's own word for every linear layer, or the layers' names."""
    return given if given == "all-linear" else [name.strip() for name in given.split(",") if name.strip()]


def _layers_below(number: int) -> str | None:
    """PEFT's pattern of the modules in the lowest decoder layers, under the names that families give them."""
    return rf".*\.(?:layers|h|blocks)\.(?:{'|'.join(map(str, range(number)))})\..*" if number else None


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
        replaced = out_dir.with_name(f".{out_dir.name}.{uuid.uuid4().hex}.old")
        if out_dir.exists():
            out_dir.rename(replaced)
        move_into_place(partial, out_dir)
        shutil.rmtree(replaced, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"The adapter {out_dir.name} could not be saved: {error.strerror or error}."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
