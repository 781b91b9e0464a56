"""Keeps an answer to the words of its evidence: which tokens may come next ("quote only").

Enters: the prompt as text and token offsets, the sources it shows, a way to tokenise. Leaves: `Grounding`, a
callable from the answer's tokens so far to the token ids allowed next. It knows no network and no logits.

The answer is read as quotes, each copied from one numbered line and closed by that line's marker, or as one
of the two abstention sentences. A quote begins where a sentence, a table row or a cell begins and ends
where one ends, with a full stop; a sentence may also be ended at a comma or bracket. In front of the first
quote may come "Yes." or "No.", where the question asks for it, and, from models that have learned to, a
short answer: words of a line up to any word that is not mere grammar; these may also leave out cells of a
row. A span begins and ends where words do, on the prompt's own tokens, so that no word is ever cut or
glued. All readings of the tokens so far are followed at once (a non-deterministic automaton).

Where a cross-encoder judged the sentences, only those are quoted that it thinks likely to answer, the best
and those nearly as good, and the answer goes on until it has quoted each of them, as long as they fit. Where
it is certain that one answers, the answer may not decline; where it is certain that none does, it must.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal

from backends.datatypes import Sentence, Source, UserError
from backends.language.prompts import NOT_IN_DOCUMENTS, NOT_KNOWN, format_evidence

# Grammar only: a short answer neither begins with these, the prepositions aside, nor ends with one.
_ARTICLES = frozenset(re.findall(r"\w+", "the a an of is are was were has have and as it its that which"))
_GRAMMAR = _ARTICLES | frozenset(re.findall(r"\w+", "for in on at to by with from or"))
# Best log-odds of a sentence from which, and below which, it is certain. Of the sample's 124 answerable
# development questions 87 are above the first (the first three sentences hold the answer for 78 of them) and
# 3 below the second, none of which was answered right; of the 13 unanswerable ones 5 and 4.
ANSWERED, UNANSWERED = 1.0, -2.0
OPENING, CLOSING = "([{\"'“‘«", ".,;:!?)]}\"'”’»…"
_RUN = re.compile(r"\S+")
_CLAUSE_END = re.compile(r"[,;:]| [(–—]")
_SENTENCE_END = re.compile(r"[.!?…][)\]\"'”’»]*$")
_LABEL = re.compile(r"(?:^|; )([^:;]{1,60}):(?= )")
_FIRST_WORD = re.compile(r"(?:[-*•–>] +)*(?=\S)")  # behind list points
_CELL = re.compile(r"; +")
_YES_NO = re.compile(
    r"(am|are|is|was|were|do|does|did|has|have|had|can|could|may|might|must|shall|should|will|would)\b",
    re.IGNORECASE,
)
_ANCHOR = "x"  # text in front, because some tokenizers write a token differently at the very start

Decline = Literal["may", "must", "never"]
Encode = Callable[[str], list[int]]
Offsets = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Quotable:
    """What an answer may quote, and whether it may `decline` instead. With `json` it may also open a JSON
    object, which is not constrained; with `yes_no` it may begin with one of these words as a sentence of its
    own, with `short` with some words of a line, and leave out cells."""

    sources: tuple[Source, ...]
    decline: Decline = "may"
    short: bool = False
    json: bool = False
    yes_no: bool = False

    @property
    def judged(self) -> bool:
        """Whether retrieval told which sentences may answer: then only these are quoted."""
        return any(sentence.likely for source in self.sources for sentence in source.sentences)


def quotable(question: str, sources: Sequence[Source], *, short: bool = False) -> Quotable:
    logits = [s.logit for each in sources for s in each.sentences if s.logit is not None]
    decline: Decline = "may"
    if logits and max(logits) >= ANSWERED:
        decline = "never"
    elif logits and max(logits) < UNANSWERED:
        decline = "must"
    return Quotable(
        tuple(sources),
        decline=decline,
        short=short,
        json=re.search(r"\bjson\b", question, re.IGNORECASE) is not None,
        yes_no=_YES_NO.match(question.strip()) is not None,
    )


@dataclass(eq=False)
class _Node:
    """A place in the automaton. `also` are places it is at the same time; `short` counts the tokens that are
    missing to the end of the word. Of a token of a line `quoted` says where it stands and `word` is the place
    at which its word ends. `marked` says that a sentence has ended with its marker."""

    edges: dict[int, list[_Node]] = field(default_factory=dict)
    also: list[_Node] = field(default_factory=list)
    ends: bool = False
    free: bool = False
    short: int = 0
    quoted: tuple[int, int] | None = None
    word: _Node | None = None
    marked: bool = False

    def add(self, path: Sequence[int], target: _Node) -> None:
        """Lead from here over the tokens of `path` to `target`."""
        here = self
        if not path:  # a tokenizer that drops this character: nothing to lead over
            return
        for left in range(len(path) - 1, 0, -1):
            between = _Node(short=left + target.short)
            here.edges.setdefault(path[-left - 1], []).append(between)
            here = between
        here.edges.setdefault(path[-1], []).append(target)

    def closure(self) -> Iterator[_Node]:
        yield self
        for node in self.also:
            yield from node.closure()


@dataclass(frozen=True)
class _Likely:
    """A sentence that the answer has to quote: the places of its tokens, in order."""

    nodes: tuple[_Node, ...]
    closing: int  # tokens of the full stop and the marker behind it


class Grounding:
    """The allowed next tokens of one answer of at most `max_tokens` tokens; None where all are allowed.

    No token is allowed, and the answer is cut off there, when the next word would not fit any more.
    """

    def __init__(
        self, start: _Node, ends: Iterable[int], max_tokens: int, likely: Sequence[_Likely] = ()
    ) -> None:
        self._ends = frozenset(ends)
        self._untold = list(likely)
        self._max_tokens = max_tokens
        self._at = [start]
        self._said: set[_Node] = set()  # where words end; none is said twice, or it could go in circles
        self._quoted: set[_Node] = set()  # where the last whole word that was quoted stands
        self._read = 0

    def __call__(self, tokens: Sequence[int]) -> list[int] | None:
        """Token ids allowed after `tokens`, ascending; `tokens` grows from call to call."""
        for token in tokens[self._read :]:
            self._step(token)
            self._read += 1
        places = list(_places(self._at))
        if any(place.free for place in places):
            return None
        allowed: set[int] = set()
        said: set[int] = set()  # in a circle: only where nothing else is left, within a word
        for token, target in self._edges(places):
            if target.short <= self._room:
                (said if self._is_used_up(target) else allowed).add(token)
        if any(place.ends for place in places) and not (allowed and self._next_likely()):
            allowed |= self._ends
        return sorted(allowed or said)

    @property
    def _room(self) -> int:
        """Tokens that may still follow the next one."""
        return self._max_tokens - self._read - 1

    def _edges(self, places: Sequence[_Node]) -> list[tuple[int, _Node]]:
        """(token, where it leads) from there: behind a marker only to a likely sentence not yet told."""
        edges = [(t, n) for place in places for t, nodes in place.edges.items() for n in nodes]
        if any(place.marked for place in places) and (likely := self._next_likely()):
            return [(token, node) for token, node in edges if node is likely.nodes[0]] or edges
        return edges

    def _next_likely(self) -> _Likely | None:
        fitting = (each for each in self._untold if len(each.nodes) + each.closing <= self._room)
        return next(fitting, None)

    def _step(self, token: int) -> None:
        if any(node.free for node in self._at):
            return
        reached = [target for by, target in self._edges(list(_places(self._at))) if by == token]
        fresh = [node for node in dict.fromkeys(reached) if not self._is_used_up(node)]
        self._at = fresh or list(dict.fromkeys(reached))
        self._quoted = {node for node in self._at if node.quoted and not node.short} or self._quoted
        if len({node.quoted for node in self._at}) == 1:  # of several that read alike none is known to be it
            self._said.update(node for node in self._at if node.word is node)
        places = _places(self._at)
        # Told is what was quoted to its last token, and what the words before a marker are from.
        told = self._quoted if any(place.marked for place in places) else set()
        self._untold = [
            each for each in self._untold if each.nodes[-1] not in self._at and told.isdisjoint(each.nodes)
        ]

    def _is_used_up(self, node: _Node) -> bool:
        return node.word in self._said


def _places(nodes: Iterable[_Node]) -> Iterable[_Node]:
    return dict.fromkeys(place for node in nodes for place in node.closure())


def ground(
    quote: Quotable,
    *,
    prompt: str,
    ids: Sequence[int],
    offsets: Offsets,
    encode: Encode,
    clean: Callable[[str], str],
    ends: Iterable[int],
    max_tokens: int,
) -> Grounding:
    """The grounding of an answer to `prompt`, whose tokens are `ids` with these character `offsets`.

    `clean` is what the prompt did to the sources' text. Raises UserError when a line is not in the prompt.
    """
    builder = _Builder(encode)
    at = 0
    for source in quote.sources:
        title = clean(source.hit.chunk.title)
        sentences = [clean(" ".join(sentence.text.split())) for sentence in source.sentences]
        line = format_evidence(source.rank, title, sentences)
        if (begin := prompt.find(line, at)) < 0:
            raise UserError("This model's chat template rewrites the documents: it cannot be held to quotes.")
        at = begin + len(line)
        inside = [i for i, (_, end) in enumerate(offsets) if begin < end <= at]
        builder.add(
            _Line(
                source.rank,
                line,
                tuple(sentences),
                [ids[i] for i in inside],
                [(max(offsets[i][0] - begin, 0), offsets[i][1] - begin) for i in inside],
            ),
            quote,
            source.sentences,
        )
    start = builder.finish(quote)
    return Grounding(start, ends, max_tokens, builder.likely())


@dataclass(frozen=True)
class _Line:
    """One numbered source as the prompt shows it; offsets are into `text`."""

    rank: int
    text: str
    sentences: tuple[str, ...]
    ids: list[int]
    offsets: list[tuple[int, int]]

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Where each sentence begins and ends in `text`."""
        found, at = [], len(self.text)
        for sentence in reversed(self.sentences):
            found.append((at - len(sentence), at))
            at -= len(sentence) + 1
        return found[::-1]

    @cached_property
    def begins(self) -> list[int]:
        """Where each token begins, the spaces in front of it aside."""
        stripped = []
        for begin, _ in self.offsets:
            while begin < len(self.text) and self.text[begin] == " ":
                begin += 1
            stripped.append(begin)
        return stripped

    @cached_property
    def rows(self) -> list[tuple[int, int]]:
        """Those of the sentences that are table rows: several labels, or one and no full stop ("Note: It ...
        sold out." is prose)."""
        found = []
        for (begin, end), sentence in zip(self.spans, self.sentences, strict=True):
            labels = len(_LABEL.findall(sentence))
            if labels > 1 or (labels == 1 and not _SENTENCE_END.search(sentence)):
                found.append((begin, end))
        return found

    @cached_property
    def firsts(self) -> dict[int, int]:
        """By offset, the first token of what begins there, the space in front included."""
        found: dict[int, int] = {}
        for i, begin in enumerate(self.begins):
            found.setdefault(begin, i)
        return found

    def is_row(self, at: int) -> bool:
        return any(begin <= at < end for begin, end in self.rows)

    def starts(self) -> set[int]:
        """Where a quote may begin: at the first word of a sentence, list points aside, and of a cell."""
        firsts = (_FIRST_WORD.match(self.text, begin, end) for begin, end in self.spans)
        found = {match.end() for match in firsts if match}
        cells = (match.end() for b, e in self.rows for match in _CELL.finditer(self.text, b, e))
        return found | set(cells)

    def ends(self) -> set[int]:
        """Where a sentence ends, a row, or a cell."""
        cells = (match.start() for b, e in self.rows for match in _CELL.finditer(self.text, b, e))
        return {end for _, end in self.spans} | set(cells)


