"""The labels of an answer, with a library and a cross-encoder that are written down here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from backends.answering.asked_question import asks_nothing, what_can_be_asked
from backends.answering.checks import (
    CONTRADICTED,
    DECLINED,
    WRONG_VERDICT,
    LabelRule,
    LogisticRule,
    WrittenAnswer,
    check,
    declined_features,
    features,
    findings,
    shipped_rule,
    supported,
)
from backends.datatypes import Checks, Chunk, Hit, Sentence

ANY = LogisticRule({}, 0.0)
RULE = LabelRule(ANY, ANY, ANY, 0.5, 0.5, -4.0, 2.0, 0.7, 0.0, {})
ODDS = {
    "The crane lifts yachts of up to 14 tonnes.": 4.0,
    "The slipway carries 40 tonnes.": -1.0,
    "Tove Lindal chairs the club.": 3.0,
    "Dogs are not allowed on the pontoon.": 3.5,
}


def hit(text: str, rank: int, document: str = "rules.md") -> Hit:
    return Hit(Chunk(document, 1, 100 * rank, 100 * rank + len(text), text, 2, 9, title="Rules"), rank, 1.0)


@dataclass
class Library:
    """Finds everything; a sentence is as likely to answer as ODDS says, whatever is asked."""

    texts: Sequence[str] = tuple(ODDS)

    def search(self, question: str, *, top_k: int, mode: str) -> list[Hit]:
        return [hit(text, rank) for rank, text in enumerate(self.texts, start=1)]

    def best_sentences(self, question: str, hits: Sequence[Hit], *, cross_encoder: bool = True):
        return self.judged(
            question, [(h, Sentence(h.chunk.start, h.chunk.end, h.chunk.text)) for h in hits]
        ), None

    def judged(self, question, found):
        topics = {"crane": ("crane", "slipway"), "chair": ("chair",), "dog": ("Dogs",)}
        words = next((w for topic, w in topics.items() if topic in question.lower()), ())
        fits = [any(word in s.text for word in words) for _, s in found]
        made = [
            (h, replace(s, logit=ODDS.get(s.text, -5.0) if fit else -5.0))
            for (h, s), fit in zip(found, fits, strict=True)
        ]
        return sorted(made, key=lambda each: -each[1].logit)


def support(question: str, answer: str) -> tuple[str | None, str]:
    draft = WrittenAnswer(question, answer)
    said, passage = supported(draft, findings(draft, Library(), "hybrid"), RULE)
    return said, passage[1].text if isinstance(passage, tuple) else ""


CRANE = "How heavy may a yacht be for the crane?"


@pytest.mark.parametrize(
    ("question", "answer", "said", "passage"),
    [
        (CRANE, "14 tonnes.", "backed", "The crane lifts yachts of up to 14 tonnes."),
        (CRANE, "Fourteen tonnes.", "backed", "The crane lifts yachts of up to 14 tonnes."),
        (CRANE, "40 tonnes.", "contradicted", "The crane lifts yachts of up to 14 tonnes."),
        (CRANE, "14 metres.", "not mentioned", ""),
        ("Who chairs the club?", "Pelle Grund.", "contradicted", "Tove Lindal chairs the club."),
        ("Who chairs the club in Tromso?", "Tove Lindal.", "not mentioned", ""),
        ("Are dogs allowed on the pontoon?", "No.", "backed", "Dogs are not allowed on the pontoon."),
        ("Are dogs allowed on the pontoon?", "Yes.", "contradicted", "Dogs are not allowed on the pontoon."),
        ("Which stars are seen at night?", "Orion.", "not mentioned", ""),
    ],
)
def test_what_the_documents_say_of_an_answer(question: str, answer: str, said: str, passage: str) -> None:
    assert support(question, answer) == (said, passage)


@pytest.mark.parametrize(
    ("asked", "unknown"),
    [
        ("Which fee do Danish boats pay?", ["danish"]),  # Denmark begins otherwise
        ("Which fee do Finnish boats pay?", ["finnish"]),  # the letters shared are too few
        ("Which fee do Icelandic boats pay?", []),
        ("Which fee do boats from Iceland pay?", []),
        ("Which fee do Estonian boats pay?", []),
        ("Which fee do boats from Tromso pay?", ["tromso"]),
    ],
)
def test_a_name_in_another_form_is_no_unknown_one(asked: str, unknown: list[str]) -> None:
    library = Library(("Boats from Finland, Denmark, Iceland and Estonia pay a fee.",))
    assert list(findings(WrittenAnswer(asked, "40 euros."), library, "hybrid").unknown) == unknown


def checked(question: str, answer: str) -> Checks:
    return check(WrittenAnswer(question, answer), Library(), "hybrid", lambda name, version, at: 7, None)


def test_a_contradicted_answer_is_warned_of_with_the_words_that_say_otherwise() -> None:
    made = checked(CRANE, "40 tonnes.")
    assert (made.support, made.warning) == ("contradicted", CONTRADICTED)
    assert made.passage is not None
    assert (made.passage.text, made.passage.page) == ("The crane lifts yachts of up to 14 tonnes.", 7)
    assert made.answers is not None and 0 <= made.answers <= 1


def test_declining_is_warned_of_where_something_answers() -> None:
    made = checked(CRANE, "I do not know.")
    assert (made.answers, made.support, made.warning) == (None, None, DECLINED)
    assert made.passage is not None and "14 tonnes" in made.passage.text
    assert checked("Which stars are seen at night?", "I do not know.") == Checks()


def test_a_verdict_against_its_own_sentence_is_warned_of() -> None:
    said = "Yes. Dogs are not allowed on the pontoon."
    assert checked("Are dogs allowed on the pontoon?", said).warning == WRONG_VERDICT


def test_an_answer_part_by_part_has_the_labels_of_its_worst_part() -> None:
    question = "How heavy may a yacht be for the crane and who chairs the club?"
    text = "How heavy may a yacht be for the crane? 14 tonnes.\nWho chairs the club? Pelle Grund."
    made = checked(question, text)
    assert made.support == "contradicted" and made.passage is not None
    assert made.passage.text == "Tove Lindal chairs the club."
    assert made.warning is not None and made.warning.startswith("Who chairs the club: ")


def test_nothing_written_has_no_labels() -> None:
    assert checked(CRANE, "") == Checks()


def test_the_shipped_rule_weighs_features_that_exist() -> None:
    draft = WrittenAnswer(CRANE, "14 tonnes.")
    known = features(draft, findings(draft, Library(), "hybrid"))
    rule = shipped_rule()
    assert set(rule.right.weights) <= set(known)
    assert set(rule.overlooked.weights) <= set(declined_features(CRANE, findings(draft, Library(), "hybrid")))
    assert 0 < rule.answers_from < 1 and {"answers", "alone", "support"} == set(rule.reliability)


@pytest.mark.parametrize("text", ["hello", "Hi there!", "thanks", "Good morning", "???", "👋"])
def test_greetings_ask_nothing(text: str) -> None:
    assert asks_nothing(text)


@pytest.mark.parametrize(
    "text", ["warranty", "hello, what does it cost?", "returns policy", "这个多少钱", "E-21"]
)
def test_words_that_can_be_looked_up_ask_something(text: str) -> None:
    assert not asks_nothing(text)


def test_what_can_be_asked_names_documents() -> None:
    assert "“Tariff” or “Rules”" in what_can_be_asked(["Tariff", "Rules", "Staff"])
    assert what_can_be_asked([]).endswith("what the documents say.")
