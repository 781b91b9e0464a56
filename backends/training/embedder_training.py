"""Tunes the embedder to one library: a LoRA on MiniLM, by sentence-transformers' own trainer.

Enters: questions with the passage that answers each and passages that only look as if, and all passages to
search among. Leaves: a PEFT folder with card.json, and a `TrainingReport`: for which held-out questions the
search finds the passage among the first FOUND_AMONG, before and after. The loss is that of ranking the right
passage above those of the other questions (MultipleNegativesRankingLoss; Henderson et al. 2017), and above
the hard negatives. It knows no library and no language model.
"""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from backends.datatypes import Chunk, UserError
from backends.retrieval.embedding import MODEL_SHA256, Embedder, MiniLM, model_folder
from backends.retrieval.other_embedder import OtherEmbedder, describe, embedder_in
from backends.retrieval.passages import passage_text
from backends.retrieval.retriever import Retriever
from backends.system.hardware import cpu_has_fast_bf16, device
from backends.training.adapters import AdapterCard, LearnedDocument, write_card
from backends.training.embedder_pairs import Pair
from backends.training.gain import check_finite
from backends.training.lora import HeldOutScore, Measuring, TrainingProgress, TrainingReport, peak_memory

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import TrainerCallback, TrainerControl, TrainerState

FOUND_AMONG = 3
RANKED = 20  # passages of a held-out question that are looked through
LONGEST = 128  # tokens of a passage that are read in training
SCALE = 20.0  # of the cosines in the loss
LAYERS = r"encoder\..*\.(query|key|value|dense)"

Tell = Callable[[TrainingProgress | Measuring], None]


@dataclass(frozen=True)
class EmbedderParams:
    """Defaults are those that the sample was measured with (benchmarks/LOG.md)."""

    rank: int = 32
    learning_rate: float = 5e-4
    epochs: int = 1
    batch: int = 24  # questions of one step
    warm_up: float = 0.1  # share of the steps with a rising learning rate; then a linear decay
    most_rows: int = 1200  # drawn at random where there are more: minutes on one core
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.rank, self.epochs, self.most_rows) < 1 or self.batch < 2 or self.learning_rate <= 0:
            raise UserError(
                f"Training needs positive numbers, and two questions a step: rank {self.rank}, epochs "
                f"{self.epochs}, batch {self.batch}, learning rate {self.learning_rate}."
            )


def found(embedder: Embedder, passages: Sequence[Chunk], pairs: Sequence[Pair]) -> list[int | None]:
    """For each question the rank of its passage as the library searches, from 1; None beyond RANKED."""
    retriever = Retriever(passages, embedder.embed([passage_text(each) for each in passages]), embedder)
    ranks: list[int | None] = []
    for pair in pairs:
        hits = retriever.search(pair.question, top_k=RANKED, mode="hybrid")
        wanted = passages[pair.passage]
        ranks.append(next((hit.rank for hit in hits if wanted in (hit.chunk, *hit.also)), None))
    return ranks


def score(pairs: Sequence[Pair], ranks: Sequence[int | None]) -> HeldOutScore | None:
    """Shares of the questions whose passage is first, and among the first FOUND_AMONG."""
    if not pairs:
        return None
    right = [pair.row for pair, rank in zip(pairs, ranks, strict=True) if rank and rank <= FOUND_AMONG]
    return HeldOutScore(
        sum(rank == 1 for rank in ranks) / len(pairs), len(right) / len(pairs), len(pairs), tuple(right)
    )


