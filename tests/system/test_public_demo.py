"""Shares of a public demo: who may begin what, and when again."""

from __future__ import annotations

import pytest

from backends.system import public_demo
from backends.system.public_demo import MOST_WAITING, Share, Shares

ASK = {"ask": Share("questions a minute", 2, 60.0)}


def test_a_share_is_used_up_and_comes_back() -> None:
    now = [0.0]
    shares = Shares(ASK, clock=lambda: now[0])
    assert [shares.refusal("ask", "ada", 0) for _ in range(2)] == ["", ""]
    assert shares.refusal("ask", "ada", 0) == (
        "This public demo allows each visitor 2 questions a minute. You can go on in 60 seconds."
    )
    assert shares.refusal("ask", "ada~hr", 0)  # another role is the same person
    assert shares.refusal("ask", "bob", 0) == "" and shares.refusal("forget", "ada", 0) == ""
    now[0] = 59.0
    assert "in 1 seconds" in shares.refusal("ask", "ada", 0)
    now[0] = 60.0
    assert shares.refusal("ask", "ada", 0) == ""


def test_a_long_queue_takes_nobody_in() -> None:
    assert "Too many visitors" in Shares(ASK).refusal("ask", "ada", MOST_WAITING)


def test_the_notice_is_there_only_for_a_public_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(public_demo.VARIABLE, raising=False)
    assert public_demo.notice() == ""
    monkeypatch.setenv(public_demo.VARIABLE, "1")
    assert "6 questions a minute" in public_demo.notice()
