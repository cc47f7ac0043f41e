"""Parameters of a Qwen3-VL by part, from its shape alone, and the part that a tensor of its checkpoint belongs to.

Source: transformers/models/qwen3_vl/modeling_qwen3_vl.py and transformers/models/qwen3_vl_moe/modeling_qwen3_vl_moe.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from serve.checkpoint.shapes import Shape, Text, Vision

PartName = Literal["embedding", "lm_head", "text_linear", "text_other", "vision", "mergers"]

PATCH = 16  # pixels on a side
CHANNELS = 3
FRAMES = 2  # of a video that make one patch; a picture is taken twice
MERGE = 2  # patches on a side that make one token


@dataclass(frozen=True, slots=True)
class Matrix:
    """`count` weight matrices of one size."""

    rows: int
    columns: int
    count: int

    @property
    def parameters(self) -> int:
        """Numbers in all of them."""
        return self.rows * self.columns * self.count

    def blocks(self, side: int) -> int:
        """Squares of `side` numbers that cover all of them; quantization in blocks keeps a scale for each."""
        return -(-self.rows // side) * -(-self.columns // side) * self.count


def parameters(shape: Shape) -> dict[PartName, int]:
    """How many numbers each part holds; `lm_head` none where it is the embedding itself."""
    table = shape.vocabulary * shape.text.hidden
    return {
        "embedding": table,
        "lm_head": 0 if shape.tied else table,
        "text_linear": sum(matrix.parameters for matrix in text_matrices(shape.text)),
        "text_other": _norms_and_gates(shape.text),
        "vision": _tower(shape.vision),
        "mergers": _mergers(shape.vision, shape.text.hidden),
    }


def text_matrices(text: Text) -> tuple[Matrix, ...]:
    """The language model's attention and feed-forward matrices, which are what weight quantization shrinks."""
    hidden, layers = text.hidden, text.layers
    width = text.experts.intermediate if text.experts else text.intermediate
    forwards = layers * (text.experts.count if text.experts else 1)
    return (
        Matrix(text.heads * text.head_dim, hidden, layers),
        Matrix(text.kv_heads * text.head_dim, hidden, 2 * layers),
        Matrix(hidden, text.heads * text.head_dim, layers),
        Matrix(width, hidden, 2 * forwards),
        Matrix(hidden, width, forwards),
    )


def part_of(tensor: str) -> PartName:
    """The part of a checkpoint's tensor, by its name; a quantized matrix's scales and zeros go with the matrix."""
    modules = tensor.split(".")[:-1]
    if "visual" in modules:
        return "mergers" if {"merger", "deepstack_merger_list"} & set(modules) else "vision"
    if "embed_tokens" in modules:
        return "embedding"
    if "lm_head" in modules:
        return "lm_head"
    owner = modules[-1] if modules else tensor
    return "text_other" if owner.endswith("norm") or owner == "gate" else "text_linear"


def _norms_and_gates(text: Text) -> int:
    gate = text.hidden * text.experts.count if text.experts else 0
    return text.layers * (2 * text.hidden + 2 * text.head_dim + gate) + text.hidden


def _tower(vision: Vision) -> int:
    hidden = vision.hidden
    patches = _linear(CHANNELS * FRAMES * PATCH * PATCH, hidden)
    attention = _linear(hidden, 3 * hidden) + _linear(hidden, hidden)
    forward = _linear(hidden, vision.intermediate) + _linear(vision.intermediate, hidden)
    return patches + vision.learnt_positions * hidden + vision.depth * (attention + forward + 2 * _norm(hidden))


def _mergers(vision: Vision, out: int) -> int:
    """The last merger normalizes single patches, those of DeepStack the merged ones."""
    merged = vision.hidden * MERGE * MERGE
    layers = _linear(merged, merged) + _linear(merged, out)
    return layers + _norm(vision.hidden) + len(vision.deepstack) * (layers + _norm(merged))


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _norm(width: int) -> int:
    return 2 * width
