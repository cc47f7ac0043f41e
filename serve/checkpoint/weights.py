"""The weights of an embedded checkpoint. Needs torch, so a process of its own runs it.

A `WeightSource` is the seam: random weights today; trained ones need only another function of the same type.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save as to_safetensors
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from serve.checkpoint.voice import give_voice, let_thoughts_end
from serve.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

WeightSource = Callable[[Qwen3VLConfig], Mapping[str, torch.Tensor]]

_FOCUS = 3.0  # attention that picks out few tokens follows the context; that of unit size falls into loops of ten words


def save(config: Mapping[str, object], source: WeightSource, folder: Path) -> None:
    """Write the source's tensors to model.safetensors, once transformers agrees that they are all of the model and fit it."""
    parsed = Qwen3VLConfig(**config)
    tensors = dict(source(parsed))
    try:
        _blank(parsed).load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f"the weights do not fit the model: {error}") from error
    (folder / "model.safetensors").write_bytes(to_safetensors(tensors, metadata={"format": "pt"}))


def random_weights(seed: int, sayable: Sequence[int], end_of_thought: int | None = None) -> WeightSource:
    """Seeded bfloat16 weights that say tokens with ids in `sayable`, varied, for as long as they are asked to.

    With `end_of_thought` they also say that token, once, after some 40 others.
    """

    def source(config: Qwen3VLConfig) -> dict[str, torch.Tensor]:
        tensors = {name: _draw(name, like.shape, seed) for name, like in _blank(config).state_dict().items()}
        give_voice(tensors, sayable)
        if end_of_thought is not None:
            let_thoughts_end(tensors, config.text_config, end_of_thought)
        return {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}

    return source


def _blank(config: Qwen3VLConfig) -> Qwen3VLForConditionalGeneration:
    with torch.device("meta"):
        return Qwen3VLForConditionalGeneration(config)


def _draw(name: str, shape: torch.Size, seed: int) -> torch.Tensor:
    """Activations of about unit size everywhere: norms one, biases zero, the rest normal, matrices scaled by their inputs."""
    if len(shape) == 1 and name.endswith("bias"):
        return torch.zeros(shape)
    if len(shape) == 1:
        return torch.full(shape, _FOCUS if "q_norm" in name else 1.0)
    # A seed for each name: a tensor keeps its values when others come or go.
    generator = torch.Generator().manual_seed(seed + zlib.crc32(name.encode()))
    drawn = torch.randn(shape, generator=generator)
    return drawn if "embed_tokens" in name or "pos_embed" in name else drawn / shape[1:].numel() ** 0.5
