"""Asks a model behind an OpenAI-compatible address: the only module of the backends that opens a connection.

Enters: messages and a `ServedModel`. Leaves: the same events as `generation.LanguageModel`, with stages of
their own for what is not generation: `queue`, from sending until the server begins to answer (network, the
server's queue), and `retry`, everything between a first try that failed and the one that worked. Token
counts are the server's; where it sends none they are estimated and the answer says so. A key is in no
message, no record and no log: it is read from the environment for each request and goes into its header.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx2
import openai
from openai import Omit, OpenAI, Stream
from tokenizers import Tokenizer

from backends.datatypes import Finished, JsonObject, Stage, Token, Usage, UserError
from backends.language.models_file import ServedModel, without_key
from backends.language.protocol import Messages
from backends.system.json_texts import follows_schema

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    Chunks = Stream[ChatCompletionChunk] | list[ChatCompletion]  # pieces, or the answer in one

CONNECT_SECONDS = 10.0
FIRST_PAUSE = 0.5  # seconds before the second try; doubled for each further one
LONGEST_PAUSE = 30.0  # a server that asks for more is given up
SLACK = 64  # pieces that may come beyond the limit asked for, before an answer counts as endless
CHARACTERS_PER_TOKEN = 4  # English text under the usual vocabularies; only where the server counts nothing
# Fields without which some servers must be asked.
OPTIONAL = ("stream_options", "seed", "max_tokens", "logprobs")
# What opens and closes turns in the templates of today's models: <|im_start|>, <end_of_turn>, [INST], </s>.
MARKER = re.compile(r"<\|[\w.-]{1,40}\|>|<\|?(?:start|end)_of_turn\|?>|</?s>|\[/?INST\]")

ESTIMATED = "Token counts are estimated: the server sent none."
NO_PROBABILITIES = "The server told no probabilities: how sure the model was is not known."
UNHELD = "The answer does not keep the JSON schema that was asked for: the server did not hold it to it."
NOT_STREAMED = "The server sent the answer in one piece: the time to the first word is that of the whole."


def estimate_tokens(text: str) -> int:
    """Tokens of a text whose tokenizer is not here: a quarter of its characters, at least its words."""
    return max(math.ceil(len(text) / CHARACTERS_PER_TOKEN), len(text.split()))


def without_markers(text: str) -> str:
    """A text in which nothing reads as a marker of a chat: the server's tokenizer would take it for one.

    A question or a document must not be able to open a turn of its own.
    """
    return MARKER.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


@dataclass
class _Reply:
    """What has come of one answer so far."""

    text: list[str] = field(default_factory=list)
    usage: Usage | None = None
    logprobs: list[float] = field(default_factory=list)  # of each token, natural
    finish: str | None = None
    warnings: list[str] = field(default_factory=list)
    stopped: bool = False

    def take(self, chunk: ChatCompletionChunk | ChatCompletion) -> str:
        """The text of a chunk, or of a whole completion."""
        if chunk.usage is not None:
            self.usage = Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self.finish = choice.finish_reason or self.finish
        told = choice.logprobs.content if choice.logprobs else None
        self.logprobs += [each.logprob for each in told or ()]
        piece = (choice.delta if hasattr(choice, "delta") else choice.message).content or ""
        if piece:
            self.text.append(piece)
        return piece

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities; None where none were told."""
        return math.exp(math.fsum(self.logprobs) / len(self.logprobs)) if self.logprobs else None