def train_embedder(
    passages: Sequence[Chunk],
    train: Sequence[Pair],
    held_out: Sequence[Pair],
    out_dir: Path,
    params: EmbedderParams,
    *,
    documents: Sequence[LearnedDocument] = (),
    warnings: Sequence[str] = (),
    present: Path | None = None,
    tell: Tell = lambda _: None,
    cancel: threading.Event | None = None,
) -> TrainingReport:
    """Train, measure and save. What was learned until `cancel` was set is kept, unless nothing was.

    It learns from the published weights and is held against the `present` embedder: a PEFT folder, or those.
    Raises UserError when the loss is no number any more, and when cancelled before the first step.
    """
    if cancel is not None and cancel.is_set():
        raise UserError("Cancelled before anything was learned.")
    began = time.perf_counter()
    chosen = _drawn(train, params)
    before = score(held_out, _measured(_present(present), passages, held_out, "before", tell))
    model = _with_adapter(params)
    told = _Teller(params, sum(_tokens(passages, pair) for pair in chosen), tell, cancel)
    partial = out_dir.with_name(f".{out_dir.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _fit(model, _texts(passages, chosen), params, told, partial)
    assert model.transformers_model is not None  # MiniLM is one
    model.transformers_model.save_pretrained(str(partial))
    (partial / "README.md").unlink(missing_ok=True)  # the library's model card, which knows nothing of this
    after = score(held_out, _measured(MiniLM(adapter=partial), passages, held_out, "after", tell))
    report = TrainingReport(
        rows=len(chosen),
        held_out_rows=len(held_out),
        loss_before=None,
        loss_after=None,
        score_before=before,
        score_after=after,
        train_loss=told.loss,
        epochs_done=told.step // told.steps_per_epoch,
        kept_epoch=told.step // told.steps_per_epoch,
        cancelled=cancel is not None and cancel.is_set(),
        tokens=told.tokens,
        seconds=time.perf_counter() - began,
        trainable_share=_trainable_share(model),
        curve=(),
        warnings=tuple(warnings),
        device=device().type,
        memory_bytes=peak_memory(),
        found_among=FOUND_AMONG,
    )
    card = AdapterCard(
        name=out_dir.name,
        kind="embedder",
        base_model=MiniLM.base,
        base_fingerprint=MODEL_SHA256,
        documents=tuple(documents),
        rows=len(chosen),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        parameters=asdict(params),
        report=json.loads(json.dumps(asdict(report))),
    )
    write_card(partial, card)
    shutil.rmtree(out_dir, ignore_errors=True)
    partial.rename(out_dir)
    return report


def add_model(
    place: str,
    passages: Sequence[Chunk],
    pairs: Sequence[Pair],
    out_dir: Path,
    *,
    warnings: Sequence[str] = (),
    present: Path | None = None,
    tell: Tell = lambda _: None,
) -> TrainingReport:
    """Put another sentence-transformers model beside the tuned ones, scored as they are; nothing is trained.

    All questions are asked. Raises UserError when there is no such model.
    """
    began = time.perf_counter()
    other = OtherEmbedder(place)
    fingerprint = other.fingerprint  # loads it: a wrong name is told before anything is measured
    before = score(pairs, _measured(_present(present), passages, pairs, "before", tell))
    after = score(pairs, _measured(other, passages, pairs, "after", tell))
    report = TrainingReport(
        rows=0, held_out_rows=len(pairs), loss_before=None, loss_after=None, score_before=before,
        score_after=after, train_loss=0.0, epochs_done=0, kept_epoch=0, cancelled=False, tokens=0,
        seconds=time.perf_counter() - began, trainable_share=0.0, curve=(), warnings=tuple(warnings),
        device=device().type, memory_bytes=peak_memory(), found_among=FOUND_AMONG,
    )  # fmt: skip
    partial = out_dir.with_name(f".{out_dir.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    describe(partial, other, place)
    card = AdapterCard(
        name=out_dir.name,
        kind="embedder",
        base_model=place,
        base_fingerprint="",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        parameters={"weights_sha256": fingerprint},
        report=json.loads(json.dumps(asdict(report))),
        origin="imported",
    )
    write_card(partial, card)
    shutil.rmtree(out_dir, ignore_errors=True)
    partial.rename(out_dir)
    return report


def _present(folder: Path | None) -> Embedder:
    return MiniLM() if folder is None else embedder_in(folder)


def _drawn(pairs: Sequence[Pair], params: EmbedderParams) -> list[Pair]:
    """At most `most_rows`, in an order of their own."""
    return random.Random(params.seed).sample(pairs, min(len(pairs), params.most_rows))


def _measured(
    embedder: Embedder, passages: Sequence[Chunk], pairs: Sequence[Pair], when: str, tell: Tell
) -> list[int | None]:
    tell(Measuring(when, 0, len(pairs)))
    ranks = found(embedder, passages, pairs) if pairs else []
    tell(Measuring(when, len(pairs), len(pairs)))
    return ranks


def _texts(passages: Sequence[Chunk], pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """The columns that the trainer reads: the question, its passage, then the hard negatives."""
    columns = {
        "question": [pair.question for pair in pairs],
        "passage": [passage_text(passages[pair.passage]) for pair in pairs],
    }
    for at in range(min((len(pair.negatives) for pair in pairs), default=0)):
        columns[f"negative_{at + 1}"] = [passage_text(passages[pair.negatives[at]]) for pair in pairs]
    return columns


def _tokens(passages: Sequence[Chunk], pair: Pair) -> int:
    """Roughly what is read of a pair, for the speed that is told."""
    texts = (pair.passage, *pair.negatives)
    return sum(min(passages[at].tokens, LONGEST) for at in texts) + len(pair.question) // 4


def _with_adapter(params: EmbedderParams) -> SentenceTransformer:
    import torch
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(params.seed)
    model = SentenceTransformer(str(model_folder()), device=device().type)
    model.max_seq_length = LONGEST
    model.add_adapter(
        LoraConfig(r=params.rank, lora_alpha=2 * params.rank, lora_dropout=0.0, target_modules=LAYERS)
    )
    return model


def _trainable_share(model: SentenceTransformer) -> float:
    learning = sum(each.numel() for each in model.parameters() if each.requires_grad)
    return float(learning / sum(each.numel() for each in model.parameters()))


def _fit(
    model: SentenceTransformer,
    columns: dict[str, list[str]],
    params: EmbedderParams,
    told: _Teller,
    scratch: Path,
) -> None:
    from datasets import Dataset, disable_progress_bars
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers
    from transformers import PrinterCallback

    disable_progress_bars()
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(scratch),  # nothing is written there
        num_train_epochs=params.epochs,
        per_device_train_batch_size=params.batch,
        learning_rate=params.learning_rate,
        warmup_steps=params.warm_up,
        lr_scheduler_type="linear",
        batch_sampler=BatchSamplers.NO_DUPLICATES,  # the passage of one question is no negative of another
        use_cpu=device().type == "cpu",
        bf16=device().type != "cpu" or cpu_has_fast_bf16(),
        seed=params.seed,
        save_strategy="no",
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        loss=MultipleNegativesRankingLoss(model, scale=SCALE),
        callbacks=[_callback(told)],
    )
    for talkative in (PrinterCallback, trainer.model_card_callback_class):
        trainer.remove_callback(talkative)
    trainer.train()


class _Teller:
    """Counts steps, tells where the training stands, and knows whether to stop."""

    def __init__(
        self, params: EmbedderParams, tokens: int, tell: Tell, cancel: threading.Event | None
    ) -> None:
        self._params, self._all_tokens, self._tell, self._cancel = params, tokens, tell, cancel
        self._began = 0.0
        self.step, self.steps = 0, 0
        self.loss = 0.0

    @property
    def steps_per_epoch(self) -> int:
        return max(1, self.steps // self._params.epochs)

    @property
    def tokens(self) -> int:
        return int(self._all_tokens * self.step / self.steps_per_epoch)

    @property
    def stopping(self) -> bool:
        return self._cancel is not None and self._cancel.is_set()

    def begin(self, steps: int) -> None:
        self.steps, self._began = steps, time.perf_counter()

    def took(self, loss: float) -> None:
        self.step += 1
        self.loss = loss
        epoch = min(self._params.epochs, 1 + (self.step - 1) // self.steps_per_epoch)
        check_finite(loss, epoch, self._params.learning_rate)
        spent = time.perf_counter() - self._began
        self._tell(
            TrainingProgress(
                epoch=epoch,
                epochs=self._params.epochs,
                step=self.step,
                steps=self.steps,
                loss=loss,
                held_out_loss=None,
                tokens_per_second=self.tokens / spent if spent else 0.0,
                seconds_left=spent / self.step * (self.steps - self.step),
                memory_bytes=peak_memory(),
            )
        )


def _callback(told: _Teller) -> TrainerCallback:
    """The trainer's callback; made here, because its base class takes a second to import."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):
        def on_train_begin(
            self, args: object, state: TrainerState, control: TrainerControl, **kwargs: object
        ) -> None:
            told.begin(state.max_steps)

        def on_log(
            self,
            args: object,
            state: TrainerState,
            control: TrainerControl,
            logs: Mapping[str, float] | None = None,
            **kwargs: object,
        ) -> None:
            if logs and "loss" in logs:
                told.took(float(logs["loss"]))

        def on_step_end(
            self, args: object, state: TrainerState, control: TrainerControl, **kwargs: object
        ) -> None:
            control.should_training_stop = control.should_training_stop or told.stopping

    return Callback()