@dataclass(frozen=True)
class _Word:
    """A run of characters without space; `start` to `end` is its core, without brackets and closing points.

    What lies between is never divided: "12,500", "-5", "30%" and "LP-200" are one word.
    """

    run_start: int
    start: int
    end: int
    run_end: int


def _words(text: str) -> list[_Word]:
    words = []
    for run in _RUN.finditer(text):
        start = run.start() + len(run[0]) - len(run[0].lstrip(OPENING))
        end = run.start() + len(run[0].rstrip(CLOSING))
        if start < end:
            words.append(_Word(run.start(), start, end, run.end()))
        else:  # only punctuation: it is kept whole
            words.append(_Word(run.start(), run.start(), run.end(), run.end()))
    return words


class _Builder:
    """Makes the automaton. Each source has places of its own, so that no sentence mixes sources."""

    def __init__(self, encode: Encode) -> None:
        self._encode = lru_cache(maxsize=None)(encode)  # words repeat; it lives as long as one prompt
        self._anchor = encode(_ANCHOR)
        self._start = _Node()  # before the first token
        self._first = _Node()  # where the prompt ends in "Answer:", a space comes before the first token
        self._sentence = _Node()  # a sentence may begin, after a space
        self._start.also = [self._sentence, self._first]
        self._likely: list[tuple[float, _Likely]] = []

    def add(self, line: _Line, quote: Quotable, sentences: Sequence[Sentence]) -> None:
        """Make a line quotable; `sentences` are those it shows, as retrieval judged them."""
        judged = list(zip(line.spans, sentences, strict=True))
        open_ = [span for span, sentence in judged if sentence.likely or not quote.judged]
        closed, ended = self._closings(line.rank)
        stopped = _Node()
        stopped.add(self._after("."), ended)
        words = _words(line.text)[1:]  # the first is the marker itself
        nodes, boundary = _chain(line, words)
        starts = {at for at in line.starts() if any(begin <= at < end for begin, end in open_)}
        ends = line.ends()
        for at, (node, word) in boundary.items():
            if at in ends:
                if _SENTENCE_END.search(line.text[word.run_start : at]):
                    node.also.append(ended)
                else:  # rows and headings get a full stop, save behind another mark
                    node.also.append(closed if line.text[at - 1] in ",:;" else stopped)
            elif _CLAUSE_END.match(line.text[at : at + 2]) and not line.is_row(at):
                node.also.append(stopped)
        self._begin(line, words, nodes, boundary, starts, self._sentence)
        if quote.short:
            self._add_short(line, [w for w in words if any(b <= w.run_start < e for b, e in open_)])
            for row in line.rows:
                _leave_out_cells(line, nodes, [at for at in starts if row[0] < at < row[1]])
        closing = len(self._after(f". [{line.rank}]"))
        for (begin, end), sentence in judged:
            if sentence.likely:
                first = next((at for at in sorted(starts) if begin <= at < end), end)
                tokens = [i for i, at in enumerate(line.begins) if first <= at and line.offsets[i][1] <= end]
                self._likely.append((sentence.score, _Likely(tuple(nodes[i] for i in tokens), closing)))

    def likely(self) -> list[_Likely]:
        """What the answer has to quote, the best first."""
        return [likely for _, likely in sorted(self._likely, key=lambda each: -each[0]) if likely.nodes]

    def finish(self, quote: Quotable) -> _Node:
        """The start of the automaton, with everything that depends on no line."""
        if quote.decline == "must":
            self._start = _Node()
        elif quote.yes_no:
            for word in ("Yes.", "No."):
                self._start.add(self._encode(word), self._sentence)
        declined = _Node(ends=True)
        for sentence in (NOT_IN_DOCUMENTS, NOT_KNOWN) if quote.decline != "never" else ():
            self._start.add(self._encode(sentence), declined)
        if quote.json:
            free = _Node(free=True)
            for opening in ("{", '{"', "{\n", '{ "'):
                self._start.edges.setdefault(self._encode(opening)[0], []).append(free)
        return self._start

    def _add_short(self, line: _Line, words: Sequence[_Word]) -> None:
        """Let the answer begin with some of these words and a full stop; a quote has to follow."""
        nodes, boundary = _chain(line, words)
        stopped = _Node()
        stopped.add(self._after("."), self._sentence)
        for at, (node, word) in boundary.items():
            if (
                line.text[word.start : word.end].lower() not in _GRAMMAR
                and line.text[at - 1] not in ".,;:!?…"
            ):
                node.also.append(stopped)
        starts = {w.run_start for w in words if line.text[w.start : w.end].lower() not in _ARTICLES}
        self._begin(line, words, nodes, boundary, starts, self._first)

    def _begin(
        self,
        line: _Line,
        words: Sequence[_Word],
        nodes: Sequence[_Node],
        boundary: Mapping[int, tuple[_Node, _Word]],
        starts: set[int],
        spaced: _Node,
    ) -> None:
        """Let spans begin at the words at `starts`: after a space on the prompt's tokens, and tokenised anew
        where spacing or case differ from the prompt's (first word of the answer, word behind a bracket)."""
        for word in words:
            end = word.end if word.end in boundary else word.run_end
            if end not in boundary or word.run_start not in starts:
                continue
            target, _ = boundary[end]
            whole, core = line.text[word.run_start : end], line.text[word.start : end]
            if (at := line.firsts.get(word.run_start)) is not None:
                spaced.edges.setdefault(line.ids[at], []).append(nodes[at])
            for text in dict.fromkeys([whole, core, core[:1].upper() + core[1:]]):
                self._start.add(self._encode(text), target)
                if text != whole:
                    spaced.add(self._after(f" {text}"), target)

    def _closings(self, rank: int) -> tuple[_Node, _Node]:
        """The end of a row and of a sentence of source `rank`: its marker or the end of the answer may come,
        and another sentence after a marker or a full stop."""
        marked = _Node(also=[self._sentence], ends=True, marked=True)
        closed = _Node(ends=True)
        closed.add(self._after(f" [{rank}]"), marked)
        return closed, _Node(also=[closed, self._sentence])

    def _after(self, text: str) -> list[int]:
        """Tokens of `text` where other text stands in front of it."""
        tokens, anchor = self._encode(_ANCHOR + text), self._anchor
        return tokens[len(anchor) :] if tokens[: len(anchor)] == anchor else self._encode(text)


