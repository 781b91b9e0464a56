"""The guided tour's seven steps, and where one visitor is on them. It draws nothing.

Enters: nothing. Leaves: what each step asks for, which page it is on, and what it fills in beforehand. No
step promises an outcome: what a visitor sees is measured while they look.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from backends.datatypes import JsonObject

HOME = "Compare"


@dataclass(frozen=True)
class Step:
    """What to do and what to look at, one sentence each; `fills` are widget values set on arrival."""

    title: str
    page: str
    do: str
    look: str
    fills: JsonObject = field(default_factory=dict)


STEPS = (
    Step(
        "Ask once",
        HOME,
        "Press **Ask**: the question is in the box already.",
        "One question, three columns: looked up in the documents, told from trained weights, and both.",
        {"question": "By when is the profile for the new chair due?"},
    ),
    Step(
        "See where it comes from",
        HOME,
        "Open the tab **Sources** below the answers, or press the name of a document in a column.",
        "What was looked up is marked in its document; an answer from weights has no source to check.",
    ),
    Step(
        "What training does not know",
        HOME,
        "Press **Ask** again: this fact stands in a document, but in no training example.",
        "Does the fine-tuned column decline, or say something else, and does the page warn of it?",
        {"question": "What do guests on the premises have to wear?"},
    ),
    Step(
        "Change a fact",
        "Stress tests",
        "Press **Run** beside Freshness: facts change in a copy of the documents, then everyone is asked.",
        "Who gives the new fact at once, and who still tells the old one?",
        {"stress-number": 3},
    ),
    Step(
        "Forget a document",
        "Stress tests",
        "Press **Run** beside Erasure: a document is taken out of a copy, then its facts are asked for.",
        "The index forgets at once; do the trained weights still tell?",
        {"stress-number": 3},
    ),
    Step(
        "What it costs",
        "Costs",
        "Press **Measure** if nothing is measured yet, then change a price or how the model is served.",
        "Where do the lines cross: from which number of questions a month is another approach cheaper?",
    ),
    Step(
        "Which approach fits",
        "Advise",
        "Answer for your own case how often facts change and how strict the format is.",
        "The recommendation, what speaks for it, and the single answer that would change it.",
    ),
)


@dataclass
class Tour:
    """Where one visitor is. `step` None: not on the tour; `reached` is where it was left."""

    step: int | None = None
    reached: int = 0
    declined: bool = False
    to_fill: bool = False

    def go(self, step: int) -> None:
        """Go to a step."""
        self.step = self.reached = step
        self.to_fill = True

    def leave(self) -> None:
        """Leave the tour where it is."""
        self.step, self.declined = None, True

    def finish(self) -> None:
        """Leave it at its end; it begins anew next time."""
        self.leave()
        self.reached = 0
