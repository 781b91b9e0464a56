"""Draws training exchanges of each kind: find, read, decline, ask back, rewrite, label.

Enters: prose, public questions with their sentences, the families. Leaves `Example`s: a question, the
evidence as serving shows it, the answer, with the wordings of backends.language.prompts.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from dataclasses import dataclass, replace

from companies import Fact, facts, table
from families import Paper, Statement, Writer, capital, load_families

from backends.language.prompts import (
    NOT_IN_DOCUMENTS,
    NOT_KNOWN,
    build_question_request,
    build_standalone_request,
    format_evidence,
)

LEADS = {"stage4": 0.78, "stage5": 0.96}  # share with the answering line, and in it the sentence, first
BUDGETS = (40, 60, 80, 80, 110, 140)  # words of evidence; serving shows 128 tokens unless set otherwise
DECLINES = 0.07  # share of papers in which the answering sentence is missing

# Public unanswerable questions are written to deceive: at full share a small model learns to decline all.
UNANSWERABLE_KEPT = 0.2


@dataclass(frozen=True)
class Example:
    """One exchange; an empty question means plain text to read (`answer` holds it)."""

    question: str
    answer: str
    evidence: tuple[str, ...] = ()
    short_first: bool = False
    later: tuple[tuple[str, str], ...] = ()  # further questions about the same evidence, and their answers
    request: str = ""  # a whole user message in place of evidence and question


class Tasks:
    """Draws examples of each kind; every draw is fresh, only the real questions repeat."""

    def __init__(self, prose: list[tuple[str, list[str]]], questions: list[dict], rng: random.Random) -> None:
        self.prose, self.questions, self.rng = prose, questions, rng
        self.families = load_families()
        self.leads = LEADS["stage4"]
        by_context: dict[tuple[str, str], list[dict]] = defaultdict(list)
        for row in questions:
            by_context[row["title"], row["sentences"][0]].append(row)
        self.contexts = list(by_context.values())

    def _lines(self, groups: list[tuple[str, list[str]]]) -> tuple[str, ...]:
        """Numbered lines; a title is shown for most prompts, as in service."""
        titled = self.rng.random() < 0.75
        return tuple(
            format_evidence(i, title if titled else "", body) for i, (title, body) in enumerate(groups, 1)
        )

    def _place(
        self, gold: tuple[str, list[str]], others: list[tuple[str, list[str]]], first: float
    ) -> tuple[list, int]:
        """Insert the gold group, at the front with probability `first`, and return its number."""
        at = 0 if self.rng.random() < first else self.rng.randint(0, len(others))
        return [*others[:at], gold, *others[at:]], at + 1

    def reading(self) -> Example:
        title, body = self.rng.choice(self.prose)
        start = self.rng.randrange(len(body))
        return Example("", f"{title}\n" + " ".join(body[start : start + 12]))

    def copy(self) -> Example:
        """The question is how a sentence begins; the answer is that sentence."""
        rng = self.rng
        pool = [
            (t, [s])
            for t, body in rng.choices(self.prose, k=rng.randint(2, 4))
            for s in rng.sample(body, 1)
            if len(s.split()) <= 24
        ]
        if rng.random() < 0.35:
            pool += [(f.title, [f.sentence]) for f in facts(rng, 2)]
        if not pool:
            return self.copy()
        rng.shuffle(pool)
        at = rng.randrange(len(pool))
        sentence = pool[at][1][0]
        return Example(
            " ".join(sentence.split()[: rng.randint(2, 5)]), f"{sentence} [{at + 1}]", self._lines(pool)
        )

    def keywords(self) -> Example:
        """The question names words of one sentence; the answer is that sentence."""
        rng = self.rng
        title, body = rng.choice(self.prose)
        same = rng.sample(body, min(len(body), rng.randint(2, 5)))
        groups = [(title, [s]) for s in same if len(s.split()) <= 32]
        if rng.random() < 0.4:
            groups += [(f.title, [f.sentence]) for f in facts(rng, 2)]
            rng.shuffle(groups)
        if len(groups) < 2:
            return self.keywords()
        at = rng.randrange(len(groups))
        sentence = groups[at][1][0]
        words = [w.strip(".,;:()\"'?!") for w in sentence.split()]
        words = sorted({w for w in words if len(w) > 3}, key=lambda w: -len(w) - 3 * rng.random())[
            : rng.randint(2, 4)
        ]
        if not words:
            return self.keywords()
        order = sorted(words, key=sentence.find) if rng.random() < 0.6 else words
        form = rng.choice(
            [
                "What is said about {}?",
                "Tell me about {}.",
                "{}?",
                "What do you know about {}?",
                "{}",
                "Where is {} mentioned?",
                "What about {}?",
                "Find the sentence on {}.",
            ]
        )
        joined = " ".join(order) if rng.random() < 0.5 else " and ".join(order)
        return Example(form.format(joined), f"{sentence} [{at + 1}]", self._lines(groups))

    def _fact_groups(self, pool: list[Fact], gold: Fact | None, first: float) -> tuple[tuple[str, ...], int]:
        rng = self.rng
        groups: list[tuple[str, list[str]]] = []
        rest = [f for f in pool if f is not gold]
        while rest:
            take = [rest.pop() for _ in range(min(len(rest), rng.choice([1, 1, 1, 2, 3])))]
            body = [f.sentence for f in take]
            if rng.random() < 0.2:
                body.insert(rng.randint(0, len(body)), rng.choice(rng.choice(self.prose)[1]))
            groups.append((take[0].title, body))
        if gold is None:
            return self._lines(groups), 0
        body = [gold.sentence]
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
            extra = rng.choice(rng.choice(self.prose)[1]) if rng.random() < 0.5 else facts(rng, 1)[0].sentence
            body.insert(rng.randint(0, len(body)), extra)
        placed, number = self._place((gold.title, body), groups, first)
        return self._lines(placed), number

    def fact(self, short_first: bool = False) -> Example:
        rng = self.rng
        pool = facts(rng, rng.randint(2, 7))
        gold = rng.choice(pool)
        question = rng.choice(gold.questions)
        if any(other is not gold and question in other.questions for other in pool):
            return self.fact(short_first)
        if rng.random() < 0.1:
            evidence, _ = self._fact_groups([f for f in pool if f is not gold], None, 0)
            return (
                Example(question, NOT_IN_DOCUMENTS, evidence, short_first)
                if evidence
                else self.fact(short_first)
            )
        evidence, number = self._fact_groups(pool, gold, 0.6)
        return Example(
            question, self._say(gold.short, gold.sentence, number, short_first), evidence, short_first
        )

    def _say(self, short: str, sentence: str, number: int, short_first: bool) -> str:
        lead = f"{capital(short).rstrip('.')}. " if short_first and short else ""
        return f"{lead}{sentence} [{number}]"

    def two_facts(self) -> Example:
        rng = self.rng
        pool = facts(rng, rng.randint(3, 6))
        one, two = rng.sample(pool, 2)
        if one.questions == two.questions:
            return self.two_facts()
        groups = [(f.title, [f.sentence]) for f in pool]
        rng.shuffle(groups)
        numbers = [next(i for i, (_, b) in enumerate(groups, 1) if b[0] == f.sentence) for f in (one, two)]
        first, second = rng.choice(one.questions), rng.choice(two.questions)
        joined = (
            f"{first.rstrip('?.')}, and {second[0].lower() + second[1:]}"
            if rng.random() < 0.6
            else f"{first} {second}"
        )
        return Example(
            joined, f"{one.sentence} [{numbers[0]}] {two.sentence} [{numbers[1]}]", self._lines(groups)
        )

    def cell(self, short_first: bool = False) -> Example:
        rng = self.rng
        title, header, rows = table(rng)
        at, column = rng.randrange(len(rows)), rng.randint(1, len(header) - 1)
        texts = ["; ".join(f"{h}: {v}" for h, v in zip(header, row, strict=True)) for row in rows]
        size = rng.choice([1, 1, 2, 3])
        chunks = [texts[i : i + size] for i in range(0, len(texts), size)]
        gold = chunks.pop(at // size)
        placed, number = self._place((title, gold), [(title, c) for c in chunks], 0.6)
        name, field, value = rows[at][0], header[column].lower(), rows[at][column]
        question = rng.choice(
            [
                "What is the {f} of {n}?",
                "{f} of {n}?",
                "Which {f} does {n} have?",
                "Tell me the {f} for {n}.",
                "What {f} is listed for {n}?",
                "In the table, what is the {f} of {n}?",
            ]
        ).format(f=field, n=name)
        if rng.random() < 0.07:
            return Example(
                question.replace(name, facts(rng, 1)[0].title + " " + name[::-1][:4]),
                NOT_IN_DOCUMENTS,
                self._lines(placed),
                short_first,
            )
        return Example(
            question[:1].upper() + question[1:],
            self._say(value, texts[at], number, short_first),
            self._lines(placed),
            short_first,
        )

    def real(self, short_first: bool = False) -> Example:
        """A question of a public set; its evidence is cut, scored and ordered as retrieval does it."""
        rng = self.rng
        row = rng.choice(self.questions)
        sentences, scores = row["sentences"], row["scores"]
        answerable = bool(row["answers"])
        if not answerable and rng.random() > UNANSWERABLE_KEPT:
            return self.real(short_first)
        gold = max(
            (i for i, s in enumerate(sentences) if any(a in s for a in row["answers"])),
            key=lambda i: scores[i],
            default=None,
        )
        if answerable and (gold is None or len(sentences[gold].split()) > 45):
            return self.real(short_first)
        groups = self._chunks(row["title"], sentences, scores, gold)
        if rng.random() < 0.35:
            other = rng.choice(self.questions)
            groups += [(other["title"], [rng.choice(other["sentences"])], -1.0, False)]
        groups = sorted(groups, key=lambda g: -g[2])[: rng.randint(2, 5)]
        if answerable and rng.random() < 0.04:  # the passage is missing: nothing close enough is left
            stranger = rng.choice(self.questions)
            groups = [(stranger["title"], stranger["sentences"][:2], 0.0, False)]
            answerable = False
        lines = self._lines([(title, body) for title, body, _, _ in groups])
        if not answerable:
            return Example(row["question"], NOT_IN_DOCUMENTS, lines, short_first)
        number = next((i for i, g in enumerate(groups, 1) if g[3]), None)
        if number is None or gold is None:
            return self.real(short_first)
        short = next(a for a in row["answers"] if a in sentences[gold])
        return Example(
            row["question"], self._say(short, sentences[gold], number, short_first), lines, short_first
        )

    def _chunks(
        self, title: str, sentences: list[str], scores: list[float], gold: int | None
    ) -> list[tuple[str, list[str], float, bool]]:
        """Consecutive sentences as chunks trimmed to their best: (title, kept, best score, holds gold)."""
        rng = self.rng
        size, out = rng.randint(2, 5), []
        for start in range(0, len(sentences), size):
            window = range(start, min(start + size, len(sentences)))
            best = max(window, key=lambda i: scores[i])
            kept = [
                i for i in sorted(window, key=lambda i: -scores[i])[:3] if scores[i] >= 0.8 * scores[best]
            ]
            if gold in window and gold not in kept:
                kept.append(gold)
            body = [sentences[i] for i in sorted(kept) if len(sentences[i].split()) <= 60]
            if body:
                out.append(
                    (" ".join(title.split()[:7]), body, scores[best] + rng.gauss(0, 0.03), gold in kept)
                )
        return out

    # --- evidence as serving shows it ---

    def _serve(
        self,
        gold: tuple[str, str],
        others: list[tuple[str, list[str]]],
        turns: list[tuple[str, str, str, str]],
        short_first: bool,
    ) -> Example:
        """Lines of several sentences within a budget; the answering sentence mostly leads the first.

        gold: (title, sentence) that answers the first turn. others: title and sentences of more text, the
        gold document's first. turns: (question, sentence it is answered by, what the answer says, short).
        """
        rng = self.rng
        lines: list[tuple[str, list[str]]] = []
        for title, body in others:
            body = list(body)
            while body:
                take, body = body[:3], body[rng.choice([1, 1, 2, 2, 3]) :]
                lines.append((title, take[: rng.choice([1, 1, 2, 3])]))
        own = [at for at, (title, _) in enumerate(lines) if title == gold[0]]
        company = lines.pop(own[0])[1] if own and rng.random() < 0.6 else []
        company = [s for s in company if s != gold[1]][:3]
        company.insert(0 if rng.random() < self.leads else rng.randint(0, len(company)), gold[1])
        rng.shuffle(lines)
        at = 0 if rng.random() < self.leads else rng.randint(0, min(4, len(lines)))
        lines.insert(at, (gold[0], company))
        kept, room, seen = [], rng.choice(BUDGETS), set()
        for position, (title, body) in enumerate(lines[:6]):
            body = [s for s in dict.fromkeys(body) if s not in seen]
            words = sum(len(s.split()) for s in body) + len(title.split())
            if not body or (words > room and position > at):
                continue
            seen.update(body)
            room -= words
            kept.append((title, body))
        number = {s: n for n, (_, body) in enumerate(kept, 1) for s in body}
        answered = [
            (question, self._say(short, says, number[sentence], short_first))
            for question, sentence, says, short in turns
            if sentence in number
        ]
        return Example(*answered[0], self._lines(kept), short_first, tuple(answered[1:4]))

    def _turn(self, statement: Statement, named: bool = False) -> tuple[str, str, str, str]:
        asked = statement.named if named and statement.named else statement.questions
        says = statement.quotation
        if statement.is_yes_no:
            says = f"{statement.short}. {says}"
        return (
            self.rng.choice(asked),
            statement.sentence,
            says,
            "" if statement.is_yes_no else statement.short,
        )

    def _papers(self) -> tuple[Paper, list[Paper]]:
        """A paper and what retrieval would find beside it: its like about another subject, and strangers."""
        rng = self.rng
        family = rng.choice(self.families)
        main = Writer(family, rng).paper(rng.randint(2, 6))
        beside = [Writer(family, rng).paper(rng.randint(1, 3)) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
        beside = [p for p in beside if p.subject != main.subject]
        for _ in range(rng.choice([0, 1, 1, 2])):
            beside.append(Writer(rng.choice(self.families), rng).paper(rng.randint(1, 2)))
        return main, beside

    def paper(self, short_first: bool = False) -> Example:
        """Questions about one paper; papers beside it state other things, or the same of other subjects."""
        rng = self.rng
        main, beside = self._papers()
        shared = {s.about for p in beside for s in p.statements}
        statements = [s for s in main.statements if s.about not in shared or s.named]
        if not statements:
            return self.paper(short_first)
        rng.shuffle(statements)
        body = [*(s.sentence for s in main.statements), *main.neighbours]
        rng.shuffle(body)
        others = [(main.title, body)] + [
            (p.title, [s.sentence for s in p.statements] + list(p.neighbours[:1])) for p in beside
        ]
        turns = [self._turn(s, s.about in shared) for s in statements]
        if rng.random() < DECLINES:
            return self._missing(main, statements, others, turns, short_first)
        return self._serve((main.title, statements[0].sentence), others, turns, short_first)

    def _missing(
        self,
        main: Paper,
        statements: list[Statement],
        others: list[tuple[str, list[str]]],
        turns: list[tuple[str, str, str, str]],
        short_first: bool,
    ) -> Example:
        """The first statement is left out, so its question must be declined; the rest is there."""
        gone = statements[0].sentence
        left = [(title, [s for s in body if s != gone]) for title, body in others]
        left = [(title, body) for title, body in left if body]
        if not left:
            return self.paper(short_first)
        title, first = left[0][0], left[0][1][0]
        shown = self._serve((title, first), left, [("", first, first, ""), *turns[1:]], short_first)
        return replace(shown, question=turns[0][0], answer=NOT_IN_DOCUMENTS)

    def paragraph(self, short_first: bool = False) -> Example:
        """Public questions about one paragraph, among sentences of others."""
        rng = self.rng
        rows = rng.sample(group := rng.choice(self.contexts), min(4, len(group)))
        turns = []
        for row in rows:
            sentences, scores = row["sentences"], row["scores"]
            holding = [i for i, s in enumerate(sentences) if any(a in s for a in row["answers"])]
            best = max(holding, key=lambda i: scores[i], default=None)
            if best is not None and len(sentences[best].split()) <= 40:
                short = next(a for a in row["answers"] if a in sentences[best])
                turns.append((row["question"], sentences[best], sentences[best], short))
        title = " ".join(rows[0]["title"].split()[:7])
        if not turns:
            return self.paragraph(short_first)
        row, gold = rows[0], turns[0][1]
        near = sorted(range(len(row["sentences"])), key=lambda i: -row["scores"][i])[: rng.randint(2, 6)]
        body = [row["sentences"][i] for i in near if len(row["sentences"][i].split()) <= 45]
        body = [*dict.fromkeys([*body, *(sentence for _, sentence, _, _ in turns[1:])])]
        rng.shuffle(body)
        stranger = rng.choice(self.questions)
        others = [(title, body), (" ".join(stranger["title"].split()[:7]), stranger["sentences"][:1])]
        others = [(t, [s for s in b if len(s.split()) <= 45]) for t, b in others[: rng.choice([1, 1, 2])]]
        return self._serve((title, gold), others, turns, short_first)

    def two_statements(self) -> Example:
        """One message asks two things that different sentences answer."""
        main, _ = self._papers()
        usable = [s for s in main.statements if not s.is_yes_no]
        if len(usable) < 2:
            return self.two_statements()
        one, two = self.rng.sample(usable, 2)
        groups = [(main.title, [s.sentence]) for s in main.statements]
        self.rng.shuffle(groups)
        number = {body[0]: n for n, (_, body) in enumerate(groups, 1)}
        first, second = self.rng.choice(one.questions), self.rng.choice(two.questions)
        joined = (
            f"{first} {second}" if first.endswith("?") else f"{first} and {second[0].lower() + second[1:]}"
        )
        says = " ".join(f"{s.quotation} [{number[s.sentence]}]" for s in (one, two))
        return Example(joined, says, self._lines(groups))

    def labels(self) -> Example:
        """Values of a table row as JSON under given keys."""
        rng = self.rng
        title, header, rows = table(rng)
        lines = self._lines(
            [(title, ["; ".join(f"{h}: {v}" for h, v in zip(header, row, strict=True))]) for row in rows]
        )
        row = rng.choice(rows)
        picked = sorted(rng.sample(range(1, len(header)), rng.randint(1, len(header) - 1)))
        keys = [header[i].lower().replace(" ", "_") for i in picked]
        form = rng.choice(["Give {k} of {n} as JSON.", "{n} as JSON with the keys {k}", "As JSON ({k}): {n}"])
        answer = json.dumps({k: row[i] for k, i in zip(keys, picked, strict=True)}, ensure_ascii=False)
        return Example(form.format(k=", ".join(keys), n=row[0]), answer, lines)

    def ask_back(self) -> Example:
        """Write the question that a piece of a passage answers."""
        main, _ = self._papers()
        statement = self.rng.choice(main.statements)
        if statement.is_yes_no:
            return self.ask_back()
        body = [statement.sentence, *main.neighbours[: self.rng.choice([0, 0, 1])]]
        self.rng.shuffle(body)
        line = format_evidence(1, main.title, body)
        question = self.rng.choice(statement.named or statement.questions)
        return Example("", question, request=build_question_request(line, statement.short))

    def standalone(self) -> Example:
        """Write a follow-up question so that it can be understood alone."""
        rng = self.rng
        family = rng.choice(self.families)
        writer = Writer(family, rng)
        named = [q for fact in family["facts"] for q in fact["questions"] if "{s}" in q]
        if len(named) < 2:
            return self.standalone()
        first, last = rng.sample(named, 2)
        spoken = re.sub(r"\{s\}", rng.choice(["it", "that", "this one"]), last)
        before = [capital(writer.fill(first))]
        return Example(
            "",
            capital(writer.fill(last)),
            request=build_standalone_request(before, capital(writer.fill(spoken))),
        )

    def unknown(self) -> Example:
        return Example(self.rng.choice(facts(self.rng, 1)[0].questions), NOT_KNOWN)
