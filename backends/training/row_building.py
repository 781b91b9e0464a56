"""Builds training rows from documents: table cells, gaps in sentences, questions in the model's own words.

Enters: passages (document, title, text) and, for questions of its own wording, a language model. Leaves: rows
with the way they were made. A question the model wrote is kept only if it is about its sentence and the model
answers it from the passage (round trip). It knows no library.
"""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from backends.answering.overlap import content_tokens, sentences
from backends.datatypes import Finished, Stage, Token, TrainingRow
from backends.language.answer_text import without_markers
from backends.language.prompts import build_messages, build_question_request, format_evidence
from backends.language.protocol import Messages
from backends.system.reporting import Report

Way = Literal["table", "gap", "model", "yours"]
WAYS: tuple[Way, ...] = ("table", "gap", "model")
# Why a question of the model was dropped.
Why = Literal["no question", "gives the answer away", "about something else", "not answered"]
MOST_ROWS = 400
CELLS_PER_ROW = 4
GAP = "____"
ABOUT = 0.6  # share of a question's content words that its sentence, its neighbours and the title must hold
# Words, stemmed, that only say what is asked for: how long, how much, which date.
ASKING = frozenset("long much mani often far soon old time name number date day year amount".split())  # noqa: SIM905
READ = 4  # sentences on each side that stand beside the right one when the model answers its own question

