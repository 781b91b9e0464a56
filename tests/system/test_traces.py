"""Spans of an answer as a collector gets them: measured times, names of the conventions, no text unasked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backends.datatypes import Answer, Cost, Usage, UserError
from backends.system import traces

pytest.importorskip("opentelemetry.exporter", reason="the extra `traces` is not installed")

ANSWER = Answer(
    id="q7",
    question="What is the secret of the vault?",
    backend="hybrid",
    text="It is 4711. [1]",
    citations=(),
    sources=(),
    latency_ms={"retrieve": 20.0, "rerank": 30.0, "queue": 5.0, "generate": 45.0, "first_token": 70.0,
                "total": 100.0},
    usage=Usage(120, 9),
    cost=Cost(0.0003, "EUR", "an input"),
    model="org/large",
    adapter="org/reads",
    abstained=False,
    groundedness=None,
    settings={"temperature": 0.0, "max_tokens": 96},
)  # fmt: skip


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    got: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv(traces.WHERE, f"http://127.0.0.1:{server.server_port}")
    yield got
    traces.flush()
    server.shutdown()
    server.server_close()


def spans_of(got: list[bytes]) -> dict[str, Any]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    traces.flush()
    messages = [ExportTraceServiceRequest.FromString(body) for body in got]
    return {
        span.name: span
        for message in messages
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


def told(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def test_an_answer_is_spans_at_the_times_that_were_measured(collector: list[bytes]) -> None:
    with traces.work("evaluate", run="r1"):
        traces.answered(ANSWER)
    spans = spans_of(collector)
    assert set(spans) == {"evaluate", "invoke_agent hybrid", "retrieve", "rerank", "chat org/large"}
    whole, call = spans["invoke_agent hybrid"], spans["chat org/large"]
    assert whole.parent_span_id == spans["evaluate"].span_id
    assert {spans[name].parent_span_id for name in ("retrieve", "rerank", "chat org/large")} == {
        whole.span_id
    }
    took = {name: (s.end_time_unix_nano - s.start_time_unix_nano) / 1e6 for name, s in spans.items()}
    assert (took["retrieve"], took["rerank"], took["chat org/large"]) == (20, 30, 50)
    assert took["invoke_agent hybrid"] == 100
    assert (call.start_time_unix_nano - whole.start_time_unix_nano) / 1e6 == 50
    about = told(call)
    assert about["gen_ai.operation.name"] == "chat"
    assert about["gen_ai.request.model"] == "org/large"
    assert (about["gen_ai.usage.input_tokens"], about["gen_ai.usage.output_tokens"]) == (120, 9)
    assert about["triptych.queue_ms"] == 5
    assert call.events[0].name == "first token"


def test_no_text_leaves_unless_that_is_allowed(
    collector: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    traces.answered(ANSWER)
    traces.flush()
    assert collector and not any(b"vault" in body or b"4711" in body for body in collector)
    monkeypatch.setenv(traces.TEXT, "1")
    traces.answered(ANSWER)
    about = told(spans_of(collector)["chat org/large"])
    assert "secret of the vault" in about["gen_ai.input.messages"]
    assert "4711" in about["gen_ai.output.messages"]


def test_off_is_off_and_a_wrong_address_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(traces.WHERE, raising=False)
    traces.check()
    traces.answered(ANSWER)
    monkeypatch.setenv(traces.WHERE, "localhost:4318")
    with pytest.raises(UserError, match=r"must be an address such as http://localhost:4318"):
        traces.check()
