"""The records that travel between modules.

Everything here is small, frozen and knows nothing else of ours. The field names of `Answer`,
`Citation` and `Source` are the public JSON contract: a rename breaks other people's programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

BackendName = Literal["rag", "fine_tuned", "hybrid", "base"]
BACKEND_NAMES: tuple[BackendName, ...] = ("rag", "fine_tuned", "hybrid", "base")
RetrievalMode = Literal["hybrid", "dense", "bm25"]
Chunking = Literal["sentences", "sections", "semantic", "tokens"]


# What JSON can hold: text, numbers, truth values, None, and lists and objects of these.
JsonValue = Any
JsonObject = Mapping[str, JsonValue]
# What a database gives: types belong to its values, not to its columns.
DatabaseRow = tuple[Any, ...]


class UserError(Exception):
    """Something the user can mend; the message is one clear sentence, safe to show as it is."""


class PasswordNeeded(UserError):
    """A file that opens with a password only: none was given, or none of those that were fits."""


# --- documents ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """One page, slide or sheet: `number` counts from 1, `start`/`end` are offsets into the text."""

    number: int
    start: int
    end: int
    label: str = ""  # e.g. the sheet name


@dataclass(frozen=True)
class Attachment:
    """A file that came within another: the library reads it as a document of its own."""

    name: str
    data: bytes


@dataclass(frozen=True)
class ParsedFile:
    """What a parser makes of one file: plain text plus where its pages lie in it."""

    text: str
    title: str
    type: str  # file family: "pdf", "docx", "markdown", ...
    pages: tuple[Page, ...] = ()  # empty where the format has no pages
    date: str = ""  # ISO date the file itself carries, if any
    language: str = ""  # two letters, "" where it cannot be told
    notes: tuple[str, ...] = ()  # what the reader left out or guessed, one short statement each
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class CatalogueEntry:
    """What the catalogue says of a document version; the fields of `Document` without its text."""

    name: str
    version: int
    title: str
    type: str
    content_hash: str
    pages: tuple[Page, ...] = ()
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    date: str = ""
    source: str = ""
    language: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """A document version in the library. `name` is its identity: a new file of that name replaces it."""

    name: str
    version: int
    title: str
    type: str
    text: str
    content_hash: str  # sha256 of the file's bytes
    pages: tuple[Page, ...] = ()
    roles: tuple[str, ...] = ()  # empty = everyone may read it
    tags: tuple[str, ...] = ()
    date: str = ""  # ISO date the document carries, if known
    source: str = ""  # where it came from: "sample", "upload", a path
    language: str = ""  # two letters (ISO 639-1), "" where it cannot be told
    notes: tuple[str, ...] = ()  # what the reader left out or guessed, one short statement each

    @property
    def entry(self) -> CatalogueEntry:
        """The same without its text."""
        return CatalogueEntry(
            self.name,
            self.version,
            self.title,
            self.type,
            self.content_hash,
            self.pages,
            self.roles,
            self.tags,
            self.date,
            self.source,
            self.language,
            self.notes,
        )

    def chunk(self, start: int, end: int, *, tokens: int, page: int | None, heading: str) -> Chunk:
        """The passage between these offsets."""
        return Chunk(
            document=self.name,
            version=self.version,
            start=start,
            end=end,
            text=self.text[start:end],
            page=page,
            tokens=tokens,
            title=self.title,
            heading=heading,
        )

    def page_at(self, offset: int) -> int | None:
        """Number of the page that holds character `offset`, or None for formats without pages."""
        for page in reversed(self.pages):
            if offset >= page.start:
                return page.number
        return None


@dataclass(frozen=True)
class HistoryEntry:
    """One thing that happened to a document: `event` is indexed, replaced or forgotten."""

    version: int
    event: str
    at: str  # UTC, ISO 8601
    content_hash: str


def _fits(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern of * and ?; brackets are letters of a name like others."""
    return name == pattern or fnmatchcase(name, pattern.replace("[", "[[]"))


@dataclass(frozen=True)
class Filters:
    """Which documents a search may look at; an empty field asks for nothing.

    Dates are ISO days, months or years; a month or year fits where any of its days does, and an undated
    document never does.
    """

    documents: tuple[str, ...] = ()  # names, * and ? as in a shell: any of them
    types: tuple[str, ...] = ()  # any of them
    tags: tuple[str, ...] = ()  # all of them
    since: str = ""
    until: str = ""

    def admit(self, document: Document | CatalogueEntry) -> bool:
        """Whether a document passes all of them."""
        date = document.date
        return (
            (not self.documents or any(_fits(document.name, name) for name in self.documents))
            and (not self.types or document.type in self.types)
            and set(self.tags) <= set(document.tags)
            and (not self.since or (date != "" and date >= self.since[: len(date)]))
            and (not self.until or (date != "" and date[: len(self.until)] <= self.until))
        )