_PLURAL = re.compile(r"[^aius]s$", re.IGNORECASE)  # hours and allergens; not basis, status, gas, address
_CURRENCIES = {"eur", "usd", "gbp", "chf"}
_UNITS = _CURRENCIES | {"mg", "g", "kg", "mm", "cm", "m", "km", "ml", "l", "min", "h", "kw", "kwh", "percent"}
_CELL = re.compile(r"\s*([^:;\n]{1,40}):\s+([^;\n]{1,120})")
_AMOUNT = re.compile(r"(?:[€$£]\s?)?\b(?:\d[\d.,:]*\d|\d)\b")
_UNIT = re.compile(r"\s?(?:%|[A-Za-zµ°]{1,12}\b)")
_NAME = re.compile(r"\b[A-Z][\w&-]*(?:\s+[A-Z][\w&-]*)+")
_NOT_UNITS = frozenset(
    "and or of to in on at for from with by per the a an is are was were will may must can if then".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class SourcePassage:
    """A piece of a document that rows are made of."""

    document: str
    title: str
    text: str


@dataclass(frozen=True)
class BuiltRow:
    """A row and the way in which it was made."""

    row: TrainingRow
    way: Way


@dataclass(frozen=True)
class Built:
    """The rows, and how many questions of the model were not kept, by the reason."""

    rows: tuple[BuiltRow, ...]
    rejected: Mapping[Why, int]


class Writer(Protocol):
    """What is needed of `generation.LanguageModel`."""

    def generate(self, messages: Messages, *, max_tokens: int) -> Iterator[Stage | Token | Finished]:
        """The model's answer to these messages, as events."""
        ...


def build_rows(
    passages: Sequence[SourcePassage],
    ways: Sequence[Way] = WAYS,
    *,
    writer: Writer | None = None,
    most: int = MOST_ROWS,
    seed: int = 0,
    report: Report = lambda done, total, what: None,
    cancel: threading.Event | None = None,
) -> Built:
    """At most `most` rows, spread over documents and ways; each question once.

    When `cancel` is set what was made so far is returned.
    """
    made: list[BuiltRow] = []
    if "table" in ways:
        made += _unambiguous(_table_rows(passages))
    statements = [] if set(ways) <= {"table"} else list(_statements(passages))
    if "gap" in ways:
        made += [BuiltRow(gap_row(each), "gap") for each in statements]
    rejected: Counter[Why] = Counter()
    if "model" in ways and writer is not None:
        share = most if list(ways) == ["model"] else most // len(ways)
        chosen = random.Random(seed).sample(statements, min(len(statements), 2 * share))
        written: list[BuiltRow] = []
        for done, statement in enumerate(chosen):
            if (cancel is not None and cancel.is_set()) or len(written) >= share:
                break
            report(done, len(chosen), f"Writing questions: {statement.passage.document}")
            found = ask_back(statement, writer)
            if isinstance(found, TrainingRow):
                written.append(BuiltRow(found, "model"))
            else:
                rejected[found] += 1
        made += written
    return Built(tuple(_spread(_once(made), most, seed)), dict(rejected))


def _once(rows: Iterable[BuiltRow]) -> list[BuiltRow]:
    found: dict[str, BuiltRow] = {}
    for each in rows:
        found.setdefault(" ".join(each.row.question.lower().split()), each)
    return list(found.values())


def _spread(rows: Sequence[BuiltRow], most: int, seed: int) -> list[BuiltRow]:
    """At most `most`, as evenly over (document, way) as there are rows; in their order."""
    if len(rows) <= most:
        return list(rows)
    rng = random.Random(seed)
    groups: dict[tuple[str, Way], list[int]] = {}
    for index, each in enumerate(rows):
        groups.setdefault((each.row.documents[0], each.way), []).append(index)
    for group in groups.values():
        rng.shuffle(group)
    chosen: list[int] = []
    while len(chosen) < most:
        for group in groups.values():
            if group and len(chosen) < most:
                chosen.append(group.pop())
    return [rows[index] for index in sorted(chosen)]


# --- table rows ------------------------------------------------------------------------------------


def cells(line: str) -> list[tuple[str, str]]:
    """(header, value) pairs of a line "Header: value; Header: value"; [] when it is no table row."""
    parts = [part for part in line.split("; ") if part.strip()]
    found = [_CELL.fullmatch(part) for part in parts]
    if len(parts) < 2 or not all(found):
        return []
    return [(match[1].strip(), match[2].strip()) for match in found if match is not None]


def _table_rows(passages: Sequence[SourcePassage]) -> Iterator[BuiltRow]:
    by_document: dict[str, list[tuple[SourcePassage, list[tuple[str, str]]]]] = {}
    for passage in passages:
        for line in passage.text.splitlines():
            if found := cells(line):
                by_document.setdefault(passage.document, []).append((passage, found))
    for lines in by_document.values():
        subject = _subject([found for _, found in lines])
        for passage, found in lines:
            name = dict(found).get(subject)
            others = [(header, value) for header, value in found if header != subject]
            if name:
                for header, value in others[:CELLS_PER_ROW]:
                    yield BuiltRow(_cell_row(passage, name, header, value), "table")


def _subject(lines: Sequence[Sequence[tuple[str, str]]]) -> str:
    """The column that names its row: its values differ from row to row and are words rather than numbers."""

    def merit(header: str) -> tuple[float, float]:
        values = [value for line in lines for name, value in line if name == header]
        letters = sum(sum(c.isalpha() or c.isspace() for c in value) for value in values)
        return len(set(values)) / len(lines), letters / max(1, sum(map(len, values)))

    headers = list(dict.fromkeys(header for line in lines for header, _ in line))
    unique = [header for header in headers if merit(header)[0] > 0.9]
    return max(unique or headers, key=lambda header: merit(header)[:: 1 if not unique else -1])


def _cell_row(passage: SourcePassage, name: str, header: str, value: str) -> TrainingRow:
    what = _spoken(header)
    verb = "are" if _PLURAL.search(what.partition(" in ")[0]) else "is"
    return TrainingRow(
        f"What {verb} the {what} of {name}?",
        f"{value}. The {what} of {name} {verb} {value}.",
        (passage.document,),
    )


def _spoken(header: str) -> str:
    """A column's name as it is said: `weight_g` is the weight in g, `Unit price` the unit price."""
    name, _, unit = header.rpartition("_")
    if name and unit.casefold() in _UNITS:
        header = f"{name} in {unit.upper() if unit.casefold() in _CURRENCIES else unit}"
    header = " ".join(header.split("_"))
    return header[0].lower() + header[1:] if header[1:2].islower() or len(header) == 1 else header


def _unambiguous(rows: Iterable[BuiltRow]) -> list[BuiltRow]:
    """Without questions that the table answers in more than one way."""
    made = list(rows)
    answers: dict[str, set[str]] = {}
    for each in made:
        answers.setdefault(each.row.question, set()).add(each.row.answer)
    return [each for each in made if len(answers[each.row.question]) == 1]


# --- sentences -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TaughtStatement:
    """A sentence with the short answer in it that a question can ask for, and its neighbours."""

    passage: SourcePassage
    sentence: str
    start: int
    end: int
    around: tuple[str, ...]  # the sentence with the one before and the one after it
    nearby: tuple[str, ...]  # with READ on each side

    @property
    def short(self) -> str:
        """The short answer alone."""
        return self.sentence[self.start : self.end]

    @property
    def answer(self) -> str:
        """The house style: the short answer, then the sentence it stands in."""
        return f"{self.short}. {self.sentence}" if self.short != self.sentence else self.sentence


def _statements(passages: Sequence[SourcePassage]) -> Iterator[TaughtStatement]:
    seen: set[str] = set()
    for passage in passages:
        found = [" ".join(each.split()) for each in sentences(passage.text)]
        for index, sentence in enumerate(found):
            if sentence in seen or not _is_plain(sentence):
                continue
            seen.add(sentence)
            span = short_answer(sentence)
            if span is not None:
                around, nearby = (_prose(found[max(0, index - n) : index + n + 1]) for n in (1, READ))
                yield TaughtStatement(passage, sentence, *span, around, nearby)


def _prose(found: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in found if not cells(each) and each[:1] != "#")


def _is_plain(sentence: str) -> bool:
    """A whole sentence in words, no heading, list crumb or table row."""
    words = sentence.split()
    return 5 <= len(words) <= 45 and sentence[-1] in ".!?" and sentence[0].isupper() and not cells(sentence)


def short_answer(sentence: str) -> tuple[int, int] | None:
    """Where the piece stands that a question could ask for: an amount with its unit, else a name."""
    for match in _AMOUNT.finditer(sentence):
        unit = _UNIT.match(sentence, match.end())
        if unit is not None and unit[0].strip().lower() not in _NOT_UNITS:
            return match.start(), unit.end()
        return match.span()
    for match in _NAME.finditer(sentence):
        if match.start() > 0:
            return match.span()
    return None


def gap_row(statement: TaughtStatement) -> TrainingRow:
    """The sentence with a gap where its short answer stood."""
    gapped = statement.sentence[: statement.start] + GAP + statement.sentence[statement.end :]
    return TrainingRow(
        f"{statement.passage.title}, what is missing: {gapped}",
        statement.answer,
        (statement.passage.document,),
    )


def ask_back(statement: TaughtStatement, writer: Writer) -> TrainingRow | Why:
    """A question in the model's words that it can answer itself from the passage, or why there is none.

    It answers among the sentences nearby: with the right one alone, any question would lead to it. Its words
    are compared too, because a small model can answer a question that it asked about something else.
    """
    title = statement.passage.title
    request = build_question_request(format_evidence(1, title, statement.around), statement.short)
    question = _say(writer, [{"role": "user", "content": request}])
    if not question.endswith("?") or not 3 <= len(question.split()) <= 40:
        return "no question"
    if _holds(question, statement.short):
        return "gives the answer away"
    asked = set(content_tokens(question)) - ASKING
    known = set(content_tokens(" ".join([title, *statement.around])))
    if not asked & set(content_tokens(statement.sentence)) or len(asked & known) < ABOUT * len(asked):
        return "about something else"
    said = _say(writer, build_messages(question, [format_evidence(1, title, statement.nearby)]))
    if not _holds(said, statement.short):
        return "not answered"
    return TrainingRow(question, statement.answer, (statement.passage.document,))


def _say(writer: Writer, messages: Sequence[dict[str, str]]) -> str:
    events = writer.generate(messages, max_tokens=48)
    text = "".join(event.text for event in events if isinstance(event, Token))
    return without_markers(" ".join(text.split()))


def _holds(text: str, short: str) -> bool:
    return not Counter(content_tokens(short)) - Counter(content_tokens(text))
