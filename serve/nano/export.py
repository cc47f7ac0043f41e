"""A trained model as the checkpoint folder that transformers and vLLM load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from serve.checkpoint import files
from serve.nano.shape import MIN_PIXELS, model_config

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor
    from transformers import Qwen3VLForConditionalGeneration

    from serve.checkpoint.shapes import Shape
    from serve.checkpoint.vocabulary import Vocabulary
    from serve.values import PoolName

_TIED = "lm_head.weight"

# vLLM's CPU kernel cuts keys and values off where it stores them as e4m3, three bits behind the point, instead of rounding them to the
# nearest: they come back 4.5 % too small on average (of a number 2**e * (1 + m): 1/16 / (1 + m), over all m as they occur). Queries and
# what attention hands on are larger by as much. https://github.com/vllm-project/vllm/blob/v0.32.0/csrc/cpu/cpu_attn_fp8.hpp
CUT_OFF_GAIN = 1.047
_GAINS = ("q_norm.weight", "o_proj.weight")


def write(folder: Path, kind: PoolName, model: Qwen3VLForConditionalGeneration, nano: Shape, vocabulary: Vocabulary) -> None:
    """Write everything but the model card: configuration, processors, template, tokenizer, and the weights as bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder, kind, nano, vocabulary)
    (folder / "config.json").write_text(json.dumps(model_config(nano), indent=4) + "\n", encoding="utf-8")
    _enlarge_small_pictures(folder / "preprocessor_config.json")
    tensors = {name: _stored(name, value) for name, value in model.state_dict().items() if name != _TIED}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _stored(name: str, value: Tensor) -> Tensor:
    gain = CUT_OFF_GAIN if name.endswith(_GAINS) else 1.0
    return (value.detach().to("cpu") * gain).to(torch.bfloat16).contiguous()


def _enlarge_small_pictures(file: Path) -> None:
    """Both edges are areas in pixels, for all their names."""
    processor = json.loads(file.read_text(encoding="utf-8"))
    processor["size"]["shortest_edge"] = MIN_PIXELS
    file.write_text(json.dumps(processor, indent=4) + "\n", encoding="utf-8")
