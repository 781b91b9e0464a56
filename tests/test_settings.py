"""Settings: where a default depends on another choice."""

from __future__ import annotations

import pytest

from backends.settings import make_settings


@pytest.mark.parametrize(
    ("given", "quotes"),
    [
        ({}, True),
        ({"model": "some/model"}, False),
        ({"model": "some/model", "quote_only": True}, True),
        ({"quote_only": False}, False),
    ],
)
def test_only_the_embedded_model_is_held_to_quotes_unless_chosen(
    given: dict[str, object], quotes: bool
) -> None:
    assert make_settings(**given).quote_only is quotes


def test_the_environment_chooses_like_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_MODEL", "some/model")
    assert make_settings().quote_only is False
    monkeypatch.setenv("TRIPTYCH_QUOTE_ONLY", "true")
    assert make_settings().quote_only is True
