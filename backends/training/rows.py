"""Training rows: reads and checks them, splits off the held-out part, adds retrieved passages for a hybrid.

Enters: JSONL or CSV files, or `TrainingRow`s, and a function that retrieves. Leaves: `Example`s, that is
chat messages and the answer to learn. It knows no model and no library; `prompts` builds the prompts, as in
service.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backends.answering.answer_text import cited_markers, is_abstention
from backends.answering.overlap import best_support
from backends.datatypes import JsonObject, JsonValue, Source, TrainingRow, UserError
from backends.language.prompts import NOT_IN_DOCUMENTS, build_messages, evidence_lines
from backends.system.csv_file import read_csv

FEWEST_ROWS = 20
LONGEST_QUOTE = 20  # words; a longer sentence or table row is told in the row's own words
QUESTION_LABEL = "Question: "  # what `build_messages` writes before the question; a test compares
FEW_ROWS = 200  # "under 200 hurts", seeds-digest F2
_DIGITS = re.compile(r"\d+")
Retrieve = Callable[[str], Sequence[Source]]  # a question to the sources that serving would show


@dataclass(frozen=True)
class Example:
    """One exchange to learn: `row` is the 1-based number of the row it was made of."""

    row: int
    messages: tuple[dict[str, str], ...]
    answer: str


@dataclass(frozen=True)
class HybridOptions:
    """How hybrid rows are made, in the manner of RAFT (Zhang et al. 2024).

    share_with_answer: share of rows that keep the passage holding the answer (RAFT's P).
    distractors: most other sources to keep; None keeps as many as serving shows.
    share_memorised: of the rows left without such a passage, the share that is to answer from memory (without
        a marker, as RAFT does); the others learn to say that the documents do not say.
    least_support: a passage holds the answer if it has this share of the answer's content words.
    quoted: the reason behind the short answer is the passage's own sentence, where one of at most
        LONGEST_QUOTE words holds the short answer (RAFT's quotations): what is learned is to find and copy.
    share_altered: share of the rows with such a passage in which a figure of the short answer is another one,
        in the passages and in the answer alike, so that an edited document is believed and not the memory
        (Longpre et al. 2021, "Entity-Based Knowledge Conflicts in Question Answering").
    """

    share_with_answer: float = 0.9
    distractors: int | None = None
    share_memorised: float = 0.0
    least_support: float = 0.5
    quoted: bool = True
    share_altered: float = 0.0
    seed: int = 0


# --- reading -------------------------------------------------------------------------------------


def load_rows(path: Path) -> list[TrainingRow]:
    """Rows of a JSONL file (`question`, `answer`, `documents`; or chat `messages`) or of a CSV file.

    Raises UserError naming the line that does not fit.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    numbered = _csv_rows(path) if path.suffix.lower() in (".csv", ".tsv") else _json_rows(path)
    rows = []
    for number, raw in numbered:
        try:
            rows.append(_row(raw))
        except UserError as error:
            raise UserError(f"{path.name}, line {number}: {error}") from error
    if not rows:
        raise UserError(f"{path.name} holds no training rows.")
    return rows


def _json_rows(path: Path) -> Iterable[tuple[int, JsonObject]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name} is not UTF-8 text (byte {error.start}).") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path.name}, line {number}: not valid JSON ({error.msg}).") from error
        if not isinstance(row, dict):
            raise UserError(f"{path.name}, line {number}: a JSON object is needed.")
        yield number, row


def _csv_rows(path: Path) -> Iterable[tuple[int, JsonObject]]:
    columns, rows = read_csv(path)
    if not {"question", "answer"} <= set(columns):
        found = ", ".join(columns) or "none"
        raise UserError(f"{path.name} needs the columns question and answer; it has: {found}.")
    for number, row in rows:
        named = re.split(r"[;|]", row.get("documents", ""))
        yield number, {**row, "documents": [each.strip() for each in named if each.strip()]}


def _row(raw: JsonObject) -> TrainingRow:
    if "messages" in raw:
        question, answer = _exchange(raw["messages"])
    else:
        question, answer = raw.get("question"), raw.get("answer")
    for field, value in (("question", question), ("answer", answer)):
        if not isinstance(value, str) or not value.strip():
            raise UserError(f"the {field} is missing or empty.")
    documents = raw.get("documents") or ()
    if isinstance(documents, str) or not isinstance(documents, Sequence):
        raise UserError('"documents" must be a list of names.')
    return TrainingRow(str(question).strip(), str(answer).strip(), tuple(str(each) for each in documents))


def _exchange(messages: JsonValue) -> tuple[JsonValue, JsonValue]:
    """(question, answer) of chat messages: one user turn, one assistant turn; a system turn is left out."""
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise UserError('"messages" must be a list of {"role", "content"} objects.')
    turns = [(each.get("role"), each.get("content")) for each in messages if each.get("role") != "system"]
    if [role for role, _ in turns] != ["user", "assistant"]:
        raise UserError('"messages" must hold one user turn and then one assistant turn.')
    return turns[0][1], turns[1][1]


def check_rows(rows: Sequence[TrainingRow]) -> list[str]:
    """Warnings about a set of rows; raises UserError when too few are different to train on."""
    different = len({_as_said(row.question, row.answer) for row in rows})
    if different < FEWEST_ROWS:
        same = "" if different == len(rows) else f", of which only {different} are different,"
        raise UserError(f"{len(rows)} training rows{same} are too few: at least {FEWEST_ROWS} are needed.")
    warnings = []
    if different < len(rows):
        warnings.append(f"{len(rows) - different} of {len(rows)} rows repeat another one.")
    if different < FEW_ROWS:
        warnings.append(
            f"{different} training rows: under {FEW_ROWS} tuning tends to hurt; 500 to 5,000 are typical."
        )
    answers: dict[str, set[str]] = {}
    for row in rows:
        answers.setdefault(_as_said(row.question), set()).add(_as_said(row.answer))
    if clashing := sum(len(found) > 1 for found in answers.values()):
        warnings.append(f"{clashing} questions come with more than one answer.")
    return warnings


def _as_said(*texts: str) -> str:
    return "\0".join(" ".join(text.lower().split()) for text in texts)


def split_held_out(
    rows: Sequence[TrainingRow], share: float, seed: int = 0
) -> tuple[list[tuple[int, TrainingRow]], list[tuple[int, TrainingRow]]]:
    """(train, held out) with 1-based row numbers. The choice depends on the question and the seed alone.

    So the same question is held out in every run and for every kind of adapter, and repeats of a question
    never end up on both sides.
    """
    train: list[tuple[int, TrainingRow]] = []
    held: list[tuple[int, TrainingRow]] = []
    for number, row in enumerate(rows, start=1):
        side = held if _draw(row.question, f"held-out {seed}") < share else train
        side.append((number, row))
    if not held and share > 0 and len(train) > 1:
        held.append(train.pop(min(range(len(train)), key=lambda i: _draw(train[i][1].question, str(seed)))))
    if not train:
        raise UserError(f"A held-out share of {share:.0%} leaves none of {len(rows)} rows to train on.")
    return train, held


# --- examples ------------------------------------------------------------------------------------


def closed_book(rows: Iterable[tuple[int, TrainingRow]]) -> list[Example]:
    """Question and answer alone: what the fine-tuned backend is asked."""
    return [Example(number, tuple(build_messages(row.question)), row.answer) for number, row in rows]


def with_passages(
    rows: Iterable[tuple[int, TrainingRow]], retrieve: Retrieve, options: HybridOptions
) -> list[Example]:
    """The same rows with the sources that serving would show them.

    Where a source holds the answer, its marker [n] ends the answer to learn.
    """
    return [_with_passages(number, row, retrieve(row.question), options) for number, row in rows]


def _with_passages(
    number: int, row: TrainingRow, sources: Sequence[Source], options: HybridOptions
) -> Example:
    holder = answering_source(row, sources, options.least_support)
    keep = _draw(row.question, f"passage {options.seed}") < options.share_with_answer
    if holder is not None and not keep:
        # Every passage of a gold document goes, or the answer could still be pieced together.
        sources = [s for s in sources if s is not holder and s.hit.chunk.document not in row.documents]
        holder = None
    shown, marker = _thinned(sources, holder, options, row.question)
    if holder is not None and options.quoted and not cited_markers(row.answer):
        row = replace(row, answer=quoting(row.answer, holder))
    alter = _draw(row.question, f"altered {options.seed}") < options.share_altered
    if alter and marker is not None and not cited_markers(row.answer):  # whose numbers are no figures
        row, shown = with_another_figure(row, shown, options.seed)
    messages = tuple(build_messages(row.question, evidence_lines(shown)))
    return Example(number, messages, _target(row, marker, options))


def with_another_figure(
    row: TrainingRow, shown: Sequence[Source], seed: int
) -> tuple[TrainingRow, list[Source]]:
    """The row and its sources with another number for one of the short answer, of as many digits.

    Unchanged where the short answer has none, or only such as the question or a title names too.
    """
    named = " ".join([row.question, *(source.hit.chunk.title for source in shown)])
    said = " ".join(sentence.text for source in shown for sentence in source.sentences)
    short = row.answer.partition(". ")[0]
    figures = [each for each in _DIGITS.findall(short) if each not in _DIGITS.findall(named)]
    figures = [each for each in figures if each in _DIGITS.findall(said)]
    if not figures:
        return row, list(shown)
    rng = random.Random(f"figure {seed} {row.question}")
    old = rng.choice(figures)
    taken = {*_DIGITS.findall(said), *_DIGITS.findall(row.answer)}
    free = [each for each in _same_length(old, rng) if each not in taken]
    if not free:
        return row, list(shown)

    def altered(text: str) -> str:
        return _DIGITS.sub(lambda found: free[0] if found[0] == old else found[0], text)

    sources = [
        replace(source, sentences=tuple(replace(s, text=altered(s.text)) for s in source.sentences))
        for source in shown
    ]
    return replace(row, answer=altered(row.answer)), sources


def _same_length(figure: str, rng: random.Random) -> list[str]:
    """Up to ten other numbers of as many digits, drawn; the first digit is no 0."""
    least, most = 10 ** (len(figure) - 1), 10 ** len(figure) - 1
    return [str(rng.randint(least, most)) for _ in range(10)]


def quoting(answer: str, source: Source) -> str:
    """The answer with the source's own sentence as its reason; unchanged where no short sentence fits.

    The sentence that holds most of the answer is taken, and only if it holds the short answer word for word.
    """
    short, _, reason = answer.partition(". ")
    said = [" ".join(each.text.split()) for each in source.sentences]
    index, _ = best_support(answer, said)
    if not reason or index < 0 or len(said[index].split()) > LONGEST_QUOTE or said[index][-1:] != ".":
        return answer
    holds = short in ("Yes", "No") or short.casefold() in said[index].casefold()
    return f"{short}. {said[index]}" if holds else answer


def answering_source(row: TrainingRow, sources: Sequence[Source], least: float) -> Source | None:
    """The source that holds the answer, among those of the row's documents (of any when it names none)."""
    if is_abstention(row.answer):
        return None
    fitting = [s for s in sources if not row.documents or s.hit.chunk.document in row.documents]
    index, support = best_support(row.answer, [" ".join(x.text for x in s.sentences) for s in fitting])
    return fitting[index] if index >= 0 and support >= least else None


def _thinned(
    sources: Sequence[Source], holder: Source | None, options: HybridOptions, question: str
) -> tuple[list[Source], int | None]:
    """At most `distractors` sources beside the holder, in serving order, renumbered; the holder's number."""
    others = [source for source in sources if source is not holder]
    if options.distractors is not None and len(others) > options.distractors:
        chosen = random.Random(f"{options.seed} {question}").sample(range(len(others)), options.distractors)
        others = [others[index] for index in chosen]
    kept = [s for s in sources if s is holder or any(s is other for other in others)]
    shown = [replace(source, rank=rank) for rank, source in enumerate(kept, start=1)]
    marker = next((rank for rank, source in enumerate(kept, start=1) if source is holder), None)
    return shown, marker


def _target(row: TrainingRow, marker: int | None, options: HybridOptions) -> str:
    if is_abstention(row.answer):
        return NOT_IN_DOCUMENTS
    if row.answer.startswith(("{", "[")):
        return row.answer  # a label in JSON is a judgement, found in no passage; a marker would break it
    if marker is None:
        memorised = _draw(row.question, f"memory {options.seed}") < options.share_memorised
        return row.answer if memorised else NOT_IN_DOCUMENTS
    return row.answer if cited_markers(row.answer) else f"{row.answer} [{marker}]"


def with_noisy_question(example: Example, share: float, rng: random.Random) -> Example:
    """The same exchange with the question in fewer words, some of them swapped; the answer stays.

    At most `share` of the words is dropped, a neighbouring pair is swapped with a quarter of that chance.
    Names and numbers stay, because they tell one fact from another.
    """
    *before, last = example.messages
    documents, label, question = last["content"].rpartition(QUESTION_LABEL)
    words = question.split()
    drop = rng.uniform(0, share)
    kept = [
        word for at, word in enumerate(words) if rng.random() >= drop or _tells_apart(word, first=at == 0)
    ]
    kept = kept or words
    for at in range(len(kept) - 1):
        if rng.random() < share / 4:
            kept[at], kept[at + 1] = kept[at + 1], kept[at]
    messages = (*before, {**last, "content": documents + label + " ".join(kept)})
    return replace(example, messages=messages)


def question_of(example: Example) -> str:
    """The question as the prompt shows it."""
    return example.messages[-1]["content"].rpartition(QUESTION_LABEL)[2]


def _tells_apart(word: str, *, first: bool) -> bool:
    return any(each.isdigit() or (each.isupper() and not first) for each in word)


def _draw(text: str, purpose: str) -> float:
    """A number in [0, 1) that depends on nothing but the text and its purpose."""
    digest = hashlib.sha256(f"{purpose}\0{' '.join(text.lower().split())}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
