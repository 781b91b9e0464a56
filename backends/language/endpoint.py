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
from pydantic import BaseModel
from tokenizers import Tokenizer

from backends.datatypes import Finished, JsonObject, Stage, Token, Usage, UserError
from backends.language.models_file import ServedModel, without_key
from backends.language.protocol import Messages
from backends.system.json_texts import follows_schema, json_value

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    Chunks = Stream[ChatCompletionChunk] | list[ChatCompletion]  # pieces, or the answer in one

CONNECT_SECONDS = 10.0
FIRST_PAUSE = 0.5  # seconds before the second try; doubled for each further one
LONGEST_PAUSE = 30.0  # a server that asks for more is given up
SLACK = 64  # pieces that may come beyond the limit asked for, before an answer counts as endless
MOST_BYTES = 16 << 20  # of one response: a thousand pieces with their probabilities are not one of these
CHARACTERS_PER_TOKEN = 4  # English text under the usual vocabularies; only where the server counts nothing
# Fields without which some servers must be asked.
OPTIONAL = ("stream_options", "seed", "max_tokens", "logprobs")
TOO_LONG = ("context_length", "context length", "context size", "maximum context", "prompt is too long")
# What opens and closes turns in the templates of today's models: <|im_start|>, <end_of_turn>, [INST], </s>.
MARKER = re.compile(r"<\|[\w.-]{1,40}\|>|<\|?(?:start|end)_of_turn\|?>|</?s>|\[/?INST\]")

ESTIMATED = "Token counts are estimated: the server sent none."
NO_PROBABILITIES = "The server told no probabilities: how sure the model was is not known."
ENDLESS = "what it sends does not come to an end"
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


class _EndlessAnswer(openai.OpenAIError):
    """More came, or it came for longer, than belongs to any answer."""


class _Bounded(httpx2.SyncByteStream):
    """The bytes of a response until they are too many or come for too long.

    Signs of life and lines that never end are no pieces of an answer: they would be read for ever.
    """

    def __init__(self, stream: httpx2.SyncByteStream, seconds: float) -> None:
        self._stream = stream
        self._seconds = seconds

    def __iter__(self) -> Iterator[bytes]:
        end, came = time.monotonic() + self._seconds, 0
        for piece in self._stream:
            came += len(piece)
            if came > MOST_BYTES or time.monotonic() > end:
                raise _EndlessAnswer
            yield piece

    def close(self) -> None:
        self._stream.close()


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
        """The text of a chunk, or of a whole completion. ValueError for what is neither.

        The client checks nothing of what a server sends: any field may be missing, or hold anything.
        """
        if not isinstance(chunk, BaseModel):
            raise ValueError("no object")
        counts = _at(chunk, "usage", "prompt_tokens"), _at(chunk, "usage", "completion_tokens")
        if all(isinstance(count, int) for count in counts):
            self.usage = Usage(*counts)
        choices = _at(chunk, "choices")
        if not isinstance(choices, list | tuple | None):
            raise ValueError("no list of choices")
        if not choices:
            return ""
        self.finish = _at(choices[0], "finish_reason") or self.finish
        told = [_at(each, "logprob") for each in _at(choices[0], "logprobs", "content") or ()]
        self.logprobs += [min(value, 0.0) for value in told if isinstance(value, int | float)]
        message = "delta" if hasattr(choices[0], "delta") else "message"
        piece = _text_of(_at(choices[0], message, "content"))
        if piece:
            self.text.append(piece)
        return piece

    @property
    def has_words(self) -> bool:
        """Whether there is anything to keep."""
        return any(piece.strip() for piece in self.text)

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the tokens' probabilities; None where none were told."""
        return math.exp(math.fsum(self.logprobs) / len(self.logprobs)) if self.logprobs else None