class EndpointModel:
    """One model behind an address. Every method may be called from any thread."""

    def __init__(self, served: ServedModel) -> None:
        self.served = served
        self.name = served.model
        self.fingerprint = served.fingerprint
        self.context = served.context
        self._client = OpenAI(
            base_url=served.address,
            api_key="none",  # each request brings its own
            timeout=httpx2.Timeout(served.timeout, connect=min(CONNECT_SECONDS, served.timeout)),
            max_retries=0,  # tries are made and measured here
            # Taken from the environment otherwise, and none of this server's business.
            default_headers=cast(Any, {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}),
        )
        _ = self._client.chat.completions.with_raw_response  # imports what the first answer would wait for
        self._refused: set[str] = set()  # optional fields that this server does not take

    def count_tokens(self, text: str) -> int:
        if self._tokenizer is None:
            return estimate_tokens(text)
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    @cached_property
    def _tokenizer(self) -> Tokenizer | None:
        """The tokenizer that models.toml names; without one tokens are estimated, and so is what fits."""
        if not self.served.tokenizer:
            return None
        from backends.language.loading import locate_model  # heavy, and needed by few

        file = Path(locate_model(self.served.tokenizer)) / "tokenizer.json"
        if not file.is_file():
            raise UserError(f"models.toml, [{self.served.name}]: the tokenizer {file} is not there.")
        return Tokenizer.from_file(str(file))

    def render(self, messages: Messages) -> str:
        """The messages as text; the server's own template is not seen here."""
        return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)

    def room_for_prompt(self, max_tokens: int) -> int:
        return self.context - max_tokens

    def prepare(self, adapter: Path | None) -> object:
        """Nothing: the server holds its adapters."""
        return None

    def prepare_schema(self, schema: JsonObject) -> None:
        """Nothing: the server holds its answers to the schema, or says that it cannot."""

    def generate(
        self,
        messages: Messages,
        *,
        adapter: Path | None = None,
        temperature: float = 0.0,
        max_tokens: int = 96,
        seed: int = 0,
        stop: threading.Event | None = None,
        schema: JsonObject | None = None,
    ) -> Iterator[Stage | Token | Finished]:
        """As `Model.generate`; `adapter` is the one named here, the served model being the tuned one."""
        reply = _Reply()
        request = {
            "model": self.served.model,
            "messages": [{**message, "content": without_markers(message["content"])} for message in messages],
            "temperature": temperature,
            "seed": seed,
            self.served.limit_field: max_tokens,
        }
        if schema is not None and self.served.json_schema:
            form = {"name": "answer", "schema": dict(schema), "strict": True}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        if self.served.logprobs and schema is None:  # held to a schema, a model's own likelihoods say little
            request["logprobs"] = True
        answer = yield from self._ask(request, stop)
        yield Stage("generate", elsewhere=True)
        if answer is not None:
            yield from self._read(answer, reply, max_tokens, stop)
        prompt, text = self.render(messages), "".join(reply.text)
        if reply.usage is None:
            reply.warnings.append(ESTIMATED)
        if schema is not None and reply.finish != "length" and not follows_schema(text, schema):
            reply.warnings.append(UNHELD)
        if "logprobs" in request and reply.text and reply.confidence is None:
            reply.warnings.append(NO_PROBABILITIES)
        yield Finished(
            usage=reply.usage or Usage(estimate_tokens(prompt), estimate_tokens(text)),
            prompt=prompt,
            model=self.name,
            adapter=self.served.tuned_name if adapter is not None else None,
            truncated=reply.finish == "length",
            confidence=reply.confidence,
            warnings=tuple(reply.warnings),
        )

    # --- asking ------------------------------------------------------------------------------------

    def _ask(
        self, request: JsonObject, stop: threading.Event | None
    ) -> Generator[Stage, None, Chunks | None]:
        """Send the request until the server begins to answer.

        The generator's return value is the answer's chunks, None when stopped. Raises UserError when no try
        worked.
        """
        yield Stage("queue", elsewhere=True)
        for tried in range(self.served.retries + 1):
            try:
                return self._send(request)
            except openai.OpenAIError as error:
                pause = _pause(error, tried)
                if pause is None or tried == self.served.retries:
                    raise UserError(self._told(error, tried)) from None
            yield Stage("retry", elsewhere=True)
            if (stop or threading.Event()).wait(pause):
                return None
        raise AssertionError("the last try returns or raises")

    def _send(self, request: JsonObject) -> Chunks:
        """The answer's chunks. An optional field that the server refuses by name is left out from then on."""
        while True:
            try:
                return self._send_once(request)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                words = str(error)
                named = [field for field in OPTIONAL if field in words and field not in self._refused]
                if not named or _too_long(error) or "support" not in words.lower():
                    raise
                self._refused.add(named[0])

    def _send_once(self, request: JsonObject) -> Chunks:
        fields = {name: value for name, value in request.items() if name not in self._refused}
        if "max_tokens" in self._refused and "max_tokens" in request:
            fields["max_completion_tokens"] = request["max_tokens"]
        if "logprobs" in fields:
            fields["top_logprobs"] = 1  # llama.cpp sends twenty otherwise
        body = dict(self.served.extra)
        if self.served.lora:
            body["lora"] = [each.model_dump() for each in self.served.lora]
        client = self._client.with_options(api_key=self.served.secret() or "none")
        if not self.served.stream:
            return [client.chat.completions.create(**fields, extra_body=body)]
        if "stream_options" not in self._refused:
            fields["stream_options"] = {"include_usage": True}
        raw = client.chat.completions.with_raw_response.create(**fields, stream=True, extra_body=body)
        kind = raw.headers.get("content-type", "")
        if "json" in kind:
            return [_completion(raw.http_response.read())]
        if "html" in kind:
            raise UserError(
                f"{self.served.address} sends a web page and no answer: is the address right? "
                "It usually ends in /v1."
            )
        chunks: Chunks = raw.parse()
        return chunks

    # --- reading -----------------------------------------------------------------------------------

    def _read(
        self, chunks: Chunks, reply: _Reply, max_tokens: int, stop: threading.Event | None
    ) -> Iterator[Token]:
        """The pieces as they come; what ends an answer too early is told in the reply's warnings."""
        end = time.monotonic() + self.served.longest
        if isinstance(chunks, list):
            reply.warnings.append(NOT_STREAMED)
        try:
            for chunk in chunks:
                if piece := reply.take(chunk):
                    yield Token(piece)
                if stop is not None and stop.is_set():
                    reply.stopped = True
                    return
                if len(reply.text) > max_tokens + SLACK or time.monotonic() > end:
                    reply.warnings.append(
                        f"{self._who} does not end its answer: it was cut off, and is incomplete."
                    )
                    return
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            self._broke_off(reply, _what_broke(error))
        else:
            if reply.finish is None:
                self._broke_off(reply, "it ended without saying that it was complete")
        finally:
            if not isinstance(chunks, list):
                chunks.close()

    def _broke_off(self, reply: _Reply, why: str) -> None:
        if not any(piece.strip() for piece in reply.text):
            raise UserError(f"{self._who} gave no answer: {why}.") from None
        reply.warnings.append(f"{self._who} broke off: {why}. The answer is incomplete.")

    # --- words -------------------------------------------------------------------------------------

    @property
    def _who(self) -> str:
        return f"The model {self.served.name} at {self.served.place}"

    def _told(self, error: openai.OpenAIError, tried: int) -> str:
        """What went wrong and what to do, without a word of the server that may hold a key."""
        again = f", {tried + 1} times" if tried else ""
        key = f"the key of the environment variable {self.served.key}" if self.served.key else "being asked"
        if isinstance(error, openai.APITimeoutError):
            return f"{self._who} did not answer within {self.served.timeout:g} seconds{again}."
        if isinstance(error, openai.APIConnectionError):
            return f"{self._who} cannot be reached{again}: {_root(error)}."
        if isinstance(error, openai.AuthenticationError):
            more = "" if self.served.key else " without a key: name its environment variable in models.toml"
            return f"{self._who} refuses {key}{more}."
        if isinstance(error, openai.PermissionDeniedError):
            return f"{self._who} does not allow {key} to use {self.served.model}."
        if isinstance(error, openai.NotFoundError):
            return (
                f"{self._who} knows no model {self.served.model}, or the address {self.served.address} is "
                "not that of an OpenAI-compatible server: it usually ends in /v1."
            )
        if _too_long(error):
            return (
                f"{self._who} has too small a context for this prompt and answer: ask something shorter, "
                f"lower the evidence budget, or correct its `context` of {self.context:,} in models.toml."
            )
        if isinstance(error, openai.RateLimitError):
            return f"{self._who} is over its limit of requests or credit{again}: {self._words(error)}"
        if isinstance(error, openai.BadRequestError) and "response_format" in str(error):
            return (
                f"{self._who} does not hold answers to a JSON schema: set `json_schema = false` for it in "
                "models.toml, and it writes freely."
            )
        if isinstance(error, openai.BadRequestError) and "stream" in str(error):
            return f"{self._who} does not stream: set `stream = false` for it in models.toml."
        if isinstance(error, openai.APIStatusError):
            return f"{self._who} failed{again} with status {error.status_code}: {self._words(error)}"
        return f"{self._who} sent something that cannot be read: {self._words(error)}"

    def _words(self, error: openai.OpenAIError) -> str:
        """The server's own words, short, and never with the key in them."""
        body = getattr(error, "body", None)
        words = body.get("message") if isinstance(body, dict) else None
        text = " ".join(str(words or error).split())
        text = without_key(text, self.served.secret())
        return f"{text[:200]}" if text.endswith(".") else f"{text[:200]}."


