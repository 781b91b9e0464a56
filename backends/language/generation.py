"""Turns chat messages into streamed text with a local causal language model.

Enters: messages, an optional LoRA folder, sampling settings. Leaves: `Token` pieces and one `Finished`.
It knows no documents and no clock. Any model that `loading` opens will do; each adapter is merged into its
own copy of the weights, so answers never share switchable state and pay no price for the adapter.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from weakref import WeakValueDictionary

import torch
from jinja2 import TemplateError

from backends.datatypes import Finished, JsonObject, Token, Usage, UserError
from backends.language.constraints import SchemaConstraint, Vocabulary, read_vocabulary
from backends.language.loading import (
    CausalModel,
    Tokenizer,
    adapter_fingerprint,
    context_length,
    load_pretrained,
    locate_model,
    merge_adapter,
    model_fingerprint,
    model_name,
)
from backends.language.network import Network, Read
from backends.system.hardware import device, give_back_memory, serving_dtype

MAX_MERGED = 4  # adapters kept merged per model; each costs the weights once more
CHAT_ENDS = (
    "<|end|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
)

Messages = Sequence[dict[str, str]]
Allow = Callable[[Sequence[int]], list[int] | None]  # answer so far -> token ids that may come; None = all


class LanguageModel:
    """A causal model ready to answer; every method may be called from any thread."""

    def __init__(
        self, name: str, folder: str, model: CausalModel, tokenizer: Tokenizer, fingerprint: str
    ) -> None:
        self.name = name
        self.folder = folder  # what from_pretrained takes: a folder, or an id in the local cache
        self.fingerprint = fingerprint
        self.tokenizer = tokenizer
        self.context = context_length(model.config)
        self._base = Network(model)
        self._ends = end_tokens(model, tokenizer)
        self._merged: OrderedDict[tuple[str, str], Network] = OrderedDict()
        # Also those that had to go and that somebody still answers with.
        self._held: WeakValueDictionary[tuple[str, str], Network] = WeakValueDictionary()
        self._merging = threading.Lock()

    @classmethod
    def load(cls, model: str | Path = "embedded") -> LanguageModel:
        """The embedded model, one in a folder, or one of a Hugging Face id that is on this machine.

        Raises UserError when it is not there, is no causal language model, or holds pickled weights only.
        """
        source = locate_model(model)
        network, tokenizer = load_pretrained(source, serving_dtype())
        fingerprint = model_fingerprint(source, network)
        return cls(
            model_name(model), source, CausalModel.to(network, device()).eval(), tokenizer, fingerprint
        )

    def count_tokens(self, text: str) -> int:
        """Tokens of a piece of text, without markers around it."""
        return len(encode(self.tokenizer, text))

    def render(self, messages: Messages) -> str:
        """The exact prompt for these messages, up to where the answer begins."""
        return render(self.tokenizer, messages)

    def room_for_prompt(self, max_tokens: int) -> int:
        """Longest prompt, in tokens, that leaves `max_tokens` for the answer."""
        return self.context - max_tokens

    def generate(
        self,
        messages: Messages,
        *,
        adapter: Path | None = None,
        temperature: float = 0.0,
        max_tokens: int = 96,
        seed: int = 0,
        stop: threading.Event | None = None,
        schema: JsonObject | None = None,
    ) -> Iterator[Token | Finished]:
        """Stream the answer, then one `Finished`; when `stop` is set it ends early in the same way.

        With `schema` the answer is JSON that keeps this schema.

        Raises UserError, before any text, when prompt and answer do not fit the model's context, and for a
        schema that cannot be compiled or that no answer of `max_tokens` keeps.
        """
        prompt = self.render(messages)
        ids = encode(self.tokenizer, prompt)
        if len(ids) > self.room_for_prompt(max_tokens):
            raise UserError(
                f"The prompt has {len(ids):,} tokens and the answer may have {max_tokens:,}, but {self.name} "
                f"reads {self.context:,} in all: ask something shorter or lower the answer length."
            )
        held = None if schema is None else SchemaConstraint(self._vocabulary, schema, max_tokens)
        read = self._network(adapter).start(len(ids) + max_tokens)
        text = TextStream(self.tokenizer)
        count, ended, stopped = 0, False, False
        likelihood = 0.0
        for token, log_probability in decode(read, ids, self._ends, max_tokens, temperature, seed, held):
            count += 1
            likelihood += log_probability
            ended = token in self._ends
            piece = text.end() if ended else text.push(token)
            if piece:
                yield Token(piece)
            stopped = not ended and count < max_tokens and stop is not None and stop.is_set()
            if ended or stopped:
                break
        if not ended and (piece := text.end()):
            yield Token(piece)
        yield Finished(
            usage=Usage(len(ids), count),
            prompt=prompt,
            model=self.name,
            adapter=adapter.name if adapter is not None else None,
            truncated=(not ended and not stopped) or (held is not None and held.pressed),
            confidence=math.exp(likelihood / count) if count and held is None else None,
        )

    def layers(self) -> dict[str, tuple[int, ...]]:
        """Shape of the weight matrix of every layer, by name: what an adapter has to fit."""
        return {
            name.removesuffix(".weight"): tuple(weight.shape)
            for name, weight in self._base.model.named_parameters()
            if name.endswith(".weight") and weight.ndim == 2
        }

    @torch.inference_mode()
    def log_likelihood(self, messages: Messages, answer: str, *, adapter: Path | None = None) -> float:
        """Mean natural logarithm of the probability of a token of `answer` as the reply to these messages.

        Raises UserError when they do not fit the model's context, or the answer is empty.
        """
        prompt, reply = encode(self.tokenizer, self.render(messages)), encode(self.tokenizer, answer)
        if not reply or len(prompt) + len(reply) > self.context:
            raise UserError(
                f"An answer of {len(reply):,} tokens to a prompt of {len(prompt):,} cannot be scored: "
                f"{self.name} reads {self.context:,}."
            )
        logits = self._network(adapter).logits(prompt + reply)
        # The logits at position i tell about token i + 1.
        told = torch.log_softmax(logits[len(prompt) - 1 : -1], dim=-1)
        return float(told[torch.arange(len(reply)), torch.tensor(reply)].mean())

    def prepare(self, adapter: Path | None) -> object:
        """Merge this adapter now, so that the first answer does not wait for it.

        Whoever holds what is returned keeps it merged, also when others come after it.
        """
        return None if adapter is None else self._network(adapter)

    def prepare_schema(self, schema: JsonObject) -> None:
        """Compile this schema now, before an answer is timed; raises UserError when that cannot be done."""
        SchemaConstraint(self._vocabulary, schema, self.context)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return read_vocabulary(self.tokenizer, self._ends)

    def _network(self, adapter: Path | None) -> Network:
        """The base, or the base with this adapter merged in; the least recently used merge is dropped."""
        if adapter is None:
            return self._base
        key = (str(adapter.resolve()), adapter_fingerprint(adapter))
        with self._merging:
            if key not in self._merged:
                held = self._held.get(key)
                if held is None:
                    merged = merge_adapter(self._base.model, adapter, self.fingerprint, self.name)
                    held = Network(merged, beside=self._base)
                    give_back_memory()  # merging took twice what is kept
                self._merged[key] = self._held[key] = held
                while len(self._merged) > MAX_MERGED:
                    self._merged.popitem(last=False)
            self._merged.move_to_end(key)
            return self._merged[key]


# --- prompts and tokens --------------------------------------------------------------------------


def render(tokenizer: Tokenizer, messages: Messages) -> str:
    """The chat template applied; text that looks like one of the model's own markers is broken up first,

    because a question or a document must not be able to open a turn of its own.
    """
    safe = [{**message, "content": without_special(tokenizer, message["content"])} for message in messages]
    if tokenizer.chat_template is None:
        return "\n\n".join(message["content"] for message in safe) + "\nAnswer:"
    try:
        return str(tokenizer.apply_chat_template(safe, tokenize=False, add_generation_prompt=True))
    except TemplateError:
        # Some templates refuse a system turn: its words then stand in front of the question.
        system, user, *rest = safe
        first = {**user, "content": f"{system['content']}\n\n{user['content']}"}
        return str(tokenizer.apply_chat_template([first, *rest], tokenize=False, add_generation_prompt=True))


def without_special(tokenizer: Tokenizer, text: str) -> str:
    """The text with every special token parted by a space, so that it is text like any other."""
    for marker in tokenizer.all_special_tokens:
        if marker in text:
            text = text.replace(marker, f"{marker[0]} {marker[1:]}")
    return text


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids. The fast tokenizer is called directly: its Python wrapper is not safe across threads."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is not None:
        return list(fast.encode(text, add_special_tokens=False).ids)
    return list(tokenizer.encode(text, add_special_tokens=False))


class TextStream:
    """Turns tokens into text piece by piece; a character whose bytes are incomplete waits for the rest."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        # Tokens already shown stay in front: some tokenizers write a token differently at the start.
        self._shown: list[int] = []
        self._waiting: list[int] = []

    def push(self, token: int) -> str:
        """The text that this token completes, possibly none."""
        self._waiting.append(token)
        return self._take(final=False)

    def end(self) -> str:
        """What was still waiting; bytes that never became a character are dropped."""
        return self._take(final=True) if self._waiting else ""

    def _take(self, final: bool) -> str:
        before = self._decode(self._shown)
        text = self._decode(self._shown + self._waiting)[len(before) :]
        if text.endswith("\ufffd") and not final:
            return ""
        self._shown, self._waiting = self._waiting, []
        return text.replace("\ufffd", "")

    def _decode(self, ids: list[int]) -> str:
        if not ids:
            return ""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def decode(
    read: Read,
    ids: Sequence[int],
    ends: frozenset[int],
    max_tokens: int,
    temperature: float,
    seed: int,
    allow: Allow | None = None,
) -> Iterator[tuple[int, float]]:
    """New tokens, the end token included: (id, natural logarithm of its probability at temperature 1).

    Greedy at temperature 0, else sampled.

    `read` takes tokens and gives the logits of what follows all it has taken.
    `allow` names the ids that may come next; where it allows none, the answer is cut off.
    """
    generator = torch.Generator().manual_seed(seed)
    logits = read(ids)
    answer: list[int] = []
    for _ in range(max_tokens):
        allowed = allow(answer) if allow is not None else None
        if allowed == []:
            return
        token = _choose(logits, temperature, generator, allowed)
        answer.append(token)
        yield token, float(torch.log_softmax(logits.float(), dim=-1)[token])
        if token in ends or len(answer) == max_tokens:
            return
        logits = read([token])


def _choose(
    logits: torch.Tensor, temperature: float, generator: torch.Generator, allowed: Sequence[int] | None
) -> int:
    """The next token: the likeliest at temperature 0, else drawn; among `allowed` where that is given."""
    if allowed is not None:
        logits = logits[torch.tensor(allowed, device=logits.device)]
    if temperature <= 0:
        chosen = int(logits.argmax())
    else:
        shares = torch.softmax(logits.float().cpu() / temperature, dim=-1)
        chosen = int(torch.multinomial(shares, 1, generator=generator))
    return chosen if allowed is None else allowed[chosen]


def end_tokens(model: CausalModel, tokenizer: Tokenizer) -> frozenset[int]:
    """Every token that closes an answer: the model's own ends and the usual chat ends it knows."""
    found: set[int] = set()
    for owner in (model.config, getattr(model, "generation_config", None), tokenizer):
        value = getattr(owner, "eos_token_id", None)
        found.update([value] if isinstance(value, int) else value or ())
    known = tokenizer.get_vocab()
    found.update(known[name] for name in CHAT_ENDS if name in known)
    return frozenset(found)
