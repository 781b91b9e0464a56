"""Settings: the environment chooses like an argument."""

from __future__ import annotations

import pytest

from backends.settings import make_settings


def test_the_environment_chooses_like_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_MODEL", "some/model")
    monkeypatch.setenv("TRIPTYCH_TOP_K", "3")
    settings = make_settings()
    assert (settings.model, settings.top_k) == ("some/model", 3)
    assert make_settings(top_k=5).top_k == 5
