"""Questions that a passage nearly answers: one word exchanged, or another measure of the same thing.

Enters: a public question with its paragraph, or a source of chance. Leaves: the question with a name, a
figure or a word of opposite sense exchanged, so that the paragraph no longer answers it (the kinds of
Rajpurkar et al., SQuAD 2, 2018); and short texts that state some measures of a thing and are asked for
another one in the same unit. It knows no windows, no tokenizer and no model.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_NAME = r"[A-Z][\w'’-]+(?:(?: of| the| de| von)? [A-Z][\w'’-]+)*"
_NAMED = re.compile(rf"(?<=[\w,)] )(?:the )?(?:{_NAME})")  # the first word of a sentence is no name for it
_FIGURE = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?![\w])")
_OPPOSITES = """
    first last, before after, largest smallest, highest lowest, most least, more less, increase decrease,
    north south, northern southern, east west, eastern western, oldest youngest, older younger, early
    late, earliest latest, longest shortest, longer shorter, above below, inside outside, gain lose,
    gained lost, won lost, win lose, begin end, began ended, start finish, started finished, open close,
    opened closed, male female, men women, boys girls, mother father, son daughter, husband wife, king
    queen, maximum minimum, always never, best worst, better worse, strong weak, stronger weaker, cold
    hot, wet dry, dark light, import export, imported exported, buy sell, bought sold, enter leave,
    entered left, arrive depart, arrived departed, rich poor, rural urban, public private, positive
    negative, upper lower, modern ancient, permanent temporary, majority minority, victory defeat, allowed
    forbidden, allow forbid, support oppose, supported opposed, accepted rejected, require prevent, cause
    prevent, caused prevented, include exclude, included excluded, same different, ally enemy, allies
    enemies, born dead, winter summer, spring autumn, left right, full empty, many few
"""
_PAIRS = [pair.split() for pair in _OPPOSITES.split(",")]
OPPOSITES = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}


def exchanged(question: str, paragraph: str, article: Sequence[str], rng: random.Random) -> str | None:
    """The question with one name, figure or word of sense exchanged; None where it holds none of them.

    Names come from the same paragraph or the `article` and stand nowhere in the question; a name or figure is
    exchanged only when the paragraph holds it, since it would not matter otherwise.
    """
    ways = [
        lambda: _other_name(question, paragraph, article, rng),
        lambda: _other_figure(question, paragraph, rng),
        lambda: _opposite(question, rng),
    ]
    rng.shuffle(ways)
    return next((made for way in ways if (made := way())), None)


def _other_name(question: str, paragraph: str, article: Sequence[str], rng: random.Random) -> str | None:
    found = [match for match in _NAMED.finditer(question) if match[0] in paragraph]
    if not found:
        return None
    match = rng.choice(found)
    text = paragraph if rng.random() < 0.6 or not article else rng.choice(article)
    names = {each for each in _NAMED.findall(text) if each not in question and match[0] not in each}
    same = sorted(n for n in names if (n.startswith("the ")) == match[0].startswith("the "))
    return question[: match.start()] + rng.choice(same) + question[match.end() :] if same else None


def _other_figure(question: str, paragraph: str, rng: random.Random) -> str | None:
    found = [match for match in _FIGURE.finditer(question) if match[0] in paragraph]
    if not found:
        return None
    match = rng.choice(found)
    near = [
        each for each in _FIGURE.findall(paragraph) if len(each) == len(match[0]) and each not in question
    ]
    if near and rng.random() < 0.5:
        other = rng.choice(near)
    else:
        digits = [n for n, letter in enumerate(match[0]) if letter.isdigit()]
        at = digits[-1] if rng.random() < 0.6 else digits[max(0, len(digits) - 2)]
        fitting = [d for d in "123456789" if d != match[0][at]]
        other = match[0][:at] + rng.choice(fitting) + match[0][at + 1 :]
    return None if other in paragraph and other in question else question.replace(match[0], other, 1)


def _opposite(question: str, rng: random.Random) -> str | None:
    found = [m for m in re.finditer(r"\b[a-z]+\b", question) if m[0] in OPPOSITES]
    if not found:
        return None
    match = rng.choice(found)
    return question[: match.start()] + OPPOSITES[match[0]] + question[match.end() :]


@dataclass(frozen=True)
class Measure:
    """One thing that can be said of an object: how it is asked and how it is told; `{}` is the object, `{v}`
    the value."""

    unit: str
    asked: tuple[str, ...]
    told: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """Sentences about an object and others; `short` answers `question` in sentence number `at`, or nothing
    does and `short` is empty."""

    title: str
    body: tuple[str, ...]
    question: str
    at: int
    short: str


def load_measures(path: Path = Path(__file__).parent / "measures.jsonl") -> list[Measure]:
    """One measure a line: its unit ("" = a year), questions and sentences."""
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [Measure(row["unit"], tuple(row["asked"]), tuple(row["told"])) for row in rows]


_THINGS = """
    the harbour basin, the north quay, the crane, the lock, the slipway, the fuel pontoon, the meeting
    room, the lift, the archive, the parking deck, the loading ramp, the cold store, the press, the mixer,
    the boiler, the greenhouse, the tennis hall, the swimming pool, the stage, the tent, the minibus, the
    trailer, the cargo bike, the projector, the ladder, the generator, the server cabinet, the printer,
    the coffee machine, the oven, the water tank, the kayak, the climbing wall, the telescope, the bridge,
    the tunnel, the wind turbine, the solar roof, the workshop, the laboratory, the guest flat, the
    reading room, the locker, the safe, the drone, the excavator, the roller, the ferry, the tram, the
    ticket machine, the sample kit, the first-aid box, the microscope, the freezer
