"""Questions to measure with: those of the sample where its documents are there, else made from the documents.

Enters: the documents of a library, and a seed. Leaves: questions with gold answers that stand in those very
documents. No model is asked: a made question is a sentence of a document with its number left out.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from backends.answering.overlap import sentences
from backends.datatypes import Document, Question
from backends.evaluation.questions import load_questions
from backends.system.files import SAMPLE_CORPUS

QUESTIONS = SAMPLE_CORPUS / "questions"
NUMBER = re.compile(r"(?<![\w.,-])\d+(?:[.,]\d+)*(?: ?%)?(?![\w-]|[.,]\d)")
Split = Literal["dev", "test"]
SENTENCE_WORDS = range(6, 41)  # of a sentence that makes a fair question


def sample_questions(
    split: Split, *, among: Collection[str] | None = None, folder: Path = QUESTIONS
) -> list[Question]:
    """The sample's questions of one split, in file order.

    With `among` only those about documents that all have a name among these.
    """
    chosen: list[Question] = []
    for path in sorted(folder.glob("*.jsonl")):
        lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
        splits = [json.loads(line).get("split") for line in lines]
        rows = zip(load_questions(path), splits, strict=True)
        chosen += [question for question, own in rows if own == split]
    if among is None:
        return chosen
    return [q for q in chosen if q.documents and set(q.documents) <= set(among)]


def made_questions(documents: Sequence[Document]) -> list[Question]:
    """One question for each sentence that states a number, in the order of the documents.

    A sentence that stands there twice with different numbers is left out: it would have two answers.
    """
    made: dict[str, Question] = {}
    clashing: set[str] = set()
    for document in documents:
        for index, sentence in enumerate(sentences(document.text)):
            text = " ".join(sentence.split())
            found = NUMBER.search(text)
            if found is None or len(text.split()) not in SENTENCE_WORDS:
                continue
            gap = f"{text[: found.start()]}...{text[found.end() :]}"
            if gap in made and made[gap].answers != (found[0],):
                clashing.add(gap)
            made.setdefault(
                gap,
                Question(
                    id=f"made-{document.name}-{index}",
                    question=f"{document.title or document.name}: which number is missing here? {gap}",
                    answers=(found[0],),
                    documents=(document.name,),
                    category="made",
                ),
            )
    return [question for gap, question in made.items() if gap not in clashing]


def questions_for(documents: Sequence[Document], *, folder: Path = QUESTIONS) -> list[Question]:
    """The sample's questions about these documents, or made ones where there are none."""
    own = sample_questions("test", among={document.name for document in documents}, folder=folder)
    return own or made_questions(documents)


def chosen(questions: Sequence[Question], number: int, seed: int) -> list[Question]:
    """At most `number` of the questions, in their order: of each category its share, drawn by the seed.

    Each category is there once before any is there twice, and a larger number holds all of a smaller one.
    """
    if number >= len(questions):
        return list(questions)
    draw = random.Random(seed)
    places: list[tuple[bool, float, int]] = []
    for category in dict.fromkeys(question.category for question in questions):
        own = [index for index, question in enumerate(questions) if question.category == category]
        start = draw.random()  # without it the largest category would always come first
        draw.shuffle(own)
        places += [(place > 0, (place + start) / len(own), index) for place, index in enumerate(own)]
    return [questions[index] for index in sorted(index for *_, index in sorted(places)[:number])]