def _completion(body: bytes) -> ChatCompletion:
    """A whole completion that came although pieces were asked for."""
    from openai.types.chat import ChatCompletion

    try:
        return ChatCompletion.model_validate(json.loads(body))
    except ValueError as error:  # also pydantic's and what is no UTF-8
        raise openai.OpenAIError("the answer is no completion") from error


def _pause(error: openai.OpenAIError, tried: int) -> float | None:
    """Seconds to wait before another try; None where another would fail alike."""
    if isinstance(error, openai.APIConnectionError):  # time-outs among them
        return min(FIRST_PAUSE * 2**tried, LONGEST_PAUSE)
    if not isinstance(error, openai.APIStatusError):
        return None
    if getattr(error, "code", None) == "insufficient_quota":
        return None
    if error.status_code not in (408, 409, 425, 429) and error.status_code < 500:
        return None
    asked = error.response.headers.get("retry-after", "")
    pause = float(asked) if asked.replace(".", "", 1).isdigit() else FIRST_PAUSE * 2**tried
    return pause if pause <= LONGEST_PAUSE else None


def _too_long(error: openai.OpenAIError) -> bool:
    words = f"{getattr(error, 'code', '')} {error}".lower()
    return isinstance(error, openai.APIStatusError) and any(
        sign in words for sign in ("context_length", "context length", "context size", "maximum context")
    )


def _what_broke(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it sent bytes that are no UTF-8 text"
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        return "it fell silent in the middle"
    if isinstance(error, ValueError):
        return "it sent something that is no JSON"
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        return "the connection was lost"
    return "it reported an error in the middle"


def _root(error: BaseException) -> str:
    """The innermost cause in its own words, such as `Connection refused`."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    words = getattr(error, "strerror", None) or str(error)
    return str(words).rstrip(".") or type(error).__name__