"""
THINGS = tuple(" ".join(_THINGS.split()).split(", "))
_ASIDE = """
    Keys are at reception. Questions go to the office. Please leave everything as it was found. Smoking is
    not allowed. The rules are reviewed in autumn. Children must be accompanied. Dogs are kept on a lead.
    A form is on the wall. Ask the caretaker for help. Report faults by mail.
"""
ASIDE = tuple(re.split(r"(?<=\.) ", " ".join(_ASIDE.split())))


def _value(unit: str, rng: random.Random) -> str:
    if not unit:
        return str(rng.randint(1890, 2025))
    number = rng.choice([rng.randint(2, 9), rng.randint(10, 60), rng.randint(10, 40) * 5])
    if unit == "EUR" and rng.random() < 0.5:
        return rng.choice(["€{}", "{}.50 EUR", "{} euros"]).format(number)
    if unit in {"m", "kg"} and rng.random() < 0.3:
        number = f"{number}.{rng.randint(1, 9)}"
    return f"{number} {unit}" if unit != "%" or rng.random() < 0.4 else f"{number}%"


def measured(measures: Sequence[Measure], rng: random.Random, *, answered: bool) -> Measured:
    """A text of three to seven sentences and a question about one thing in it.

    Where nothing answers, the thing has another measure in the same unit, or another thing has the measure
    that is asked for.
    """
    unit = rng.choice([each.unit for each in measures if each.unit != "mm"])
    same = rng.sample([each for each in measures if each.unit == unit], 2)
    thing, *others = rng.sample(THINGS, 4)
    told, asked = (same[0], same[0]) if answered else (same[0], same[1])
    facts = [(told, thing), *((rng.choice([*same, rng.choice(measures)]), other) for other in others)]
    if not answered and rng.random() < 0.25:  # nothing of the kind is told of the thing at all
        facts = facts[1:]
    facts = facts[: rng.randint(2, 4)]
    rows = [
        (_sentence(measure, name, value := _value(measure.unit, rng), rng), value) for measure, name in facts
    ]
    gold = rows[0]
    rows += [(each, "") for each in rng.sample(ASIDE, rng.randint(0, 3))]
    rng.shuffle(rows)
    question = rng.choice(asked.asked).replace("{}", thing)
    return Measured(
        rng.choice(["", thing.removeprefix("the ").capitalize(), "House rules", "Equipment", "Notes"]),
        tuple(text for text, _ in rows),
        question[:1].upper() + question[1:],
        rows.index(gold),
        gold[1] if answered else "",
    )


def _sentence(measure: Measure, thing: str, value: str, rng: random.Random) -> str:
    text = rng.choice(measure.told).replace("{v}", value).replace("{}", thing)
    return text[:1].upper() + text[1:]
