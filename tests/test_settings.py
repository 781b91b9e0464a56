"""Settings: the environment chooses like an argument."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.datatypes import UserError
from backends.settings import make_settings


def test_the_environment_chooses_like_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_MODEL", "some/model")
    monkeypatch.setenv("TRIPTYCH_TOP_K", "3")
    settings = make_settings()
    assert (settings.model, settings.top_k) == ("some/model", 3)
    assert make_settings(top_k=5).top_k == 5


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("top_k = 4\nmode = dense\n", "is not valid TOML: .*line 2"),
        ("top_kk = 4\n", "sets 'top_kk', which is no setting. Did you mean 'top_k'?"),
        ("[retrieval]\ntop_k = 4\n", "sets 'retrieval', which is no setting"),
        ('top_k = "many"\n', "top k"),
        ("top_k = 4 # \xff", "is not valid TOML"),
    ],
)
def test_a_typo_in_the_settings_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, said: str
) -> None:
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path))
    (tmp_path / "settings.toml").write_bytes(written.encode("latin-1"))
    with pytest.raises(UserError, match=said):
        make_settings()


def test_the_settings_file_counts_below_environment_and_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path))
    (tmp_path / "settings.toml").write_text("top_k = 4\nseed = 5\nmax_tokens = 32\n")
    monkeypatch.setenv("TRIPTYCH_SEED", "6")
    made = make_settings(max_tokens=64)
    assert (made.top_k, made.seed, made.max_tokens) == (4, 6, 64)
