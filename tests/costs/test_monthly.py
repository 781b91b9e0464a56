"""Monthly totals and crossovers, all computed by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.costs.monthly import (
    CLAIMED_VOLUME,
    CostCase,
    Measured,
    OperatingPlan,
    answer_parts,
    capacity,
    change_cost,
    cheapest_words,
    crossover,
    fixed,
    fixed_parts,
    in_words,
    line,
    machines,
    measured_of,
    monthly_total,
    per_answer,
    rounded,
    spread_words,
    tornado,
    training_run,
)
from backends.costs.price_book import PriceBook
from backends.costs.prices import FIELDS, Book, Price, as_toml, hosted_tables, load_book
from backends.datatypes import Answer, Cost, Usage, UserError

IDS = ("a", "b")
# Per answer: RAG 1,000 prompt + 100 answer tokens, fine-tuned 100 + 100.
RAG = Measured(IDS, (900, 1100), (100, 100), (2.0, 2.0))
TUNED = Measured(IDS, (100, 100), (100, 100), (1.0, 1.0))
PLAN = OperatingPlan(changes=0, months=10, training_hours=5, gigabytes=2)


def book(**prices: float) -> Book:
    """1 a million prompt tokens, 2 a million answer tokens, no premium; the rest free unless given."""
    base = {"prompt": 1.0, "completion": 2.0, "tuned_prompt": 1.0, "tuned_completion": 1.0}
    values = {key: (base | prices).get(key, 0.0) for key in FIELDS}
    return Book(
        "EUR", "hosted_small", {key: Price(value, "2026-09-01", "test") for key, value in values.items()}
    )


def case(plan: OperatingPlan = PLAN, **prices: float) -> CostCase:
    return CostCase({"rag": RAG, "fine_tuned": TUNED}, book(**prices), plan)


# --- totals ----------------------------------------------------------------------------------------


def test_an_answer_by_tokens_by_hand() -> None:
    assert per_answer(case(), "rag") == pytest.approx([1100e-6, 1300e-6])
    assert per_answer(case(), "fine_tuned") == pytest.approx([300e-6, 300e-6])
    assert per_answer(case(tuned_prompt=3, tuned_completion=2), "fine_tuned") == pytest.approx([700e-6] * 2)


def test_an_answer_by_the_hour_by_hand() -> None:
    hosted_here = case(replace(PLAN, serving="self_hosted", busy_share=0.5), machine_hour=1.8)
    # 2 s at 1.80 an hour, half of it idle: 2 / 3600 * 3.60
    assert per_answer(hosted_here, "rag") == pytest.approx([0.002, 0.002])
    assert set(answer_parts(hosted_here, "rag")) == {"Machine time", "Embedding of questions"}


def test_a_rented_machine_by_hand() -> None:
    rented = case(replace(PLAN, serving="rented", busy_share=0.5, volume=1_000), machine_hour=1.8)
    assert capacity(rented, "rag") == pytest.approx(730 * 3600 * 0.5 / 2)
    assert (machines(rented, "rag"), machines(rented, "fine_tuned")) == (1, 1)
    assert fixed(rented, "rag") == fixed(rented, "fine_tuned") == 730 * 1.8  # however little is asked
    assert per_answer(rented, "rag") == pytest.approx([0, 0])
    many = replace(rented, plan=replace(rented.plan, volume=1_000_000))
    assert (machines(many, "rag"), machines(many, "fine_tuned")) == (2, 1)
    assert monthly_total(many, "rag") == 2 * 730 * 1.8


def test_a_change_and_a_training_by_hand() -> None:
    plan = replace(PLAN, changes_per_retraining=4, people_per_retraining=2)
    prices = book(embedding=3, training_hour=2, labour_hour=50)
    assert training_run(prices, plan) == 10
    assert change_cost(prices, plan, "rag", 1e6) == 3
    assert change_cost(prices, plan, "fine_tuned", 1e6) == (10 + 100) / 4
    assert change_cost(prices, plan, "hybrid", 1e6) == 3 + (10 + 100) / 4
    assert change_cost(prices, plan, "base", 1e6) == 0


def test_a_month_by_hand() -> None:
    plan = replace(
        PLAN, changes=6, changes_per_retraining=2, corpus_tokens=1e6, changed_tokens=1e4, setup_rag=10,
        setup_tuned=20, people_per_retraining=1,
    )  # fmt: skip
    parts = case(plan, embedding=0.5, store_gigabyte=0.3, store_minimum=0.1, training_hour=2, labour_hour=50)
    assert fixed_parts(parts, "rag") == pytest.approx(
        {"Embedding of documents": 0.08, "Vector store": 0.6, "People, set-up of retrieval": 50}
    )
    assert fixed_parts(parts, "fine_tuned") == pytest.approx(
        {"First training": 1, "Retraining": 30, "People, set-up of tuning": 100, "People, retraining": 150}
    )
    assert fixed(parts, "hybrid") == pytest.approx(fixed(parts, "rag") + fixed(parts, "fine_tuned"))
    assert fixed(parts, "base") == 0


def test_the_vector_store_has_a_least_price() -> None:
    assert fixed(case(store_gigabyte=0.3, store_minimum=25), "rag") == 25


def test_a_line_and_its_interval() -> None:
    drawn = line(case(training_hour=2), "rag", [0, 1000])
    assert drawn.totals == pytest.approx([0, 1.2])
    # Two questions of 1,100 and 1,300 millionths: resampled means reach from one to the other.
    assert (drawn.low[1], drawn.high[1]) == pytest.approx((1.1, 1.3))
    flat = line(case(training_hour=2), "fine_tuned", [0, 1000])
    assert flat.totals == pytest.approx([1, 1.3]) and flat.low == pytest.approx(flat.high)


# --- crossover -------------------------------------------------------------------------------------


def test_the_crossover_by_hand() -> None:
    # Training 5 h at 2 over 10 months is 1 a month; an answer saves 1200 - 300 = 900 millionths.
    found = crossover(case(training_hour=2))
    assert found.verdict == "above"
    assert found.volume == pytest.approx(1 / 900e-6)
    assert (found.low, found.high) == pytest.approx((1 / 1000e-6, 1 / 800e-6))
    assert found.crossing_share == 1 and found.volume is not None
    here = case(training_hour=2)
    rag, tuned = (line(here, name, [found.volume]).totals[0] for name in ("rag", "fine_tuned"))
    assert rag == pytest.approx(tuned)


def test_never_when_rag_is_cheaper_at_any_volume() -> None:
    found = crossover(case(training_hour=2, tuned_prompt=20))
    assert (found.verdict, found.volume, found.crossing_share) == ("never", None, 0)
    assert found.low == found.high == math.inf
    for volume in (1, CLAIMED_VOLUME, 1e9):
        totals = [
            line(case(training_hour=2, tuned_prompt=20), n, [volume]).totals[0] for n in ("rag", "fine_tuned")
        ]
        assert totals[0] < totals[1]


def test_a_spread_around_zero_says_that_it_may_never_pay() -> None:
    # Fine-tuned costs 1,250 millionths: more than RAG's first question, less than its second.
    unsure = CostCase(
        {"rag": RAG, "fine_tuned": replace(TUNED, prompt_tokens=(1000, 1000))},
        book(training_hour=2, tuned_prompt=1.05, tuned_completion=0.75),
        PLAN,
    )
    assert per_answer(unsure, "fine_tuned") == pytest.approx([1200e-6] * 2)
    found = crossover(unsure)
    assert found.high == math.inf and math.isfinite(found.low)
    assert 0 < found.crossing_share < 1


def test_cheaper_below_and_always() -> None:
    dear_store = case(store_minimum=50, training_hour=2, tuned_prompt=20)
    below = crossover(dear_store)
    # 49 a month less, 2,200 - 1,200 = 1,000 millionths an answer more.
    assert below.verdict == "below" and below.volume == pytest.approx(49 / 1000e-6)
    assert crossover(case(store_minimum=50)).verdict == "always"


def test_only_questions_that_both_answered_are_compared() -> None:
    other = Measured(("b", "c"), (100, 9999), (100, 9999), (1.0, 9.0))
    found = crossover(CostCase({"rag": RAG, "fine_tuned": other}, book(training_hour=2), PLAN))
    assert found.volume == pytest.approx(1 / (1300e-6 - 300e-6))
    with pytest.raises(UserError, match="No question was answered by both"):
        crossover(CostCase({"rag": RAG, "fine_tuned": Measured(("z",), (1,), (1,), (1.0,))}, book(), PLAN))
    with pytest.raises(UserError, match="Nothing was measured for fine_tuned"):
        crossover(CostCase({"rag": RAG}, book(), PLAN))


# --- sensitivity -----------------------------------------------------------------------------------


def test_the_tornado_by_hand() -> None:
    swings = {swing.name: swing for swing in tornado(case(training_hour=2))}
    hours = swings["Hours of one training run"]
    assert (hours.at_low, hours.at_high) == pytest.approx((0.5 / 900e-6, 2 / 900e-6))
    # With half the prompt price an answer saves 450 millionths, with twice as much 1,800.
    prompt = swings["Hosted model, prompt, per million tokens"]
    assert (prompt.at_low, prompt.at_high) == pytest.approx((1 / 450e-6, 1 / 1800e-6))
    assert (prompt.low_input, prompt.high_input) == (0.5, 2.0)
    assert "Hosted model, answer, per million tokens" not in swings  # both write as much: it moves nothing
    rag = swings["RAG: prompt tokens"]
    assert (rag.at_low, rag.at_high) == pytest.approx((1 / 400e-6, 1 / 1900e-6))


def test_the_tornado_is_ordered_and_never_comes_first() -> None:
    # Fine-tuned costs 800 millionths, with twice the premium 1,400: more than RAG's 1,200.
    swings = tornado(case(training_hour=2, tuned_prompt=6))
    never = [swing for swing in swings if math.isinf(max(swing.at_low, swing.at_high))]
    assert "Fine-tuned premium, prompt, times" in {swing.name for swing in never}
    assert swings[: len(never)] == never
    reaches = [max(s.at_low, s.at_high) / min(s.at_low, s.at_high) for s in swings]
    assert reaches == sorted(reaches, reverse=True)


# --- inputs ----------------------------------------------------------------------------------------


def answer(identity: str, backend: str, prompt: int, completion: int, total: float) -> Answer:
    return Answer(
        "q", identity, backend, "x", (), (), {"total": total}, Usage(prompt, completion),
        Cost(0.0, "EUR", ""), "m", None, False, None,
    )  # fmt: skip


def test_measured_tokens_of_answers() -> None:
    answers = [answer("a", "rag", 5, 2, 100), answer("b", "rag", 7, 3, 200), answer("a", "rag", 9, 4, 300)]
    assert measured_of(answers) == {"rag": Measured(("a", "b"), (9, 7), (4, 3), (0.3, 0.2))}


@pytest.mark.parametrize(
    "warning",
    [
        "First answer of this backend since the program started: its times include warming up.",
        "Stopped on request: the answer is incomplete.",
        "Timed under load: an adapter was being trained on this machine meanwhile.",
        "Timed under load: documents were being read or indexed meanwhile.",
    ],
)
def test_cold_stopped_and_loaded_answers_do_not_enter_the_costs(warning: str) -> None:
    good = answer("a", "rag", 5, 2, 100)
    bad = [replace(answer(name, "rag", 9, 9, 9_000), warnings=(warning,)) for name in "ab"]
    assert measured_of([good, *bad]) == {"rag": Measured(("a",), (5,), (2,), (0.1,))}
    assert measured_of(bad) == {}


def test_an_exported_price_book_is_read_back_and_prices_every_answer(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    book = load_book(hosted="hosted_large").with_price("labour_hour", Price(55.5, "2026-02-03", "pay roll"))
    book = book.with_price("completion", Price(16.0, "2026-05-01", "offer, May"))
    path.write_text(as_toml(book), encoding="utf-8")
    assert load_book(path) == book
    cost = PriceBook.load(path).cost(Usage(1_000_000, 1_000_000), "rag")
    assert cost.amount == pytest.approx(book["prompt"] + 16.0)
    assert cost.basis.startswith(f"{hosted_tables()['hosted_large']}: 3 USD per million prompt tokens")
    assert list(hosted_tables(path)) == ["hosted_large"]


def test_prices_that_are_not_set_stay_not_set(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text("[mine]\nprompt_per_million_tokens = 2\ncompletion_per_million_tokens = 3\n")
    book = load_book(path)
    (tmp_path / "again.toml").write_text(as_toml(book))
    assert load_book(tmp_path / "again.toml") == book
    assert book.prices["labour_hour"].source == "not set"


def test_the_sample_book_and_the_file_it_becomes(tmp_path: Path) -> None:
    sample = load_book(hosted="hosted_medium")
    assert sample["prompt"] == 0.8 and sample["tuned_prompt"] == 1.5 and sample["training_hour"] == 1.8
    assert all(price.date and price.source for price in sample.prices.values())
    changed = sample.with_value("embedding", 0.07)
    (tmp_path / "prices.toml").write_text(as_toml(changed))
    assert load_book(tmp_path / "prices.toml", hosted="hosted_medium") == changed
    assert list(hosted_tables()) == ["hosted_small", "hosted_medium", "hosted_large"]


def test_prices_that_do_not_fit_are_named() -> None:
    with pytest.raises(UserError, match=r"\[training\] machine_hour, not -1"):
        load_book().with_value("training_hour", -1)
    with pytest.raises(UserError, match="no table"):
        load_book(hosted="hosted_huge")
    with pytest.raises(UserError, match="busy share"):
        CostCase({}, load_book(), OperatingPlan(busy_share=0))


def test_resampling_repeats_itself() -> None:
    assert crossover(case(training_hour=2)) == crossover(case(training_hour=2))
    assert np.array_equal(line(case(), "rag", [10]).low, line(case(), "rag", [10]).low)


# --- words -----------------------------------------------------------------------------------------


def test_the_crossover_in_words() -> None:
    assert in_words(crossover(case(training_hour=2))) == (
        "Fine-tuned is cheaper than RAG above 1,100 questions a month (95 % interval 1,000 to 1,200)."
    )
    one = Measured(("a",), (1000,), (100,), (1.0,))
    alone = CostCase({"rag": one, "fine_tuned": TUNED.at(["a"])}, book(training_hour=2), PLAN)
    assert in_words(crossover(alone)).endswith("as one question has it: too few for an interval.")
    level = Measured(IDS, (1000, 1000), (100, 100), (1.0, 1.0))
    same = in_words(crossover(CostCase({"rag": level, "fine_tuned": TUNED}, book(training_hour=2), PLAN)))
    assert same == "Fine-tuned is cheaper than RAG above 1,100 questions a month."  # not "1,100 to 1,100"
    never = "Fine-tuned is never cheaper than RAG at these prices."
    assert in_words(crossover(case(training_hour=2, tuned_prompt=20))) == never
    assert "cheaper than RAG at every volume" in in_words(crossover(case(store_minimum=50)))


def test_how_sure_the_crossover_is_repeats_nothing() -> None:
    assert spread_words(crossover(case(training_hour=2))) == (
        "Fine-tuned and RAG cost the same between 1,000 and 1,200 questions a month (95 % interval)"
    )
    one = Measured(("a",), (1000,), (100,), (1.0,))
    alone = CostCase({"rag": one, "fine_tuned": TUNED.at(["a"])}, book(training_hour=2), PLAN)
    assert "rests on one question" in spread_words(crossover(alone))
    assert spread_words(crossover(case(training_hour=2, tuned_prompt=20))) == ""


def test_volumes_keep_two_digits() -> None:
    said = [rounded(v) for v in (0.2, 7, 38_412, 1_249_000, 9.96e8, math.inf)]
    assert said == ["1", "7", "38,000", "1.2 million", "1 billion", "never"]


def test_who_costs_least_in_words() -> None:
    made = case(replace(PLAN, volume=500), training_hour=2)
    assert cheapest_words(made, [crossover(made)]) == (
        "At 500 questions a month RAG costs least, 0.60 EUR in all; Fine-tuned 1.15 EUR. "
        "Fine-tuned is cheaper than RAG above about 1,100 questions a month."
    )
    dear = case(replace(PLAN, volume=500), training_hour=2, tuned_prompt=20)
    assert cheapest_words(dear, [crossover(dear)]).endswith("No volume changes that.")
