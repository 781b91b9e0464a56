"""JSON under a schema: whatever the network would say, what ends is valid and ends in time."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from backends.datatypes import Finished, UserError
from backends.language import generation
from backends.language.constraints import SchemaConstraint, Vocabulary, read_vocabulary
from backends.language.generation import LanguageModel
from backends.language.prompts import build_messages
from tests.fakes import tiny_language_model

PIECES = ['{"', '":"', '","', '"}', '":', "ab", "abc", "due", "paid", "in", "10", "20", "},{", "é", "北"]
PARCEL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "state": {"enum": ["in transit", "delivered", "lost"]},
        "stops": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"place": {"type": "string"}, "hours": {"type": "number"}},
                "required": ["place", "hours"],
                "additionalProperties": False,
            },
        },
        "insured": {"type": "boolean"},
    },
    "required": ["state", "stops"],
    "additionalProperties": False,
}
FOLDERS: dict[str, Any] = {
    "$defs": {
        "folder": {
            "type": "object",
            "properties": {
                "label": {"type": "string", "minLength": 3},
                "inside": {"type": "array", "items": {"$ref": "#/$defs/folder"}},
            },
            "required": ["label"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/folder",
}
METER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "serial": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
        "read_on": {"type": "string", "format": "date"},
        "unit": {"enum": ["m³", "kWh", "°C"]},
        "values": {"type": "array", "items": {"type": "integer", "minimum": 100}, "minItems": 2},
        "who": {"anyOf": [{"type": "null"}, {"type": "string", "minLength": 12}]},
    },
    "required": ["serial", "read_on", "unit", "values", "who"],
    "additionalProperties": False,
}
SCHEMAS = {"parcel": PARCEL, "folders": FOLDERS, "meter": METER}


def fast(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unk>")


def byte_level() -> PreTrainedTokenizerFast:
    """As of GPT-2: every byte is a token, and some pieces are."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words = ["<end>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges = []
    for piece in PIECES:
        parts = list(level.pre_tokenize_str(piece)[0][0])
        while len(parts) > 1:
            merges.append((parts[0], parts[1]))
            parts[:2] = ["".join(parts[:2])]
            words.append(parts[0])
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=list(dict.fromkeys(merges)), unk_token="<unk>"))
    tokenizer.pre_tokenizer, tokenizer.decoder = level, decoders.ByteLevel()
    return fast(tokenizer)


def byte_fallback() -> PreTrainedTokenizerFast:
    """As of Llama 2: characters and pieces, bytes for the rest, a mark for the space."""
    words = ["<unk>", "<end>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    words += [*map(chr, range(33, 127)), '{"', '":', '"}', "▁a"]
    merges = [("{", '"'), ('"', ":"), ('"', "}"), ("▁", "a")]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return fast(tokenizer)


@pytest.fixture(scope="module", params=[byte_level, byte_fallback])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    made: PreTrainedTokenizerFast = request.param()
    return made


@pytest.fixture(scope="module")
def vocabulary(tokenizer: PreTrainedTokenizerFast) -> Vocabulary:
    return read_vocabulary(tokenizer, {tokenizer.eos_token_id})


def walk(constraint: SchemaConstraint, ends: frozenset[int], most: int, draw: random.Random) -> list[int]:
    """An answer of arbitrary allowed tokens; fails when it does not end within `most` tokens."""
    answer: list[int] = []
    for _ in range(most):
        token = draw.choice(constraint(answer))
        if token in ends:
            return answer
        answer.append(token)
    raise AssertionError(f"not ended: {answer}")


def shortest(vocabulary: Vocabulary, schema: dict[str, Any]) -> int:
    """The smallest answer length that is accepted."""
    low, high = 1, 400
    while low < high:
        middle = (low + high) // 2
        try:
            SchemaConstraint(vocabulary, schema, middle)
            high = middle
        except UserError:
            low = middle + 1
    return low


@pytest.mark.parametrize(
    ("name", "spare"),
    [("parcel", 0), ("parcel", 3), ("parcel", 25), ("folders", 0), ("folders", 9), ("meter", 1)],
)
def test_whatever_is_said_ends_in_time_and_is_valid(
    name: str, spare: int, tokenizer: PreTrainedTokenizerFast, vocabulary: Vocabulary
) -> None:
    schema = SCHEMAS[name]
    most = shortest(vocabulary, schema) + spare
    constraint = SchemaConstraint(vocabulary, schema, most)
    answer = walk(constraint, vocabulary.ends, most, random.Random(spare))
    jsonschema.validate(json.loads(str(tokenizer.decode(answer))), schema)
    assert constraint.pressed or spare > 3


READING = {"serial": "AB-123", "read_on": "2026-02-28", "unit": "m³", "values": [100, 2000], "who": None}


