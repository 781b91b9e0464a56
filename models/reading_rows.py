"""Draws the reading lessons: evidence as serving shows it, and several questions about the same evidence.

Enters: public questions with their contexts (rows of qa/train), the invented papers and tables. Leaves
`Lesson`s: numbered evidence lines, questions, and the answers that a careful reader gives: the short answer
and the line it stands in, or that the documents do not say. It knows no tokenizer and no model.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from families import VALUES, Paper, Statement, Writer, capital, load_families
from tables import draw_table, load_tables

from backends.language.prompts import (
    NOT_IN_DOCUMENTS,
    build_messages,
    build_question_request,
    build_standalone_request,
    format_evidence,
)

BUDGETS = (60, 100, 140, 180, 210)  # words of evidence in one prompt; serving shows up to 320 tokens
MOST_QUESTIONS = 6  # about the same evidence
SHORTEST, LONGEST = 2, 45  # words of a sentence that is shown
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")


@dataclass(frozen=True)
class Turn:
    """One question about a lesson's evidence and what to answer."""

    messages: tuple[dict[str, str], ...]
    answer: str


@dataclass(frozen=True)
class Lesson:
    """Turns whose prompts begin alike: the evidence is read once for all of them."""

    kind: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Asked:
    """A question, its short answer ("" = not said) and the sentence that says it."""

    question: str
    short: str
    sentence: str


def sentences(text: str) -> list[str]:
    """Sentences of plain paragraphs, on one line each."""
    return [
        " ".join(part.split())
        for block in text.split("\n")
        for part in _SENTENCE_END.split(block)
        if part.strip()
    ]


def said(short: str, number: int) -> str:
    """How an answer from evidence reads: `30 days. [2]`."""
    short = " ".join(short.split()).rstrip(" .;,")
    return f"{short if '@' in short or '/' in short else capital(short)}. [{number}]"


_NUMBER = re.compile(
    r"(about |over |around |some |at least )?"
    r"[$€£]?(\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
)
_NO_UNIT = frozenset(
    [
        "of",
        "in",
        "and",
        "to",
        "on",
        "at",
        "by",
        "for",
        "from",
        "with",
        "the",
        "a",
        "an",
        "as",
        "is",
        "are",
        "was",
        "were",
        "or",
        "who",
        "which",
        "that",
        "had",
        "has",
        "have",
        "when",
        "but",
        "after",
        "before",
        "until",
        "since",
        "than",
        "during",
        "per",
        "into",
        "between",
        "be",
        "it",
        "its",
        "he",
        "she",
        "they",
    ]
)


def with_unit(short: str, sentence: str) -> str:
    """A bare number together with the word behind it in its sentence: `14 days`, not `14`."""
    if not _NUMBER.fullmatch(short):
        return short
    behind = re.search(rf"(?<![\w.,]){re.escape(short)}( percent| %| ?[A-Za-z€%]+)?", sentence)
    unit = (behind[1] or "") if behind else ""
    return short if unit.strip().lower() in _NO_UNIT else short + unit


