"""Faces of the listed fonts, the characters that they have, and their glyphs as masks that are made once."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from PIL import ImageFont

from serve.nano.drawing.alphabet import characters
from serve.nano.fonts import fonts, read

if TYPE_CHECKING:
    from random import Random

    from PIL._imaging import ImagingCore

    from serve.nano.fonts import Script, Split

_UNDEFINED = "\U0010fffe"  # a code point that no font maps
_PROBE_SIZE = 24
_OWN_FACE = 0.07
_SIZES = (14, 15, 16, 17, 18, 20, 22, 24, 26, 28, 31, 34, 37, 40, 44, 48, 53, 58, 64)  # pixels to the em


class Glyph(NamedTuple):
    """A character's mask and its size, where it goes from the pen (right, down from the baseline), and how far the pen moves on."""

    mask: ImagingCore | None
    width: int
    height: int
    right: int
    down: int
    advance: float


@cache
def _data(name: str) -> bytes:
    return next(read(font) for font in fonts() if font.file.name == name)


@lru_cache(maxsize=1500)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(io.BytesIO(_data(name)), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=100_000)
def glyph(name: str, size: int, char: str) -> Glyph:
    """`char` in the face `name` at `size` pixels to the em."""
    font = _font(name, size)
    advance = font.getlength(char)
    if char.isspace():
        return Glyph(None, 0, 0, 0, 0, advance)
    mask, (right, down) = font.getmask2(char, "L", anchor="ls")
    width, height = mask.size
    return Glyph(mask if width and height else None, width, height, right, down, advance)


@cache
def coverage(name: str) -> frozenset[str]:
    """Which of the project's characters the face has."""
    font = _font(name, _PROBE_SIZE)
    empty = bytes(font.getmask(_UNDEFINED))
    return frozenset(char for char in characters() if char.isspace() or _drawn(font, char, empty))


def _drawn(font: ImageFont.FreeTypeFont, char: str, empty: bytes) -> bool:
    shape = bytes(font.getmask(char))
    return any(shape) and shape != empty


@cache
def names(split: Split, script: Script) -> tuple[str, ...]:
    return tuple(font.file.name for font in fonts() if font.split == split and font.script == script)


def stepped(size: float) -> int:
    """The nearest size that is used: few, so that glyphs are found again."""
    return min(_SIZES, key=lambda known: abs(known - size))


@cache
def _spare(name: str, char: str) -> str:
    """Another face of the same split that has `char`."""
    split = next(font.split for font in fonts() if font.file.name == name)
    others = (*names(split, "chinese"), *names(split, "latin"))
    return next((other for other in others if char in coverage(other)), name)


@dataclass(frozen=True, slots=True)
class Pen:
    """A Latin and a Chinese face at one size in pixels; each character is drawn with the first of them that has it."""

    latin: str
    chinese: str
    size: int
    spacing: float = 0.0  # pixels added after each character

    def glyph(self, char: str) -> Glyph:
        for name in (self.latin, self.chinese):
            if char in coverage(name):
                return glyph(name, self.size, char)
        return glyph(_spare(self.chinese, char), self.size, char)

    def width(self, text: str) -> float:
        return sum(self.glyph(char).advance + self.spacing for char in text)

    def sized(self, factor: float) -> Pen:
        return self if factor == 1 else Pen(self.latin, self.chinese, stepped(self.size * factor), self.spacing)


def _latin(split: Split, rng: Random) -> str:
    """Pillow's own face is what most programs draw with: it comes more often."""
    known = names(split, "latin")
    return known[0] if split == "train" and rng.random() < _OWN_FACE else rng.choice(known)


def pen(split: Split, size: int, rng: Random, *, chinese: bool = False) -> Pen:
    """A pen of the split's faces. In Chinese text Latin letters and digits are often of the Chinese face."""
    han = rng.choice(names(split, "chinese"))
    latin = han if chinese and rng.random() < 0.7 else _latin(split, rng)
    spacing = rng.choice((0.0, 0.0, 0.0, 0.0, 0.5, 1.0, size * 0.08))
    return Pen(latin, han, size, spacing)
