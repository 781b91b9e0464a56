"""Holds an answer to a JSON schema: which tokens may come next, so that what ends is valid and ends in time.

Enters: a fast tokenizer, a JSON schema, the longest answer in tokens. Leaves: a `SchemaConstraint`, a
callable from the answer's tokens so far to the token ids allowed next. It knows no network and no logits.
JSON comes without spaces between its parts and with its keys in the schema's order.

llguidance decides what the schema allows (an Earley parser over the vocabulary's trie). It knows no length,
so beside the parser over tokens one over single bytes looks ahead: `closing` finds few bytes that complete
the value, and near the end only tokens are let through after which that still fits.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import llguidance
import llguidance.hf
import numpy as np
from llguidance import LLMatcher, LLTokenizer

from backends.datatypes import JsonObject, JsonValue, UserError

Schema = JsonObject

OPTIONS: JsonObject = {"whitespace_flexible": False}  # or a weak model writes spaces until the end
QUIET = 0  # errors are raised as UserError, not logged
CLOSES_TEXT, CLOSES_PARTS = b'"', b"}],"  # bytes that bring a value nearer to its end, the best first
MOST_FOLLOWED = 16  # more possible bytes than this: many are alike
ALIKE = tuple(re.compile(kind) for kind in (rb"[0-9]", rb"[A-Z]", rb"[a-z]", rb"[\x80-\xff]"))
ESCAPED = re.compile(rb"\\.", re.DOTALL)
MOST_STEPS = 256  # choices in a closing; a schema that demands more has no short answer
MOST_CHECKED = 256  # more allowed tokens than this: inside free text
RESERVE = 4  # tokens kept for what a token of plain text may need besides the closing, as after "1e"
DEMANDS = re.compile(r'"(min\w+|pattern\w*|format)":')  # keywords that ask for text of some length
DEMANDED = 256  # tokens that such a piece is taken to need at most
STRUCTURAL = frozenset(b'"\\{}[]')  # bytes of tokens that may begin or end something


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer as the parser needs it; making it takes half a second."""

    tokens: LLTokenizer
    ends: frozenset[int]
    plain: np.ndarray  # (vocabulary,) bool: whole characters that neither begin nor end anything


def read_vocabulary(tokenizer: Any, ends: Iterable[int]) -> Vocabulary:
    """Raises UserError for a tokenizer whose tokens are not known to stand for bytes."""
    ends = frozenset(ends)
    try:
        tokens = llguidance.hf.from_tokenizer(tokenizer, eos_token=sorted(ends))
    except ValueError as error:
        raise UserError(
            "JSON cannot be held to a schema with this model's tokenizer "
            f"({_one_line(error)}): switch constrained decoding off."
        ) from error
    plain = [_is_plain(tokens.decode_bytes([token])) for token in range(tokens.vocab_size)]
    return Vocabulary(tokens, ends, np.array(plain))


def _is_plain(token: bytes) -> bool:
    try:
        token.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return STRUCTURAL.isdisjoint(token)


