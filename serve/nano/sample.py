"""What drawing hands to training: a picture, where every character stands in it, and what is asked about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Glyph:
    """One drawn character and its box (x0, y0, x1, y1) in pixels of the final picture, after every distortion."""

    char: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Turn:
    """One ask and its answer. `thought` holds the steps, empty where one line answers; `kind` names the task."""

    ask: str
    answer: str
    thought: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture, or none, and turns that each stand alone: they are no conversation."""

    image: Image | None
    glyphs: tuple[Glyph, ...]
    turns: tuple[Turn, ...]
    layout: str
