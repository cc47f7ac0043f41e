"""The shape of the embedded models: all the parts of Qwen3-VL in at most six million parameters.

The tower gets half of them. Recognition of a few hundred Chinese characters at 17 pixels is its work alone, and its mergers
are square in four times its width: at 160 channels two of them already cost 1.1 million, at 192 they would cost 1.6 million.
One DeepStack level is kept. The language model looks up, copies and adds: six narrow layers of 256 channels. To find a product by
its price takes one step to the price and one to the line's beginning; of four layers twice as wide none were left for that.
"""

from __future__ import annotations

from typing import Any, cast

from serve.checkpoint.config import config
from serve.checkpoint.shapes import Shape, Text, Vision
from serve.checkpoint.special_tokens import ALL

MAX_PARAMETERS = 6_000_000

POSITIONS = 40_960
PATCH = 16
MERGE = 2
VISUAL_TOKEN = PATCH * MERGE  # pixels a side
# Smaller pictures are enlarged: at Qwen's own least, 64 visual tokens, small print would put seven letters into one of them.
MIN_PIXELS = 256 * VISUAL_TOKEN**2
# Served, they are enlarged a little more: what was learnt at one size is read better at a larger one (https://arxiv.org/abs/1906.06423).
SERVED_MIN_PIXELS = 400 * VISUAL_TOKEN**2

_TEXT = Text(layers=6, hidden=256, intermediate=256, heads=4, kv_heads=2, head_dim=64, mrope_section=(12, 10, 10))
# 16 x 16 learnt positions, stretched over every picture, instead of 48 x 48: those would be 330,000 parameters more.
_VISION = Vision(depth=8, hidden=160, intermediate=320, deepstack=(3,), heads=5, learnt_positions=256)

# Pictures are tens of tokens wide. With Qwen's 5,000,000 two thirds of the rotary pairs hardly turn over that distance.
_ROPE_THETA = 10_000


def shape(base_tokens: int) -> Shape:
    """The shape for a vocabulary of `base_tokens` ordinary pieces, its logits rounded up to a multiple of 64."""
    vocabulary = -(-(base_tokens + len(ALL)) // 64) * 64
    return Shape(_TEXT, _VISION, tied=True, base_tokens=base_tokens, vocabulary=vocabulary, positions=POSITIONS)


def model_config(nano: Shape) -> dict[str, object]:
    """`config.json` of an embedded model."""
    whole = cast("dict[str, Any]", config(nano))
    whole["text_config"]["rope_theta"] = _ROPE_THETA
    return whole
