"""The benchmark's own arguments."""

from __future__ import annotations

import pytest

from backends.datatypes import UserError
from backends.settings import make_settings
from benchmarks.four_backends import overrides


def test_settings_are_given_by_name() -> None:
    settings = make_settings(**overrides(["quote_only=true", "top_k=3", "model=some/folder=x"]))
    assert (settings.quote_only, settings.top_k, settings.model) == (True, 3, "some/folder=x")
    assert overrides([]) == {}


@pytest.mark.parametrize("given", ["quote=true", "=1", "top_k "])
def test_a_name_that_is_no_setting_is_refused(given: str) -> None:
    with pytest.raises(UserError, match="There is no setting"):
        overrides([given])


def test_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="top k"):
        make_settings(**overrides(["top_k=many"]))
