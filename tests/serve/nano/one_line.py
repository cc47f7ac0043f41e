"""The smallest drawing there is: one line of text, in the font that Pillow carries."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from serve.nano.sample import Glyph, Sample, Turn

if TYPE_CHECKING:
    from serve.nano.fonts import Split

CHARACTERS = 'ABCDEFGHJKLMNPRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz .,?:!"-元总额多少是'


def draw(seed: int, split: Split) -> Sample:
    rng = Random(f"{seed} {split}")
    text = "".join(rng.choices("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", k=rng.randint(2, 8)))
    size = rng.randint(24, 40)
    font = ImageFont.load_default(size)
    picture = Image.new("RGB", (rng.choice((256, 270)), 256), "white")
    x, y = float(rng.randint(2, 60)), rng.randint(2, 200)
    pen = ImageDraw.Draw(picture)
    glyphs = []
    for character in text:
        end = x + font.getlength(character)
        pen.text((x, y), character, fill="black", font=font)
        glyphs.append(Glyph(character, (x, y, end, y + size)))
        x = end
    turns = (
        Turn("What does it say?", text, kind="transcribe"),
        Turn("How many characters?", str(len(text)), f"{' '.join(text)}: {len(text)}", "sum"),
    )
    return Sample(picture, tuple(glyphs), turns, "line")
