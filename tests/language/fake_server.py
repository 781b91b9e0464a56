"""A server that speaks OpenAI's protocol as scripted: what it is asked is kept, what it says is ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Handler"], None]


@dataclass
class FakeServer:
    """`replies` are given in turn, the last one again and again; `asked` holds the requests."""

    address: str
    replies: list[Reply] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)  # the body, with "headers" and "path"
    released: threading.Event = field(default_factory=threading.Event)  # lets silent replies end

    def says(self, *replies: Reply) -> None:
        self.replies[:] = replies
        self.asked.clear()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.fake.asked.append({**body, "headers": headers, "path": self.path})
        replies = self.fake.replies
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        try:
            reply(self)
        except (BrokenPipeError, ConnectionResetError):  # the client has heard enough
            self.close_connection = True

    def begin(self, status: int, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)

    def stream(self) -> None:
        """A body of unknown length: it ends with the connection."""
        self.begin(200, "text/event-stream; charset=utf-8", {"connection": "close"})
        self.end_headers()
        self.close_connection = True

    def event(self, record: dict[str, Any] | str) -> None:
        text = record if isinstance(record, str) else json.dumps(record)
        self.wfile.write(f"data: {text}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


def chunk(
    piece: str | None = None, finish: str | None = None, usage: Any = None, logprobs: Sequence[float] = ()
) -> dict[str, Any]:
    delta = {"content": piece} if piece is not None else {}
    choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
    if logprobs:
        choice["logprobs"] = {"content": [{"token": "t", "bytes": None, "logprob": p} for p in logprobs]}
    made: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return made | {"choices": [] if usage else [choice], "usage": usage}


USAGE = {"prompt_tokens": 21, "completion_tokens": 4, "total_tokens": 25}


def pieces(*texts: str, finish: str = "stop", usage: dict[str, int] | None = USAGE) -> Reply:
    """A whole streamed answer."""

    def reply(handler: Handler) -> None:
        handler.stream()
        for text in texts:
            handler.event(chunk(text))
        handler.event(chunk(finish=finish))
        if usage is not None:
            handler.event(chunk(usage=usage))
        handler.event("[DONE]")

    return reply


def dies_after(*texts: str, raw: bytes = b"") -> Reply:
    """Pieces, then perhaps bytes of our choosing, then the connection is gone."""

    def reply(handler: Handler) -> None:
        handler.stream()
        for text in texts:
            handler.event(chunk(text))
        handler.wfile.write(raw)

    return reply


def endless(handler: Handler) -> None:
    handler.stream()
    while True:
        handler.event(chunk("and "))


def floods(kind: str, begin: bytes, then: bytes) -> Reply:
    """Bytes without an end that are no piece of an answer."""

    def reply(handler: Handler) -> None:
        handler.begin(200, kind, {"connection": "close"})
        handler.end_headers()
        handler.close_connection = True
        handler.wfile.write(begin)
        while True:
            handler.wfile.write(then)

    return reply


def silent_after(*texts: str) -> Reply:
    def reply(handler: Handler) -> None:
        handler.stream()
        for text in texts:
            handler.event(chunk(text))
        handler.fake.released.wait(20)

    return reply


def whole(text: str) -> Reply:
    """One completion, whatever was asked for."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    made = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return body(200, {**made, "usage": USAGE})


def body(status: int, content: Any, headers: dict[str, str] | None = None) -> Reply:
    def reply(handler: Handler) -> None:
        page = isinstance(content, str)
        data = content.encode() if page else json.dumps(content).encode()
        handler.begin(status, "text/html" if page else "application/json", headers)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return reply


def refuses(status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> Reply:
    return body(status, {"error": {"message": message, "code": code, "type": "x"}}, headers)


@contextmanager
def serving(replies: Sequence[Reply] = ()) -> Iterator[FakeServer]:
    handler = type("Scripted", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    fake = FakeServer(f"http://127.0.0.1:{server.server_port}/v1", list(replies))
    handler.fake = fake  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.released.set()
        server.shutdown()
        server.server_close()
