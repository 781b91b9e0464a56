"""How each backend looks everywhere: one label, one mark, one colour. Holds no state and draws nothing.

The colours are those of `.streamlit/config.toml` (a test compares); the mark goes with the colour so that
nothing is told by colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from backends.datatypes import BACKEND_NAMES, BackendName

Theme = Literal["light", "dark"]
Tint = Literal["blue", "orange", "green", "gray"]


@dataclass(frozen=True)
class Look:
    """How a backend is shown: its name, mark and colours."""

    label: str
    mark: str
    how: str  # one plain sentence: where its answers come from
    tint: Tint  # the name of its colour in Streamlit's markdown
    light: str
    dark: str

    def colour(self, theme: Theme) -> str:
        """The colour in this theme, as hex."""
        return self.dark if theme == "dark" else self.light

    @property
    def css(self) -> str:
        """The colour as CSS that follows the page's theme."""
        return f"light-dark({self.light}, {self.dark})"


LOOKS: dict[BackendName, Look] = {
    "rag": Look("RAG", "●", "Looks it up in the documents.", "blue", "#0072B2", "#56B4E9"),
    "fine_tuned": Look("Fine-tuned", "▲", "Answers from its weights.", "orange", "#D55E00", "#F0883E"),
    "hybrid": Look("Hybrid", "■", "Tuned to read what it looks up.", "green", "#009E73", "#2FBF93"),
    "base": Look("Base", "○", "The reader without documents: the control.", "gray", "#6B7280", "#A3ABB8"),
}
# What finds the passages for RAG and hybrid; it answers nothing itself.
EMBEDDER = Look("Search", "◆", "Finds the passages.", "blue", "#0072B2", "#56B4E9")
# What is written beside the marks of a chart, and what is written on a bar: both reach 4.5 to 1.
_SOFT: dict[Theme, str] = {"light": "#565D68", "dark": "#B4BBC6"}
_INKS = ("#FFFFFF", "#0F1318")
CONTROL: BackendName = "base"
COMPARED: tuple[BackendName, ...] = tuple(name for name in BACKEND_NAMES if name != CONTROL)


def soft_ink(theme: Theme) -> str:
    """The colour of axes and notes in a chart."""
    return _SOFT[theme]


def ink_on(colour: str) -> str:
    """What can be read on this colour: white or nearly black, whichever stands out more."""
    return max(_INKS, key=lambda ink: contrast(ink, colour))


def contrast(first: str, second: str) -> float:
    """How far two colours stand apart, 1 to 21, as WCAG reckons."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def look_of(kind: BackendName | Literal["embedder"]) -> Look:
    """How an adapter of this kind looks."""
    return EMBEDDER if kind == "embedder" else LOOKS[kind]


def arm_look(arm: str) -> Look:
    """How an arm of a run looks: as its backend, with the rest behind the label: `RAG, model company`."""
    look, (_, comma, rest) = LOOKS[backend_of(arm)], arm.partition(", ")
    return replace(look, label=f"{look.label}{comma}{rest}")


def label(arm: str) -> str:
    """What people call a backend or an arm of a run; an unknown name stays as it is."""
    return arm_look(arm).label if arm.partition(", ")[0] in LOOKS else arm


def backend_of(arm: str) -> BackendName:
    """The backend of an arm: `rag` of `rag, model company`."""
    name = arm.partition(", ")[0]
    return next(backend for backend in LOOKS if backend == name)


def is_control(arm: str) -> bool:
    """Whether it is the untuned model without documents, of whichever model."""
    return backend_of(arm) == CONTROL


def in_order(names: list[BackendName] | tuple[BackendName, ...]) -> tuple[BackendName, ...]:
    """The given backends in the order in which the page shows them."""
    return tuple(name for name in LOOKS if name in names)
