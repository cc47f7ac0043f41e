"""Coloured shapes on a plain ground, for captions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.nano.drawing.colours import COLOURS, Colour
from serve.nano.drawing.sheet import Sheet

if TYPE_CHECKING:
    from random import Random

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.sample import Turn

_FIGURES = {  # English, plural, Chinese
    "circle": ("circles", "圆形"),
    "square": ("squares", "正方形"),
    "triangle": ("triangles", "三角形"),
    "star": ("stars", "星形"),
    "rectangle": ("rectangles", "长方形"),
    "oval": ("ovals", "椭圆"),
    "diamond": ("diamonds", "菱形"),
    "cross": ("crosses", "十字"),
}
_PLACES = (
    ("top left", "左上角"),
    ("top", "上边"),
    ("top right", "右上角"),
    ("left", "左边"),
    ("centre", "中间"),
    ("right", "右边"),
    ("bottom left", "左下角"),
    ("bottom", "下边"),
    ("bottom right", "右下角"),
)


@dataclass(frozen=True, slots=True)
class Thing:
    """`place` counts the nine places from the top left, row by row."""

    figure: str
    colour: Colour
    place: int

    def said(self, asker: Asker) -> str:
        article = "an" if self.colour.english[0] in "aeiou" else "a"
        return asker.say(
            f"{article} {self.colour.english} {self.figure}", f"一个{self.colour.chinese}的{_FIGURES[self.figure][1]}"
        )

    def located(self, asker: Asker) -> str:
        english, chinese = _PLACES[self.place]
        where = (
            f"in the {english}"
            if english == "centre"
            else f"on the {english}"
            if english in {"left", "right"}
            else f"at the {english}"
        )
        return asker.say(where, chinese)


def scene(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    rng = vocabulary.rng
    ground = rng.choice(COLOURS)
    things = placed(rng, ground, rng.choice((1, 1, 2, 2, 3, 3, 4)))
    return sheet_of(things, ground, rng, outlined=False), asked(things, ground, asker, rng)


def sheet_of(things: list[Thing], ground: Colour, rng: Random, *, outlined: bool) -> Sheet:
    side = rng.choice((256, 256, 320, 384, 448))
    wide, high = side - 24, rng.choice((side, side, 256, 320)) - 24
    sheet = Sheet(ground.near(rng), width=wide, height=high)
    for thing in things:
        _draw(sheet, thing, (wide, high), rng, outlined=outlined)
    return sheet


def placed(rng: Random, ground: Colour, count: int) -> list[Thing]:
    """Things in reading order, none in the ground's colour."""
    known = [colour for colour in COLOURS if sum(abs(a - b) for a, b in zip(colour.value, ground.value, strict=True)) > 160]
    places = sorted(rng.sample(range(9), count))
    return [Thing(rng.choice(list(_FIGURES)), rng.choice(known), place) for place in places]


def _draw(sheet: Sheet, thing: Thing, size: tuple[int, int], rng: Random, *, outlined: bool) -> None:
    cell_x, cell_y = size[0] / 3, size[1] / 3
    reach = min(cell_x, cell_y) / 2
    radius = reach * rng.uniform(0.55, 0.92)
    x = (thing.place % 3 + 0.5) * cell_x + rng.uniform(-1, 1) * (reach - radius)
    y = (thing.place // 3 + 0.5) * cell_y + rng.uniform(-1, 1) * (reach - radius)
    fill, edge = thing.colour.near(rng), (0, 0, 0) if outlined else None
    if thing.figure in {"circle", "oval"}:
        flat = radius * (1 if thing.figure == "circle" else rng.uniform(0.45, 0.6))
        sheet.draw("ellipse", ((x - radius, y - flat), (x + radius, y + flat)), fill, edge, width=3)
    else:
        corners = _corners(thing.figure, rng)
        sheet.draw("polygon", [(x + radius * dx, y + radius * dy) for dx, dy in corners], fill, edge, width=3)


def _corners(figure: str, rng: Random) -> list[tuple[float, float]]:
    """On a circle of radius 1, or within."""
    if figure == "star":
        radii = (1.0, 0.42)
        return [(radii[n % 2] * math.sin(n * math.pi / 5), -radii[n % 2] * math.cos(n * math.pi / 5)) for n in range(10)]
    if figure == "cross":
        t = 0.3
        return [(-t, -1), (t, -1), (t, -t), (1, -t), (1, t), (t, t), (t, 1), (-t, 1), (-t, t), (-1, t), (-1, -t), (-t, -t)]
    flat = rng.uniform(0.4, 0.55)
    simple: dict[str, list[tuple[float, float]]] = {
        "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
        "rectangle": [(-1, -flat), (1, -flat), (1, flat), (-1, flat)],
        "triangle": [(0, -0.95), (0.95, 0.8), (-0.95, 0.8)],
        "diamond": [(0, -1), (0.7, 0), (0, 1), (-0.7, 0)],
    }
    return simple[figure]


def asked(things: list[Thing], ground: Colour, asker: Asker, rng: Random) -> list[Turn]:
    turns = [asker.turn("caption", caption(things, ground, asker)) for _ in range(3)]
    turns += [
        asker.turn("count", str(len(things)), ask="count_all"),
        asker.turn("colour", asker.say(ground.english, ground.chinese), ask="ground"),
    ]
    figure = rng.choice([thing.figure for thing in things] if rng.random() < 0.8 else list(_FIGURES))
    plural, chinese = _FIGURES[figure]
    turns.append(asker.turn("count", str(sum(thing.figure == figure for thing in things)), shapes=asker.say(plural, chinese)))
    for thing in things:
        named = asker.say(thing.figure, _FIGURES[thing.figure][1])
        colour = asker.say(thing.colour.english, thing.colour.chinese)
        if sum(other.figure == thing.figure for other in things) == 1:
            turns.append(asker.turn("colour", colour, shape=named))
            turns.append(asker.turn("where", asker.say(*_PLACES[thing.place]), shape=named))
        if sum((other.figure, other.colour) == (thing.figure, thing.colour) for other in things) == 1:
            described = asker.say(
                f"{thing.colour.english} {thing.figure}", f"{thing.colour.chinese}的{_FIGURES[thing.figure][1]}"
            )
            turns.append(asker.turn("where", asker.say(*_PLACES[thing.place]), shape=described))
        if sum(other.colour == thing.colour for other in things) == 1:
            turns.append(asker.turn("shape", named, ask="shape_of", colour=colour))
    return turns


def caption(things: list[Thing], ground: Colour, asker: Asker) -> str:
    if asker.chinese:
        return (
            f"{ground.chinese}背景上，" + "，".join(f"{thing.located(asker)}有{thing.said(asker)}" for thing in things) + "。"
        )
    said = [f"{thing.said(asker)} {thing.located(asker)}" for thing in things]
    listed = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    return f"{listed[0].upper()}{listed[1:]} on a {ground.english} background.".replace("on a orange", "on an orange")
