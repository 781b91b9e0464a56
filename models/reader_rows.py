"""Draws windows for the span reader: a question, a passage as serving shows it, and where the answer stands.

Enters: public questions with their contexts (rows of qa/train), the invented papers and tables. Leaves
`Window`s, about half of them without an answer, and those hard: the same paragraph without the sentence that
answers, another paragraph of the article that shares most words with the question, the same fact about
somebody else, a table without the row or the column asked for. It knows no tokenizer and no model.
"""

from __future__ import annotations

import csv
import hashlib
import io
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from contrasts import exchanged, load_measures, measured
from families import Paper, Statement, Writer, load_families
from reading_rows import sentences
from tables import Table, draw_table, load_tables

WORDS_AROUND = (0, 0, 15, 30, 50, 80, 120, 160)  # of the sentence that a window is about
LONGEST_SPAN = 30  # words of an answer that is pointed at
WITHOUT = 0.5  # share of answered public questions that are also asked of a window without the answer
SHARES = {
    "paragraph": 0.46,
    "exchange": 0.1,
    "measure": 0.06,
    "paper": 0.18,
    "table": 0.06,
    "sentence": 0.05,
    "story": 0.05,
    "wiki_table": 0.02,
    "medical": 0.02,
}
PARAGRAPHS = {"squad_v2_dev": 0.58, "squad_v1_dev": 0.2, "squad_train_sample": 0.22}
_WORD = re.compile(r"\w+")
_COMMON = frozenset(
    """
    a an and are as at be by did do does for from had has have how in is it its of on or that the their there
    these they this to was were what when where which who whom whose why will with
    """.split()  # noqa: SIM905 - a list of words reads better as text
)


@dataclass(frozen=True)
class Window:
    """A question asked of a passage; the answer is `passage[start:end]`, or nothing where both are 0."""

    question: str
    passage: str
    start: int = 0
    end: int = 0

    @property
    def answered(self) -> bool:
        return self.end > self.start


def kept_aside(row: dict[str, Any]) -> bool:
    """Whole articles (a context without a title stands for itself) that serve development alone: one in
    six."""
    name = row["title"] or row["context"]
    return hashlib.sha256(name.encode()).digest()[0] % 6 == 5


def words(text: str) -> frozenset[str]:
    """The telling words of a text."""
    return frozenset(_WORD.findall(text.lower())) - _COMMON


def _holding(text: str, answers: Sequence[str]) -> bool:
    low = text.lower()
    return any(answer.lower().strip(" .") in low for answer in answers)


