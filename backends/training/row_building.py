"""Builds training rows from documents: questions that a person could ask, each checked by reading.

Enters: passages (document, title, text), a span reader and, for what no rule can word, a language model.
Leaves: rows with the way they were made, and each question that was not kept with its reason. A sentence or a
table cell is first turned into a question by rules; where they do not fit, the language model words one. A
question is kept only if the reader, given the passage among its neighbours, returns the same answer. It knows
no library.
"""

from __future__ import annotations

import math
import random
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from backends.answering.answer_text import without_markers
from backends.answering.answerability import Reader
from backends.answering.overlap import content_tokens, sentences
from backends.answering.short_answers import same_answer
from backends.datatypes import Finished, Stage, Token, TrainingRow
from backends.language.prompts import build_question_request, format_evidence
from backends.language.protocol import Messages
from backends.retrieval.span_reader import shipped
from backends.system.reporting import Report
from backends.training.answer_spans import answer_spans
from backends.training.question_checks import Place, Why, form_fault, trip_fault
from backends.training.table_questions import CellQuestion, cells, questions_for, upper
from backends.training.turned_sentences import names_in, turned, yes_or_no

Way = Literal["table", "model", "yours"]  # of table rows, of sentences, brought by a person
WAYS: tuple[Way, ...] = ("table", "model")
MOST_ROWS = 400
NEIGHBOURS = 3  # passages, or rows of a table, on each side that a question is read among
TRIES = 12  # questions a language model words before it is told whether it goes on
GOOD = 0.25  # share of its questions that must be kept for it to go on
SURE = 0.6  # mean probability of its tokens from which a question of the model is looked at
NEAR = 0.5  # share of content words in common from which two questions with one answer are the same
QUESTION_TOKENS = 40

_LINE_OF_MAIL = re.compile(r"(?:From|To|Cc|Bcc|Date|Sent|Subject|Attachments?): ")
_SECTION_NUMBER = re.compile(r"^\d+(?:\.\d+)*\.?\s(?=[A-Z])")
_UNSAID_SUBJECT = re.compile(r"(?:It|They|These|This|That|Those|He|She|Its|Their|After that)\b")


@dataclass(frozen=True)
class SourcePassage:
    """A piece of a document that rows are made of."""

    document: str
    title: str
    text: str


@dataclass(frozen=True)
class BuiltRow:
    """A row, the way in which it was made, and its short answer in each form that is right."""

    row: TrainingRow
    way: Way
    short: tuple[str, ...]


@dataclass(frozen=True)
class Dropped:
    """A question that was not kept, or a column that makes none, and why."""

    document: str
    question: str
    answer: str
    why: str


@dataclass(frozen=True)
class Built:
    """The rows, and what was not kept."""

    rows: tuple[BuiltRow, ...]
    dropped: tuple[Dropped, ...]


def worded_by_rules(passages: Sequence[SourcePassage], ways: Sequence[Way] = WAYS) -> int:
    """How many questions the rules word about these documents: more than the checks will keep."""
    return sum(bool(each.question) for each in candidates(passages, ways)[0])


def reasons(dropped: Iterable[Dropped]) -> Mapping[str, int]:
    """How many were dropped, by reason, the commonest first."""
    return dict(Counter(each.why for each in dropped).most_common())


class Writer(Protocol):
    """What is needed of `generation.LanguageModel`."""

    def generate(self, messages: Messages, *, max_tokens: int) -> Iterator[Stage | Token | Finished]:
        """The model's answer to these messages, as events."""
        ...


@dataclass(frozen=True)
class RowCandidate:
    """A short answer that a question could ask for."""

    source: SourcePassage
    section: tuple[str, int]  # of the document: rows are spread over them
    way: Way
    short: tuple[str, ...]
    answer: str  # the house style: the short answer, then the sentence it stands in
    place: Place
    evidence: tuple[str, ...]  # what a model is shown, the answer's sentence last
    question: str = ""  # as the rules word it
    known: str = ""  # all that the document says near it

    @property
    def for_model(self) -> bool:
        """Whether a language model may word its question: it was not taught to ask for a yes or no."""
        return self.way == "model" and not self.place.verdict


