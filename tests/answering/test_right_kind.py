"""An answer with figures of another kind than the question asks for is put right or taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backends.answering.asked_kind import asked_kinds, of_another_kind
from backends.answering.final_text import final_text
from backends.answering.right_kind import corrected, may_be_corrected
from backends.datatypes import Chunk, Event, Finished, Hit, Sentence, Source, Token, Usage
from backends.evaluation.questions import load_questions
from backends.language.prompts import NOT_IN_DOCUMENTS
from backends.system.files import SAMPLE_CORPUS


def source(rank: int, *texts: str) -> Source:
    whole = " ".join(texts)
    chunk = Chunk("pool.md", 1, 0, len(whole), whole, None, 9)
    sentences = tuple(Sentence(whole.index(text), whole.index(text) + len(text), text) for text in texts)
    return Source(rank, Hit(chunk, rank, 1.0), sentences)


GUARDS = source(1, "Guards of the lido work 34 hours a week and have 28 days of leave.")
LIFT = source(2, "The lift carries at most 14 tonnes and boats of up to 12 metres.")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many days of leave do guards have?", "34 hours a week."),
        ("How many boats fit into the hall?", "14 tonnes."),
        ("What is the price of a locker?", "30 days."),
        ("How heavy may a boat be?", "12 metres."),
        ("How long is the pool open?", "28 °C."),
    ],
)
def test_figures_that_cannot_answer_are_noticed(question: str, answer: str) -> None:
    assert of_another_kind(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many working days until the money is back?", "7 working days."),
        ("How many days is the notice?", "Two weeks."),
        ("How many days a week is it open?", "6 days a week."),
        ("How many litres does the tank hold?", "50 litres."),
        ("How many kgs may it weigh?", "20 kg."),
        ("How many paid holiday days are there?", "28 days."),
        ("How many guests come by train?", "40 %."),
        ("What does a late cancellation cost?", "5 % of the fee."),
        ("When is postage free?", "For orders above 100 EUR."),
        ("What is the luggage allowance?", "20 kg."),
        ("How long is the cable?", "3 m."),
        ("How much does a locker cost?", "Nothing."),
        ("What is the price of a locker?", "2."),
        ("Who looks after the pool?", "14 tonnes."),
        ("How high was the margin of the lido?", "46.5 %."),
        ("How much paid leave is there for moving house?", "1 day."),
        ("We have a fixed price. How much time does it take?", "6 minutes."),
        ("How many reports an hour are sent?", "Every 20 minutes."),
        ("How many keep-in-touch days are allowed?", "10 days."),
        ("How many cents per km does a driver get?", "0.42 EUR."),
    ],
)
def test_where_there_is_room_for_doubt_the_answer_stands(question: str, answer: str) -> None:
    assert not of_another_kind(question, answer)


def test_no_gold_answer_of_the_sample_is_taken_back() -> None:
    for file in sorted((SAMPLE_CORPUS / "questions").glob("*.jsonl")):
        for question in load_questions(file):
            wrong = [gold for gold in question.answers if of_another_kind(question.question, gold)]
            assert not wrong, question.question


def test_the_only_figure_that_fits_takes_its_place_and_says_so() -> None:
    found = corrected("How many days of leave do guards have?", "34 hours a week. [1]", [GUARDS, LIFT])
    assert found is not None and found.text == "28 days. [1]" and "34 hours a week" in found.reason


def test_without_one_or_with_two_it_is_declined() -> None:
    found = corrected("How many boats fit into the hall?", "14 tonnes. [2]", [GUARDS, LIFT])
    assert found is not None and found.text == NOT_IN_DOCUMENTS
    two = source(1, "Guards work 34 hours a week, have 28 days of leave and 3 days for training.")
    found = corrected("How many days of leave do guards have?", "34 hours a week. [1]", [two])
    assert found is not None and found.text == NOT_IN_DOCUMENTS


@pytest.mark.parametrize(
    "text", [NOT_IN_DOCUMENTS, "Yes. [1]", '{"days": "34 hours a week"}', "28 days. [1]"]
)
def test_what_declines_affirms_is_json_or_fits_is_left_alone(text: str) -> None:
    assert corrected("How many days of leave do guards have?", text, [GUARDS]) is None


def test_a_unit_that_is_counted_is_the_kind() -> None:
    assert asked_kinds("How many litres fit in?") == {"volume"}
    assert asked_kinds("How many boats fit in?") == {"count"}
    assert not may_be_corrected("Who signs?", [GUARDS])


def test_the_cell_of_the_asked_column_takes_the_place_of_its_neighbour_and_says_so() -> None:
    row = source(2, "Ship: Vela; Q1 2024 (thousand): 310; Q2 2024 (thousand): 280; Q2 2025 (thousand): 455")
    for question in (
        "What did the Vela bring in during Q2 2025?",
        "What did the Vela bring in during the second quarter of 2025?",
    ):
        assert may_be_corrected(question, [GUARDS, row])
        for said in ("280. [2]", "280 thousand. [2] The Vela had a good year. [2]"):
            found = corrected(question, said, [GUARDS, row])
            assert found is not None and found.text == "455. [2]"
            assert "Q2 2024 (thousand)" in found.reason and "Q2 2025 (thousand)" in found.reason
        assert corrected(question, "455. [2]", [GUARDS, row]) is None
        assert corrected(question, "280. [1]", [GUARDS, row]) is None  # cited is a passage without the row
    assert not may_be_corrected("What did the Vela bring in?", [GUARDS, row])


def test_an_answer_that_another_cited_row_gives_for_the_asked_year_stands() -> None:
    question = "How many trees stood in Mill Lane in 2025?"
    mill, oak = "Road: Mill Lane; 2024: 40; 2025: 52", "Road: Oak Lane; 2024: 52; 2025: 61"
    both = Source(1, source(1, mill).hit, (*source(1, mill).sentences, *source(1, oak).sentences))
    assert corrected(question, "52. [1]", [both]) is None
    found = corrected("How many trees stood in Oak Lane in 2025?", "52. [1]", [both])
    assert found is not None and found.text == "61. [1]"  # the row that is named
    alike = Source(1, both.hit, (*source(1, oak).sentences, *source(1, oak.replace("Oak", "Elm")).sentences))
    assert corrected(question, "52. [1]", [alike]) is None  # two rows would give two answers
    assert corrected("How many trees stood there the year before 2025?", "40. [1]", [source(1, mill)]) is None


class Silent:
    """An abstainer that never doubts."""

    def doubts(self, question: str, sources: object) -> None:
        return None


def written(*texts: str) -> Iterator[Event]:
    yield from map(Token, texts)
    yield Finished(Usage(9, 9), prompt="", model="m", adapter=None, confidence=0.99)


def test_words_go_out_as_they_come_unless_they_may_be_taken_back() -> None:
    open_question = [*final_text(written("34 hours", " a week. [1]"), "Who works?", [GUARDS], Silent())]  # type: ignore[arg-type]
    assert [event for event in open_question if isinstance(event, Token)] == [
        Token("34 hours"),
        Token(" a week. [1]"),
    ]
    asked = "How many days of leave do guards have?"
    [token, finished] = final_text(written("34 hours", " a week. [1]"), asked, [GUARDS], Silent())  # type: ignore[arg-type]
    assert token == Token("28 days. [1]")
    assert isinstance(finished, Finished) and "not what the question asks for" in finished.warnings[0]
