"""Quote only: whatever the model prefers, an answer holds whole words of its evidence and nothing else."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from backends.datatypes import Chunk, Finished, Hit, Sentence, Source, UserError
from backends.language import generation
from backends.language.generation import LanguageModel
from backends.language.grounding import (
    ANSWERED,
    UNANSWERED,
    Grounding,
    Quotable,
    ground,
    quotable,
)
from backends.language.prompts import NOT_IN_DOCUMENTS, NOT_KNOWN, build_messages, evidence_lines
from tests.fakes import random_adapter, tiny_language_model

END = 0
PUNCTUATION = ".,;:!?()[]{}\"'“”‘’«»…"
_WORDS = (
    'Lark price 12,500 -5 30% (see 4.2) "first class" Ødegård € 日本 a days. EUR; Note: x-ray – it ... end!'
)
WORDS = _WORDS.split()
KINDS = ("bytes", "byte-level", "sentencepiece")


def source(rank: int, title: str, *sentences: str) -> Source:
    hit = Hit(Chunk("d.md", 1, 0, 1, "x", None, 1, title=title), rank, 1.0)
    return Source(rank, hit, tuple(Sentence(0, 1, text) for text in sentences))


PRICES = ("Product: Lark One; Price: 149 EUR; In stock: 12,500", "Product: Lark Pro; Price: 329 EUR")
WARRANTY = ("The warranty lasts 24 months (see 4.2).", "Marta Ødegård approves it.")
SOURCES = (source(1, "Price list", *PRICES), source(2, "Warranty", *WARRANTY))


# --- tokenizers of three kinds, trained on a few words ---------------------------------------------


@lru_cache
def tokenizer(kind: str) -> Tokenizer:
    """Trained on the words above; the sentencepiece kind writes a rare character as its bytes."""
    made = Tokenizer(models.BPE())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if kind == "sentencepiece":
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        alphabet = [chr(code) for code in range(33, 127)]
    else:
        digits = pre_tokenizers.Digits(individual_digits=True)
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [digits, pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        made.decoder = decoders.ByteLevel()
    size = 257 if kind == "bytes" else 420
    texts = [" ".join(WORDS), "The price of Lark Pro is 329 EUR. The documents do not say. I know."] * 3
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
        ),
    )
    if kind == "sentencepiece":
        trained = json.loads(made.to_str())["model"]
        vocabulary = trained["vocab"] | {f"<0x{b:02X}>": len(trained["vocab"]) + b for b in range(256)}
        rare = vocabulary.pop("\u00d8")  # left to the bytes
        vocabulary["<unused>"] = rare
        merges = [(a, b) for a, b in trained["merges"] if "\u00d8" not in a + b]
        made.model = models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True)
        parts = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
        made.decoder = decoders.Sequence([*parts, decoders.Strip(" ", 1, 0)])
    return made


def encode(kind: str, text: str) -> list[int]:
    return list(tokenizer(kind).encode(text, add_special_tokens=False).ids)


def grounding(
    kind: str,
    sources: Sequence[Source] = SOURCES,
    question: str = "How much?",
    max_tokens: int = 80,
    short: bool = False,
) -> Grounding:
    prompt = "Answer.\n" + "\n".join(evidence_lines(sources)) + f"\n\nQuestion: {question}<|end|>"
    encoding = tokenizer(kind).encode(prompt, add_special_tokens=False)
    return ground(
        quotable(question, sources, short=short),
        prompt=prompt,
        ids=encoding.ids,
        offsets=encoding.offsets,
        encode=partial(encode, kind),
        clean=str,
        ends=[END],
        max_tokens=max_tokens,
    )


def walk(mask: Grounding, choose: Callable[[list[int]], int], most: int) -> tuple[list[int], bool]:
    """Tokens of an answer where `choose` picks among the allowed ones, and whether it ended itself."""
    tokens: list[int] = []
    while len(tokens) < most:
        allowed = mask(tokens)
        assert allowed is not None
        if not allowed:
            break
        tokens.append(choose(allowed))
        if tokens[-1] == END:
            return tokens[:-1], True
    return tokens, False


def accepts(mask: Grounding, tokens: Sequence[int]) -> bool:
    return all(token in (mask(tokens[:at]) or []) for at, token in enumerate(tokens))


def is_grounded(text: str, sources: Sequence[Source]) -> bool:
    """Every word of the text, punctuation around it aside, is a whole word of a line."""
    if text.strip() in (NOT_IN_DOCUMENTS, NOT_KNOWN):
        return True
    lines = " ".join(line.split(" ", 1)[1] for line in evidence_lines(sources))
    known = {run.strip(PUNCTUATION).lower() for run in lines.split()}
    answer = re.sub(r" \[\d+\]", "", text)
    return all(word.strip(PUNCTUATION).lower() in known for word in answer.split())


# --- properties ------------------------------------------------------------------------------------

sentence = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
evidence = st.lists(st.lists(sentence, min_size=1, max_size=3), min_size=1, max_size=3).map(
    lambda groups: tuple(source(rank, f"T{rank}", *body) for rank, body in enumerate(groups, 1))
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(sources=evidence, seed=st.integers(0, 10_000), max_tokens=st.integers(1, 60), short=st.booleans())
def test_whatever_is_chosen_only_whole_words_come_out(
    kind: str, sources: tuple[Source, ...], seed: int, max_tokens: int, short: bool
) -> None:
    choose = random.Random(seed).choice
    tokens, ended = walk(grounding(kind, sources, max_tokens=max_tokens, short=short), choose, max_tokens)
    text = tokenizer(kind).decode(tokens)
    assert "\ufffd" not in text
    assert is_grounded(text, sources), text
    assert ended or len(tokens) <= max_tokens


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(sources=evidence)
def test_every_sentence_can_be_quoted_with_its_marker(kind: str, sources: tuple[Source, ...]) -> None:
    for each in sources:
        for quoted in each.sentences:
            text = re.sub(r"^([-–] )+(?=\S)", "", quoted.text)  # list points are left out
            stop = "" if re.search(r"[.!?…][)\]\"'”’»]*$|[,:;]$", text) else "."
            tokens = [*encode(kind, f"{text}{stop} [{each.rank}]"), END]
            assert accepts(grounding(kind, sources, max_tokens=len(tokens)), tokens), quoted.text


HOURS = source(
    3,
    "Desk",
    "- The desk opens at nine, except on Fridays (see 5).",
    "It is in Leipzig.",
    "Note: It is shut.",
)


@pytest.mark.parametrize("kind", ["bytes", "byte-level"])  # others may write "EUR." as one token
@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        ("The warranty lasts 24 months (see 4.2). [2]", True),
        (f"{PRICES[1]} [1]", False),  # no full stop
        (f"{PRICES[1]}. [1]", True),
        ("Price: 329 EUR. [1]", True),  # a cell begins here, and a row ends
        ("Price: 149 EUR. [1]", True),
        ("Product: Lark One; Price: 149 EUR. [1]", True),  # a cell ends here
        ("Product: Lark One; In stock: 12,500. [1]", False),  # a cell is left out
        ("Price: 149 EUR; In stock: 12,500 Product: Lark Pro. [1]", False),  # from one row into another
        ("It is in Leipzig. Note: It is shut. [3]", True),
        (f"{PRICES[1]}. [1] {WARRANTY[1]} [2]", True),
        ("The desk opens at nine. [3]", True),  # the list point is left out, the sentence ended at a comma
        ("The desk opens at nine, except on Fridays. [3]", True),
        ("The desk opens. [3]", False),
        ("It is in Leipzig. [3]", True),
        ("Note: It is. [3]", False),  # a label and a full stop are prose
        ("Note: It is shut. [3]", True),
        (NOT_IN_DOCUMENTS, True),
        (NOT_KNOWN, True),
        (f"{PRICES[1]}. [2]", False),  # another source than the quoted one
        (f"{PRICES[1]}. [4]", False),  # no such source
        ("Price: 32 EUR. [1]", False),  # half a number
        ("In stock: 12. [1]", False),
        ("Price: 330 EUR. [1]", False),
        ("The warranty last 24 months. [2]", False),  # half a word
        ("The warranty [2]", False),  # not the end of a sentence or row
        ("The warranty does not last. [2]", False),
        ("Lasts 24 months (see 4.2). [2]", False),  # the middle of a sentence
        ("24 months. The warranty lasts 24 months (see 4.2). [2]", False),  # only where it has learned to
        (f"{NOT_IN_DOCUMENTS} {WARRANTY[1]} [2]", False),
        ("{", False),
        ("", False),
        (" ".join(WARRANTY) + " [2]", True),
        (" ".join(2 * WARRANTY[1:]) + " [2]", False),  # a circle
    ],
)
def test_answers(kind: str, answer: str, allowed: bool) -> None:
    assert accepts(grounding(kind, (*SOURCES, HOURS)), [*encode(kind, answer), END]) == allowed


@pytest.mark.parametrize("kind", ["bytes", "byte-level"])
@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        ("24 months. The warranty lasts 24 months (see 4.2). [2]", True),
        ("24 months. [2]", False),  # a quote has to follow
        ("Lark Pro. Price: 329 EUR. [1]", True),
        ("12,500. Product: Lark One. [1]", True),
        ("Product: Lark One; In stock: 12,500. [1]", True),  # a cell is left out
        ("Product: Lark One; Price: 329 EUR. [1]", False),  # the price of another row
        ("In stock: 12,500; Price: 149 EUR. [1]", False),  # no way back
        ("In stock. Product: Lark One. [1]", True),  # prepositions may come first: "within 9 days"
        ("The warranty lasts 24. [2]", False),  # neither short nor whole
        ("Is in Leipzig. It is in Leipzig. [3]", False),
        ("Leipzig. It is in Leipzig. [3]", True),
        ("The. The warranty lasts 24 months (see 4.2). [2]", False),  # mere grammar
        ("The desk opens at. It is in Leipzig. [3]", False),
        ("24 months. Lasts 24 months (see 4.2). [2]", False),  # the reason is a quote
        ("24 months. Lark Pro. Price: 329 EUR. [1]", False),  # one short answer
        ("24 months. 24 months. The warranty lasts 24 months (see 4.2). [2]", False),
        ("2.500. Product: Lark One. [1]", False),
    ],
)
def test_a_short_answer_may_come_first_from_a_model_that_has_learned_to(
    kind: str, answer: str, allowed: bool
) -> None:
    mask = grounding(kind, (*SOURCES, HOURS), short=True)
    assert accepts(mask, [*encode(kind, answer), END]) == allowed


def likely(sources: Sequence[Source], *which: str) -> tuple[Source, ...]:
    """The same sources, with these sentences marked as what may be the answer, the first as the best."""
    return tuple(
        replace(
            each,
            sentences=tuple(
                replace(
                    s, likely=s.text in which, score=-float(which.index(s.text)) if s.text in which else 0.0
                )
                for s in each.sentences
            ),
        )
        for each in sources
    )


APPROVED, LARK_PRO = "Marta Ødegård approves it. [2]", f"{PRICES[1]}. [1]"


@pytest.mark.parametrize("kind", ["bytes", "byte-level"])
@pytest.mark.parametrize(
    ("answer", "room", "allowed"),
    [
        (f"{APPROVED} {LARK_PRO}", 100, True),
        (f"{LARK_PRO} {APPROVED}", 100, True),  # the model may begin with the second best
        (APPROVED, 100, False),  # not yet all that may be the answer
        (f"{WARRANTY[0]} [2] {APPROVED} {LARK_PRO}", 100, False),  # only what may be the answer
        (f"{APPROVED} {WARRANTY[0]} [2]", 100, False),
        (NOT_IN_DOCUMENTS, 100, True),
        (APPROVED, 1, True),  # no room for the other
    ],
)
def test_an_answer_quotes_every_sentence_that_is_as_likely_as_the_best(
    kind: str, answer: str, room: int, allowed: bool
) -> None:
    tokens = [*encode(kind, answer), END]
    mask = grounding(kind, likely(SOURCES, WARRANTY[1], PRICES[1]), max_tokens=len(tokens) + room)
    assert accepts(mask, tokens) == allowed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("logits", "declines", "answers"),
    [
        ((None, None), True, True),
        ((-1.5, ANSWERED - 0.1), True, True),
        ((-9.0, ANSWERED), False, True),
        ((UNANSWERED - 0.1, -4.0), True, False),
    ],
)
def test_only_where_it_is_uncertain_may_an_answer_choose_to_decline(
    kind: str, logits: tuple[float | None, ...], declines: bool, answers: bool
) -> None:
    one, two = SOURCES
    judged = tuple(replace(s, logit=logit) for s, logit in zip(two.sentences, logits, strict=True))
    for said, allowed in ((NOT_IN_DOCUMENTS, declines), (NOT_KNOWN, declines), (APPROVED, answers)):
        mask = grounding(kind, (one, replace(two, sentences=judged)), max_tokens=100)
        assert accepts(mask, [*encode(kind, said), END]) is allowed


def test_likely_sentences_that_read_the_same_are_quoted_once() -> None:
    twins = (source(1, "Warranty", *WARRANTY), source(2, "Warranty", *WARRANTY))
    mask = grounding("bytes", likely(twins, WARRANTY[1]), max_tokens=200)
    assert accepts(mask, [*encode("bytes", APPROVED), END])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(sources=evidence, seed=st.integers(0, 10_000), max_tokens=st.integers(1, 200))
def test_an_answer_that_has_likely_sentences_still_comes_to_an_end(
    kind: str, sources: tuple[Source, ...], seed: int, max_tokens: int
) -> None:
    texts = sorted({s.text for each in sources for s in each.sentences})
    marked = likely(sources, *random.Random(seed).sample(texts, min(3, len(texts))))
    tokens, _ = walk(grounding(kind, marked, max_tokens=max_tokens), random.Random(seed).choice, max_tokens)
    assert is_grounded(tokenizer(kind).decode(tokens), sources)


def test_a_word_once_begun_is_finished() -> None:
    mask = grounding("bytes")
    begun = encode("bytes", "In stock: 12")
    assert mask(begun) == encode("bytes", ",")
    assert (
        grounding("bytes", short=True)(encode("bytes", "Marta \u00d8")[:-1]) == encode("bytes", "\u00d8")[1:]
    )


def test_without_sources_only_declining_is_left() -> None:
    for seed in range(8):
        tokens, ended = walk(grounding("byte-level", ()), random.Random(seed).choice, 80)
        assert ended
        assert tokenizer("byte-level").decode(tokens) in (NOT_IN_DOCUMENTS, NOT_KNOWN)


def test_json_is_free_only_when_the_question_asks_for_it() -> None:
    brace = encode("bytes", "{")
    asked = grounding("bytes", question="Classify this as JSON: no light")
    assert brace[0] in (asked([]) or [])
    assert asked(brace) is None
    assert asked([*brace, 5, 7]) is None
    assert brace[0] not in (grounding("bytes")([]) or [])
    prose = grounding("bytes", question="Classify this as JSON: no light")
    assert prose(encode("bytes", "Lark")) is not None


def test_an_answer_is_cut_before_a_word_that_does_not_fit() -> None:
    for most in range(1, 12):
        tokens = encode("bytes", "Lark One;")[:most]
        mask = grounding("bytes", max_tokens=most, short=True)
        fits = accepts(mask, tokens)
        assert fits == (tokens in [encode("bytes", part) for part in ("Lark", "Lark One", "Lark One;")])


def test_a_prompt_that_does_not_show_the_sources_is_refused() -> None:
    with pytest.raises(UserError, match="chat template rewrites"):
        ground(
            Quotable(SOURCES), prompt="nothing", ids=[], offsets=[], encode=partial(encode, "bytes"),
            clean=str, ends=[END], max_tokens=8,
        )  # fmt: skip


# --- through the decode loop -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return LanguageModel.load(tiny_language_model(tmp_path_factory.mktemp("base"), context=1024))


def say(model: LanguageModel, **options: Any) -> tuple[str, Finished]:
    messages = build_messages("How much?", evidence_lines(SOURCES))
    *pieces, finished = model.generate(messages, quote=quotable("How much?", SOURCES), **options)
    assert isinstance(finished, Finished)
    return "".join(piece.text for piece in pieces if not isinstance(piece, Finished)), finished


class Stubborn:
    """A network that always wants to say the same ungrounded thing, and next best the highest token id."""

    def __init__(self, wanted: Sequence[int], vocabulary: int, config: Any) -> None:
        self.config = config
        self._logits = torch.arange(vocabulary, dtype=torch.float32)
        self._logits[list(wanted)] += 1000
        self.calls = 0

    def parameters(self) -> Any:
        return iter([self._logits])

    def __call__(self, **_: Any) -> Any:
        self.calls += 1
        return SimpleNamespace(logits=self._logits[None, None])


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_that_prefers_other_words_is_held_to_the_evidence(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch, temperature: float
) -> None:
    wanted = generation.encode(model.tokenizer, "Berlin! 777 zzz")
    stubborn = Stubborn(wanted, len(model.tokenizer), model._base.config)
    monkeypatch.setattr(model, "_base", stubborn)
    text, finished = say(model, max_tokens=60, temperature=temperature)
    assert text and is_grounded(text, SOURCES), text
    assert stubborn.calls == finished.usage.completion_tokens


@pytest.mark.parametrize("seed", range(6))
def test_random_weights_say_only_words_of_the_evidence(
    model: LanguageModel, tmp_path: Path, seed: int
) -> None:
    adapter = random_adapter(model.folder, tmp_path / "adapter", seed=seed) if seed % 2 else None
    text, finished = say(
        model, max_tokens=20 + 7 * seed, temperature=1.5 * (seed > 2), seed=seed, adapter=adapter
    )
    assert is_grounded(text, SOURCES), text
    assert finished.truncated == (
        finished.usage.completion_tokens != len(generation.encode(model.tokenizer, text)) + 1
    )


def test_markers_of_the_model_in_a_source_are_quoted_as_the_prompt_shows_them(model: LanguageModel) -> None:
    odd = (source(1, "T<|end|>", "He wrote <|end|> here."),)
    messages = build_messages("What?", evidence_lines(odd))
    *_, finished = model.generate(messages, quote=quotable("What?", odd), max_tokens=12)
    assert isinstance(finished, Finished)


def test_without_quote_nothing_is_masked(model: LanguageModel) -> None:
    ids = generation.encode(model.tokenizer, "Question")
    free = list(generation.decode(model._base, ids, model._ends, 12, 0.0, 0))
    every = list(range(len(model.tokenizer)))
    assert list(generation.decode(model._base, ids, model._ends, 12, 0.0, 0, lambda _: None)) == free
    assert list(generation.decode(model._base, ids, model._ends, 12, 0.0, 0, lambda _: every)) == free
    assert list(generation.decode(model._base, ids, model._ends, 12, 0.0, 0, lambda _: [])) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("question", "allowed"), [("Does Marta approve it?", True), ("How long is the warranty?", False)]
)
def test_yes_or_no_may_come_first_where_it_is_asked_for(kind: str, question: str, allowed: bool) -> None:
    for word in ("Yes.", "No."):
        answer = encode(kind, f"{word} Marta Ødegård approves it. [2]")
        assert accepts(grounding(kind, question=question), answer) is allowed
        assert not accepts(grounding(kind, question=question), [*encode(kind, word), END])