class _Maker:
    """Takes one candidate after the other and keeps what stands the checks."""

    def __init__(
        self,
        found: Sequence[RowCandidate],
        reader: Reader,
        most: int,
        report: Report,
        cancel: threading.Event | None,
    ) -> None:
        self._found, self._reader, self._most = found, reader, most
        self._report, self._cancel = report, cancel
        self._words: dict[int, frozenset[str]] = {}
        self.rows: dict[int, BuiltRow] = {}
        self.dropped: dict[int, Dropped] = {}

    def turn(self, numbers: Iterable[int], within: int) -> list[int]:
        """Take the rules' questions of these, at most `within` of a document; leaves the others."""
        left = []
        for number in numbers:
            if self._done or self._rows_of(number) >= within:
                left.append(number)
            else:
                self._take(number, self._found[number].question, "Making questions")
        return left

    def word(self, numbers: Iterable[int], within: int, writer: Writer) -> None:
        """Let a language model word questions for these, as long as enough of them can be kept."""
        tried = kept = 0
        for number in numbers:
            if self._done or (tried >= TRIES and kept < GOOD * tried):
                return
            if self._rows_of(number) >= within:
                continue
            question, confidence = ask_for(self._found[number], writer)
            unsure = confidence is not None and confidence < SURE
            fault: Why | None = "was worded by a model that was unsure of it" if unsure else None
            self._take(number, question, "Writing questions", fault)
            tried, kept = tried + 1, kept + (number in self.rows)

    @property
    def _done(self) -> bool:
        return len(self.rows) >= self._most or (self._cancel is not None and self._cancel.is_set())

    def _rows_of(self, number: int) -> int:
        """How many rows there are of the document that this candidate is from."""
        document = (self._found[number].source.document,)
        return sum(each.row.documents == document for each in self.rows.values())

    def _take(self, number: int, question: str, what: str, fault: Why | None = None) -> None:
        candidate = self._found[number]
        short, place = candidate.short[0], candidate.place
        self._report(len(self.rows), self._most, f"{what}: {candidate.source.document}")
        fault = fault or form_fault(question, short, candidate.known, verdict=place.verdict)
        fault = (
            fault or self._repeats(candidate, question) or trip_fault(question, short, place, self._reader)
        )
        if fault is not None:
            self._drop(number, question, fault)
            return
        self.dropped.pop(number, None)
        row = TrainingRow(question, candidate.answer, (candidate.source.document,))
        self.rows[number] = BuiltRow(row, candidate.way, candidate.short)
        self._words[number] = frozenset(content_tokens(question))

    def _drop(self, number: int, question: str, why: Why) -> None:
        candidate = self._found[number]
        self.dropped[number] = Dropped(candidate.source.document, question, candidate.short[0], why)

    def _repeats(self, candidate: RowCandidate, question: str) -> Why | None:
        """Whether a row asks this already; one that answers it otherwise goes too."""
        words = frozenset(content_tokens(question))
        for number, other in list(self._words.items()):
            row, common = self.rows[number], len(words & other) / max(1, len(words | other))
            if common < NEAR or (common < 1 and candidate.way == row.way == "table"):
                continue
            same = same_answer(candidate.short[0], row.short[0], question)
            if common == 1 and not same:
                self._drop(number, row.row.question, "had another answer in another row")
                del self.rows[number], self._words[number]
                return "had another answer in another row"
            if same and row.row.documents == (candidate.source.document,):
                return "asked the same as another row"
        return None


