"""Asks a judge model through the RAGAS library: the only module that imports it, and only when asked to.

Enters: an endpoint that speaks OpenAI's protocol, and an embedder for answer relevancy. Leaves: a `Judge`.
RAGAS is an optional extra, and it reports its use to its makers unless told not to: it is told not to.
"""

from __future__ import annotations

import asyncio
import importlib.util
import math
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from backends.datatypes import JsonObject, UserError
from backends.evaluation.judging import Endpoint, Sample, UnreadableVerdict
from backends.language.models_file import without_key

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

TIMEOUT_SECONDS = 120.0
LONGEST_VERDICT = 4096  # tokens; a truncated verdict cannot be read
Embed = Callable[[Sequence[str]], "np.ndarray"]  # texts -> one row each


def check_installed() -> None:
    """Raises UserError where the extra is missing."""
    if importlib.util.find_spec("ragas") is None:
        raise UserError("The RAGAS library is not installed: pip install 'triptych[ragas]' brings it.")


class RagasJudge:
    """RAGAS' own faithfulness, answer relevancy, context precision and context recall. A context manager."""

    def __init__(self, endpoint: Endpoint, embed: Embed) -> None:
        check_installed()
        os.environ["RAGAS_DO_NOT_TRACK"] = "true"
        from openai import AsyncOpenAI, Omit
        from ragas.llms import llm_factory
        from ragas.metrics import collections as metrics

        self.name = endpoint.model
        self.library = f"RAGAS {version('ragas')}"
        self._endpoint = endpoint
        self._client = AsyncOpenAI(
            base_url=endpoint.url,
            api_key=endpoint.key or "none",
            timeout=TIMEOUT_SECONDS,
            # Taken from the environment otherwise, and none of this server's business.
            default_headers=cast(Any, {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}),
        )
        llm = llm_factory(endpoint.model, client=self._client, temperature=0.0, max_tokens=LONGEST_VERDICT)
        self._metrics: JsonObject = {
            "faithfulness": metrics.Faithfulness(llm=llm),
            "answer_relevancy": metrics.AnswerRelevancy(llm=llm, embeddings=_embeddings(embed)),
            "context_precision": metrics.ContextPrecisionWithReference(llm=llm),
            "context_recall": metrics.ContextRecall(llm=llm),
        }
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    def score(self, sample: Sample, measures: Sequence[str]) -> dict[str, float]:
        """The measures, asked for at the same time. Raises as `Judge.score` says."""
        return self._runner.run(self._score(sample, measures))

    async def _score(self, sample: Sample, measures: Sequence[str]) -> dict[str, float]:
        from instructor.core import InstructorRetryException
        from openai import OpenAIError

        inputs: Mapping[str, JsonObject] = {
            "faithfulness": {"retrieved_contexts": list(sample.passages), "response": sample.answer},
            "answer_relevancy": {"response": sample.answer},
            "context_precision": {
                "retrieved_contexts": list(sample.passages), "reference": sample.reference,
            },
            "context_recall": {"retrieved_contexts": list(sample.passages), "reference": sample.reference},
        }  # fmt: skip
        asked = [self._metrics[key].ascore(user_input=sample.question, **inputs[key]) for key in measures]
        try:
            results = await _all_of(asked)
        except InstructorRetryException as error:
            refused = next((e for e in _causes(error) if isinstance(e, OpenAIError)), None)
            if refused is not None:
                raise UserError(
                    f"The judge model {self.name} at {self._endpoint.url} does not answer: "
                    f"{without_key(str(refused), self._endpoint.key)}"
                ) from None
            raise UnreadableVerdict(str(error)) from error
        values = {key: float(result.value) for key, result in zip(measures, results, strict=True)}
        return {key: value for key, value in values.items() if math.isfinite(value)}


async def _all_of(asked: Sequence[Coroutine[object, object, T]]) -> list[T]:
    """Their results once all have ended; the first error, if one failed."""
    results: list[T] = []
    for result in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what led to it."""
    found: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and here not in found:
        found.append(here)
        here = here.__cause__ or here.__context__
    return found


def _embeddings(embed: Embed) -> object:
    """Our embedder in the form RAGAS takes; made here, because its base class is RAGAS' own."""
    from ragas.embeddings.base import BaseRagasEmbedding

    class Embeddings(BaseRagasEmbedding):
        def embed_text(self, text: str, **_: object) -> list[float]:
            return [float(value) for value in embed([text])[0]]

        async def aembed_text(self, text: str, **_: object) -> list[float]:
            return self.embed_text(text)

    return Embeddings()
