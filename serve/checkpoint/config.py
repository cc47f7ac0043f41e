"""`config.json` of a shape, key for key in the published form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.checkpoint.special_tokens import token_id

if TYPE_CHECKING:
    from serve.checkpoint.shapes import Experts, Shape


def config(shape: Shape) -> dict[str, object]:
    """The whole file, ready for JSON."""
    moe = shape.text.experts is not None
    return {
        "architectures": ["Qwen3VLMoeForConditionalGeneration" if moe else "Qwen3VLForConditionalGeneration"],
        "image_token_id": token_id("<|image_pad|>", shape.base_tokens),
        "model_type": "qwen3_vl_moe" if moe else "qwen3_vl",
        "text_config": _text(shape),
        "tie_word_embeddings": shape.tied,
        "transformers_version": "4.57.0.dev0",
        "video_token_id": token_id("<|video_pad|>", shape.base_tokens),
        "vision_config": _vision(shape),
        "vision_end_token_id": token_id("<|vision_end|>", shape.base_tokens),
        "vision_start_token_id": token_id("<|vision_start|>", shape.base_tokens),
    }


def _text(shape: Shape) -> dict[str, object]:
    text = shape.text
    return {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": token_id("<|endoftext|>", shape.base_tokens),
        "dtype": "bfloat16",
        "eos_token_id": token_id("<|im_end|>", shape.base_tokens),
        "head_dim": text.head_dim,
        "hidden_act": "silu",
        "hidden_size": text.hidden,
        "initializer_range": 0.02,
        "intermediate_size": text.intermediate,
        "max_position_embeddings": shape.positions,
        "model_type": "qwen3_vl_moe_text" if text.experts else "qwen3_vl_text",
        "num_attention_heads": text.heads,
        "num_hidden_layers": text.layers,
        "num_key_value_heads": text.kv_heads,
        "rms_norm_eps": 1e-06,
        "rope_scaling": {"mrope_interleaved": True, "mrope_section": list(text.mrope_section), "rope_type": "default"},
        "rope_theta": 5_000_000,
        "tie_word_embeddings": shape.tied,
        "use_cache": True,
        "vocab_size": shape.vocabulary,
    } | (_experts(text.experts) if text.experts else {})


def _experts(experts: Experts) -> dict[str, object]:
    return {
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "moe_intermediate_size": experts.intermediate,
        "norm_topk_prob": True,
        "num_experts": experts.count,
        "num_experts_per_tok": experts.per_token,
    }


def _vision(shape: Shape) -> dict[str, object]:
    vision = shape.vision
    return {
        "deepstack_visual_indexes": list(vision.deepstack),
        "depth": vision.depth,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_size": vision.hidden,
        "in_channels": 3,
        "initializer_range": 0.02,
        "intermediate_size": vision.intermediate,
        "model_type": "qwen3_vl_moe" if shape.text.experts else "qwen3_vl",
        "num_heads": vision.heads,
        "num_position_embeddings": vision.learnt_positions,
        "out_hidden_size": shape.text.hidden,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }
