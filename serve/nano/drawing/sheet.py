"""A page before it is drawn: texts and shapes with their places in pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.nano.drawing.faces import Pen

Ink = int | tuple[int, int, int]  # a grey from 0, the darkest ink, to 255, the paper; or a colour on coloured sheets
Form = Literal["rectangle", "rounded", "ellipse", "polygon", "line"]
Side = Literal["left", "right", "middle"]

_ASCENT = 0.92  # from a line's top to its baseline, in ems


@dataclass(frozen=True, slots=True)
class Text:
    """`x` is where the pen starts, `y` the baseline."""

    x: float
    y: float
    text: str
    pen: Pen
    ink: Ink


@dataclass(frozen=True, slots=True)
class Shape:
    """Corners, or two corners of the box around it."""

    form: Form
    points: tuple[tuple[float, float], ...]
    fill: Ink | None
    outline: Ink | None = None
    width: int = 1


@dataclass(slots=True)
class Sheet:
    """Grows as it is written on: from (left, top), neither above 0, to (width, height).

    A sheet without `paper` is grey and gets its colours later.
    """

    paper: tuple[int, int, int] | None = None
    texts: list[Text] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    left: float = 0
    top: float = 0
    width: float = 0
    height: float = 0

    def write(self, x: float, top: float, text: str, pen: Pen, ink: Ink = 0, *, side: Side = "left") -> float:
        """Write one line whose `side` is at `x`; return where it ends on the right."""
        wide = pen.width(text)
        left = x - {"left": 0.0, "right": wide, "middle": wide / 2}[side]
        self.texts.append(Text(left, top + _ASCENT * pen.size, text, pen, ink))
        self.reach(left, top)
        self.reach(left + wide, top + 1.25 * pen.size)
        return left + wide

    def draw(
        self, form: Form, points: Sequence[tuple[float, float]], fill: Ink | None, outline: Ink | None = None, *, width: int = 1
    ) -> None:
        self.shapes.append(Shape(form, tuple(points), fill, outline, width))
        for point in points:
            self.reach(*point)

    def rule(self, start: tuple[float, float], end: tuple[float, float], ink: Ink = 0, width: int = 1) -> None:
        self.draw("line", (start, end), ink, width=width)

    def reach(self, x: float, y: float) -> None:
        self.left, self.top = min(self.left, x), min(self.top, y)
        self.width, self.height = max(self.width, x), max(self.height, y)