def _chain(line: _Line, words: Sequence[_Word]) -> tuple[list[_Node], dict[int, tuple[_Node, _Word]]]:
    """A node for each token of the line, each leading to the next within its sentence; and by offset those
    where a span may end, with the word that ends there."""
    word_at = {at: word for word in words for at in range(word.run_start, word.run_end)}
    nodes = [_Node(quoted=(line.rank, i)) for i in range(len(line.ids))]
    boundary: dict[int, tuple[_Node, _Word]] = {}
    cut = {begin for begin, _ in line.spans}
    begins = line.begins
    for i in reversed(range(len(nodes))):
        begin, end = line.offsets[i]
        last = i + 1 == len(nodes) or (begins[i + 1] in cut and begins[i] != begins[i + 1])
        if not last:
            nodes[i].edges[line.ids[i + 1]] = [nodes[i + 1]]
        content = line.text[begin:end].rstrip()
        word = word_at.get(begin + len(content) - 1) if content else None
        divided = not last and line.offsets[i + 1][0] < end  # one character, several tokens
        if word is None or divided or begin + len(content) < word.end:
            if not last:
                nodes[i].short, nodes[i].word = nodes[i + 1].short + 1, nodes[i + 1].word
        else:
            nodes[i].word = nodes[i]
            boundary[begin + len(content)] = nodes[i], word
    return nodes, boundary


def _leave_out_cells(line: _Line, nodes: Sequence[_Node], cells: Sequence[int]) -> None:
    """Behind the semicolon of a cell any later cell of the row may come, not only the next one."""
    places = [line.firsts[at] for at in sorted(cells) if at in line.firsts]
    for number, at in enumerate(places):
        if at and line.text[line.offsets[at - 1][1] - 1] == ";":
            for later in places[number + 1 :]:
                nodes[at - 1].edges.setdefault(line.ids[later], []).append(nodes[later])
