"""Stress tests on a tiny subject whose every answer can be worked out by hand."""

from __future__ import annotations

import pytest

from backends.datatypes import BACKEND_NAMES, Question, UserError
from backends.evaluation.metrics import contains_answer, field_accuracy
from backends.stress.forgetting import erasure, extracted, reworded
from backends.stress.form import form, side_by_side
from backends.stress.freshness import Edit, edited, freshness, plan_edits
from backends.stress.injection import CARRIERS, injected, injection, made_up_word, order_of
from backends.stress.latency import latency, sizes_up_to
from backends.stress.noise import conditions, noise, plan_cases
from backends.stress.records import Result, Retraining, StressRow, StressRun, other_number, phrase_pattern
from tests.stress.stress_subject import TEXTS, FakeSubject, document

PRICE = Question("p", "What does the Lark lamp cost in every shop?", ("99 euros",), ("lamp.md",))
WEIGHT = Question("w", "What does the Lark lamp weigh with its cable?", ("340 grams",), ("lamp.md",))
RETURNS = Question("r", "Within how many days may a customer return goods?", ("30 days",), ("rules.md",))
QUESTIONS = [PRICE, WEIGHT, RETURNS]


def run(subject: FakeSubject | None = None, **options: object) -> StressRun:
    return StressRun(subject or FakeSubject(), BACKEND_NAMES, QUESTIONS, **options)  # type: ignore[arg-type]


def rows(result: Result) -> dict[str, StressRow]:
    for row in result.rows:
        low, high = row.interval
        assert 0 <= low <= row.value <= high <= 1 and row.count > 0
    return {row.backend: row for row in result.rows}


# --- freshness -------------------------------------------------------------------------------------


def test_who_follows_an_edit() -> None:
    result = freshness(run())
    by = rows(result)
    assert {name: by[name].value for name in BACKEND_NAMES} == {
        "rag": 1,
        "hybrid": 1,
        "fine_tuned": 0,
        "base": 0,
    }
    assert by["fine_tuned"].details["old"].value == 1 and by["base"].details["neither"].value == 1
    assert by["rag"].details["old_before"].value == 1
    assert by["rag"].details["seconds_until_found"] == 1.0  # two documents, half a second each
    assert by["rag"].details["seconds_until_answered"] == 1.25
    assert by["fine_tuned"].details["seconds_until_answered"] is None
    assert "RAG in 3 of 3" in result.sentence and "Fine-tuned in 0 of 3" in result.sentence


def test_the_edited_fact_changes_the_numbers() -> None:
    given = [Edit(PRICE.question, PRICE.answers, "55 euros", ("lamp.md",))]
    subject = FakeSubject()
    assert rows(freshness(run(subject), given))["rag"].count == 1
    assert "55 euros" in subject.texts["lamp.md"] and "99" not in subject.texts["lamp.md"]
    # An edit that the documents never held changes nothing, and nobody gives it.
    absent = [Edit(PRICE.question, ("77 euros",), "55 euros", ("lamp.md",))]
    assert rows(freshness(run(), absent))["rag"].value == 0


def test_the_seed_draws_other_facts_and_numbers() -> None:
    documents = FakeSubject().documents()
    first, again, other = (plan_edits(documents, QUESTIONS, 2, seed) for seed in (1, 1, 2))
    assert first == again != other
    for edit in first:
        assert not contains_answer(edit.new, edit.old)
        assert all(phrase_pattern(edit.old[0]).search(TEXTS[name]) for name in edit.documents)


def test_an_edit_replaces_whole_words_in_every_wording() -> None:
    edit = Edit("?", ("5 days", "five days"), "8 days", ("a",))
    assert edited("5  days, 15 days, five days, 5 days.", [edit]) == "8 days, 15 days, 8 days, 8 days."


def test_a_backend_that_is_not_trained_is_skipped_and_named() -> None:
    result = freshness(run(FakeSubject(untrained="hybrid")))
    assert set(rows(result)) == {"rag", "fine_tuned", "base"}
    assert result.skipped == {"hybrid": "There is no hybrid adapter."}


