"""A fresh model of the embedded shape, and its way to and from a checkpoint folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from serve.nano.shape import MAX_PARAMETERS, model_config

if TYPE_CHECKING:
    from serve.checkpoint.shapes import Shape


def fresh(nano: Shape, seed: int) -> Qwen3VLForConditionalGeneration:
    """Random weights: matrices scaled by their inputs, what is added to the residual streams small, tables of small size."""
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(Qwen3VLConfig(**model_config(nano))).float()
    for name, parameter in model.named_parameters():
        _draw(name, parameter)
    count = sum(parameter.numel() for parameter in model.parameters())
    if count > MAX_PARAMETERS:
        raise ValueError(f"{count:,} parameters; at most {MAX_PARAMETERS:,} are shipped")
    return model


def _draw(name: str, parameter: nn.Parameter) -> None:
    if "embed_tokens" in name or "pos_embed" in name:
        nn.init.normal_(parameter, std=0.05)
    elif parameter.ndim > 1:
        gain = 0.3 if name.endswith(("o_proj.weight", "down_proj.weight", "attn.proj.weight", "linear_fc2.weight")) else 1.0
        nn.init.normal_(parameter, std=gain / parameter[0].numel() ** 0.5)
    elif name.endswith("bias"):
        nn.init.zeros_(parameter)
