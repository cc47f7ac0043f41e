"""The shapes of Qwen3-VL: widths, depths and ids that `config.json` of each published checkpoint says.

The 4B values are those of the published file; the others follow from the same form and are held to the published parameter
counts (https://huggingface.co/collections/Qwen/qwen3-vl).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture-of-experts feed-forward: `per_token` of `count` experts run, each `intermediate` channels wide."""

    count: int
    per_token: int
    intermediate: int


@dataclass(frozen=True, slots=True)
class Text:
    """The language model. Widths are in channels; `mrope_section` splits half a head among time, height and width."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int = 128
    mrope_section: tuple[int, int, int] = (24, 20, 20)
    experts: Experts | None = None


@dataclass(frozen=True, slots=True)
class Vision:
    """The vision tower. `deepstack` names the blocks whose features also enter the first layers of the language model."""

    depth: int
    hidden: int
    intermediate: int
    deepstack: tuple[int, ...]
    heads: int = 16
    learnt_positions: int = 2304  # 48 on a side, stretched over every picture


@dataclass(frozen=True, slots=True)
class Shape:
    """A whole model. Ids below `base_tokens` are ordinary, the special tokens follow; `vocabulary` is the number of logits."""

    text: Text
    vision: Vision
    tied: bool
    base_tokens: int = 151_643
    vocabulary: int = 151_936
    positions: int = 262_144


_SMALL_TOWER = Vision(depth=24, hidden=1024, intermediate=4096, deepstack=(5, 11, 17))
_LARGE_TOWER = Vision(depth=27, hidden=1152, intermediate=4304, deepstack=(8, 16, 24))

PUBLISHED = {
    "2B": Shape(Text(layers=28, hidden=2048, intermediate=6144, heads=16, kv_heads=8), _SMALL_TOWER, tied=True),
    "4B": Shape(Text(layers=36, hidden=2560, intermediate=9728, heads=32, kv_heads=8), _SMALL_TOWER, tied=True),
    "8B": Shape(Text(layers=36, hidden=4096, intermediate=12288, heads=32, kv_heads=8), _LARGE_TOWER, tied=False),
    "32B": Shape(Text(layers=64, hidden=5120, intermediate=25600, heads=64, kv_heads=8), _LARGE_TOWER, tied=False),
    "30B-A3B": Shape(
        Text(
            layers=48,
            hidden=2048,
            intermediate=6144,
            heads=32,
            kv_heads=4,
            experts=Experts(count=128, per_token=8, intermediate=768),
        ),
        _LARGE_TOWER,
        tied=False,
    ),
}
