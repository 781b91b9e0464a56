"""Judges for the tests: one that gives a set value, and a model behind OpenAI's protocol with plain rules."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from backends.answering.overlap import sentences
from backends.datatypes import UserError
from backends.evaluation.judging import Sample, UnreadableVerdict


class ScriptedJudge:
    """Gives every measure the same value; breaks at a question on request."""

    name = "judge-7b"
    library = "RAGAS 0"

    def __init__(self, value: float = 0.25, *, unreadable: str = "", gone: str = "") -> None:
        self.value, self.unreadable, self.gone = value, unreadable, gone
        self.asked: list[tuple[Sample, tuple[str, ...]]] = []

    def score(self, sample: Sample, measures: Sequence[str]) -> dict[str, float]:
        if sample.question == self.gone:
            raise UserError("The judge model judge-7b does not answer.")
        if sample.question == self.unreadable:
            raise UnreadableVerdict("no JSON")
        self.asked.append((sample, tuple(measures)))
        return dict.fromkeys(measures, self.value)


def verdict(wanted: str, given: dict[str, Any]) -> dict[str, Any]:
    """What RAGAS asks for under this title."""
    if wanted == "StatementGeneratorOutput":
        return {"statements": sentences(given["answer"])}
    if wanted == "NLIStatementOutput":
        held = [
            {"statement": s, "reason": "r", "verdict": int(s in given["context"])}
            for s in given["statements"]
        ]
        return {"statements": held}
    if wanted == "ContextPrecisionOutput":
        return {"reason": "r", "verdict": int(given["answer"] in given["context"])}
    if wanted == "ContextRecallOutput":
        held = [
            {"statement": s, "reason": "r", "attributed": int(s in given["context"])}
            for s in sentences(given["answer"])
        ]
        return {"classifications": held}
    assert wanted == "AnswerRelevanceOutput", wanted
    return {"question": given["response"], "noncommittal": 0}


def said(prompt: str) -> str:
    """The answer to a prompt of RAGAS, which holds a schema with a title, and what is to be judged."""
    decoder = json.JSONDecoder()
    schema, _ = decoder.raw_decode(prompt[prompt.index('{"') :])
    given, _ = decoder.raw_decode(prompt[prompt.rindex("input: ") + len("input: ") :])
    return json.dumps(verdict(schema["title"], given))


@contextmanager
def judge_server(*, readable: bool = True) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Its address, and the requests that came."""
    requests: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append({**body, "key": self.headers["Authorization"]})
            text = said(body["messages"][-1]["content"]) if readable else "I would rather not say."
            self._send({"choices": [{"message": {"role": "assistant", "content": text}, "index": 0}]})

        def _send(self, content: dict[str, Any]) -> None:
            whole = {"id": "c", "object": "chat.completion", "created": 0, "model": "judge", **content}
            whole["choices"][0]["finish_reason"] = "stop"
            data = json.dumps(whole).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
