"""Sheets as pictures, with the boxes of what was written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    import numpy.typing as npt

    from serve.nano.drawing.sheet import Shape, Sheet, Text

_UNIT = 32  # pixels of a visual token
_LEAST = 256 * 256  # pixels that most pictures have at least


@dataclass(slots=True)
class Painting:
    """A picture, grey (`L`) or `RGB`, and the box of each of `chars`: (characters, 4), x0, y0, x1, y1."""

    image: Image.Image
    chars: list[str]
    boxes: npt.NDArray[np.float64]


def paint(sheet: Sheet, rng: Random) -> Painting:
    size, x, y = _place(sheet, rng)
    image = Image.new("RGB", size, sheet.paper) if sheet.paper else Image.new("L", size, 255)
    pencil = ImageDraw.Draw(image)
    for shape in sheet.shapes:
        _draw(pencil, shape, x, y)
    glyphs = [glyph for text in sheet.texts for glyph in _write(image, text, x, y)]
    boxes = np.array([box for _, box in glyphs], dtype=np.float64).reshape(-1, 4)
    return Painting(image, [char for char, _ in glyphs], boxes)


def _place(sheet: Sheet, rng: Random) -> tuple[tuple[int, int], int, int]:
    """The picture's size, and where on it the sheet begins: most pictures are whole visual tokens, and not too few of them."""
    kind = rng.random()
    least, most = (6, 12) if kind < 0.15 else (8, 48) if kind < 0.97 else (8, 300)
    own_wide, own_high = math.ceil(sheet.width - sheet.left), math.ceil(sheet.height - sheet.top)
    wide, high = (max(own + rng.randint(least, most) + rng.randint(least, most), _UNIT) for own in (own_wide, own_high))
    if kind > 0.25:
        wide, high = _enough(_whole(wide), _whole(high), rng)
    x, y = (rng.randint(least, room - least) for room in (wide - own_wide, high - own_high))
    return (wide, high), math.ceil(x - sheet.left), math.ceil(y - sheet.top)


def _enough(wide: int, high: int, rng: Random) -> tuple[int, int]:
    """Widened or heightened to `_LEAST` pixels."""
    while wide * high < _LEAST:
        if wide < high or (wide < 320 and rng.random() < 0.5):
            wide += _UNIT
        else:
            high += _UNIT
    return wide, high


def _whole(side: int) -> int:
    return math.ceil(side / _UNIT) * _UNIT


def _draw(pencil: ImageDraw.ImageDraw, shape: Shape, x: int, y: int) -> None:
    points = [(px + x, py + y) for px, py in shape.points]
    if shape.form == "line":
        pencil.line(points, shape.fill, shape.width)
    elif shape.form == "polygon":
        pencil.polygon(points, shape.fill, shape.outline, shape.width)
    elif shape.form == "ellipse":
        pencil.ellipse(points, shape.fill, shape.outline, shape.width)
    elif shape.form == "rounded":
        radius = min(points[1][0] - points[0][0], points[1][1] - points[0][1]) / 8
        pencil.rounded_rectangle(points, radius, shape.fill, shape.outline, shape.width)
    else:
        pencil.rectangle(points, shape.fill, shape.outline, shape.width)


def _write(image: Image.Image, text: Text, x: int, y: int) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    """Draws, and tells what stands where."""
    at, baseline = text.x + x, round(text.y) + y
    for char in text.text:
        mask, width, height, right, down, advance = text.pen.glyph(char)
        if mask is not None:
            left, top = round(at) + right, baseline + down
            box = (left, top, left + width, top + height)
            image.im.paste(text.ink, box, mask)
            yield char, box
        at += advance + text.pen.spacing
