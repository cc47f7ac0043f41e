"""The auxiliary head, thrown away after training: it makes the tower say which character lies where.

Every drawn character is known with its box, so the tower need not wait for the language model to ask the right thing. Patch
features tell in which of their cells a character's middle lies; patch features and visual tokens tell which character it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from serve.nano.patches import CELLS
from serve.nano.shape import MERGE

if TYPE_CHECKING:
    from torch import Tensor

    from serve.nano.packed import Seen

_PATCHES_PER_TOKEN = MERGE**2


class GlyphLosses(NamedTuple):
    """`where`: cross-entropy of cells; `patch` and `token`: of characters read from either; `right`: share of tokens' hits."""

    where: Tensor
    patch: Tensor
    token: Tensor
    right: Tensor


class GlyphHead(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Reads single characters off the tower. `patch_width` and `token_width` are channels, `characters` is the alphabet's size."""

    def __init__(self, patch_width: int, token_width: int, characters: int) -> None:
        super().__init__()
        self.where = nn.Linear(patch_width, CELLS)
        self.patch_place = nn.Embedding(CELLS, patch_width)
        self.patch_reader = _reader(patch_width, characters)
        self.token_place = nn.Embedding(CELLS * _PATCHES_PER_TOKEN, token_width)
        self.token_reader = _reader(token_width, characters)

    def forward(self, seen: Seen, glyphs: Tensor) -> GlyphLosses:
        """`glyphs` is (G, 3): patch, cell, character; rows of character -1 are padding."""
        real = glyphs[:, 2] >= 0
        patch, cell = glyphs[:, 0].clamp(min=0).long(), glyphs[:, 1].clamp(min=0).long()
        character = torch.where(real, glyphs[:, 2].long(), -100)
        by_patch = self.patch_reader(seen.patches[patch] + self.patch_place(cell))
        count = real.sum().clamp(min=1)  # a step may be text alone
        in_token = patch % _PATCHES_PER_TOKEN * CELLS + cell
        by_token = self.token_reader(seen.tokens[patch // _PATCHES_PER_TOKEN] + self.token_place(in_token))
        return GlyphLosses(
            self._where_loss(seen.patches, patch * CELLS + cell, real),
            functional.cross_entropy(by_patch.float(), character, reduction="sum") / count,
            functional.cross_entropy(by_token.float(), character, reduction="sum") / count,
            (by_token.argmax(-1) == character).sum() / count,
        )

    def _where_loss(self, patches: Tensor, cells: Tensor, real: Tensor) -> Tensor:
        logits = self.where(patches).float().flatten()
        taken = torch.zeros_like(logits).scatter_reduce(0, cells, real.float(), "amax")
        return functional.binary_cross_entropy_with_logits(logits, taken)


def _reader(width: int, characters: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, characters))
