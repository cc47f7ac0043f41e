"""How large text may be so that a picture keeps to a number of visual tokens."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from serve.nano.drawing.alphabet import is_chinese
from serve.nano.drawing.faces import stepped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

SMALLEST, LARGEST = 14, 64
_SMALLEST_CHINESE = 17
_USUAL, _WIDE = 600, 1_080  # pixels across or down


def fitting(texts: Sequence[str], rng: Random, *, gap: float = 0.0, leading: float = 1.5) -> int:
    """A size in pixels for `texts`, one below the other; `gap` is empty width in ems, `leading` the lines' distance in ems."""
    side = _WIDE if rng.random() < 0.04 else _USUAL
    ems = max(_ems(text) for text in texts) + gap
    most = min(side / ems, side / (len(texts) * leading), LARGEST)
    least = _SMALLEST_CHINESE if any(is_chinese(char) for text in texts for char in text) else SMALLEST
    part = rng.random() if rng.random() < 0.5 else math.sqrt(rng.random())
    return stepped(least * (max(most, least) / least) ** part)


def _ems(text: str) -> float:
    return sum(1.0 if is_chinese(char) or ord(char) > 0x2E00 else 0.55 for char in text) + 0.5
