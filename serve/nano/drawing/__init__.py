"""Pictures for training and test, drawn on the fly, with the boxes of their characters and what is asked about them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from serve.nano.drawing.alphabet import characters
from serve.nano.drawing.asking import Asker
from serve.nano.drawing.paint import paint
from serve.nano.drawing.photograph import photograph
from serve.nano.drawing.scenario import LAYOUTS
from serve.nano.drawing.vocabulary import Vocabulary
from serve.nano.sample import Glyph, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serve.nano.drawing.corpus import Language
    from serve.nano.drawing.paint import Painting
    from serve.nano.fonts import Split
    from serve.nano.sample import Turn

__all__ = ["characters", "draw"]

_CHINESE = 0.35  # share of Chinese pictures
_OWN_LANGUAGE = 0.75  # share of asks in the picture's language
_SHARES = {
    "absent": 0.35,
    "more": 0.4,
    "rows": 0.6,
    "caption": 0.6,
    "columns": 0.5,
    "headers": 0.5,
    "product": 0.7,
    "transcribe": 0.6,
}
_SPLITS = {"train": 0, "test": 1}


def draw(seed: int, split: Split) -> Sample:
    """The same picture and turns for the same seed, split and fonts. Test pictures have faces and layouts of their own."""
    rng = Random(2 * seed + _SPLITS[split])  # noqa: S311 - drawing, no secrets
    language: Language = "chinese" if rng.random() < _CHINESE else "english"
    other: Language = "english" if language == "chinese" else "chinese"
    asker = Asker(rng, language if rng.random() < _OWN_LANGUAGE else other)
    layouts = LAYOUTS[split]
    layout = rng.choices(list(layouts), list(layouts.values()))[0]
    sheet, turns = layout(Vocabulary(rng, split, language), asker)
    turns = _kept(turns, rng)
    if sheet is None:
        return Sample(None, (), tuple(turns), layout.__name__)
    picture = photograph(paint(sheet, rng), rng)
    return Sample(picture.image, tuple(_glyphs(picture)), tuple(turns), layout.__name__)


def _kept(turns: list[Turn], rng: Random) -> list[Turn]:
    """In random order, with fewer of the kinds that fit every picture."""
    kept = [turn for turn in turns if rng.random() < _SHARES.get(turn.kind, 1.0)] or turns
    rng.shuffle(kept)
    return kept


def _glyphs(picture: Painting) -> Iterator[Glyph]:
    for char, box in zip(picture.chars, picture.boxes.tolist(), strict=True):
        yield Glyph(char, (box[0], box[1], box[2], box[3]))