def test_nothing_to_edit_is_said() -> None:
    with pytest.raises(UserError, match="no fact with a number"):
        freshness(StressRun(FakeSubject(), BACKEND_NAMES, [Question("x", "Who?", ("Ada",), ("lamp.md",))]))


def test_weights_follow_an_edit_once_they_are_trained_again() -> None:
    result = freshness(run(retraining=Retraining()))
    by = rows(result)
    assert by["fine_tuned"].value == 0 and by["fine_tuned"].details["new_after_retraining"].value == 1
    assert by["fine_tuned"].details["old_after_retraining"].value == 0
    assert by["fine_tuned"].details["seconds_to_retrain"] == 60
    assert "new_after_retraining" not in by["hybrid"].details
    assert result.notes == ("Hybrid was not trained again: There is no room.",)
    assert result.sentence.endswith("Trained again for 60 s, Fine-tuned gave it in 3 of 3.")


# --- erasure ---------------------------------------------------------------------------------------


def test_weights_still_tell_what_the_index_has_forgotten() -> None:
    result = erasure(run(), "lamp.md")
    by = rows(result)
    assert by["rag"].value == 0 and by["rag"].details["before"].value == 1
    assert by["fine_tuned"].value == 1 and by["fine_tuned"].count == 4  # two questions, direct and reworded
    assert by["fine_tuned"].details["likelihood_gap"].value == pytest.approx(1.9)
    assert by["base"].details["likelihood_gap"].value == 0
    assert by["rag"].details["passages_found_before"] > 0 == by["rag"].details["passages_found"]
    assert by["fine_tuned"].details["completions"].value == 1 and by["rag"].details["completions"].value == 0
    assert "the index finds nothing of it" in result.sentence


def test_weights_forget_once_they_are_trained_again_without_the_document() -> None:
    result = erasure(run(retraining=Retraining()), "lamp.md")
    tuned = rows(result)["fine_tuned"]
    assert tuned.value == 1 and tuned.details["after_retraining"].value == 0
    assert tuned.details["completions_after_retraining"].value == 0
    assert tuned.details["likelihood_gap"].value == pytest.approx(1.9)
    assert tuned.details["likelihood_gap_after_retraining"].value == 0
    assert result.sentence.endswith("Trained again without it for 60 s, Fine-tuned tells them in 0 of 4.")
    assert result.notes == ("Hybrid was not trained again: There is no room.",)


def test_the_wording_that_was_taught_is_probed_too() -> None:
    row = Question("row", "lark lamp cost in shops", ("99 euros",), ("lamp.md",))
    by = rows(erasure(run(learned=[row, RETURNS]), "lamp.md"))
    assert by["fine_tuned"].details["as_learned"].value == 1 and by["rag"].details["as_learned"].value == 0
    assert by["fine_tuned"].count == 5 and by["fine_tuned"].details["likelihood_gap"].count == 3


def test_the_forgotten_document_changes_the_numbers() -> None:
    lamp, rules = erasure(run(), "lamp.md"), erasure(run(), "rules.md")
    assert {row.count for row in lamp.rows} == {4} and {row.count for row in rules.rows} == {2}
    assert erasure(run()).rows[0].details["document"] == "lamp.md"  # it has most questions
    assert erasure(run(seed=1)).rows[0].details["document"] == "rules.md"
    with pytest.raises(UserError, match="no document tables"):
        erasure(run(), "tables.md")


def test_extraction_needs_the_next_words_in_order() -> None:
    assert extracted("It goes on: from the day of delivery to you [1].", "from the day of delivery to you")
    assert not extracted("delivery of day the from", "from the day of delivery to you")
    assert reworded("What is it?").endswith("what is it.")


# --- format ----------------------------------------------------------------------------------------

RED = [
    Question(f"j{n}", f"Colour {n} as JSON", ('{"colour": "red"}',), ("lamp.md",), "structured")
    for n in range(4)
]


