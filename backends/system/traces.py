"""Traces of what is asked, as OpenTelemetry spans over OTLP/HTTP: for Langfuse, Phoenix, MLflow and others.

Enters: answer records, and work that takes long. Leaves: spans with the attributes of the GenAI conventions
(gen_ai.*), sent in the background. Off unless TRIPTYCH_TRACES names where a collector listens. Spans hold
numbers and names of models; questions, answers and prompts only where TRIPTYCH_TRACES_TEXT allows it, and
never a key. The only module that imports opentelemetry.
"""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from backends.datatypes import Answer, UserError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

WHERE, TEXT = "TRIPTYCH_TRACES", "TRIPTYCH_TRACES_TEXT"
TIMEOUT_SECONDS = 5.0  # a collector that does not answer keeps nobody waiting longer, and only at the end
WRITING = ("queue", "retry", "generate")  # stages that are the call of the model, as it is seen from here
SEARCHING = {"retrieve": "retrieval", "rewrite": "chat", "rerank": "retrieval"}
Value = str | int | float | bool


def check() -> None:
    """Raises UserError where traces are wanted and cannot be made."""
    if where := os.environ.get(WHERE, ""):
        _provider(where)


def answered(answer: Answer) -> None:
    """Send the spans of an answer: it, its search, its call of the model, at the times that were measured."""
    where = os.environ.get(WHERE, "")
    if not where:
        return
    from opentelemetry.trace import set_span_in_context

    tracer = _provider(where).get_tracer("triptych")
    start = time.time_ns() - _nanoseconds(answer.latency_ms["total"])
    whole = tracer.start_span(
        f"invoke_agent {answer.backend}", start_time=start, attributes={**_about(answer), **_said(answer)}
    )
    inside = set_span_in_context(whole)
    at, writing = start, 0
    for stage, milliseconds in answer.latency_ms.items():
        if stage in WRITING:
            writing += _nanoseconds(milliseconds)
        elif stage in SEARCHING:
            about: dict[str, Value] = {"gen_ai.operation.name": SEARCHING[stage]}
            span = tracer.start_span(stage, context=inside, start_time=at, attributes=about)
            at += _nanoseconds(milliseconds)
            span.end(at)
    told = {**_model(answer), **_said(answer)}
    call = tracer.start_span(f"chat {answer.model}", context=inside, start_time=at, attributes=told)
    if "first_token" in answer.latency_ms:
        call.add_event("first token", timestamp=start + _nanoseconds(answer.latency_ms["first_token"]))
    call.end(at + writing)
    whole.end(start + _nanoseconds(answer.latency_ms["total"]))


@contextmanager
def work(name: str, **about: Value) -> Iterator[None]:
    """A span around work that takes long (evaluate, train); answers within it are its children."""
    where = os.environ.get(WHERE, "")
    if not where:
        yield
        return
    tracer = _provider(where).get_tracer("triptych")
    told = {f"triptych.{key}": value for key, value in about.items()}
    # Without the words of an error: they may name a document.
    with tracer.start_as_current_span(
        name, attributes=told, record_exception=False, set_status_on_exception=False
    ):
        yield


def flush() -> None:
    """Send what is waiting now; it is sent by itself every few seconds, and when the process ends."""
    if where := os.environ.get(WHERE, ""):
        _provider(where).force_flush()


def _about(answer: Answer) -> dict[str, Value]:
    found: dict[str, Value] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": answer.backend,
        "triptych.answer.id": answer.id,
        "triptych.sources": len(answer.sources),
        "triptych.citations": len(answer.citations),
        "triptych.abstained": answer.abstained,
        "triptych.cost": answer.cost.amount,
        "triptych.currency": answer.cost.currency,
    }
    if answer.groundedness is not None:
        found["triptych.groundedness"] = answer.groundedness
    return found


def _model(answer: Answer) -> dict[str, Value]:
    served = "queue" in answer.latency_ms
    asked: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai" if served else "triptych",  # the protocol that was spoken
        "gen_ai.request.model": answer.model,
        "gen_ai.usage.input_tokens": answer.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": answer.usage.completion_tokens,
    }
    for name in ("temperature", "max_tokens", "seed"):
        if name in answer.settings:
            asked[f"gen_ai.request.{name}"] = answer.settings[name]
    if answer.adapter is not None:
        asked["triptych.adapter"] = answer.adapter
    for stage in ("queue", "retry"):
        if stage in answer.latency_ms:
            asked[f"triptych.{stage}_ms"] = answer.latency_ms[stage]
    return asked


def _said(answer: Answer) -> Mapping[str, str]:
    """What was asked and answered, in the form of the conventions; nothing unless that is allowed."""
    if os.environ.get(TEXT, "") in ("", "0"):
        return {}

    def message(role: str, text: str) -> str:
        return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}], ensure_ascii=False)

    return {
        "gen_ai.input.messages": message("user", answer.question),
        "gen_ai.output.messages": message("assistant", answer.text),
    }


def _nanoseconds(milliseconds: float) -> int:
    return round(milliseconds * 1e6)


@cache
def _provider(where: str) -> TracerProvider:
    """One a process and collector."""
    address = urlsplit(where)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise UserError(f"{WHERE} must be an address such as http://localhost:4318, not {where!r}.")
    if importlib.util.find_spec("opentelemetry.exporter") is None:
        raise UserError(
            f"{WHERE} is set, but OpenTelemetry is not installed: pip install 'triptych[traces]'."
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    path = where.rstrip("/")
    endpoint = path if path.endswith("/v1/traces") else f"{path}/v1/traces"
    provider = TracerProvider(resource=Resource.create({"service.name": "triptych"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=TIMEOUT_SECONDS)))
    return provider
