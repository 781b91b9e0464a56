"""The arguments that verbs of the command line share, and their checks before anything is opened.

Enters: what was typed. Leaves: option types, and checked values or a UserError with one sentence.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from backends.datatypes import BACKEND_NAMES, BackendName, Chunking, Question, RetrievalMode, UserError

if TYPE_CHECKING:
    from backends.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout, nothing else.")]
WorkspaceFolder = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        metavar="DIR",
        help="Folder that holds everything Triptych writes (TRIPTYCH_WORKSPACE).",
    ),
]
DocumentsFolder = Annotated[
    Path | None,
    typer.Option(
        "--documents", metavar="DIR", help="Use exactly the files of this folder instead of the workspace's."
    ),
]
Role = Annotated[str | None, typer.Option(help="Read as this role: documents kept from it are not found.")]


def _option(field: str, metavar: str) -> Any:
    """A settings option: its name is the field's, its help the field's description."""
    return typer.Option(f"--{field.replace('_', '-')}", metavar=metavar, help=HELP[field])


# Spelled out here and not read from Settings: --help must not pay for importing pydantic. A test compares.
HELP = {
    "chunk_size": "Longest passage, in tokens.",
    "chunk_overlap": "Tokens that neighbouring passages share.",
    "chunking": "Where passages end: after whole sentences, at headings (sections), where the subject "
    "changes (semantic), or after a fixed count of tokens.",
    "context_tokens": "Evidence budget of one prompt, in tokens.",
    "temperature": "0 always gives the same answer.",
    "max_tokens": "Longest answer, in tokens.",
    "seed": "Seed of the sampler when the temperature is above 0.",
    "model": "'embedded', or a Hugging Face model id or folder.",
    "mode": "How passages are found: by meaning (dense), by words (bm25), or both.",
    "rerank": "Order and trim the passages sentence by sentence.",
    "cross_encoder": "Reranking lets a trained model read each question and sentence together.",
    "multi_step": "Look up the parts of a question with several parts one by one, then join them.",
    "quote_only": "Answers from documents use only words of their passages and a few joining words.",
}
ChunkSize = Annotated[int | None, _option("chunk_size", "TOKENS")]
ChunkOverlap = Annotated[int | None, _option("chunk_overlap", "TOKENS")]
ChunkingWay = Annotated[Chunking | None, typer.Option("--chunking", help=HELP["chunking"])]
ContextTokens = Annotated[int | None, _option("context_tokens", "TOKENS")]
Temperature = Annotated[float | None, _option("temperature", "NUMBER")]
MaxTokens = Annotated[int | None, _option("max_tokens", "TOKENS")]
Seed = Annotated[int | None, _option("seed", "NUMBER")]
Model = Annotated[str | None, _option("model", "NAME")]
Mode = Annotated[RetrievalMode | None, typer.Option("--mode", help=HELP["mode"])]
Rerank = Annotated[bool | None, typer.Option("--rerank/--no-rerank", help=HELP["rerank"])]
CrossEncoder = Annotated[
    bool | None, typer.Option("--cross-encoder/--no-cross-encoder", help=HELP["cross_encoder"])
]
MultiStep = Annotated[bool | None, typer.Option("--multi-step/--no-multi-step", help=HELP["multi_step"])]
QuoteOnly = Annotated[bool | None, typer.Option("--quote-only/--no-quote-only", help=HELP["quote_only"])]


def use_workspace(given: Path | None) -> Path:
    """The workspace folder of this call. Settings look for their file there, so the choice is made known."""
    from backends.settings import default_workspace

    # Absolute, because `demo` serves from another folder.
    folder = (given or default_workspace()).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"The workspace {folder} is a file; a folder is needed.")
    os.environ["TRIPTYCH_WORKSPACE"] = str(folder)
    return folder


def settings_of(**given: Any) -> Settings:
    from backends.settings import make_settings

    return make_settings(**given)


def questions_of(question: str | None, file: Path | None, *, option: str) -> list[Question]:
    """The one question of the command line, or those of a file."""
    from backends.questions import check_question, load_questions

    if question is not None and file is not None:
        raise UserError(f"Give a question or {option}, not both.")
    if file is not None:
        return load_questions(file)
    if question is None:
        raise UserError(f"Give a question, or a file of questions with {option}.")
    return [Question(id="q1", question=check_question(question))]


def backends_of(names: Sequence[str]) -> list[BackendName]:
    """The named backends, each once, in the order given."""
    for name in names:
        if name not in BACKEND_NAMES:
            raise UserError(f"There is no backend {name!r}: choose from {', '.join(BACKEND_NAMES)}.")
    return [cast(BackendName, name) for name in dict.fromkeys(names)]


def check_date(text: str, option: str) -> str:
    """An ISO day, month or year (2026-03-31, 2026-03, 2026), or nothing."""
    try:
        if text:
            date.fromisoformat(text + {4: "-01-01", 7: "-01"}.get(len(text), ""))
    except ValueError:
        raise UserError(f"{option} takes a date such as 2026-03-31, 2026-03 or 2026, not {text!r}.") from None
    return text


def check_folder(folder: Path | None) -> None:
    if folder is None:
        return
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder." if folder.exists() else f"There is no folder {folder}.")
    if not any(item.is_file() for item in folder.rglob("*")):
        raise UserError(f"The folder {folder} holds no files.")
