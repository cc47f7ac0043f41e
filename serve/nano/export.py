"""A trained model as the checkpoint folder that transformers and vLLM load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from serve.checkpoint import files
from serve.nano.shape import SERVED_MIN_PIXELS, model_config

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import Qwen3VLForConditionalGeneration

    from serve.checkpoint.shapes import Shape
    from serve.checkpoint.vocabulary import Vocabulary
    from serve.values import PoolName

_TIED = "lm_head.weight"


def write(folder: Path, kind: PoolName, model: Qwen3VLForConditionalGeneration, nano: Shape, vocabulary: Vocabulary) -> None:
    """Write everything but the model card: configuration, processors, template, tokenizer, and the weights as bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder, kind, nano, vocabulary)
    (folder / "config.json").write_text(json.dumps(model_config(nano), indent=4) + "\n", encoding="utf-8")
    _enlarge_small_pictures(folder / "preprocessor_config.json")
    tensors = {name: value.detach().to("cpu", torch.bfloat16).contiguous() for name, value in model.state_dict().items()}
    save_file({name: value for name, value in tensors.items() if name != _TIED}, folder / "model.safetensors", {"format": "pt"})


def _enlarge_small_pictures(file: Path) -> None:
    """Both edges are areas in pixels, for all their names."""
    processor = json.loads(file.read_text(encoding="utf-8"))
    processor["size"]["shortest_edge"] = SERVED_MIN_PIXELS
    file.write_text(json.dumps(processor, indent=4) + "\n", encoding="utf-8")
