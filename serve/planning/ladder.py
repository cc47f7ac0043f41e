"""What gives way where memory is short, one rung after the other, and what is added where there is plenty."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serve.values import PixelLimits, Rung

if TYPE_CHECKING:
    from collections.abc import Collection

    from serve.values import Settings

# FP8 weights cost next to nothing in quality and halve the largest part; then goes what few requests need, then what makes
# small print hard to read, then throughput.
LADDER = (
    Rung("weights to FP8", (("quantization", "fp8"),)),
    Rung("context to 16,384 tokens", (("max_model_len", 16_384),)),
    Rung("context to 8,192 tokens", (("max_model_len", 8_192),)),
    Rung("pictures to 2,097,152 pixels", (("max_image_pixels", 2_097_152), ("max_video_pixels", 4_194_304))),
    Rung("pictures to 1,310,720 pixels", (("max_image_pixels", 1_310_720), ("max_video_pixels", 2_621_440))),
    Rung("batches to 16 requests and 1,024 tokens", (("max_num_seqs", 16), ("max_num_batched_tokens", 1_024))),
)
# Without a GPU only the context can be too long for the KV cache, whose size is given.
LADDER_ON_CPU = (
    Rung("context to 4,096 tokens", (("max_model_len", 4_096),)),
    Rung("context to 2,048 tokens", (("max_model_len", 2_048),)),
    Rung("context to 1,024 tokens", (("max_model_len", 1_024),)),
)
# Throughput for cards with plenty of memory; vLLM has the larger batch from 70 GiB on.
PLENTY = Rung("batches of 256 requests and 8,192 tokens", (("max_num_seqs", 256), ("max_num_batched_tokens", 8_192)))


def lower(settings: Settings, rung: Rung, open_keys: Collection[str]) -> Settings:
    """Take a step down as far as its keys are open; nothing grows by it."""
    for key, value in rung.changes:
        if key in open_keys:
            settings = _lowered(settings, key, value)
    return settings


def grow(settings: Settings, open_keys: Collection[str]) -> Settings:
    """Take what plenty of memory is good for, as far as the keys are open."""
    requests, batch = (int(value) for _, value in PLENTY.changes)
    seqs = requests if "max_num_seqs" in open_keys else settings.max_num_seqs
    if "max_num_batched_tokens" not in open_keys:
        batch = settings.max_num_batched_tokens or batch
        seqs = max(min(seqs, batch), settings.max_num_seqs)  # vLLM wants a token a request
    return replace(settings, max_num_seqs=seqs, max_num_batched_tokens=max(batch, seqs))


def _lowered(settings: Settings, key: str, value: int | str) -> Settings:
    if key == "quantization":
        return replace(settings, quantization=str(value))
    most = int(value)
    if key == "max_image_pixels":
        return replace(settings, image_pixels=_at_most(settings.image_pixels, most))
    if key == "max_video_pixels":
        return replace(settings, video_pixels=_at_most(settings.video_pixels, most))
    if key == "max_model_len":
        return replace(settings, max_model_len=min(settings.max_model_len, most))
    if key == "max_num_seqs":
        return replace(settings, max_num_seqs=min(settings.max_num_seqs, most))
    most = max(most, settings.max_num_seqs)  # vLLM wants a token a request
    return replace(settings, max_num_batched_tokens=min(settings.max_num_batched_tokens or most, most))


def _at_most(limits: PixelLimits, most: int) -> PixelLimits:
    return PixelLimits(limits.least, max(limits.least, min(limits.most, most)))