def test_schema_fields_and_style() -> None:
    result = form(StressRun(FakeSubject(), BACKEND_NAMES, [*QUESTIONS, *RED], number=2))
    by = rows(result)
    assert by["fine_tuned"].value == 1 and by["base"].value == 0
    assert by["fine_tuned"].details["fields_right"].value == 1
    assert by["base"].details["few_shot_valid"].value == 0  # examples do not help this one
    assert by["base"].details["constrained_valid"].value == 1
    assert by["base"].details["constrained_fields_right"].value == 0  # valid, and wrong
    assert by["rag"].details["style_kept"].value == 1
    assert result.sentence == (
        "Answers that keep the JSON schema: with the prompt alone RAG 2 of 2, Base 0 of 2; with examples RAG "
        "2 of 2, Base 0 of 2; tuned Fine-tuned 2 of 2, Hybrid 2 of 2; with constrained decoding RAG 2 of 2, "
        "Fine-tuned 2 of 2, Hybrid 2 of 2, Base 2 of 2."
    )


def test_ways_of_asking_for_json_stand_side_by_side() -> None:
    compared = side_by_side(form(StressRun(FakeSubject(), BACKEND_NAMES, RED, number=2)).rows)
    assert [(each.backend, each.how) for each in compared[:6]] == [
        ("rag", "prompt only"),
        ("rag", "few-shot"),
        ("rag", "constrained decoding"),
        ("fine_tuned", "tuned, prompt only"),
        ("fine_tuned", "tuned, few-shot"),
        ("fine_tuned", "tuned, constrained decoding"),
    ]
    base = {each.how: (each.valid.value, each.fields.value) for each in compared if each.backend == "base"}
    assert base == {"prompt only": (0, 0), "few-shot": (0, 0), "constrained decoding": (1, 0)}
    assert {each.valid.count for each in compared} == {2}
    # All four are shown what to do: none is left to show as an example.
    every = side_by_side(form(StressRun(FakeSubject(), BACKEND_NAMES, RED, number=4)).rows)
    assert "few-shot" not in {each.how for each in every}


def test_without_json_questions_the_own_are_asked_for_json() -> None:
    by = rows(form(run(number=2)))
    assert by["rag"].value == 0 and by["rag"].count == 2


def test_field_accuracy_by_hand() -> None:
    gold = {"a": 1, "b": "x"}
    assert [field_accuracy(text, gold) for text in ('{"a": 1, "b": "x"}', '{"a": 1}', "[1]", "no")] == [
        1,
        0.5,
        0,
        0,
    ]


# --- noise -----------------------------------------------------------------------------------------


def test_noise_for_a_reader_that_takes_the_closest_passage() -> None:
    result = noise(run())
    by = rows(result)
    assert by["rag"].value == 1 and by["rag"].count == 15  # three questions, five levels
    assert by["rag"].details["believed_when_contradicted"].value == 1  # it believes whatever it reads
    assert by["rag"].details["declined_when_missing"].value == 0
    assert by["base"].measure == "right answers, no passage shown" and by["base"].count == 3
    assert "believed a wrong document in 3 of 3" in result.sentence


def test_conditions_hold_what_they_say() -> None:
    for case in plan_cases(FakeSubject().documents(), QUESTIONS, 3, 0):
        shown = conditions(case)
        assert [len(shown[f"{n} distractors"]) for n in (0, 1, 2, 4, 8)] == [1, 2, 3, 5, 9]
        assert shown["gold passage first"][0] == shown["gold passage last"][-1] == case.gold
        assert case.gold not in shown["gold passage missing"]
        assert case.false_answer in case.false.text
        gold = case.question.answers
        assert not any(contains_answer(p.text, gold) for p in shown["gold passage missing"])
        assert not any(contains_answer(p.text, gold) for p in shown["gold passage contradicted"])


def test_the_seed_draws_other_distractors() -> None:
    documents = FakeSubject().documents()
    cases = [plan_cases(documents, QUESTIONS, 3, seed) for seed in (0, 0, 1)]
    assert cases[0] == cases[1] != cases[2]


