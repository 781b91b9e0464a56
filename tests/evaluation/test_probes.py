"""Questions made from documents hold answers that stand there; the sample's are used where they fit."""

from __future__ import annotations

from backends.datatypes import Document, Question
from backends.evaluation.probes import chosen, made_questions, questions_for, sample_questions


def document(name: str, text: str) -> Document:
    return Document(name, 1, name.title(), "text", text, name)


LAMPS = document(
    "lamps.txt", "The Lark lamp costs 99 euros in every shop. It weighs 2 kilos. No number here."
)


def test_a_made_question_leaves_the_number_out_and_keeps_it_as_the_answer() -> None:
    (question,) = made_questions([LAMPS])
    assert question.answers == ("99",) and question.documents == ("lamps.txt",)
    assert question.question.endswith("The Lark lamp costs ... euros in every shop.")
    assert all(answer in LAMPS.text for answer in question.answers)


def test_a_sentence_with_two_answers_makes_no_question() -> None:
    other = document("other.txt", "The Lark lamp costs 89 euros in every shop.")
    assert made_questions([LAMPS, other]) == []
    same = document("same.txt", "The Lark lamp costs 99 euros in every shop.")
    assert len(made_questions([LAMPS, same])) == 1


def test_sample_questions_only_where_all_their_documents_are_there() -> None:
    names = {"lark-pro-data-sheet.pdf"}
    found = sample_questions("test", among=names)
    assert found and all(set(question.documents) <= names for question in found)
    assert sample_questions("test", among={"lamps.txt"}) == []
    assert questions_for([LAMPS]) == made_questions([LAMPS])


def test_the_seed_chooses_and_the_order_stays() -> None:
    names = {"lark-pro-data-sheet.pdf", "price-list-2026.csv", "lark-one-data-sheet.html"}
    pool = sample_questions("test", among=names)
    first, again, other = chosen(pool, 3, 1), chosen(pool, 3, 1), chosen(pool, 3, 2)
    assert first == again != other
    assert first == [question for question in pool if question in first]
    assert chosen(pool, 10_000, 1) == pool


def test_a_draw_takes_of_each_category_its_share_and_grows_by_adding() -> None:
    sizes = {"lookup": 40, "table": 20, "condition": 12}
    pool = [
        Question(f"{c}-{n}", f"{c} {n}?", ("x",), (), c) for c, size in sizes.items() for n in range(size)
    ]
    drawn = {number: chosen(pool, number, 3) for number in range(1, 73)}
    for number, questions in drawn.items():
        assert len(questions) == number
        for category, size in sizes.items():
            share = number * size / len(pool)
            assert abs(sum(q.category == category for q in questions) - share) < 2
        assert set(questions) <= set(drawn.get(number + 1, pool))
        assert len({q.category for q in questions}) == min(number, len(sizes))