class Windows:
    """Draws windows of every kind; `held_out` draws from the families, tables and titles kept aside."""

    def __init__(
        self, questions: Sequence[dict[str, Any]], rng: random.Random, *, held_out: bool = False
    ) -> None:
        self.rng = rng
        self.families = load_families(held_out=held_out)
        self.tables = load_tables(held_out=held_out)
        self.measures = load_measures()
        self.by_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.contexts: dict[str, dict[str, None]] = defaultdict(dict)  # by source and title, in order
        for row in questions:
            if kept_aside(row) == held_out:
                self.by_source[row["source"]].append(row)
                self.contexts[f"{row['source']} {row['title']}"][row["context"]] = None
        self._words = cache(words)
        self._sentences = cache(sentences)

    def draw(self) -> Iterator[Window]:
        """Windows without end, kinds by their shares."""
        kinds: list[Callable[[], list[Window]]] = [getattr(self, name) for name in SHARES]
        while True:
            yield from self.rng.choices(kinds, list(SHARES.values()))[0]()

    # --- windows from sentences ----------------------------------------------------------------------

    def _around(self, body: Sequence[str], at: int) -> tuple[list[str], int]:
        """A run of sentences around number `at`, and its place in the run; serving may put it first."""
        rng, room = self.rng, self.rng.choice(WORDS_AROUND)
        first = last = at
        while room > 0 and (first > 0 or last < len(body) - 1):
            back = first > 0 and (last == len(body) - 1 or rng.random() < 0.5)
            first, last = (first - 1, last) if back else (first, last + 1)
            room -= len(body[first if back else last].split())
        run, place = list(body[first : last + 1]), at - first
        if rng.random() < 0.25:
            run.insert(0, run.pop(place))
            place = 0
        return run, place

    def _window(self, question: str, title: str, body: Sequence[str], at: int, short: str) -> Window | None:
        """The window around sentence `at`, in which `short` answers ("" = nothing does)."""
        run, place = self._around(body, at)
        head = self.rng.choice(["", f"{title}: ", f"{title}: ", f"{title}. "]) if title else ""
        passage = head + " ".join(run)
        if not short:
            return Window(question, passage)
        found = _place(short, run[place], question)
        if found is None:
            return None
        begin = len(head) + sum(len(each) + 1 for each in run[:place])
        return Window(question, passage, begin + found[0], begin + found[1])

    def _nearest(self, question: str, body: Sequence[str]) -> int:
        """The sentence that shares most words with the question; of equals any."""
        asked = words(question)
        return max(range(len(body)), key=lambda n: (len(asked & words(body[n])), self.rng.random()))

    def _kept(self, *windows: Window | None) -> list[Window]:
        return [window for window in windows if window is not None]

    # --- public questions ----------------------------------------------------------------------------

    def paragraph(self) -> list[Window]:
        """A question of an encyclopaedia: its paragraph, the same without the sentence, another one."""
        sources = [name for name in PARAGRAPHS if self.by_source[name]]
        if not sources:
            return []
        source = self.rng.choices(sources, [PARAGRAPHS[name] for name in sources])[0]
        return self._public(self.rng.choice(self.by_source[source]))

    def exchange(self) -> list[Window]:
        """A question of an encyclopaedia beside the same with one word exchanged, of the same passage."""
        row = self.rng.choice(self.by_source[self.rng.choice([s for s in PARAGRAPHS if self.by_source[s]])])
        if not row["answers"]:
            return []
        article = list(self.contexts[f"{row['source']} {row['title']}"]) if row["title"] else []
        other = exchanged(row["question"], row["context"], article, self.rng)
        windows = self._public(row)[:1]
        if other is None or not windows or not windows[0].answered:
            return []
        return [*windows, Window(other, windows[0].passage)]

    def measure(self) -> list[Window]:
        """A measure of a thing; and another in the same unit that is not told of it."""
        made = [measured(self.measures, self.rng, answered=answered) for answered in (True, False)]
        return self._kept(*(self._window(m.question, m.title, m.body, m.at, m.short) for m in made))

    def sentence(self) -> list[Window]:
        return self._public(self.rng.choice(self.by_source["qamr"])) if self.by_source["qamr"] else []

    def story(self) -> list[Window]:
        return self._public(self.rng.choice(rows)) if (rows := self.by_source["fairytaleqa"]) else []

    def _public(self, row: dict[str, Any]) -> list[Window]:
        question, title = row["question"], " ".join(row["title"].split()[:8])
        body = self._sentences(row["context"])
        if not body:
            return []
        if not row["answers"]:
            return self._kept(self._window(question, title, body, self._nearest(question, body), ""))
        fitting = [a.strip(" .") for a in row["answers"] if _holding(row["context"], [a])]
        short = min(fitting, key=len, default="")
        holding = [n for n, each in enumerate(body) if short and short.lower() in each.lower()]
        if not holding or len(short.split()) > LONGEST_SPAN:
            return []
        asked = words(question)
        best = max(holding, key=lambda n: len(asked & words(body[n])))
        made = self._kept(self._window(question, title, body, best, short))
        if self.rng.random() < WITHOUT:
            made += self._without(row, title, body, fitting)
        return made

    def _without(
        self, row: dict[str, Any], title: str, body: Sequence[str], answers: Sequence[str]
    ) -> list[Window]:
        """The same question where nothing answers: other paragraphs first, else what is left of this one."""
        question = row["question"]
        beside = [c for c in self.contexts[f"{row['source']} {row['title']}"] if c != row["context"]]
        if row["title"] and beside and self.rng.random() < 0.6:
            asked = words(question)
            beside = [each for each in beside if not _holding(each, answers)]
            near = sorted(beside, key=lambda c: -len(asked & self._words(c)))[:4]
            body = self._sentences(self.rng.choice(near)) if near else []
        else:
            body = [each for each in body if not _holding(each, answers)]
        if not body:
            return []
        return self._kept(self._window(question, title, body, self._nearest(question, body), ""))

    def medical(self) -> list[Window]:
        """A section's question: its answer begins with the first sentence; other sections do not answer."""
        if not self.by_source["medquad"]:
            return []
        row = self.rng.choice(self.by_source["medquad"])
        body, answer = self._sentences(row["context"]), sentences(row["answers"][0])
        at = next((n for n, each in enumerate(body) if answer and answer[0] in each), None)
        if at is None or len(answer[0].split()) > LONGEST_SPAN:
            return []
        said = set(answer)
        elsewhere = [each for each in body if each not in said]
        question, title = row["question"], row["title"]
        other = self._window(question, title, elsewhere, self._nearest(question, elsewhere), "")
        shown = self._window(question, title, body, at, answer[0].rstrip("."))
        return self._kept(shown, other if elsewhere and self.rng.random() < 0.5 else None)

    def wiki_table(self) -> list[Window]:
        """A cell of a real table that one row alone holds and that the question names the row of."""
        if not (rows := self.by_source["wikitablequestions"]):
            return []
        row = self.rng.choice(rows)
        table = list(csv.reader(io.StringIO(row["context"])))
        header, lines = table[0], table[1:]
        body = [
            "; ".join(f"{h}: {c}" for h, c in zip(header, line, strict=False) if h and c) for line in lines
        ]
        short = row["answers"][0].strip()
        holding = [n for n, line in enumerate(lines) if any(cell.strip() == short for cell in line)]
        if len(holding) != 1 or not words(row["question"]) & words(" ".join(lines[holding[0]])):
            return []
        rest = body[: holding[0]] + body[holding[0] + 1 :]
        title, question = row["title"], row["question"]
        absent = self._window(question, title, rest, self._nearest(question, rest), "") if rest else None
        shown = self._window(question, title, body, holding[0], short)
        return self._kept(shown, absent if self.rng.random() < 0.4 else None)

    # --- invented papers -----------------------------------------------------------------------------

    def paper(self) -> list[Window]:
        """A fact of a paper; and windows that do not state it: the paper without it, its like about another
        subject, a fact of the kind that this paper leaves out."""
        rng = self.rng
        family = rng.choice(self.families)
        writer = Writer(family, rng)
        main, twin = writer.paper(rng.randint(3, 9)), Writer(family, rng).paper(6)
        gold = rng.choice(main.statements)
        told_twice = any(each.about == gold.about for each in twin.statements)
        question = rng.choice(gold.named if told_twice and gold.named else gold.questions)
        body = self._body(main)
        title = self._headed(main)
        shown = self._window(question, title, body, body.index(gold.sentence), _pointed(gold))
        absent = rng.choice([self._removed, self._twin, self._left_out])
        return self._kept(shown, absent(writer, main, twin, gold) if rng.random() < 0.8 else None)

    def _headed(self, paper: Paper) -> str:
        """The title, and sometimes a heading as sections have one."""
        if self.rng.random() < 0.7:
            return paper.title
        named = min(self.rng.choice(paper.statements).questions, key=len).rstrip("?.")
        return f"{paper.title}. {named[:1].upper()}{named[1:]}"

    def _body(self, paper: Paper) -> list[str]:
        body = [each.sentence for each in paper.statements] + list(paper.neighbours)
        self.rng.shuffle(body)
        return body

    def _removed(self, writer: Writer, main: Paper, twin: Paper, gold: Statement) -> Window | None:
        question = self.rng.choice(gold.questions)
        body = [each for each in self._body(main) if each != gold.sentence]
        return self._window(question, main.title, body, self._nearest(question, body), "") if body else None

    def _twin(self, writer: Writer, main: Paper, twin: Paper, gold: Statement) -> Window | None:
        """The same fact about somebody else, whose name is in sight."""
        same = next((each for each in twin.statements if each.about == gold.about), None)
        if same is None or not gold.named or main.subject.lower() == twin.subject.lower():
            return self._removed(writer, main, twin, gold)
        body = self._body(twin)
        made = self._window(self.rng.choice(gold.named), twin.title, body, body.index(same.sentence), "")
        return made if made and twin.subject.lower() in made.passage.lower() else None

    def _left_out(self, writer: Writer, main: Paper, twin: Paper, gold: Statement) -> Window | None:
        told = {each.about[1] for each in main.statements}
        silent = [n for n in range(len(writer.family["facts"])) if n not in told]
        if not silent:
            return self._removed(writer, main, twin, gold)
        question = self.rng.choice(writer.statement(self.rng.choice(silent)).questions)
        body = self._body(main)
        return self._window(question, main.title, body, self._nearest(question, body), "")

    def table(self) -> list[Window]:
        """A cell of an invented table; and the table without the row, or without the column, asked for."""
        rng = self.rng
        shown = draw_table(rng.choice(self.tables), rng)
        row = rng.choice(shown.rows)
        cell = rng.choice(row.cells)
        question = rng.choice(cell.questions)
        at = shown.rows.index(row)
        made = self._window(
            question, shown.title, [r.text for r in shown.rows], at, f"{cell.header}: {cell.value}"
        )
        if made is not None:  # the value alone, not the header before it
            made = Window(question, made.passage, made.end - len(cell.value), made.end)
        if rng.random() < 0.5:
            rest = [r.text for r in shown.rows if r is not row]
            absent = self._window(question, shown.title, rest, rng.randrange(len(rest)), "")
        else:
            absent = self._without_column(shown, question, cell.header, at)
        return self._kept(made, absent if rng.random() < 0.75 else None)

    def _without_column(self, table: Table, question: str, header: str, at: int) -> Window | None:
        rows = []
        for row in table.rows:
            key = row.text.split(f": {row.name}")[0]
            cells = [f"{c.header}: {c.value}" for c in row.cells if c.header != header]
            rows.append("; ".join([f"{key}: {row.name}", *cells]))
        return self._window(question, table.title, rows, at, "") if len(table.rows[0].cells) > 1 else None


def _pointed(statement: Statement) -> str:
    """What is pointed at: the value; where the question asks for yes or no, the sentence."""
    return statement.sentence.rstrip(".") if statement.is_yes_no else statement.short


def _place(short: str, sentence: str, question: str) -> tuple[int, int] | None:
    """Where `short` stands as a word of its own; of several places the nearest to words of the question."""
    pattern = rf"(?<!\w){re.escape(short)}(?!\w)"
    places = [match.span() for match in re.finditer(pattern, sentence, re.IGNORECASE)]
    if len(places) < 2:
        return places[0] if places else None
    asked = [m.start() for m in _WORD.finditer(sentence) if m[0].lower() in words(question)]
    return min(places, key=lambda p: min((abs(p[0] - at) for at in asked), default=0))
