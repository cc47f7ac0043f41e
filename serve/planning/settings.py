"""What the configuration asks of an engine, and what it leaves to Duet: the settings that a plan starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from serve.errors import PlanError
from serve.values import PixelLimits, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serve.config import EngineConfig
    from serve.memory.card import ModelCard
    from serve.values import Gpu, PoolName

BFLOAT16_SINCE = (8, 0)  # compute capability; FP8 KV needs the same (vllm: v1/attention/backends/*.py)
FP8_WEIGHTS_SINCE = (7, 5)  # below 8.9 through Marlin (vllm: model_executor/layers/quantization/fp8.py, get_min_capability)
LEAST_IMAGE_PIXELS = 65_536  # of every published Qwen3-VL
LEAST_VIDEO_PIXELS = 4096
NO_E5M2 = "corrupts the answers of Qwen-VL models without a word (vllm-project/vllm#41343); fp8 is e4m3 and does not"
HALVES = ("half", "float16")
T = TypeVar("T")

# What Duet sets where the configuration says nothing; the first rungs of the ladder (`ladder.py`) start here.
ON_GPU = {
    "max_model_len": 32_768,
    "max_num_seqs": 64,
    "max_num_batched_tokens": 2_048,  # vLLM's own on cards below 70 GiB
    "max_image_pixels": 4_194_304,
    "max_video_pixels": 8_388_608,
}
ON_CPU = {"max_model_len": 8_192, "max_num_seqs": 32, "max_image_pixels": 1_310_720, "max_video_pixels": 8_388_608}
STEPPED = ("quantization", *ON_GPU)  # keys that a rung may change


def settings(
    pool: PoolName, asked: EngineConfig, card: ModelCard | None, gpu: Gpu | None, *, fp8_on_cpu: bool = True
) -> Settings:
    """Take every wish, and the rule for the hardware where there is none.

    Raises:
        PlanError: a wish that this GPU or this model cannot be given, whatever the memory.

    """
    has_fp8 = _has_bfloat16(gpu) if gpu else fp8_on_cpu
    _check(pool, asked, card, gpu, has_fp8=has_fp8)
    rules = ON_GPU if gpu else ON_CPU
    batch = _or(asked.max_num_batched_tokens, rules.get("max_num_batched_tokens"))
    seqs = _or(asked.max_num_seqs, min(rules["max_num_seqs"], batch or rules["max_num_seqs"]))
    if batch and asked.max_num_batched_tokens is None:
        batch = max(batch, seqs)  # vLLM wants a token a request
    return Settings(
        dtype=asked.dtype or (None if _has_bfloat16(gpu) else "half"),
        quantization=None if card and card.quantization else asked.quantization,  # vLLM finds the checkpoint's own by itself
        kv_cache_dtype=asked.kv_cache_dtype or ("fp8" if has_fp8 else "auto"),
        max_model_len=_or(asked.max_model_len, rules["max_model_len"]),
        max_num_seqs=seqs,
        max_num_batched_tokens=batch,
        image_pixels=_image_pixels(asked, card, rules["max_image_pixels"]),
        video_pixels=PixelLimits(LEAST_VIDEO_PIXELS, _or(asked.max_video_pixels, rules["max_video_pixels"])),
        images_per_request=asked.images_per_request,
        videos_per_request=asked.videos_per_request,
        cpu_offload_gb=asked.cpu_offload_gb,
        kv_offloading_size=asked.kv_offloading_size,
    )


def _image_pixels(asked: EngineConfig, card: ModelCard | None, most: int) -> PixelLimits:
    """The least area is the model's own, which it was trained with, unless the largest one asked for is below it."""
    own = card.image_pixels.least if card else LEAST_IMAGE_PIXELS
    least = _or(asked.min_image_pixels, min(own, _or(asked.max_image_pixels, own)))
    return PixelLimits(least, _or(asked.max_image_pixels, max(most, least)))


def open_keys(asked: EngineConfig, card: ModelCard | None, gpu: Gpu | None) -> frozenset[str]:
    """Name the keys that a step down may change: those without a wish, and FP8 weights only where they can be made."""
    can_quantize = gpu and card and card.quantization is None and gpu.compute_capability >= FP8_WEIGHTS_SINCE
    left = {key for key in STEPPED if getattr(asked, key) is None}
    return frozenset(left if can_quantize else left - {"quantization"})


def _or(wish: T | None, rule: T) -> T:
    return rule if wish is None else wish


def _has_bfloat16(gpu: Gpu | None) -> bool:
    return gpu is None or gpu.compute_capability >= BFLOAT16_SINCE


def _check(pool: PoolName, asked: EngineConfig, card: ModelCard | None, gpu: Gpu | None, *, has_fp8: bool) -> None:
    for key, why in _objections(asked, card, gpu, has_fp8=has_fp8):
        raise PlanError(f"pools.{pool}.engine.{key} = {getattr(asked, key)!r}: {why}")


def _objections(asked: EngineConfig, card: ModelCard | None, gpu: Gpu | None, *, has_fp8: bool) -> Iterator[tuple[str, str]]:
    on = f"{gpu.name} (compute capability {gpu.compute_capability[0]}.{gpu.compute_capability[1]})" if gpu else "a CPU"
    kv, dtype = asked.kv_cache_dtype or "auto", asked.dtype or "auto"
    if kv == "fp8_e5m2":
        yield "kv_cache_dtype", NO_E5M2
    if kv.startswith("fp8") and not has_fp8:
        yield "kv_cache_dtype", f"{on} has no FP8 KV cache; that needs 8.0, or a CPU with AVX-512 or AMX"
    if card and (why := _unknown_size(card, kv)):
        yield "kv_cache_dtype", why
    if dtype not in {"auto", "bfloat16", *HALVES}:
        yield "dtype", "Qwen3-VL is served in bfloat16, or in half where the GPU has no bfloat16"
    if dtype == "bfloat16" and not _has_bfloat16(gpu):
        yield "dtype", f"{on} has no bfloat16; that needs 8.0. Set it to half"
    if asked.quantization:
        yield from _objections_to_quantization(asked.quantization, card, gpu, on)
    if (batch := asked.max_num_batched_tokens) and asked.max_num_seqs and batch < asked.max_num_seqs:
        yield "max_num_batched_tokens", f"is less than max_num_seqs = {asked.max_num_seqs}: each needs a token of a batch"


def _objections_to_quantization(asked: str, card: ModelCard | None, gpu: Gpu | None, on: str) -> Iterator[tuple[str, str]]:
    own = card.quantization if card else asked
    if own and own != asked:
        yield "quantization", f"the checkpoint is quantized with {own} already"
    elif not own and asked != "fp8":
        yield "quantization", "vLLM makes fp8 of a plain checkpoint; anything else has to be in the checkpoint"
    elif asked == "fp8" and gpu and gpu.compute_capability < FP8_WEIGHTS_SINCE:
        yield "quantization", f"{on} has no kernel for FP8 weights; that needs 7.5"
    elif asked == "fp8" and not own and not gpu:
        yield "quantization", "vLLM makes fp8 of a plain checkpoint on a GPU only"


def _unknown_size(card: ModelCard, kv_cache_dtype: str) -> str:
    try:
        card.kv_bytes_per_token(kv_cache_dtype)
    except PlanError as error:
        return error.message
    return ""
