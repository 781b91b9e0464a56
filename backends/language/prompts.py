"""Builds every prompt: serving, training and the models' own build recipe all call this module.

Enters: a question and numbered sources (or none). Leaves: chat messages. It knows no model and no
retrieval; because training and serving share it, what an adapter learned is what it is later asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.datatypes import Source

INSTRUCTION = "Answer briefly. Cite documents as [n]. If they do not say, say so."
NOT_IN_DOCUMENTS = "The documents do not say."
NOT_KNOWN = "I do not know."


def format_evidence(number: int, title: str, sentences: Sequence[str]) -> str:
    """One numbered source as the prompt shows it, on one line: `[2] Title: sentence sentence`."""
    body = " ".join(" ".join(sentence.split()) for sentence in sentences)
    return f"[{number}] {' '.join(title.split())}: {body}" if title else f"[{number}] {body}"


def build_messages(question: str, evidence: Sequence[str] = ()) -> list[dict[str, str]]:
    """Chat messages for one question; `evidence` holds lines made by `format_evidence`."""
    question = " ".join(question.split())
    documents = "\n".join(evidence) + "\n\n" if evidence else ""
    return [
        {"role": "system", "content": INSTRUCTION},
        {"role": "user", "content": f"{documents}Question: {question}"},
    ]


def build_question_request(evidence: str, answer: str) -> str:
    """User message that asks for the question which `answer`, a piece of the evidence line, answers."""
    return f"{evidence}\n\nWrite the question that is answered by: {' '.join(answer.split())}"


def build_standalone_request(earlier: Sequence[str], question: str) -> str:
    """User message that asks to word a follow-up question so that it is understood without `earlier` ones."""
    before = "\n".join(f"Earlier: {' '.join(each.split())}" for each in earlier)
    return f"{before}\nNow: {' '.join(question.split())}\n\nWrite the last question so that it stands alone."


def evidence_lines(sources: Sequence[Source]) -> list[str]:
    """The numbered lines of a prompt for these sources."""
    return [
        format_evidence(source.rank, source.hit.chunk.title, [s.text for s in source.sentences])
        for source in sources
    ]
