"""The shape of a model, read from its config.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.checkpoint.shapes import Experts, Shape, Text, Vision
from serve.checkpoint.special_tokens import token_id
from serve.errors import ModelNotFound
from serve.memory.counts import CHANNELS, FRAMES, MERGE, PATCH

if TYPE_CHECKING:
    from serve.memory.document import Document

# What every Qwen3-VL has in common, so `Shape` does not say it and the tokens of a picture rest on it.
_COMMON = {
    "patch_size": PATCH,
    "spatial_merge_size": MERGE,
    "temporal_patch_size": FRAMES,
    "in_channels": CHANNELS,
}


def shape_of(config: Document) -> Shape:
    """Read `Shape` from config.json in the form of transformers 4.57 or 5.

    Raises ModelNotFound, with file, key and value, for another architecture and for what is missing or of the wrong kind.
    """
    kind = config.text("model_type")
    if kind not in ("qwen3_vl", "qwen3_vl_moe"):
        raise config.wrong("model_type", "Duet serves qwen3_vl and qwen3_vl_moe")
    text = config.section("text_config")
    return Shape(
        _text(text, moe=kind == "qwen3_vl_moe"),
        _vision(config.section("vision_config"), text.integer("hidden_size")),
        tied=bool(config.content.get("tie_word_embeddings", text.content.get("tie_word_embeddings", False))),
        base_tokens=config.integer("image_token_id") - token_id("<|image_pad|>", 0),
        vocabulary=text.integer("vocab_size"),
        positions=text.integer("max_position_embeddings"),
    )


def _text(text: Document, *, moe: bool) -> Text:
    return Text(
        layers=text.integer("num_hidden_layers"),
        hidden=text.integer("hidden_size"),
        intermediate=text.integer("intermediate_size"),
        heads=text.integer("num_attention_heads"),
        kv_heads=text.integer("num_key_value_heads"),
        head_dim=text.integer("head_dim"),
        mrope_section=_mrope_section(text),
        experts=_experts(text) if moe else None,
    )


def _mrope_section(text: Document) -> tuple[int, int, int]:
    rope = text.section("rope_scaling" if "rope_scaling" in text else "rope_parameters")
    match rope.integers("mrope_section"):
        case (time, height, width):
            return time, height, width
        case _:
            raise rope.wrong("mrope_section", "expected three numbers")


def _experts(text: Document) -> Experts:
    if text.content.get("mlp_only_layers") or text.content.get("decoder_sparse_step", 1) != 1:
        raise ModelNotFound(f"{text.file}: {text.key}mlp_only_layers, decoder_sparse_step: every layer must have experts")
    return Experts(text.integer("num_experts"), text.integer("num_experts_per_tok"), text.integer("moe_intermediate_size"))


def _vision(vision: Document, out: int) -> Vision:
    for key, value in {**_COMMON, "out_hidden_size": out}.items():
        if vision.integer(key) != value:
            raise vision.wrong(key, f"a Qwen3-VL of this size has {value}")
    return Vision(
        depth=vision.integer("depth"),
        hidden=vision.integer("hidden_size"),
        intermediate=vision.integer("intermediate_size"),
        deepstack=vision.integers("deepstack_visual_indexes"),
        heads=vision.integer("num_heads"),
        learnt_positions=vision.integer("num_position_embeddings"),
    )
