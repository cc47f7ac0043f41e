"""Colours by name, in both languages, and which can be told from which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Colour:
    english: str
    chinese: str
    value: Triple

    def near(self, rng: Random) -> Triple:
        """A shade that still has the name."""
        red, green, blue = (min(255, max(0, part + rng.randint(-14, 14))) for part in self.value)
        return red, green, blue

    @property
    def luminance(self) -> float:
        red, green, blue = self.value
        return 0.3 * red + 0.59 * green + 0.11 * blue


COLOURS = (
    Colour("red", "红色", (220, 30, 35)),
    Colour("orange", "橙色", (245, 140, 25)),
    Colour("yellow", "黄色", (250, 220, 40)),
    Colour("green", "绿色", (35, 150, 60)),
    Colour("blue", "蓝色", (35, 85, 205)),
    Colour("purple", "紫色", (130, 50, 170)),
    Colour("pink", "粉色", (250, 150, 190)),
    Colour("brown", "棕色", (130, 80, 40)),
    Colour("black", "黑色", (18, 18, 18)),
    Colour("white", "白色", (248, 248, 248)),
    Colour("grey", "灰色", (140, 140, 140)),
)


def legible(ground: Colour) -> list[Colour]:
    """Colours for text on `ground`."""
    return [colour for colour in COLOURS if abs(colour.luminance - ground.luminance) > 110]
