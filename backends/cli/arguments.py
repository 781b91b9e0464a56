"""The arguments that verbs of the command line share, and their checks before anything is opened.

Enters: what was typed. Leaves: option types, and checked values or a UserError with one sentence.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from backends.datatypes import (
    BACKEND_NAMES,
    BackendName,
    Chunking,
    JsonObject,
    JsonValue,
    Question,
    RetrievalMode,
    UserError,
)

if TYPE_CHECKING:
    from backends.cli.caller import Caller
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
StoreAddress = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="ADDRESS",
        help="Keep the documents in this PostgreSQL (postgresql://...) instead of the workspace's own files "
        "(TRIPTYCH_STORE).",
    ),
]
DocumentsFolder = Annotated[
    Path | None,
    typer.Option(
        "--documents", metavar="DIR", help="Use exactly the files of this folder instead of the workspace's."
    ),
]
Backends = Annotated[
    list[str] | None,
    typer.Option(
        "--backend",
        metavar="NAME",
        help=f"Who answers: {', '.join(BACKEND_NAMES)} (repeat for several; all four by default).",
    ),
]
Engine = Annotated[
    Literal["local", "ray"],
    typer.Option("--engine", help="Who works: this process, or the workers of a Ray cluster."),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="Join the Ray cluster there; without it one is started on this machine."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="COUNT", help="Workers of the Ray cluster; one a processor by default."),
]
Role = Annotated[
    str | None,
    typer.Option("--role", "--as", help="Read as this role: documents kept from it are not found."),
]


# Spelled out here and not read from Settings: --help must not pay for importing pydantic. A test compares.
HELP = {
    "top_k": "Passages handed to the model.",
    "chunk_size": "Longest passage, in tokens.",
    "chunk_overlap": "Tokens that neighbouring passages share.",
    "chunking": "Where passages end: after whole sentences, at headings (sections), where the subject "
    "changes (semantic), or after a fixed count of tokens.",
    "mode": "How passages are found: by meaning (dense), by words (bm25), or both.",
    "rerank": "Order and trim the passages sentence by sentence.",
    "cross_encoder": "Reranking lets a trained model read each question and sentence together.",
    "multi_step": "Look up the parts of a question with several parts one by one, then join them.",
    "related_words": "Search also with words that stand out in the first passages found.",
    "follow_ups": "A follow-up question is completed from the questions asked before it.",
    "only": "Search only the documents of these names; * stands for anything. None named: all.",
    "whole_documents": "Show the model whole documents, as many as its context holds, "
    "and search for nothing.",
    "ignore_orders": "Sentences of documents that give orders to the model are kept from it.",
    "constrained_decoding": "An answer asked for as JSON by a known schema is held to it, token by token.",
    "context_tokens": "Evidence budget of one prompt, in tokens.",
    "temperature": "0 always gives the same answer.",
    "max_tokens": "Longest answer, in tokens.",
    "seed": "Seed of the sampler when the temperature is above 0.",
    "model": "'embedded', 'embedded-untuned', a name of models.toml, or a Hugging Face id or folder.",
}
KINDS: dict[str, tuple[Any, str | None]] = {  # type, and what stands for the value in --help
    "top_k": (int, "K"),
    "chunk_size": (int, "TOKENS"),
    "chunk_overlap": (int, "TOKENS"),
    "chunking": (Chunking, None),
    "mode": (RetrievalMode, None),
    "rerank": (bool, None),
    "cross_encoder": (bool, None),
    "multi_step": (bool, None),
    "related_words": (bool, None),
    "follow_ups": (bool, None),
    "only": (list[str], "NAME"),
    "whole_documents": (bool, None),
    "ignore_orders": (bool, None),
    "constrained_decoding": (bool, None),
    "context_tokens": (int, "TOKENS"),
    "temperature": (float, "NUMBER"),
    "max_tokens": (int, "TOKENS"),
    "seed": (int, "NUMBER"),
    "model": (str, "NAME"),
}
Given = JsonObject  # settings as they were typed; None: not given


def takes_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a verb an option for each of these settings (all of them when none is named).

    The options stand where the verb has its keyword `given`, which holds their values.
    """
    chosen = names or tuple(HELP)

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(verb, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for own in signature.parameters.values():
            options = (own.replace(name=n, default=None, annotation=_option(n)) for n in chosen)
            parameters += options if own.name == "given" else (own,)

        def called(**typed: JsonValue) -> None:
            verb(given={name: typed.pop(name) for name in chosen}, **typed)

        called.__name__, called.__doc__ = verb.__name__, verb.__doc__
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        vars(called)["__signature__"] = signature.replace(parameters=parameters)
        return called

    return decorate


def _option(field: str) -> object:
    """A settings option: its name is the field's, its help the field's description."""
    kind, metavar = KINDS[field]
    name = field.replace("_", "-")
    spelled = f"--{name}/--no-{name}" if kind is bool else f"--{name}"
    return Annotated[kind | None, typer.Option(spelled, metavar=metavar, help=HELP[field])]


def use_workspace(given: Path | None, store: str | None = None) -> Path:
    """The workspace folder of this call, for an owner. Raises UserError where somebody else calls."""
    from backends.cli import caller

    folder = choose_workspace(given, store)
    caller.owner(folder)
    return folder


def read_workspace(
    given: Path | None, role: str | None = None, store: str | None = None
) -> tuple[Path, Caller]:
    """The workspace folder of this call, and who reads it: an owner, also as `role`, or a token's holder."""
    from backends.cli import caller

    folder = choose_workspace(given, store)
    return folder, caller.reader(folder, role)


def choose_workspace(given: Path | None, store: str | None = None) -> Path:
    """The workspace folder of this call, and where its documents are kept. Settings look for their file
    there, and what is started reads both, so the choice is made known."""
    from backends.settings import default_workspace

    # Absolute, because `demo` serves from another folder.
    folder = (given or default_workspace()).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"The workspace {folder} is a file; a folder is needed.")
    os.environ["TRIPTYCH_WORKSPACE"] = str(folder)
    use_store(store)
    return folder


