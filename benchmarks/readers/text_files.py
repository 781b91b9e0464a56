"""How much of Markdown and plain text is read as it was written: `python -m benchmarks.readers.text_files`.

Files are written here from parts whose truth is known. Markdown: code, placeholders, generics, names with
underscores, tables in both notations, lists, front matter. Plain text: prose broken at a width, with words
broken too, between logs, columns, lists of lines of like length and settings.
"""

from __future__ import annotations

import random
import tempfile
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backends.documents.parsing import parse_file

FILES = 300
TOWNS = ("Alta", "Boden", "Cadiz", "Dover", "Evora", "Forli", "Gent", "Husum", "Imola", "Jena")
THINGS = ("valve", "pump", "hose", "lamp", "crate", "rope", "ladder", "tarp", "winch", "buoy")
SLOW = ("emergency", "generator", "inspection", "maintenance", "ventilation", "certificate", "responsible")


@dataclass
class Written:
    """A file's source and the lines, or runs of lines, that its text must hold."""

    source: str = ""
    lines: list[str] = field(default_factory=list)


class Writer:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._number = 1000 * seed

    def number(self) -> int:
        self._number += 1
        return self._number

    def sentence(self) -> str:
        pick = self.random.choice
        return (
            f"The {pick(THINGS)} in {pick(TOWNS)} is part of the {pick(SLOW)} plan, number {self.number()}, "
            f"and the {pick(SLOW)} of the {pick(THINGS)} is due when the {pick(SLOW)} of the office says so."
        )

    # --- Markdown ----------------------------------------------------------------------------------

    def code(self, file: Written) -> str:
        lines = [f"def wait_{self.number()}(n):", "    # count down", "    while n:", "        n -= 1"]
        file.lines.append("\n".join(lines))
        return "```python\n" + "\n".join(lines) + "\n```"

    def settings(self, file: Written) -> str:
        lines = ["server:", f"  port: {self.number()}", "  tls:", "    on: true", "client:", "  port: 1"]
        file.lines.append("\n".join(lines))
        return "".join(f"    {line}\n" for line in lines)

    def odd(self, file: Written) -> str:
        number = self.number()
        line = self.random.choice(
            [
                f"Call client.get<Order>({number}) or use Map<String, List<u8>> for it.",
                f"Set --limit <n> where <n> is below {number}, and X-Key to <your-key>.",
                f"If a<b and c>d then {number} is negative; 2*3*4 is no emphasis.",
                f"The names __init__, snake_case_{number} and file_name stay as they are.",
                f"The range is 5 < x < {number} and price<10 or weight>3 is free.",
                f"Write to <office{number}@example.org> about AT&T and R&D.",
            ]
        )
        file.lines.append(line.replace("<office", "office").replace("example.org>", "example.org"))
        return line

    def pipes(self, file: Written) -> str:
        pick = self.random.choice
        rows = [(pick(TOWNS), str(self.number()), pick(THINGS)) for _ in range(3)]
        file.lines += [f"Town: {town}; Fee: {fee}; Item: {item}" for town, fee, item in rows]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join(["| Town | Fee | Item |", "|---|---:|---|", *lines])

    def html(self, file: Written) -> str:
        town, number = self.random.choice(TOWNS), self.number()
        file.lines += [f"Town: {town}; Day: Mon; Fee: {number}", f"Town: {town}; Day: Tue; Fee: {number + 1}"]
        self._number += 1
        return (
            f"<table><tr><th>Town</th><th>Day</th><th>Fee</th></tr>\n<tr><td rowspan=2>{town}</td>"
            f"<td>Mon</td><td>{number}</td></tr>\n<tr><td>Tue</td><td>{number + 1}</td></tr></table>"
        )

    def items(self, file: Written) -> str:
        items = [f"{self.number()} metres of *{self.random.choice(THINGS)}*" for _ in range(3)]
        file.lines += [f"- {item.replace('*', '')}" for item in items]
        return "\n".join(f"- {item}" for item in items)

    def paragraph(self, file: Written) -> str:
        sentence = self.sentence()
        file.lines.append(sentence)
        return textwrap.fill(sentence, 72, break_on_hyphens=False)

    def markdown(self) -> Written:
        file = Written()
        parts = [self.code, self.settings, self.odd, self.pipes, self.html, self.items, self.paragraph]
        owner = f"Owner {self.number()}"
        file.lines.append(f"owner: {owner}")
        chosen = [part(file) for part in self.random.choices([*parts, self.odd], k=8)]
        head = f"---\ntitle: Notes\nowner: {owner}\n---\n\n# Notes\n\n"
        file.source = head + "\n\nNext.\n\n".join(chosen) + "\n"
        return file

    # --- plain text --------------------------------------------------------------------------------

    def broken(self, file: Written) -> str:
        """Prose at a width, words broken at line ends as typesetters do."""
        said = " ".join(self.sentence() for _ in range(self.random.randint(2, 4)))
        file.lines.append(said)
        width, lines, line = self.random.choice([66, 72, 80]), list[str](), ""
        for word in said.split():
            if len(line) + len(word) + 1 <= width:
                line = f"{line} {word}".strip()
                continue
            room = width - len(line) - 2
            if word in SLOW and 3 <= room <= len(word) - 3:
                lines.append(f"{line} {word[:room]}-")
                line = word[room:]
            else:
                lines.append(line)
                line = word
        return "\n".join([*lines, line])

    def log(self, file: Written) -> str:
        pick = self.random.choice
        lines = [
            f"2024-05-02 10:{minute:02}:01 WARN  {pick(THINGS)} {self.number()} over its limit. Stopped."
            for minute in range(5)
        ]
        file.lines += lines
        return "\n".join(lines)

    def columns(self, file: Written) -> str:
        rows = [("ARTICLE", "STOCK", "PRICE")]
        prices = [f"{self.random.randint(1, 99)}.90" for _ in range(4)]
        rows += [(self.random.choice(THINGS), str(self.number()), price) for price in prices]
        lines = [f"{one:<16}{two:>8}{three:>10}" for one, two, three in rows]
        file.lines += lines
        return "\n".join(lines)

    def contacts(self, file: Written) -> str:
        """Lines of like length that are no prose."""
        lines = [
            f"{self.random.choice(TOWNS)} office, day and night, in all urgent cases, call {self.number()}"
            for _ in range(5)
        ]
        file.lines += lines
        return "\n".join(lines)

    def lines(self, file: Written) -> str:
        settings = [f"[pump-{self.number()}]", "name = P7", f"limit = {self.number()}", "  unit = bar"]
        file.lines.append("\n".join(settings))
        return "\n".join(settings)

    def text(self) -> Written:
        file = Written()
        parts = [self.broken, self.broken, self.log, self.columns, self.contacts, self.lines]
        file.source = "\n\n".join(part(file) for part in self.random.choices(parts, k=7)) + "\n"
        return file


def main() -> None:
    print("| files | lines and blocks as written | ms a file |\n|---|---|---|")
    kinds: dict[str, Callable[[Writer], Written]] = {"md": Writer.markdown, "txt": Writer.text}
    with tempfile.TemporaryDirectory() as folder:
        for suffix, make in kinds.items():
            path, hits, total, spent = Path(folder) / f"a.{suffix}", 0, 0, 0.0
            for seed in range(1, FILES + 1):
                file = make(Writer(seed))
                path.write_text(file.source, encoding="utf-8")
                began = time.process_time()
                text = parse_file(path).text
                spent += time.process_time() - began
                hits += sum(f"\n{line}\n" in f"\n{text}\n" for line in file.lines)
                total += len(file.lines)
            print(f"| {suffix} | {hits / total:.1%} | {1000 * spent / FILES:.1f} |")


if __name__ == "__main__":
    main()