def _at(value: object, *names: str) -> Any:
    """The field of a field of it; None where one of them is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    return value


def _text_of(content: object) -> str:
    """The text of a message. Some servers send a list of typed parts, thoughts among them."""
    if isinstance(content, list):
        return "".join(_text_of(_at(part, "text")) for part in content if _at(part, "type") == "text")
    if content is None or isinstance(content, str):
        return content or ""
    raise ValueError("no text")


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
            http_client=openai.DefaultHttpxClient(event_hooks={"response": [self._bound]}),
            # Taken from the environment otherwise, and none of this server's business.
            default_headers=cast(Any, {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}),
        )
        _ = self._client.chat.completions.with_raw_response  # imports what the first answer would wait for
        self._refused: set[str] = set()  # optional fields that this server does not take

    def _bound(self, response: httpx2.Response) -> None:
        """Let no response be read beyond what an answer may take."""
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Bounded(response.stream, self.served.longest)

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
            # llama.cpp would go on from what it kept of these words when another adapter had read them.
            body |= {"lora": [each.model_dump() for each in self.served.lora], "cache_prompt": False}
        client = self._client.with_options(api_key=self.served.secret() or "none")
        if self.served.stream and "stream_options" not in self._refused:
            fields["stream_options"] = {"include_usage": True}
        raw = client.chat.completions.with_raw_response.create(
            **fields, stream=self.served.stream, extra_body=body
        )
        kind = raw.headers.get("content-type", "")
        if "html" in kind:
            raise UserError(
                f"{self.served.address} sends a web page and no answer: is the address right? "
                "It usually ends in /v1."
            )
        if "json" in kind or not self.served.stream:
            return [_completion(raw.http_response.read())]
        chunks: Any = raw.parse()  # typed by a flag that is not known before
        return cast("Chunks", chunks)

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
                    raise _EndlessAnswer
        except _EndlessAnswer:
            if not reply.has_words:
                raise UserError(f"{self._who} gave no answer: {ENDLESS}.") from None
            reply.warnings.append(f"{self._who} does not end its answer: it was cut off, and is incomplete.")
        except (openai.OpenAIError, httpx2.HTTPError, ValueError, RecursionError) as error:
            self._broke_off(reply, _what_broke(error))
        else:
            if reply.finish is None:
                self._broke_off(reply, "it ended without saying that it was complete")
        finally:
            if not isinstance(chunks, list):
                chunks.close()

    def _broke_off(self, reply: _Reply, why: str) -> None:
        if not reply.has_words:
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
        if _is_endless(error):
            return f"{self._who} gave no answer: {ENDLESS}."
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
    """An answer that came whole. OpenAIError for what is none."""
    from openai.types.chat import ChatCompletion

    try:
        value = json_value(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise openai.OpenAIError("bytes that are no UTF-8 text") from error
    except ValueError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("choices"), list):
        raise openai.OpenAIError("the answer is no completion")
    return ChatCompletion.construct(**value)


def _pause(error: openai.OpenAIError, tried: int) -> float | None:
    """Seconds to wait before another try; None where another would fail alike."""
    if _is_endless(error):
        return None
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


def _is_endless(error: openai.OpenAIError) -> bool:
    """The client wraps what happens while it reads a whole answer."""
    return isinstance(error, _EndlessAnswer) or isinstance(error.__cause__, _EndlessAnswer)


def _too_long(error: openai.OpenAIError) -> bool:
    words = f"{getattr(error, 'code', '')} {error}".lower()
    return isinstance(error, openai.APIStatusError) and (
        error.status_code == 413 or any(sign in words for sign in TOO_LONG)
    )


def _what_broke(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it sent bytes that are no UTF-8 text"
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        return "it fell silent in the middle"
    if isinstance(error, json.JSONDecodeError | RecursionError):
        return "it sent something that is no JSON"
    if isinstance(error, ValueError):
        return "it sent something that is no piece of an answer"
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        return "the connection was lost"
    return "it reported an error in the middle"


def _root(error: BaseException) -> str:
    """The innermost cause in its own words, such as `Connection refused`."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    words = getattr(error, "strerror", None) or str(error)
    return str(words).rstrip(".") or type(error).__name__