def use_store(given: str | None) -> None:
    """Let this call, and what it starts, keep the documents at this address."""
    if given is not None:
        os.environ["TRIPTYCH_STORE"] = given


def settings_of(**given: JsonValue) -> Settings:
    """Settings with these values given on the command line."""
    from backends.settings import make_settings

    return make_settings(**given)


def questions_of(question: str | None, file: Path | None, *, option: str) -> list[Question]:
    """The one question of the command line, or those of a file."""
    from backends.answering.asked_question import check_question
    from backends.evaluation.questions import load_questions

    if question is not None and file is not None:
        raise UserError(f"Give a question or {option}, not both.")
    if file is not None:
        return load_questions(file)
    if question is None:
        raise UserError(f"Give a question, or a file of questions with {option}.")
    return [Question(id="q1", question=check_question(question))]


def backends_of(names: Sequence[str] | None) -> list[BackendName]:
    """The named backends, each once, in the order given; without any, all of them."""
    chosen = names or BACKEND_NAMES
    for name in chosen:
        if name not in BACKEND_NAMES:
            raise UserError(f"There is no backend {name!r}: choose from {', '.join(BACKEND_NAMES)}.")
    return [cast(BackendName, name) for name in dict.fromkeys(chosen)]


def check_date(text: str, option: str) -> str:
    """An ISO day, month or year (2026-03-31, 2026-03, 2026), or nothing."""
    try:
        if text:
            date.fromisoformat(text + {4: "-01-01", 7: "-01"}.get(len(text), ""))
    except ValueError:
        raise UserError(f"{option} takes a date such as 2026-03-31, 2026-03 or 2026, not {text!r}.") from None
    return text


def check_engine(engine: str, address: str | None, workers: int | None) -> None:
    """Options of a cluster are refused where none is asked for."""
    if engine == "local" and (address is not None or workers is not None):
        raise UserError("--address and --workers are for --engine ray.")


def check_place(path: Path | None, what: str = "") -> None:
    """The folder that a file is to be written into must be there before the work begins."""
    if path is not None and not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.absolute().parent} to write {what or path.name} into.")


def check_folder(folder: Path | None) -> None:
    """Raise UserError where a folder is named that is none or holds no file."""
    if folder is None:
        return
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder." if folder.exists() else f"There is no folder {folder}.")
    if not any(item.is_file() for item in folder.rglob("*")):
        raise UserError(f"The folder {folder} holds no files.")
