"""The span reader's words in place of an unsure model's, cited; a sure model and a yes or no are heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from backends.answering.answerability import Abstainer, AbstentionRule
from backends.answering.final_text import final_text
from backends.datatypes import Chunk, Event, Finished, Hit, Sentence, Source, Stage, Token, Usage
from backends.language.span_reader import Span

TEXTS = ("Mount it 2 m above the floor; the range is 300 m.", "The range of the old one is 90 m.")


class PointingReader:
    """Points at the same words wherever they stand; elsewhere it finds nothing."""

    def __init__(self, words: str, score: float = 1.0) -> None:
        self.words, self.score = words, score

    def read(self, question: str, passages: Sequence[str]) -> list[Span]:
        places = [(passage, passage.find(self.words)) for passage in passages]
        return [
            Span(at, at + len(self.words), self.words, self.score, 0.3)
            if at >= 0
            else Span(0, 1, p[:1], -9.0, 1)
            for p, at in places
        ]


def source(rank: int, text: str) -> Source:
    chunk = Chunk("guide.md", 1, 0, len(text), text, None, 0, title="Guide")
    return Source(rank, Hit(chunk, rank, 1.0), (Sentence(0, len(text), text, logit=1.0),))


NEVER_DECLINES = AbstentionRule(reader=0.0, cross_encoder=0.0, confidence=0.0, offset=9.0, threshold=0.5)
SOURCES = [source(rank, text) for rank, text in enumerate(TEXTS, 1)]


def told(said: str, confidence: float | None, reader: PointingReader) -> str:
    def written() -> Iterator[Event]:
        yield Stage("queue")
        yield from (Token(said[:4]), Token(said[4:]))
        yield Finished(Usage(9, 3), "p", "m", None, confidence=confidence)

    made = list(final_text(written(), "How high?", SOURCES, Abstainer(reader, NEVER_DECLINES)))
    assert isinstance(made[0], Stage) and isinstance(made[-1], Finished)
    return "".join(event.text for event in made if isinstance(event, Token))


def test_an_unsure_answer_gives_way_to_the_words_of_the_passage_with_their_citation() -> None:
    assert told("300 m. [2]", 0.5, PointingReader("2 m above the floor")).startswith(
        "2 m above the floor. [1]"
    )
    assert told("300 m. [1]", 0.5, PointingReader("the old one is 90 m.")).startswith(
        "The old one is 90 m. [2]"
    )


@pytest.mark.parametrize(
    ("said", "confidence", "reader"),
    [
        ("300 m. [1]", 0.95, PointingReader("2 m")),  # sure
        ("300 m. [1]", None, PointingReader("2 m")),  # does not say how sure
        ("300 m. [1]", 0.5, PointingReader("2 m", score=-3.0)),  # the reader finds nothing
        ("2 m above the floor. [1]", 0.5, PointingReader("2 m")),  # says it already
        ("No. [1]", 0.5, PointingReader("2 m")),
        ("The documents do not say.", 0.5, PointingReader("2 m")),
        ('{"height": "300 m"}', 0.5, PointingReader("2 m")),
    ],
)
def test_otherwise_the_model_is_heard_word_for_word(
    said: str, confidence: float | None, reader: PointingReader
) -> None:
    assert told(said, confidence, reader).startswith(said)  # sentences may follow


def test_where_the_reader_finds_nothing_words_come_as_they_are_written() -> None:
    def written() -> Iterator[Event]:
        yield Token("300 ")
        raise AssertionError("the first word was held back")

    reader = PointingReader("a word of neither")
    made = final_text(written(), "How high?", SOURCES, Abstainer(reader, NEVER_DECLINES))
    assert next(made) == Token("300 ")


def test_words_come_as_soon_as_they_say_what_is_pointed_at() -> None:
    def written() -> Iterator[Event]:
        yield from (Token("2 m"), Token(" above"))
        raise AssertionError("the answer was held back though it stands")

    made = final_text(written(), "How high?", SOURCES, Abstainer(PointingReader("2 m"), NEVER_DECLINES))
    assert next(made) == Token("2 m above")


def test_a_word_that_may_go_on_is_not_yet_the_word_pointed_at() -> None:
    def written() -> Iterator[Event]:
        yield from (Token("2 m"), Token("iles"), Token(" of wall"), Token(". [1]"))
        yield Finished(Usage(9, 3), "p", "m", None, confidence=0.5)

    reader = PointingReader("2 m")
    made = list(final_text(written(), "How high?", SOURCES, Abstainer(reader, NEVER_DECLINES)))
    assert made[0] == Token("2 m. [1]")
