"""models.toml: one model a name, what is different for a backend, and never a key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backends.datatypes import UserError
from backends.language.models_file import ServedModel, names, served
from backends.system.files import ROOT

FILE = """
[company]
address = "http://localhost:8000/v1/"
model = "qwen3-8b"
key = "COMPANY_KEY"
context = 32768
prompt_per_million_tokens = 0.15
completion_per_million_tokens = 0.6

[company.rag]
model = "qwen3-32b"

[company.hybrid]
model = "company-reads"
lora = [{id = 1}]
"""


def test_a_backend_takes_the_common_fields_and_its_own(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(FILE)
    assert names(tmp_path) == ["company"]
    base, rag, hybrid = (served(tmp_path, "company", name) for name in ("base", "rag", "hybrid"))
    assert base is not None and rag is not None and hybrid is not None
    assert (base.name, base.model, base.address) == ("company", "qwen3-8b", "http://localhost:8000/v1")
    assert (rag.name, rag.model, rag.context, rag.key) == ("company.rag", "qwen3-32b", 32768, "COMPANY_KEY")
    assert hybrid.tuned_name == "company-reads (lora 1 x 1)"
    assert len({model.fingerprint for model in (base, rag, hybrid)}) == 3
    # An untuned model never answers in the name of a tuned one.
    assert served(tmp_path, "company", "fine_tuned") is None
    assert served(tmp_path, "nobody", "base") is None
    assert names(tmp_path / "elsewhere") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a", "cannot be read"),
        ("a = 3", "a must be a table"),
        ("[a]\nmodel = 'm'", "address Field required"),
        ("[a]\naddress = 'localhost:1'\nmodel = 'm'", "address is needed in full"),
        ("[a]\naddress = 'http://me:pw@host/v1'\nmodel = 'm'", "no user, password or query"),
        ("[a]\naddress = 'http://h/v1'\nmodel = 'm'\nkey = 'sk-proj-123'", "never the key itself"),
        ("[a]\naddress = 'http://h/v1'\nmodel = 'm'\napi_key = 'x'", "api_key"),
        ("[a]\naddress = 'http://h/v1'\nmodel = 'm'\nprompt_per_million_tokens = 1", "or neither"),
    ],
)
def test_what_does_not_fit_is_told_and_no_value_repeated(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "models.toml").write_text(text)
    with pytest.raises(UserError, match=said) as raised:
        served(tmp_path, "a", "base")
    assert "sk-proj-123" not in str(raised.value)
    assert "pw" not in str(raised.value)


def test_every_field_stands_in_the_documentation_with_its_default() -> None:
    rows = {}
    for line in (ROOT / "docs" / "models_toml.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and cells[0].startswith("`"):
            names_in, defaults = re.findall(r"`(\w+)`", cells[0]), cells[1].replace("`", "").split(", ")
            rows |= dict(zip(names_in, defaults * len(names_in), strict=False))
    told = {"true": True, "false": False, "none": None}
    fields = {name: field for name, field in ServedModel.model_fields.items() if name != "name"}
    assert set(rows) == set(fields)
    for name, field in fields.items():
        wanted = "needed" if field.is_required() else field.get_default(call_default_factory=True)
        assert told.get(rows[name], rows[name]) in (wanted or None, str(wanted), wanted), name
