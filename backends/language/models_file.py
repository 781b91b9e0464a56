"""Reads `models.toml`: models behind OpenAI-compatible addresses, under names that `--model` takes.

Enters: the file. Leaves: a `ServedModel` for a name and a backend. Keys are never in the file: it names
environment variables, which are read only at the moment of asking.

    [company]                                # the name
    address = "http://localhost:8000/v1"
    model = "qwen3-8b"
    key = "COMPANY_KEY"                      # an environment variable
    context = 32768
    prompt_per_million_tokens = 0.15         # your input; both prices or none
    completion_per_million_tokens = 0.60

    [company.fine_tuned]                     # what is different for a backend; the rest is as above
    model = "company-tuned"
    [company.hybrid]
    model = "company-tuned-to-read"
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from backends.datatypes import BACKEND_NAMES, BackendName, JsonValue, UserError

FILE = "models.toml"
TUNED: tuple[BackendName, ...] = ("fine_tuned", "hybrid")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Lora(BaseModel):
    """An adapter that llama.cpp's server has loaded, by its number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int = Field(ge=0)
    scale: float = 1.0


class ServedModel(BaseModel):
    """One model behind an address, as one backend asks it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    address: str = Field(description="Where the server answers, usually ending in /v1.")
    model: str = Field(min_length=1, description="What the server calls the model.")
    key: str = Field("", description="Environment variable that holds the key; none where none is needed.")
    context: int = Field(8192, ge=256, description="Tokens that prompt and answer may have together.")
    tokenizer: str = Field(
        "",
        description="Whose tokenizer counts: 'embedded', a folder or an id on this machine; else estimated.",
    )
    stream: bool = Field(True, description="Whether the server sends an answer piece by piece.")
    json_schema: bool = Field(True, description="Whether the server holds an answer to a JSON schema.")
    logprobs: bool = Field(False, description="Whether the server tells how likely each of its tokens was.")
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    timeout: float = Field(60, gt=0, description="Seconds without a sign of life before giving up.")
    longest: float = Field(300, gt=0, description="Seconds after which an answer is cut off.")
    retries: int = Field(3, ge=0, le=10, description="Further tries when the server is busy or unreachable.")
    lora: tuple[Lora, ...] = Field((), description="Adapters of llama.cpp's server to answer with.")
    extra: dict[str, JsonValue] = Field(default_factory=dict, description="Further fields of every request.")
    prompt_per_million_tokens: float | None = Field(None, ge=0)
    completion_per_million_tokens: float | None = Field(None, ge=0)
    currency: str = "USD"
    price_date: str = ""

    @field_validator("address")
    @classmethod
    def _plain_address(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is needed in full, such as http://localhost:8000/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("must hold no user, password or query: a key belongs in an environment variable")
        return address.rstrip("/")

    @field_validator("key")
    @classmethod
    def _name_of_a_variable(cls, key: str) -> str:
        if key and not _VARIABLE.fullmatch(key):
            raise ValueError("must be the name of an environment variable, never the key itself")
        return key

    @model_validator(mode="after")
    def _both_prices_or_none(self) -> ServedModel:
        if (self.prompt_per_million_tokens is None) != (self.completion_per_million_tokens is None):
            raise ValueError("a price of prompt and of answer tokens is needed, or neither")
        return self

    @property
    def place(self) -> str:
        """Host and port."""
        return urlsplit(self.address).netloc

    @property
    def tuned_name(self) -> str:
        """What to call the adapter when this is asked in the name of a tuned backend."""
        loras = ", ".join(f"lora {each.id} x {each.scale:g}" for each in self.lora)
        return f"{self.model} ({loras})" if loras else self.model

    @property
    def fingerprint(self) -> str:
        """Of what is asked for and where; the weights behind an address are not seen."""
        asked = f"{self.address}\n{self.model}\n{self.lora!r}\n{sorted(self.extra.items())!r}"
        return hashlib.sha256(asked.encode()).hexdigest()[:16]

    def secret(self) -> str:
        """The key itself, or nothing where none is named. UserError when the variable is not set."""
        if not self.key:
            return ""
        value = key_of(self.key)
        if not value:
            raise UserError(
                f"The model {self.name} needs a key: set the environment variable {self.key} to it."
            )
        return value


def key_of(variable: str) -> str:
    """The key that an environment variable holds, without the line break that a file of it ends with.

    Raises UserError for what no header can carry: the client would repeat it in its error.
    """
    value = os.environ.get(variable, "").strip()
    if not re.fullmatch(r"[\x21-\x7e]*", value):
        raise UserError(
            f"What the environment variable {variable} holds is no key: there are spaces, line breaks or "
            "letters that are not ASCII in it."
        )
    return value


def without_key(text: str, key: str) -> str:
    """What a server or a library says, without the key that it may repeat."""
    return text.replace(key, "***") if key else text


def names(workspace: Path) -> list[str]:
    """The names that the workspace's file defines; none where there is no file."""
    return list(_tables(workspace / FILE))


def served(workspace: Path, name: str, backend: BackendName) -> ServedModel | None:
    """The model of this name as this backend asks it.

    None where the file has no such name, or the backend is a tuned one and the name has no table for it:
    an untuned model may not answer in the name of a tuned one. UserError when the file does not fit.
    """
    table = _tables(workspace / FILE).get(name)
    if table is None:
        return None
    own = table.get(backend)
    if own is None and backend in TUNED:
        return None
    common = {field: value for field, value in table.items() if field not in BACKEND_NAMES}
    called = f"{name}.{backend}" if own is not None else name
    return _checked(called, {**common, **(own or {})})


def _tables(path: Path) -> dict[str, dict[str, JsonValue]]:
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path.name} cannot be read: {error}.") from error
    for name, table in content.items():
        parts = [table, *(table.get(backend, {}) for backend in BACKEND_NAMES)] if _is(table) else [table]
        if not all(_is(part) for part in parts):
            raise UserError(f"{path.name}: {name} must be a table, such as [{name}] with an address below.")
    return content


def _is(table: JsonValue) -> bool:
    return isinstance(table, dict)


def _checked(name: str, fields: dict[str, JsonValue]) -> ServedModel:
    try:
        return ServedModel(**{**fields, "name": name})
    except ValidationError as error:
        # Never the value: somebody may have written a key where its variable belongs.
        told = []
        for item in error.errors(include_input=False):
            where = ".".join(str(part) for part in item["loc"])
            told.append(f"{where} {item['msg'].removeprefix('Value error, ')}".strip())
        raise UserError(f"{FILE}, [{name}]: {'; '.join(told)[:400]}.") from None