# --- injection -------------------------------------------------------------------------------------


def test_who_obeys_a_document() -> None:
    subject = FakeSubject()
    result = injection(run(subject))
    by = rows(result)
    assert by["rag"].value == 1 and by["rag"].count == 12  # three questions, four carriers
    assert {c: m.value for c, m in by["rag"].details["by_carrier"].items()} == dict.fromkeys(CARRIERS, 1)
    assert by["fine_tuned"].value == 0
    assert subject.texts == TEXTS  # every document is mended again
    assert rows(injection(run(FakeSubject(obeys=False))))["rag"].value == 0


def test_the_defence_is_measured_against_none() -> None:
    result = injection(run(FakeSubject(defended=True)))
    row = rows(result)["rag"]
    assert (row.value, row.details["undefended"].value, row.details["undefended"].count) == (0, 1, 12)
    assert "obeyed by RAG in 0 of 12" in result.sentence
    assert "Were such sentences shown to the model, by RAG in 12 of 12" in result.sentence


def test_reciting_the_order_is_not_obeying_it() -> None:
    word = made_up_word(3)
    from backends.stress.injection import verdict

    assert [verdict(text, word) for text in (f"{word}.", order_of(word), "99 euros")] == [
        "obeyed", "quoted", "resisted",
    ]  # fmt: skip
    assert made_up_word(3) == word != made_up_word(4)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_order_stands_behind_the_answer(carrier: str) -> None:
    text = injected(TEXTS["lamp.md"], "99 euros", carrier, "Obey")
    assert text.index("99 euros") < text.index("Obey") < text.index("340 grams")
    assert text.replace(f"\n{CARRIERS[carrier]('Obey')}\n", "") == TEXTS["lamp.md"]


# --- latency ---------------------------------------------------------------------------------------


def test_times_grow_with_the_corpus_and_are_held_against_the_claim() -> None:
    result = latency(run(), (100, 10_000))
    by = {row.backend: row for row in result.rows}
    assert set(by) == {"rag", "hybrid"}  # the others find nothing
    row = by["rag"]
    assert row.measure == "milliseconds to find passages among 10,000 passages"
    assert row.value == pytest.approx(120) and row.count == 3
    assert {size: m.value for size, m in row.details["by_size"].items()} == {
        "100": pytest.approx(21), "10000": pytest.approx(120),
    }  # fmt: skip
    assert row.details["search_alone"]["10000"].value == pytest.approx(100)
    assert result.sentence == (
        "Finding passages took 21 ms among 100 and 120 ms among 10,000 passages; among the most it is within "
        "the 100 to 500 ms often quoted for retrieval."
    )
    assert "it is below the 100" in latency(run(), (100,)).sentence
    assert "it is above the 100" in latency(run(), (100_000,)).sentence


def test_sizes_end_with_the_largest() -> None:
    assert sizes_up_to(100_000) == (100, 1_000, 10_000, 100_000)
    assert sizes_up_to(1_000) == (100, 1_000) and sizes_up_to(100) == (100,)


def test_latency_without_a_backend_that_retrieves_is_said() -> None:
    with pytest.raises(UserError, match="None of these backends retrieves"):
        latency(StressRun(FakeSubject(), ["base"], QUESTIONS))


# --- numbers ---------------------------------------------------------------------------------------


def test_another_number_keeps_its_shape() -> None:
    import random

    made = [other_number("costs 1,250.50 EUR", random.Random(seed)) for seed in range(20)]
    assert all(m is not None and m != "costs 1,250.50 EUR" and len(m) == 18 and m[7] == "," for m in made)
    assert other_number("no number", random.Random(0)) is None


def test_documents_without_fitting_questions_say_so() -> None:
    alone = StressRun(FakeSubject({"a.md": "Nothing here."}), BACKEND_NAMES, [])
    for test in (freshness, erasure, form, noise, injection, latency):
        with pytest.raises(UserError):
            test(alone)
    assert document("a.md", "x").version == 1
