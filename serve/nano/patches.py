"""Pictures as the tower sees them: resized and cut exactly as Qwen3-VL's processor does, but kept as bytes.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/qwen2_vl/image_processing_qwen2_vl.py
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from serve.nano.shape import MERGE, MIN_PIXELS, PATCH, VISUAL_TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from serve.nano.sample import Glyph

CELL_WIDTH, CELL_HEIGHT = 4, 8  # pixels; narrower than any letter that can be read
CELLS = (PATCH // CELL_WIDTH) * (PATCH // CELL_HEIGHT)  # of one patch
PATCH_BYTES = 3 * PATCH * PATCH


@dataclass(frozen=True, slots=True)
class Patches:
    """One picture. Patches come four by four, as they are merged: `values` is (patches, 768) of bytes: row by row,
    and not channels first as the processor has them, which would take four times as long to cut.

    `glyphs` is (glyphs, 3): the patch and the cell of it where the middle of a character lies, and the character's code point.
    """

    values: npt.NDArray[np.uint8]
    rows: int
    columns: int
    glyphs: npt.NDArray[np.int32]

    @property
    def tokens(self) -> int:
        return self.rows * self.columns // MERGE**2


def cut(picture: Image.Image, glyphs: Sequence[Glyph], least: int = MIN_PIXELS) -> Patches:
    """Resize `picture` to whole visual tokens and at least `least` pixels, cut it into patches, and find each glyph's patch."""
    width, height = fitting(*picture.size, least)
    across, down = width / picture.width, height / picture.height
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    rows, columns = height // PATCH, width // PATCH
    return Patches(_blocks(picture, rows, columns), rows, columns, _places(glyphs, across, down, rows, columns))


def fitting(width: int, height: int, least: int = MIN_PIXELS) -> tuple[int, int]:
    """The nearest size in whole visual tokens, enlarged where there are fewer pixels than `least`."""
    fit_width, fit_height = (max(VISUAL_TOKEN, round(side / VISUAL_TOKEN) * VISUAL_TOKEN) for side in (width, height))
    if fit_width * fit_height < least:
        larger = math.sqrt(least / (width * height))
        fit_width, fit_height = (math.ceil(side * larger / VISUAL_TOKEN) * VISUAL_TOKEN for side in (width, height))
    return fit_width, fit_height


def _blocks(picture: Image.Image, rows: int, columns: int) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"), dtype=np.uint8)
    split = pixels.reshape(rows // MERGE, MERGE, PATCH, columns // MERGE, MERGE, PATCH, 3)
    return np.ascontiguousarray(split.transpose(0, 3, 1, 4, 2, 5, 6)).reshape(rows * columns, PATCH_BYTES)


def _places(glyphs: Sequence[Glyph], across: float, down: float, rows: int, columns: int) -> npt.NDArray[np.int32]:
    if not glyphs:
        return np.empty((0, 3), dtype=np.int32)
    boxes = np.array([glyph.box for glyph in glyphs])
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2 * across, (boxes[:, 1] + boxes[:, 3]) / 2 * down
    inside = (x >= 0) & (y >= 0) & (x < columns * PATCH) & (y < rows * PATCH)
    cell_x, cell_y = (x[inside] // CELL_WIDTH).astype(np.int32), (y[inside] // CELL_HEIGHT).astype(np.int32)
    wide, high = PATCH // CELL_WIDTH, PATCH // CELL_HEIGHT
    patch = block_index(cell_y // high, cell_x // wide, columns)
    codes = np.array([ord(glyph.char[0]) for glyph in glyphs], dtype=np.int32)[inside]
    return np.stack([patch, cell_y % high * wide + cell_x % wide, codes], axis=1).astype(np.int32)


def block_index(row: npt.NDArray[np.int32], column: npt.NDArray[np.int32], columns: int) -> npt.NDArray[np.int32]:
    """Where the patch of `row` and `column` stands among all of a picture that is `columns` patches wide."""
    block = row // MERGE * (columns // MERGE) + column // MERGE
    return block * MERGE**2 + row % MERGE * MERGE + column % MERGE


def coordinates(rows: int, columns: int) -> npt.NDArray[np.int32]:
    """Row and column of every patch, in the order of the patches: (rows * columns, 2)."""
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    split = np.stack([row, column], axis=-1).reshape(rows // MERGE, MERGE, columns // MERGE, MERGE, 2)
    return split.transpose(0, 2, 1, 3, 4).reshape(-1, 2).astype(np.int32)
