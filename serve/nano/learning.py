"""One step of learning: packed arrays in, losses out, parameters moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from serve.nano.glyphs import GlyphHead
from serve.nano.packed import as_fp8, say, see

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from transformers import Qwen3VLForConditionalGeneration


class Losses(NamedTuple):
    """All are means in nats, but `right` and `hit`: the shares of characters and of answer tokens that come out right."""

    answer: Tensor
    where: Tensor
    patch: Tensor
    token: Tensor
    right: Tensor
    hit: Tensor

    def total(self, auxiliary: Tensor | float) -> Tensor:
        return self.answer + auxiliary * (4 * self.where + self.patch + self.token)

    def detached(self) -> Losses:
        return Losses(*(value.detach() for value in self))


class Learner(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The model with its auxiliary head, as one module that compiles whole."""

    def __init__(self, model: Qwen3VLForConditionalGeneration, characters: int) -> None:
        super().__init__()
        self.model = model
        vision = model.config.vision_config
        self.head = GlyphHead(vision.hidden_size, vision.out_hidden_size, characters)

    def forward(self, step: Mapping[str, Tensor]) -> Losses:
        seen = see(self.model, step)
        in_fp8 = _every_other(step)

        def cached(kept: Tensor) -> Tensor:
            return torch.where(in_fp8, as_fp8(kept), kept)

        hidden = say(self.model, seen, step, cached=cached)
        logits = self.model.lm_head(hidden[step["before_answers"]]).float()
        targets, weights = step["targets"].long(), step["weights"]
        each = functional.cross_entropy(logits, targets, reduction="none")
        glyphs = self.head(seen, step["glyphs"])
        hits = ((logits.argmax(-1) == targets) & (weights > 0)).sum() / (weights > 0).sum()
        answer = (each * weights).sum() / weights.sum()
        return Losses(answer, glyphs.where, glyphs.patch, glyphs.token, glyphs.right, hits)


def _every_other(step: Mapping[str, Tensor]) -> Tensor:
    """Which of the T tokens, (T, 1, 1), are of the second conversation, the fourth and so on.

    Duet keeps KV in FP8 where it can, and elsewhere in BF16: the model learns to read both.
    """
    tokens = torch.arange(len(step["ids"]), device=step["ids"].device)
    conversation = torch.bucketize(tokens, step["spoken_ends"], right=True)
    return (conversation % 2 == 0)[:, None, None]


def on(device: torch.device, step: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to(device, non_blocking=True) for name, tensor in step.items()}


def autocast(device: torch.device) -> torch.autocast:
    # Weights cast once a step and kept would outlive the memory of a captured step.
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda", cache_enabled=False)