@pytest.mark.parametrize(
    ("name", "value", "keeps"),
    [
        ("parcel", {"state": "lost", "stops": []}, True),
        ("parcel", {"state": "lost", "stops": [{"place": 'Łódź "5" 北', "hours": -1.5e3}]}, True),
        ("parcel", {"state": "lost"}, False),
        ("parcel", {"state": "gone", "stops": []}, False),
        ("parcel", {"state": "lost", "stops": [], "weight": 3}, False),
        ("folders", {"label": "top", "inside": [{"label": "two", "inside": [{"label": "3rd"}]}]}, True),
        ("folders", {"label": "top", "inside": [{"label": "2"}]}, False),
        ("meter", READING, True),
        ("meter", READING | {"serial": "AB-12"}, False),
        ("meter", READING | {"read_on": "2026-02-30x"}, False),
        ("meter", READING | {"values": [99, 200]}, False),
        ("meter", READING | {"values": [100]}, False),
        ("meter", READING | {"who": "too short"}, False),
    ],
)
def test_exactly_what_the_schema_accepts_can_be_said(
    name: str, value: object, keeps: bool, tokenizer: PreTrainedTokenizerFast, vocabulary: Vocabulary
) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    tokens = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    constraint = SchemaConstraint(vocabulary, SCHEMAS[name], 2000)
    # Where only one text can follow, its usual tokens are asked for: others of the same text are refused.
    allowed = all(token in constraint(tokens[:at]) for at, token in enumerate(tokens))
    assert (allowed and not vocabulary.ends.isdisjoint(constraint(tokens))) is keeps


def test_far_from_the_end_nothing_is_held_back(vocabulary: Vocabulary) -> None:
    roomy, tight = (
        SchemaConstraint(vocabulary, PARCEL, most) for most in (400, shortest(vocabulary, PARCEL))
    )
    said: list[int] = []
    while len(roomy(said)) == 1:
        said.append(roomy(said)[0])
    assert set(tight(said)) < set(roomy(said))
    assert tight.pressed and not roomy.pressed


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/nowhere"}}}, "cannot be held"),
        ({"type": "string", "pattern": "(?=look)ahead"}, "cannot be held"),
        ({"type": "array", "uniqueItems": True, "unevaluatedItems": False}, "cannot be held"),
        ({"type": "string", "minLength": 100_000}, "o short answer|at least"),
        ({"enum": ["a value that has more tokens than fit"]}, "may have 6: allow longer answers"),
    ],
)
def test_what_cannot_be_kept_is_said_in_one_sentence(
    schema: dict[str, Any], said: str, vocabulary: Vocabulary
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        SchemaConstraint(vocabulary, schema, 6)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_tokenizer_of_whole_words_is_refused() -> None:
    words = Tokenizer(models.WordLevel(vocab={"<unk>": 0, "<end>": 1, "word": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(UserError, match="switch constrained decoding off"):
        read_vocabulary(fast(words), {1})


# --- through the model -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return LanguageModel.load(tiny_language_model(tmp_path_factory.mktemp("base"), context=1024))


def say(model: LanguageModel, **options: Any) -> tuple[str, Finished]:
    *tokens, finished = model.generate(build_messages("Which parcel? As JSON"), **options)
    assert isinstance(finished, Finished)
    return "".join(token.text for token in tokens), finished  # type: ignore[union-attr]


@pytest.mark.parametrize("temperature", [0.0, 1.5])
@pytest.mark.parametrize("max_tokens", [40, 70])
def test_random_weights_keep_the_schema(model: LanguageModel, temperature: float, max_tokens: int) -> None:
    text, finished = say(model, schema=PARCEL, temperature=temperature, max_tokens=max_tokens, seed=5)
    jsonschema.validate(json.loads(text), PARCEL)
    assert finished.usage.completion_tokens <= max_tokens
    assert text != say(model, temperature=temperature, max_tokens=max_tokens, seed=5)[0]


def test_an_answer_that_the_limit_cut_short_says_so(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def long_winded(*given: Any) -> int:
        """Goes on with text as long as any may come."""
        allowed = given[-1]
        letter = model.tokenizer.encode("x", add_special_tokens=False)[0]
        return letter if letter in allowed else int(allowed[0])

    monkeypatch.setattr(generation, "_choose", long_winded)
    schema = {"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}
    text, finished = say(model, schema=schema | {"additionalProperties": False}, max_tokens=60)
    assert json.loads(text)["note"].startswith("xxxx") and finished.truncated
    assert 50 <= finished.usage.completion_tokens <= 60
    short = {"type": "object", "properties": {"note": {"enum": ["x", "y"]}}, "required": ["note"]}
    assert not say(model, schema=short | {"additionalProperties": False}, max_tokens=60)[1].truncated


def test_too_few_tokens_are_refused_before_any_text(model: LanguageModel) -> None:
    with pytest.raises(UserError, match=r"at least \d+ tokens, but may have 12"):
        say(model, schema=PARCEL, max_tokens=12)


def test_the_mask_leaves_the_network_its_choice(model: LanguageModel, tmp_path: Path) -> None:
    """The likeliest of the values that fit is said, not the first."""
    schema = {"enum": list("abcdefghij")}
    prompt = generation.encode(model.tokenizer, model.render(build_messages("Letter?")) + '"')
    logits = model._base.start(len(prompt))(prompt)
    letters = {letter: model.tokenizer.encode(letter, add_special_tokens=False)[0] for letter in "abcdefghij"}
    likeliest = max(letters, key=lambda letter: float(logits[letters[letter]]))
    *tokens, _ = model.generate(build_messages("Letter?"), schema=schema)
    assert json.loads("".join(token.text for token in tokens)) == likeliest  # type: ignore[union-attr]