class Lessons:
    """Draws lessons of every kind; `held_out` draws from the families, tables and titles kept aside."""

    def __init__(self, questions: Sequence[dict[str, Any]], rng: random.Random, *, held_out: bool = False):
        self.rng = rng
        self.families = load_families(held_out=held_out)
        self.tables = load_tables(held_out=held_out)
        by_source: dict[str, dict[tuple[str, str], list[dict[str, Any]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for row in questions:
            by_source[row["source"]][row["title"], row["context"]].append(row)
        self.contexts = {source: list(groups.values()) for source, groups in by_source.items()}
        self.paragraphs = [
            group
            for source in ("squad_v2_dev", "squad_v1_dev", "squad_train_sample")
            for group in self.contexts.get(source, [])
        ]
        self.by_title: dict[str, list[list[dict[str, Any]]]] = defaultdict(list)
        for group in self.paragraphs:
            self.by_title[group[0]["title"]].append(group)
        kinds: list[tuple[Callable[[], Lesson | None], float]] = [
            (self.paper, 0.28),
            (self.editions, 0.06),
            (self.tiers, 0.05),
            (self.table, 0.16),
            (self.question_writing, 0.12),
            (self.standalone, 0.02),
            (self.json_of_row, 0.03),
        ]
        if self.paragraphs:
            kinds += [(self.paragraph, 0.22)]
        if self.contexts.get("wikitablequestions"):
            kinds += [(self.wiki_table, 0.07)]
        if self.contexts.get("fairytaleqa"):
            kinds += [(self.story, 0.08)]
        self.kinds, self.shares = [k for k, _ in kinds], [s for _, s in kinds]

    def draw(self) -> Iterator[Lesson]:
        """Lessons without end, kinds by their shares."""
        while True:
            made = self.rng.choices(self.kinds, self.shares)[0]()
            if made is not None and made.turns:
                yield made

    # --- evidence ------------------------------------------------------------------------------------

    def _lines(
        self, bodies: Sequence[tuple[str, Sequence[str]]], needed: Sequence[str]
    ) -> list[tuple[str, list[str]]]:
        """Titles with one to four of their sentences, mixed, within a budget; `needed` sentences stay.

        Sentences of a document stay in its order within a line, as serving shows them.
        """
        rng, must = self.rng, set(needed)
        groups: list[tuple[str, list[str]]] = []
        for title, body in bodies:
            rest = list(dict.fromkeys(body))
            while rest:
                take = rng.choice([1, 1, 2, 2, 3, 4])
                groups.append((title, rest[:take]))
                rest = rest[take:]
        rng.shuffle(groups)
        groups.sort(key=lambda group: not must & set(group[1]) if rng.random() < 0.9 else 0)
        kept, room = [], rng.choice(BUDGETS)
        for title, body in groups:
            words = sum(len(s.split()) for s in body) + len(title.split())
            if words > room and not must & set(body):
                continue
            room -= words
            kept.append((title, body))
        # What retrieval finds first is mostly, not always, what answers.
        if rng.random() < 0.6:
            rng.shuffle(kept)
        return kept[:8]

    def _lesson(
        self, kind: str, bodies: Sequence[tuple[str, Sequence[str]]], asked: Sequence[Asked]
    ) -> Lesson:
        rng = self.rng
        chosen = self._mostly_said(rng.sample(list(asked), min(len(asked), MOST_QUESTIONS)))
        groups = self._lines(bodies, [each.sentence for each in chosen if each.short])
        titled = rng.random() < 0.85
        lines = tuple(format_evidence(n, t if titled else "", b) for n, (t, b) in enumerate(groups, 1))
        number = {s: n for n, (_, body) in enumerate(groups, 1) for s in body}
        turns = []
        for each in chosen:
            if each.short and each.sentence not in number:
                continue
            answer = said(each.short, number[each.sentence]) if each.short else NOT_IN_DOCUMENTS
            turns.append(Turn(tuple(build_messages(each.question, lines)), answer))
        parts = [
            each for each in chosen if each.short and each.sentence in number and each.question.endswith("?")
        ]
        if len(parts) > 1 and rng.random() < 0.25:
            turns.append(self._two_parts(parts[0], parts[1], lines, number))
        return Lesson(kind, tuple(turns))

    def _mostly_said(self, asked: Sequence[Asked]) -> list[Asked]:
        """At most one question in three, or the only one, is not answered: more would teach to decline."""
        silent = [each for each in asked if not each.short]
        kept = silent[: max(1, (len(asked) - len(silent)) // 2)]
        if len(silent) == len(asked) and self.rng.random() < 0.6:
            return []
        return [each for each in asked if each.short or each in kept]

    def _two_parts(self, one: Asked, two: Asked, lines: tuple[str, ...], number: dict[str, int]) -> Turn:
        """One message that asks two things; each part gets its own answer and citation."""
        second = two.question[:1].lower() + two.question[1:]
        joined = self.rng.choice(
            [f"{one.question} {two.question}", f"{one.question.rstrip('?')}, and {second}"]
        )
        answer = f"{said(one.short, number[one.sentence])} {said(two.short, number[two.sentence])}"
        return Turn(tuple(build_messages(joined, lines)), answer)

    # --- invented papers -----------------------------------------------------------------------------

    def _asked(self, statement: Statement, named: bool) -> Asked | None:
        questions = statement.named if named else statement.questions
        if not questions:
            return None
        return Asked(self.rng.choice(questions), statement.short, statement.sentence)

    def paper(self) -> Lesson | None:
        """A document, its like about other subjects, and strangers; questions about each that is shown.

        What is not said: facts of the same kind of document that this one leaves out, and facts that only
        another subject's document states.
        """
        rng = self.rng
        family = rng.choice(self.families)
        writer = Writer(family, rng)
        main = writer.paper(rng.randint(3, 7))
        beside = [Writer(family, rng).paper(rng.randint(1, 4)) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
        beside = [paper for paper in beside if paper.subject.lower() != main.subject.lower()]
        strangers = [
            Writer(rng.choice(self.families), rng).paper(rng.randint(1, 3))
            for _ in range(rng.choice([0, 1, 1, 2]))
        ]
        twice = {s.about for paper in beside for s in paper.statements}
        asked = [a for s in main.statements if (a := self._asked(s, s.about in twice))]
        for paper in beside:
            asked += [
                a for s in paper.statements if s.named and (a := self._asked(s, True)) and rng.random() < 0.4
            ]
        asked = asked[:MOST_QUESTIONS]
        asked += self._left_out(writer, main, beside)
        bodies = [(paper.title, self._body(paper)) for paper in [main, *beside, *strangers]]
        return self._lesson("paper", bodies, asked)

    def _body(self, paper: Paper) -> list[str]:
        body = [s.sentence for s in paper.statements] + list(paper.neighbours)
        self.rng.shuffle(body)
        return body

    def _left_out(self, writer: Writer, main: Paper, beside: Sequence[Paper]) -> list[Asked]:
        """One or two questions that this evidence does not answer."""
        rng, found = self.rng, []
        told = {s.about[1] for paper in [main, *beside] for s in paper.statements}
        silent = [n for n in range(len(writer.family["facts"])) if n not in told]
        if silent and rng.random() < 0.6:
            statement = writer.statement(rng.choice(silent))
            found.append(Asked(rng.choice(statement.questions), "", ""))
        elsewhere = [
            s
            for paper in beside
            for s in paper.statements
            if s.about[1] not in {m.about[1] for m in main.statements}
        ]
        if elsewhere and rng.random() < 0.5:
            about = rng.choice(elsewhere).about[1]
            named = writer.statement(about).named
            if named:
                found.append(Asked(rng.choice(named), "", ""))
        return found

    def editions(self) -> Lesson | None:
        """Two editions of a document with other values of the same facts: the question says which."""
        rng = self.rng
        family = rng.choice(self.families)
        old, new = Writer(family, rng), Writer(family, rng)
        new.subject, new.company = old.subject, old.company
        about = rng.sample(range(len(family["facts"])), min(3, len(family["facts"])))
        year = rng.randint(2015, 2028)
        title = old.fill(rng.choice(family["titles"]))
        title = re.sub(r"\s*\(?\b(19|20)\d\d\b\)?", "", title).strip(" ,")
        former = rng.choice(
            [f"{title} {year}", f"{title} {year} (valid until December {year})", f"{title} (old)"]
        )
        current = rng.choice([f"{title} {year + 1}", f"{title} {year + 1}", f"{title} (in force)"])
        bodies: dict[str, list[str]] = {former: [], current: []}
        asked = []
        for number in about:
            before, after = old.statement(number), new.statement(number)
            if before.short == after.short or before.is_yes_no:
                continue
            bodies[former].append(before.sentence)
            bodies[current].append(after.sentence)
            question = rng.choice(after.questions)
            now = rng.choice(["{q}", "Now: {q}", "{b} now?", "Today, {l}", "{b} at present?"])
            then = rng.choice(["In {y}: {q}", "Before {n}, {l}", "{b} in {y}?"])
            lower = question[:1].lower() + question[1:]
            made = {"q": question, "l": lower, "b": question.rstrip("?"), "y": year, "n": year + 1}
            asked.append(Asked(now.format(**made), after.short, after.sentence))
            if "old" not in former and rng.random() < 0.4:
                asked.append(Asked(then.format(**made), before.short, before.sentence))
        return self._lesson("editions", list(bodies.items()), asked)

    def tiers(self) -> Lesson | None:
        """Who signs, what it costs, how long it takes, by amount: the reader has to compare numbers."""
        rng = self.rng
        unit = rng.choice(
            ["EUR", "euros", "USD", "pieces", "employees", "years of service", "kg", "devices", "km"]
        )
        before = "" if unit not in ("EUR", "USD") or rng.random() < 0.5 else unit + " "
        behind = "" if before else " " + unit
        bounds = sorted(rng.sample([2, 5, 10, 20, 25, 50, 75, 100, 150, 200, 250, 500], rng.choice([2, 3])))
        scale = rng.choice([1000, 100, 10]) if unit in ("EUR", "euros", "USD") else 1
        bounds = [bound * scale for bound in bounds]
        subject, asks, kind = rng.choice(
            [
                ("Orders", "who approves it?", "role"),
                ("Contracts", "whose signature is needed?", "role"),
                ("Deliveries", "what does it cost?", "money"),
                ("Requests", "how long does it take?", "days"),
                ("Claims", "what is the deductible?", "money"),
                ("Purchases", "which discount applies?", "percent"),
            ]
        )
        values = [VALUES[kind](rng) for _ in range(len(bounds) + 1)]
        if len(set(values)) < len(values):
            return None
        shown = [f"{before}{bound:,}{behind}" for bound in bounds]
        says = [f"{subject} of up to {shown[0]}: {values[0]}."]
        says += [
            rng.choice(
                [f"From {low} to {high}: {v}.", f"{subject} of more than {low} and up to {high}: {v}."]
            )
            for low, high, v in zip(shown, shown[1:], values[1:-1], strict=False)
        ]
        says += [
            rng.choice([f"{subject} above {shown[-1]}: {values[-1]}.", f"Over {shown[-1]}: {values[-1]}."])
        ]
        edges = [0, *bounds, bounds[-1] * 4]
        asked = []
        for at in rng.sample(range(len(values)), min(3, len(values))):
            low, high = edges[at], edges[at + 1]
            amount = round(low + (high - low) * rng.uniform(0.15, 0.85))
            if not low < amount < high:
                continue
            stated = f"{before}{amount:,}{behind}"
            form = rng.choice(
                ["{s} of {a}; {q}", "The {l} is for {a}: {q}", "With {a}, {q}", "We have {a}; {q}"]
            )
            one = "Delivery" if subject == "Deliveries" else subject.removesuffix("s")
            question = form.format(s=one, l=one.lower(), a=stated, q=asks)
            asked.append(Asked(question, values[at], says[at]))
        paper = Writer(rng.choice(self.families), rng).paper(3)
        bodies = [(f"Rules for {subject}", says), (paper.title, self._body(paper))]
        return self._lesson("tiers", bodies, asked)

    # --- tables --------------------------------------------------------------------------------------

    def table(self) -> Lesson | None:
        """Rows of a table; every question asks for one cell, and other rows hold the same kind of value."""
        rng = self.rng
        shown = draw_table(rng.choice(self.tables), rng)
        rows = list(shown.rows)
        missing = rows.pop(rng.randrange(len(rows))) if rng.random() < 0.5 and len(rows) > 3 else None
        asked = [
            Asked(rng.choice(cell.questions), cell.value, row.text)
            for row in rng.sample(rows, min(len(rows), 4))
            for cell in rng.sample(row.cells, min(len(row.cells), 2))
        ]
        asked = rng.sample(asked, min(len(asked), MOST_QUESTIONS - 1))
        if missing is not None:
            asked.append(Asked(rng.choice(rng.choice(missing.cells).questions), "", ""))
        bodies: list[tuple[str, Sequence[str]]] = [(shown.title, [row.text for row in rows])]
        if rng.random() < 0.5:
            paper = Writer(rng.choice(self.families), rng).paper(2)
            bodies.append((paper.title, self._body(paper)))
        return self._lesson("table", bodies, asked)

    def json_of_row(self) -> Lesson | None:
        """Cells of a row as JSON under given keys."""
        rng = self.rng
        shown = draw_table(rng.choice(self.tables), rng)
        rows = list(shown.rows[:5])
        lines = tuple(format_evidence(n, shown.title, [row.text]) for n, row in enumerate(rows, 1))
        turns = []
        for row in rng.sample(rows, min(3, len(rows))):
            cells = rng.sample(row.cells, rng.randint(1, min(4, len(row.cells))))
            keys = [re.sub(r"\W+", "_", cell.header.lower()).strip("_") for cell in cells]
            form = rng.choice(
                ["Give {k} of {n} as JSON.", "{n} as JSON with the keys {k}", "As JSON ({k}): {n}"]
            )
            value = {key: cell.value for key, cell in zip(keys, cells, strict=True)}
            answer = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            question = form.format(k=", ".join(keys), n=row.name)
            turns.append(Turn(tuple(build_messages(question, lines)), answer))
        return Lesson("json", tuple(turns))

    def wiki_table(self) -> Lesson | None:
        """A real table: a run of its rows around the asked ones."""
        rng = self.rng
        group = rng.choice(self.contexts["wikitablequestions"])
        table = list(csv.reader(io.StringIO(group[0]["context"])))
        header, rows = table[0], table[1:]
        if not 2 <= len(header) <= 9 or len(rows) < 3:
            return None
        texts = ["; ".join(f"{h}: {c}" for h, c in zip(header, row, strict=False) if h and c) for row in rows]
        usable = []
        for question in rng.sample(group, min(len(group), 4)):
            holding = [
                n
                for n, row in enumerate(rows)
                if any(cell.strip() == question["answers"][0].strip() for cell in row)
            ]
            if len(holding) == 1:
                usable.append(Asked(question["question"], question["answers"][0], texts[holding[0]]))
        if not usable:
            return None
        positions = [texts.index(each.sentence) for each in usable]
        start = max(0, min(positions) - rng.randint(0, 3))
        window = texts[start : max(max(positions) + 2, start + 6)]
        window = [text for text in window if text and len(text.split()) <= 50]
        if sum(len(text.split()) for text in window) > 190:
            return None
        usable = [each for each in usable if each.sentence in window]
        return self._lesson("wiki table", [(group[0]["title"], window)], usable)

    # --- public paragraphs ---------------------------------------------------------------------------

    def paragraph(self) -> Lesson | None:
        """Questions about a paragraph, among sentences of others with the same title."""
        rng = self.rng
        group = rng.choice(self.paragraphs)
        body = [s for s in sentences(group[0]["context"]) if SHORTEST <= len(s.split()) <= LONGEST]
        asked = []
        for row in rng.sample(group, min(len(group), MOST_QUESTIONS)):
            if not row["answers"]:
                asked.append(Asked(row["question"], "", ""))
                continue
            short = row["answers"][0]
            holding = [s for s in body if short in s]
            if holding and len(short.split()) <= 12:
                sentence = self._nearest(row["question"], holding)
                asked.append(Asked(row["question"], with_unit(short, sentence), sentence))
        bodies: list[tuple[str, Sequence[str]]] = [(self._title(group[0]), body)]
        alike = self.by_title[group[0]["title"]] if group[0]["title"] else []
        for _ in range(rng.choice([0, 1, 1, 2])):
            other = rng.choice(alike if alike and rng.random() < 0.6 else self.paragraphs)
            if other is not group:
                near = [s for s in sentences(other[0]["context"]) if SHORTEST <= len(s.split()) <= LONGEST]
                bodies.append((self._title(other[0]), near[:3]))
        return self._lesson("paragraph", bodies, asked)

    def _nearest(self, question: str, holding: Sequence[str]) -> str:
        words = set(re.findall(r"\w+", question.lower()))
        return max(holding, key=lambda s: len(words & set(re.findall(r"\w+", s.lower()))))

    def _title(self, row: dict[str, Any]) -> str:
        return " ".join(row["title"].split()[:8])

    def story(self) -> Lesson | None:
        """Questions about a story; an answer in other words cites the sentence that shares most with it."""
        rng = self.rng
        group = rng.choice(self.contexts["fairytaleqa"])
        body = [s for s in sentences(group[0]["context"]) if SHORTEST <= len(s.split()) <= LONGEST]
        asked = []
        for row in rng.sample(group, min(len(group), 4)):
            short = min(row["answers"], key=lambda a: (a not in group[0]["context"], len(a)))
            words = set(re.findall(r"\w+", short.lower()))
            if not body or not words or len(short.split()) > 14:
                continue
            best = max(body, key=lambda s: len(words & set(re.findall(r"\w+", s.lower()))))
            if len(words & set(re.findall(r"\w+", best.lower()))) >= 0.5 * len(words):
                asked.append(Asked(row["question"], short, best))
        return self._lesson(
            "story", [(self._title(group[0]), body[:16])], [a for a in asked if a.sentence in body[:16]]
        )

    # --- other skills --------------------------------------------------------------------------------

    def question_writing(self) -> Lesson | None:
        """Write the question that a piece of a passage answers: of papers, tables and public paragraphs."""
        turns: list[Turn] = []
        while len(turns) < 4:
            kind = self.rng.random()
            made = (
                self._ask_paper()
                if kind < 0.5
                else self._ask_table()
                if kind < 0.75
                else self._ask_paragraph()
            )
            if made:
                line, short, question = made
                request = {"role": "user", "content": build_question_request(line, short)}
                turns.append(Turn((request,), capital(question)))
        return Lesson("question", tuple(turns))

    def _ask_paper(self) -> tuple[str, str, str] | None:
        rng = self.rng
        paper = Writer(rng.choice(self.families), rng).paper(rng.randint(1, 4))
        statement = rng.choice(paper.statements)
        # Whole questions alone: search words make no question to propose.
        fitting = [q for q in (statement.named or statement.questions) if q.endswith("?")]
        if statement.is_yes_no or not fitting:
            return None
        line = format_evidence(1, paper.title, self._body(paper)[:4])
        if statement.sentence not in line:
            line = format_evidence(1, paper.title, [statement.sentence])
        return line, statement.short, rng.choice(fitting)

    def _ask_table(self) -> tuple[str, str, str] | None:
        rng = self.rng
        table = draw_table(rng.choice(self.tables), rng)
        row = rng.choice(table.rows)
        cell = rng.choice(row.cells)
        fitting = [q for q in cell.questions if q.endswith("?") and len(q.split()) <= 16]
        if not fitting:
            return None
        return format_evidence(1, table.title, [row.text]), cell.value, rng.choice(fitting)

    def _ask_paragraph(self) -> tuple[str, str, str] | None:
        if not self.paragraphs:
            return self._ask_paper()
        row = self.rng.choice(self.rng.choice(self.paragraphs))
        if not row["answers"]:
            return None
        short = row["answers"][0]
        body = [s for s in sentences(row["context"]) if len(s.split()) <= LONGEST]
        holding = [n for n, s in enumerate(body) if short in s]
        if not holding or not row["question"].endswith("?"):
            return None
        at = holding[0]
        shown = body[max(0, at - self.rng.choice([0, 0, 1])) : at + self.rng.choice([1, 1, 2])]
        return format_evidence(1, self._title(row), shown), short, row["question"]

    def standalone(self) -> Lesson | None:
        """Word a follow-up question so that it is understood alone."""
        rng, turns = self.rng, []
        for _ in range(3):
            family = rng.choice(self.families)
            writer = Writer(family, rng)
            named = [
                q for fact in family["facts"] for q in fact["questions"] if "{s}" in q and q.endswith("?")
            ]
            if len(named) < 2:
                continue
            first, last = rng.sample(named, 2)
            spoken = last.replace("{s}", rng.choice(["it", "that", "this one", "the same one"]))
            request = build_standalone_request([capital(writer.fill(first))], capital(writer.fill(spoken)))
            turns.append(Turn(({"role": "user", "content": request},), capital(writer.fill(last))))
        return Lesson("standalone", tuple(turns))
