"""Every file of a checkpoint folder but the weights."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

from serve.checkpoint import tokenizer
from serve.checkpoint.config import config
from serve.checkpoint.special_tokens import token_id

if TYPE_CHECKING:
    from pathlib import Path

    from serve.checkpoint.shapes import Shape
    from serve.checkpoint.vocabulary import Vocabulary
    from serve.values import PoolName

# What both processors say of themselves; preprocessor_config.json and video_preprocessor_config.json of Qwen3-VL-4B-Instruct.
_PATCHES: dict[str, object] = {
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "processor_class": "Qwen3VLProcessor",
}
# The edges are areas in pixels: 64 to 16,384 image tokens; for a video, all its frames together.
_IMAGES = {
    "size": {"longest_edge": 16_777_216, "shortest_edge": 65_536},
    **_PATCHES,
    "image_processor_type": "Qwen2VLImageProcessorFast",
}
_VIDEOS = {
    "size": {"longest_edge": 25_165_824, "shortest_edge": 4_096},
    **_PATCHES,
    "video_processor_type": "Qwen3VLVideoProcessor",
}

# https://github.com/QwenLM/Qwen3-VL#evaluation-reproduction; the presence penalty there is no key of this file.
_SAMPLING: dict[PoolName, dict[str, float]] = {
    "instruct": {"top_k": 20, "top_p": 0.8, "repetition_penalty": 1.0, "temperature": 0.7},
    "thinking": {"top_k": 20, "top_p": 0.95, "repetition_penalty": 1.0, "temperature": 0.6},
}


def write(folder: Path, kind: PoolName, shape: Shape, vocabulary: Vocabulary) -> None:
    """Write configuration, processors, sampling defaults, chat template and tokenizer into an existing folder."""
    template = chat_template(kind)
    _write(folder / "config.json", config(shape))
    _write(folder / "preprocessor_config.json", _IMAGES)
    _write(folder / "video_preprocessor_config.json", _VIDEOS)
    _write(folder / "generation_config.json", _generation(kind, shape.base_tokens))
    _write(folder / "chat_template.json", {"chat_template": template})
    tokenizer.write(folder, vocabulary, shape.positions, template)


def chat_template(kind: PoolName) -> str:
    """ChatML; the Thinking one opens `<think>` for the model and keeps the thoughts of the turn under way."""
    text = resources.files(__package__).joinpath("chat_template.jinja").read_text(encoding="utf-8")
    return f"{{%- set thinking = {str(kind == 'thinking').lower()} %}}\n{text}"


def _generation(kind: PoolName, base_tokens: int) -> dict[str, object]:
    end_of_text = token_id("<|endoftext|>", base_tokens)
    return {
        "bos_token_id": end_of_text,
        "pad_token_id": end_of_text,
        "do_sample": True,
        "eos_token_id": [token_id("<|im_end|>", base_tokens), end_of_text],
        **_SAMPLING[kind],
        "transformers_version": "4.56.0",
    }


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