@dataclass(frozen=True)
class Chunk:
    """A retrievable passage; `text == document.text[start:end]`, always."""

    document: str
    version: int
    start: int
    end: int
    text: str
    page: int | None
    tokens: int  # embedder tokens
    title: str = ""  # title of the document
    heading: str = ""  # nearest heading above and those over it ("A > B"), if any


@dataclass(frozen=True)
class Hit:
    """A retrieved chunk. `score` orders the hits; the part scores are None where a part did not run."""

    chunk: Chunk
    rank: int  # from 1
    score: float
    dense: float | None = None  # cosine similarity, -1 to 1
    bm25: float | None = None
    also: tuple[Chunk, ...] = ()  # copies that were found too; this one stands for them


@dataclass(frozen=True)
class Sentence:
    """A sentence of a chunk; offsets are into the document's text."""

    start: int
    end: int
    text: str
    score: float = 0.0  # relevance as retrieval judged it; compares sentences of one question only
    logit: float | None = None  # log-odds that it answers the question, where a cross-encoder read it
    likely: bool = False  # the best of its question, or judged nearly as good: each may be the answer


@dataclass(frozen=True)
class Source:
    """Numbered evidence as the prompt shows it: a hit and the sentences kept within the budget."""

    rank: int  # the [n] of the prompt, from 1
    hit: Hit
    sentences: tuple[Sentence, ...]  # the best one first, the others in document order; never empty


# --- answers -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Excerpt:
    """An exact piece of a document; `text` is the slice from `start` to `end` of its text."""

    document: str
    version: int
    page: int | None
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Citation(Excerpt):
    """A marker of an answer and the text that it points to."""

    marker: int = field(kw_only=True)


@dataclass(frozen=True)
class SourceRecord(Excerpt):
    """A passage that the prompt showed."""

    rank: int = field(kw_only=True)
    score: float = field(kw_only=True)


Support = Literal["backed", "contradicted", "not mentioned"]


@dataclass(frozen=True)
class Checks:
    """What was found about an answer after it was written. None: not judged, or nothing to say."""

    answers: float | None = None  # probability, 0 to 1, that it answers the question rightly
    support: Support | None = None  # what the documents say of it
    passage: Excerpt | None = None  # the words that back or contradict it, or seem to answer instead
    warning: str | None = None  # one sentence, where the answer should not be trusted


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Cost:
    """What an answer costs at the prices of the price book."""

    amount: float
    currency: str
    basis: str  # which price, and that it is an input


@dataclass(frozen=True)
class Answer:
    """One backend's answer to one question: the public record of `--json`, export and storage."""

    id: str
    question: str
    backend: str
    text: str
    citations: tuple[Citation, ...]
    sources: tuple[SourceRecord, ...]
    latency_ms: Mapping[str, float]  # only stages that ran, plus "total"
    usage: Usage
    cost: Cost
    model: str
    adapter: str | None
    abstained: bool
    groundedness: float | None  # 0 to 1; None when the answer asserts nothing to check
    warnings: tuple[str, ...] = ()
    settings: JsonObject = field(default_factory=dict)
    checks: Checks = Checks()


# --- what a backend yields while it answers ----------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """The time from here to the next Stage belongs to `name` (rewrite, retrieve, rerank, queue, generate)."""

    name: str
    elsewhere: bool = False  # another machine works meanwhile; this one only waits


@dataclass(frozen=True)
class Evidence:
    """The numbered sources the prompt will show; `left_out` are hits that did not fit the budget.

    `orders` notes documents of which sentences were kept from the model, because they give it orders.
    """

    sources: tuple[Source, ...]
    left_out: tuple[Hit, ...] = ()
    warnings: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Token:
    """The next piece of answer text; concatenated pieces are the whole answer."""

    text: str


@dataclass(frozen=True)
class Finished:
    """Last event: what was sent to the model, and how many tokens went in and out."""

    usage: Usage
    prompt: str
    model: str
    adapter: str | None
    truncated: bool = False  # stopped at the answer-length limit
    confidence: float | None = None  # geometric mean of the tokens' probabilities; None where unknown
    warnings: tuple[str, ...] = ()  # what the reader of the answer must know of how it came about


Event = Stage | Evidence | Token | Finished


# --- what reaches whoever asked -------------------------------------------------------------------


@dataclass(frozen=True)
class Prompt:
    """The exact text that a backend sent to its model; it comes once the answer's text is whole."""

    text: str


AnswerEvent = Token | Evidence | Prompt | Answer  # an answer's stream ends with its `Answer`


# --- questions and training rows -----------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """A question with its gold answers, where they are known."""

    id: str
    question: str
    answers: tuple[str, ...] = ()  # any one is right; empty = the documents do not say
    documents: tuple[str, ...] = ()
    category: str = ""
    in_training: bool | None = None  # False: a fact the training rows leave out
    schema: JsonObject | None = field(default=None, hash=False)  # JSON schema of the answer


@dataclass(frozen=True)
class TrainingRow:
    """A question and the answer to be learned, with the documents that hold it."""

    question: str
    answer: str
    documents: tuple[str, ...] = ()