def build_rows(
    passages: Sequence[SourcePassage],
    ways: Sequence[Way] = WAYS,
    *,
    reader: Reader | None = None,
    writer: Writer | None = None,
    most: int = MOST_ROWS,
    seed: int = 0,
    report: Report = lambda done, total, what: None,
    cancel: threading.Event | None = None,
) -> Built:
    """At most `most` rows, spread over documents and their sections; each question once.

    Without a `reader` the shipped one checks; without a `writer` there are only questions worded by rules.
    What the rules word comes first, an equal share of each document; a document that lacks rows then gets
    questions of the writer; the rest of the rules' questions fills up. When `cancel` is set what was made so
    far is returned.
    """
    found, left_out = candidates(passages, ways)
    maker = _Maker(found, reader or shipped(), most, report, cancel)
    share = math.ceil(most / max(1, len({each.source.document for each in found})))
    later = maker.turn(spread([n for n, each in enumerate(found) if each.question], found, seed), share)
    if writer is not None:
        left = set(range(len(found))) - set(maker.rows) - set(later)
        maker.word(spread([n for n in sorted(left) if found[n].for_model], found, seed), share, writer)
    maker.turn(later, most)
    rows = tuple(maker.rows[number] for number in sorted(maker.rows))
    return Built(rows, (*left_out, *(maker.dropped[number] for number in sorted(maker.dropped))))


def ask_for(candidate: RowCandidate, writer: Writer) -> tuple[str, float | None]:
    """The model's question for the answer, and how sure it was of its words."""
    evidence = format_evidence(1, candidate.source.title, candidate.evidence)
    request = build_question_request(evidence, candidate.short[0])
    events = list(writer.generate([{"role": "user", "content": request}], max_tokens=QUESTION_TOKENS))
    text = "".join(event.text for event in events if isinstance(event, Token))
    ends = [event.confidence for event in events if isinstance(event, Finished)]
    return without_markers(" ".join(text.split())), ends[-1] if ends else None


def spread(numbers: Iterable[int], found: Sequence[RowCandidate], seed: int) -> list[int]:
    """These numbers of candidates, round and round over documents, and within each over its sections."""
    rng = random.Random(seed)
    documents: dict[str, dict[tuple[str, int], list[int]]] = {}
    for number in numbers:
        each = found[number]
        documents.setdefault(each.source.document, {}).setdefault(each.section, []).append(number)
    queues = []
    for sections in documents.values():
        for section in sections.values():
            rng.shuffle(section)
        queues.append(_round_robin(list(sections.values())))
    return _round_robin(queues)


def _round_robin(lists: Sequence[Sequence[int]]) -> list[int]:
    longest = max(map(len, lists), default=0)
    return [each[at] for at in range(longest) for each in lists if at < len(each)]


# --- candidates ------------------------------------------------------------------------------------


def candidates(
    passages: Sequence[SourcePassage], ways: Sequence[Way]
) -> tuple[list[RowCandidate], list[Dropped]]:
    """Everything in these documents that a question could ask for, and columns that make none."""
    found: list[RowCandidate] = []
    left_out: list[Dropped] = []
    for passage in passages:
        if "table" in ways:
            made, columns = _of_tables(passage)
            found += made
            left_out += columns
        if "model" in ways:
            found += _of_sentences(passage)
    return found, left_out


def _of_tables(source: SourcePassage) -> tuple[list[RowCandidate], list[Dropped]]:
    tables: dict[str, list[str]] = {}
    for line in source.text.splitlines():
        if found := cells(line):
            tables.setdefault(found[0][0], []).append(line)
    made: list[RowCandidate] = []
    left_out: list[Dropped] = []
    for first, lines in tables.items():
        asked, columns = questions_for(lines)
        left_out += [Dropped(source.document, f"Column {each.what}", "", each.why) for each in columns]
        places = {line: at for at, line in enumerate(lines)}
        made += [_cell(source, first, each, lines, places[each.line]) for each in asked]
    return made, left_out