class SchemaConstraint:
    """The allowed next tokens of one answer of at most `max_tokens` tokens, the end token included."""

    def __init__(self, vocabulary: Vocabulary, schema: Schema, max_tokens: int) -> None:
        """Raises UserError for a schema that cannot be compiled, and when no answer is short enough."""
        grammar = LLMatcher.grammar_from_json_schema(dict(schema), overrides=dict(OPTIONS))  # type: ignore[arg-type]
        self._vocabulary = vocabulary
        self._max_tokens = max_tokens
        self._tokens = _parser(vocabulary.tokens, grammar)
        self._bytes = _parser(_every_byte(), grammar)
        self._said = b""
        self._read = 0
        self._longest = self._most_begun(schema)
        self.pressed = False  # whether the answer came so near to its limit that it may have been shortened
        self._rest = rest = closing(self._bytes)
        if rest is None:
            raise UserError("No short answer keeps this JSON schema: it demands too much text.")
        if (shortest := self._count(rest) + 1) > max_tokens:
            raise UserError(
                f"An answer that keeps this JSON schema has at least {shortest:,} tokens, but may have "
                f"{max_tokens:,}: allow longer answers, or switch constrained decoding off."
            )

    def __call__(self, answer: Sequence[int]) -> list[int]:
        rest = self._read_on(answer)
        allowed = _ids(self._tokens)
        if rest is None:  # it cannot be told how long this becomes
            return allowed.tolist()
        left = self._max_tokens - len(answer) - 1
        spare = left - self._count(rest)
        self.pressed |= spare < RESERVE and not self._tokens.is_stopped()
        if forced := self._tokens.compute_ff_tokens():  # only one text can follow: as the tokenizer cuts it
            return forced[:1]
        if spare < self._longest:
            allowed = self._fitting(allowed, left, rest)
        return allowed.tolist() or self._vocabulary.tokens.tokenize_bytes(rest)[:1]

    def _read_on(self, answer: Sequence[int]) -> bytes | None:
        """Take in the tokens that came since the last call; what closes the answer from there."""
        text = self._vocabulary.tokens.decode_bytes(list(answer[self._read :]))
        self._tokens.consume_tokens(list(answer[self._read :]))
        self._bytes.consume_tokens(list(text))
        self._read, self._said = len(answer), self._said + text
        known = self._rest[len(text) :] if self._rest is not None and self._rest.startswith(text) else None
        found = [each for each in (known, closing(self._bytes, self._said)) if each is not None]
        self._rest = min(found, key=len, default=None)
        return self._rest

    def _fitting(self, allowed: np.ndarray, left: int, rest: bytes) -> np.ndarray:
        """Those of the allowed tokens after which `left` tokens still suffice; `rest` would close it now."""
        spare = left - self._count(rest)
        fits = np.zeros(len(allowed), dtype=bool)
        free_text = len(allowed) > MOST_CHECKED
        if free_text:
            fits = self._vocabulary.plain[allowed] & (spare >= RESERVE)
        known: dict[bytes, bool] = {}  # in free text, tokens after which the same may follow need the same
        for at in (~self._vocabulary.plain[allowed]).nonzero()[0] if free_text else range(len(allowed)):
            text, after = self._after(int(allowed[at]))
            place = after.compute_bitmask() if free_text else b"%d" % at
            if place not in known:
                known[place] = (
                    int(allowed[at]) in self._vocabulary.ends
                    or (spare > 0 and any(_completes(after, tail) for tail in (rest[len(text) :], rest)))
                    or self._needs(after, text) <= left
                )
            fits[at] = known[place]
        return allowed[fits]

    def _after(self, token: int) -> tuple[bytes, LLMatcher]:
        text = self._vocabulary.tokens.decode_bytes([token])
        after = self._bytes.deep_copy()
        after.consume_tokens(list(text))
        return text, after

    def _needs(self, after: LLMatcher, text: bytes) -> int:
        """Tokens that complete the answer once `text` has been added, the end token included."""
        rest = closing(after, self._said + text)
        return self._max_tokens if rest is None else self._count(rest) + 1

    def _most_begun(self, schema: Schema) -> int:
        """Tokens that a single token may entail: while more than the closing and these is left, all may come.

        A name and one part of the schema, spelled out, and what it may demand besides in length.
        """
        values = [
            value
            for part in _parts(schema)
            for value in (part.get("enum", [part]) if isinstance(part, dict) else [part])
        ]
        sizes = [self._count(json.dumps(value, ensure_ascii=False).encode()) for value in values]
        demanded = DEMANDED if DEMANDS.search(json.dumps(schema)) else 0
        return RESERVE + 2 * max(sizes, default=0) + demanded

    def _count(self, text: bytes) -> int:
        return len(self._vocabulary.tokens.tokenize_bytes(text))


