"""Votes on the compare page: cast, changed, blind, counted, exported and deleted."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.ask.voting import in_rows
from pages.ui import resources
from pages.ui.asking import KIND, Round, rounds_of
from pages.ui.look import LOOKS
from tests.pages.conftest import settle
from tests.pages.scripted import ANSWERS, ScriptedServices
from tests.pages.test_compare import service_of, shown, state, type_and_ask

Visit = Callable[[], AppTest]
NAMES = {look.label for look in LOOKS.values()} | {look.mark for look in LOOKS.values()}


def ballot(app: AppTest) -> dict[str, str]:
    """Choice and label of the buttons to vote with."""
    keys = {button.key or "": button.label for button in app.button}
    return {key.removeprefix("vote-"): label for key, label in keys.items() if key.startswith("vote-")}


def newest(app: AppTest) -> Round:
    return rounds_of(resources.jobs().owned_by(state(app).visitor, KIND))[0]


def main_text(app: AppTest) -> str:
    """Everything the page itself says, without the sidebar."""
    parts = [*app.main.markdown, *app.main.caption, *app.main.error]
    return "\n".join([*(part.value for part in parts), *(b.label for b in app.main.button), shown(app)])


def ask_blind(app: AppTest, question: str = "How long?") -> AppTest:
    app.toggle(key="blind").set_value(True).run()
    type_and_ask(app, question)
    return settle(app)


def test_a_vote_is_kept_and_another_click_changes_it(visit: Visit, services: ScriptedServices) -> None:
    app = visit()
    assert list(ballot(app)) == ["rag", "fine_tuned", "hybrid", "tie", "none"]
    app.button(key="vote-rag").click().run()
    votes = service_of(app, services).votes()
    (vote,) = votes.all()
    assert (vote.choice, vote.blind, vote.question) == ("rag", False, newest(app).asked.question)
    assert {answer.backend: answer.text for answer in vote.answers} == {
        name: ANSWERS[name] for name in ("rag", "fine_tuned", "hybrid")
    }
    app.button(key="vote-none").click().run()
    assert [vote.choice for vote in votes.all()] == ["none"]


def test_no_ballot_while_answers_come_or_where_there_is_one_answer(
    visit: Visit, gate: threading.Event
) -> None:
    app = visit()
    gate.clear()
    type_and_ask(app, "How long?")
    settle(app, until=lambda app: "Within" in shown(app) or "30" in shown(app))
    assert ballot(app) == {}
    gate.set()
    settle(app)
    assert ballot(app)
    app.pills(key="backends").set_value(["rag"]).run()
    type_and_ask(app, "How long, alone?")
    settle(app)
    assert ballot(app) == {}


def test_blind_answers_tell_nobody_who_wrote_them_until_the_vote(
    visit: Visit, services: ScriptedServices
) -> None:
    app = visit()
    ask_blind(app)
    text = main_text(app)
    assert [name for name in NAMES if name in text] == []
    assert not app.main.metric and "[1]" not in text and "Fastest" not in text
    assert {*ballot(app).values()} == {"Answer A", "Answer B", "Answer C", "A tie", "None"}
    second = list(newest(app).columns)[1]
    assert ballot(app)[second] == "Answer B"
    app.button(key=f"vote-{second}").click().run()
    (vote,) = service_of(app, services).votes().all()
    assert (vote.choice, vote.blind) == (second, True)
    assert all(f"{look.mark} {look.label}" in main_text(app) for look in list(LOOKS.values())[:3])
    assert app.main.metric and "Fastest" in main_text(app)
    headings = [m.value for m in app.main.markdown if m.value.startswith("## ")]
    assert [next(n for n in LOOKS if LOOKS[n].label in h) for h in headings] == list(newest(app).columns)
    app.button(key="vote-tie").click().run()  # it is known by now who wrote what
    assert [(v.choice, v.blind) for v in service_of(app, services).votes().all()] == [("tie", False)]


@pytest.mark.parametrize(
    ("count", "rows"), [(0, []), (1, [1]), (4, [4]), (5, [3, 2]), (6, [3, 3]), (8, [4, 4]), (12, [4, 4, 4])]
)
def test_many_answers_stand_in_even_rows(count: int, rows: list[int]) -> None:
    """Two models times four approaches side by side would be strips of a few words."""
    made = in_rows(range(count))
    assert [len(row) for row in made] == rows
    assert [each for row in made for each in row] == list(range(count))


def test_blind_answers_come_all_at_once(visit: Visit, gate: threading.Event) -> None:
    app = visit()
    app.toggle(key="blind").set_value(True).run()
    gate.clear()
    type_and_ask(app, "How long?")
    settle(app, until=lambda app: bool(newest(app).columns) and "Answer A" in main_text(app))
    assert shown(app) == ""
    gate.set()
    settle(app)
    assert ballot(app)


def test_blind_answers_can_be_shown_without_a_vote_and_do_not_touch_earlier_ones(visit: Visit) -> None:
    app = visit()
    app.toggle(key="blind").set_value(True).run()
    assert "RAG" in main_text(app)  # these were not asked blind
    ask_blind(app)
    app.button(key="reveal").click().run()
    assert "RAG" in main_text(app)
    assert not [button for button in app.button if button.key == "reveal"]


def test_a_blind_failure_does_not_tell_who_failed(visit: Visit, services: ScriptedServices) -> None:
    services.broken = "fine_tuned"
    app = visit()
    ask_blind(app)
    text = main_text(app)
    assert [name for name in NAMES if name in text] == [] and "No answer." in text
    assert sorted(ballot(app)) == ["hybrid", "none", "rag", "tie"]
    place = list(newest(app).columns).index("fine_tuned")
    assert f"Answer {'ABC'[place]}" not in ballot(app).values()


def test_win_rates_stand_in_the_session_and_votes_can_be_deleted(
    visit: Visit, services: ScriptedServices
) -> None:
    app = visit()
    app.session_state["behind"] = "This session"
    app.run()
    assert any(each.value.startswith("No vote yet") for each in app.caption)
    app.button(key="vote-hybrid").click().run()
    said = "\n".join([*(m.value for m in app.markdown), *(c.value for c in app.caption)])
    assert "Hybrid was chosen in 1 of 1 vote; that may still be chance" in said.replace("\\", "")
    assert "1 vote, 0 of them blind; 0 ties, 0 for none." in said
    assert "2 pairs" in said
    app.button(key="delete-votes").click().run()
    assert service_of(app, services).votes().all() == []
    assert any(each.value.startswith("No vote yet") for each in app.caption)


def test_two_visitors_count_only_their_own_votes(visit: Visit, services: ScriptedServices) -> None:
    ada, bob = visit(), visit()
    ada.button(key="vote-rag").click().run()
    assert len(service_of(ada, services).votes().all()) == 1
    assert service_of(bob, services).votes().all() == []


def test_asked_order_is_shuffled_only_when_blind(visit: Visit) -> None:
    app = visit()
    assert newest(app).asked.arms == ("rag", "fine_tuned", "hybrid")
    ask_blind(app)
    assert sorted(newest(app).asked.arms) == ["fine_tuned", "hybrid", "rag"]
    assert newest(app).asked.blind