def _cell(
    source: SourcePassage, table: str, asked: CellQuestion, lines: Sequence[str], at: int
) -> RowCandidate:
    others = (*lines[max(0, at - NEIGHBOURS) : at], *lines[at + 1 : at + 1 + NEIGHBOURS])
    label = f"{asked.header}: "
    begin = asked.line.index(label)
    value = begin + len(label) + len(dict(cells(asked.line))[asked.header])
    verdict = asked.answers[0] in ("Yes", "No")
    start = begin if verdict else begin + len(label)
    place = Place(
        asked.line, start, value, tuple(dict.fromkeys(each for each in others if each != asked.line)), verdict
    )
    answer = f"{upper(asked.answers[0])}. {asked.sentence}"
    known = f"{source.title} {asked.line} {asked.sentence}"
    return RowCandidate(
        source,
        (f"table {table}", 0),
        "table",
        asked.answers,
        answer,
        place,
        (asked.line,),
        asked.question,
        known,
    )


def _of_sentences(source: SourcePassage) -> Iterator[RowCandidate]:
    paragraphs, names = list(_paragraphs(source.text)), names_in(source.text)
    seen: set[str] = set()
    for number, (section, paragraph) in enumerate(paragraphs):
        head = f"{source.title}: "
        near = paragraphs[max(0, number - NEIGHBOURS) : number + NEIGHBOURS + 1]
        others = tuple(head + each for _, each in near if each != paragraph)
        said = sentences(paragraph)
        for at, numbered in enumerate(said):
            sentence = _SECTION_NUMBER.sub("", numbered)
            if sentence in seen or not is_plain(sentence):
                continue
            seen.add(sentence)
            passage = head + paragraph
            start = passage.index(sentence, len(head))
            before = said[at - 1 : at] if _UNSAID_SUBJECT.match(sentence) else []
            around = " ".join([source.title, *said[max(0, at - 1) : at + 2]])
            whole = Place(passage, start, start + len(sentence), others, verdict=True)
            place = source, ("section", section), whole
            yield from _of_sentence(*place, sentence, names, (*before, sentence), around)


def _of_sentence(
    source: SourcePassage,
    section: tuple[str, int],
    whole: Place,
    sentence: str,
    names: frozenset[str],
    evidence: tuple[str, ...],
    known: str,
) -> Iterator[RowCandidate]:
    rule = yes_or_no(sentence, names)
    for span in answer_spans(sentence):
        short = sentence[span.start : span.end]
        place = Place(whole.passage, whole.start + span.start, whole.start + span.end, whole.others)
        answer = f"{upper(short)}. {sentence}"
        question = turned(sentence, span, names) or ""
        rule = None if question else rule  # whoever asks when it ends knows that it ends
        yield RowCandidate(source, section, "model", (short,), answer, place, evidence, question, known)
    if rule is not None:
        question, verdict = rule
        yield RowCandidate(
            source, section, "model", (verdict,), f"{verdict}. {sentence}", whole, evidence, question, known
        )


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """(section, paragraph) of running text: headings, table rows and the lines of a mail's head left out."""
    section = 0
    for line in re.sub(r"(?<=[\w,])\n(?=[a-z])", " ", text).splitlines():
        line = " ".join(line.split())
        if line.startswith(">"):
            continue  # quoted in a mail
        if line.startswith("#") or (line and len(line.split()) < 5 and line[-1] not in ".!?"):
            section += 1
        elif line and not cells(line) and not _LINE_OF_MAIL.match(line):
            item = line.removeprefix("- ")
            yield section, upper(item if item == line or item[-1] in ".!?:;" else item + ".")


def is_plain(sentence: str) -> bool:
    """A whole sentence in words, no heading, list crumb or table row."""
    words = sentence.split()
    return 5 <= len(words) <= 45 and sentence[-1] in ".!" and sentence[0].isalnum() and not cells(sentence)
