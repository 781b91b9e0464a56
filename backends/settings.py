"""Every setting, once: the same name on the command line, in the settings file and in the environment.

Enters: TRIPTYCH_* variables and <workspace>/settings.toml. Leaves: a validated, frozen `Settings`.
Precedence: explicit arguments, then environment, then file, then the defaults below.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Collection
from pathlib import Path

import platformdirs
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from backends.datatypes import Chunking, JsonValue, RetrievalMode, UserError

MAX_QUESTION_CHARACTERS = 4_000
DEFAULT_MODEL = "embedded"
SETTINGS_FILE = "settings.toml"  # in the workspace
STORE, FILES = "store", "files"  # the names in it that change no answer: `store_address`, `files_address`


class Settings(BaseSettings):
    """What changes an answer. Sliders, options and variables all write these fields and no others."""

    model_config = SettingsConfigDict(env_prefix="TRIPTYCH_", frozen=True, extra="ignore")

    chunk_size: int = Field(128, ge=32, le=512, description="Longest passage, in tokens.")
    chunk_overlap: int = Field(24, ge=0, le=256, description="Tokens that neighbouring passages share.")
    chunking: Chunking = Field(
        "sentences",
        description="Where passages end: after whole sentences, at headings (sections), where the subject "
        "changes (semantic), or after a fixed count of tokens.",
    )
    top_k: int = Field(8, ge=1, le=20, description="Passages handed to the model.")
    mode: RetrievalMode = Field(
        "hybrid", description="How passages are found: by meaning (dense), by words (bm25), or both."
    )
    rerank: bool = Field(True, description="Order and trim the passages sentence by sentence.")
    cross_encoder: bool = Field(
        True, description="Reranking lets a trained model read each question and sentence together."
    )
    multi_step: bool = Field(
        True, description="Look up the parts of a question with several parts one by one, then join them."
    )
    related_words: bool = Field(
        False, description="Search also with words that stand out in the first passages found."
    )
    follow_ups: bool = Field(
        True, description="A follow-up question is completed from the questions asked before it."
    )
    only: tuple[str, ...] = Field(
        (), description="Search only the documents of these names; * stands for anything. None named: all."
    )
    context_tokens: int = Field(160, ge=64, le=4096, description="Evidence budget of one prompt, in tokens.")
    whole_documents: bool = Field(
        False,
        description="Show the model whole documents, as many as its context holds, and search for nothing.",
    )
    ignore_orders: bool = Field(
        True, description="Sentences of documents that give orders to the model are kept from it."
    )
    constrained_decoding: bool = Field(
        True, description="An answer asked for as JSON by a known schema is held to it, token by token."
    )
    temperature: float = Field(0.0, ge=0.0, le=2.0, description="0 always gives the same answer.")
    max_tokens: int = Field(160, ge=8, le=1024, description="Longest answer, in tokens.")
    seed: int = Field(0, ge=0, description="Seed of the sampler when the temperature is above 0.")
    model: str = Field(
        DEFAULT_MODEL,
        description="'embedded', 'embedded-untuned', a name of models.toml, or a Hugging Face id or folder.",
    )

    @model_validator(mode="after")
    def _overlap_fits(self) -> Settings:
        if self.chunk_overlap >= self.chunk_size:
            raise ValueError(
                f"the overlap ({self.chunk_overlap} tokens) must be smaller than "
                f"the chunk size ({self.chunk_size} tokens)"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values given, then the environment, then the settings file."""
        file = stored_settings(default_workspace() / SETTINGS_FILE, settings_cls.model_fields)
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=file)


def default_workspace() -> Path:
    """The folder that holds everything Triptych writes: $TRIPTYCH_WORKSPACE or the user's data folder."""
    chosen = os.environ.get("TRIPTYCH_WORKSPACE")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("triptych"))


def store_address(workspace: Path) -> str:
    """Where the documents of a workspace are kept: $TRIPTYCH_STORE, `store` in its settings file, or "" for
    the workspace's own files.

    No field of `Settings`: answers tell those, and an address can hold a password.
    """
    chosen = _address(workspace, STORE)
    if chosen and not chosen.startswith(("postgresql://", "postgres://")):
        raise UserError("The store is an address such as postgresql://person@host/database, or nothing.")
    return chosen


def files_address(workspace: Path) -> str:
    """Where the files that app servers share are kept: $TRIPTYCH_FILES, `files` in the workspace's settings
    file, or "" for the workspace's own folder."""
    return _address(workspace, FILES)


def _address(workspace: Path, name: str) -> str:
    chosen = os.environ.get(f"TRIPTYCH_{name.upper()}")
    if chosen is None:
        chosen = str(stored_settings(workspace / SETTINGS_FILE, Settings.model_fields).get(name, ""))
    return chosen


def stored_settings(path: Path, known: Collection[str]) -> dict[str, JsonValue]:
    """What a settings file says; nothing where there is none.

    Raises UserError for a file that is no TOML and for a name that is no setting: ignored, it would leave the
    user believing in a setting that is not there.
    """
    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"The settings file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"The settings file {path} is not valid TOML: {error}.") from error
    for name in stored:
        if name not in known and name not in (STORE, FILES):
            near = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise UserError(f"The settings file {path} sets {name!r}, which is no setting.{meant}")
    return stored


def make_settings(**given: JsonValue) -> Settings:
    """Settings from the given values (None = not given) over environment, file and defaults.

    Raises UserError with one clear sentence when a value does not fit.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = []
        for item in error.errors():
            where = ".".join(str(part) for part in item["loc"])
            reason = item["msg"].removeprefix("Value error, ")
            problems.append(f"{where.replace('_', ' ')}: {reason}" if where else reason)
        raise UserError("; ".join(problems)[:500]) from error
