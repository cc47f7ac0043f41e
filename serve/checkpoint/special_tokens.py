"""The tokens that stand above the ordinary vocabulary of Qwen3 and Qwen3-VL, in the order of their ids.

Source: `added_tokens_decoder` in the published tokenizer_config.json. Those marked special are left out of decoded text
(`skip_special_tokens`); the others are part of the answer, for a reasoning or tool parser to read.
"""

from __future__ import annotations

CONTROL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
MARKUP = (
    "<tool_call>",
    "</tool_call>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
)
ALL = CONTROL + MARKUP


def token_id(token: str, base_tokens: int) -> int:
    """The id of a special token in a vocabulary whose first `base_tokens` ids are ordinary."""
    return base_tokens + ALL.index(token)


def added_tokens(base_tokens: int) -> dict[int, dict[str, object]]:
    """Id to description, in the form of `added_tokens_decoder`."""
    return {
        base_tokens + index: {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": token in CONTROL,
        }
        for index, token in enumerate(ALL)
    }