def closing(parser: LLMatcher, said: bytes = b"") -> bytes | None:
    """Few bytes that complete the value from here; None where `MOST_STEPS` choices do not suffice.

    `parser` reads bytes and has read `said`. At each choice that byte is taken which closes something, else
    the one that leads to where the walk has been least, so that it leaves every loop.
    """
    here = parser.deep_copy()
    text = _skip_forced(here)
    visits: Counter[bytes] = Counter()
    for _ in range(MOST_STEPS):
        if here.is_accepting():
            return text
        visits[here.compute_bitmask()] += 1
        ways = _next_bytes(here, CLOSES_TEXT if _inside_text(said + text) else CLOSES_PARTS)
        if not ways:  # the parser gave up: the schema is too much for it
            return None
        run, here = min(ways, key=lambda way: (visits[way[1].compute_bitmask()], len(way[0]), way[0]))
        text += run
    return None


def _completes(parser: LLMatcher, text: bytes) -> bool:
    after = parser.deep_copy()
    return after.try_consume_tokens(list(text)) == len(text) and after.is_accepting()


def _next_bytes(here: LLMatcher, closers: bytes) -> list[tuple[bytes, LLMatcher]]:
    """The bytes that may be taken from here, each up to the next choice, and where they lead."""
    allowed = bytes(byte for byte in _ids(here).tolist() if byte < 256)
    closer = next((byte for byte in closers if byte in allowed), None)
    ways = []
    for byte in _samples(allowed) if closer is None else [closer]:
        after = here.deep_copy()
        after.consume_token(byte)
        ways.append((bytes([byte]) + _skip_forced(after), after))
    return ways


def _samples(allowed: bytes) -> bytes:
    """Of many bytes the first and last letters and digits of each kind, which mostly lead to the same."""
    if len(allowed) <= MOST_FOLLOWED:
        return allowed
    alike = [kind.findall(allowed) for kind in ALIKE]
    left_out = {byte for found in alike for byte in found[2:-1]}
    return bytes(byte for byte in allowed if bytes([byte]) not in left_out)


def _inside_text(said: bytes) -> bool:
    """Whether a string has been begun and not ended."""
    return ESCAPED.sub(b"", said).count(b'"') % 2 == 1


def _skip_forced(parser: LLMatcher) -> bytes:
    """Read on over what can only follow."""
    forced = parser.compute_ff_bytes()
    parser.consume_tokens(list(forced))
    return forced


def _ids(parser: LLMatcher) -> np.ndarray:
    bits = np.frombuffer(parser.compute_bitmask(), dtype=np.uint8)
    return np.unpackbits(bits, bitorder="little").nonzero()[0]


def _parser(tokens: LLTokenizer, grammar: str) -> LLMatcher:
    parser = LLMatcher(tokens, grammar, log_level=QUIET)
    if parser.is_error():
        raise UserError(
            f"Answers cannot be held to this JSON schema ({_one_line(parser.get_error())}): change the "
            "schema, or switch constrained decoding off."
        )
    return parser


def _one_line(problem: object) -> str:
    return " ".join(str(problem).split())[:200].rstrip(" .")


def _parts(schema: Schema) -> list[JsonValue]:
    """The schemas and values directly within this one."""
    found: list[JsonValue] = []
    for name, value in schema.items():
        if name in ("properties", "$defs", "definitions"):
            found += value.values()
        else:
            found += value if isinstance(value, list) else [value]
    return found


class _Bytes:
    """A tokenizer, as llguidance takes them, whose tokens are the 256 bytes and an end."""

    is_tokenizer_wrapper = True
    eos_token_id = 256
    bos_token_id = None
    tokens = (*(bytes([byte]) for byte in range(256)), b"<end>")
    special_token_ids = (256,)

    def __call__(self, text: str) -> list[int]:
        return list(text.encode())


@cache
def _every_byte() -> LLTokenizer:
    return LLTokenizer(_Bytes(), slices=[])  # type: ignore[arg-type]
