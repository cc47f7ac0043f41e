"""What a checkpoint says of its own quantization, and what quantized matrices take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.errors import PlanError
from serve.memory.counts import text_matrices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from serve.checkpoint.shapes import Text

BLOCK = 128  # numbers on a side that share a scale in Qwen's own FP8 checkpoints
_SCALE_BYTES = 4  # vLLM keeps scales as float32 (vllm/model_executor/layers/quantization/fp8.py)

# Bytes of a number in the KV cache. The 8-bit formats keep their scales with the layer, not with the token.
_KV_BYTES = {"auto": 2, "bfloat16": 2, "float16": 2, "half": 2, "fp8": 1, "fp8_e4m3": 1}


def method_of(config: Mapping[str, Any]) -> str | None:
    """How the checkpoint of this config.json is quantized; `None` where it is not."""
    found = _of(config).get("quant_method")
    return str(found) if found else None


def kv_cache_dtype_of(config: Mapping[str, Any]) -> str | None:
    """The KV cache type for which the checkpoint brings its own scales, and which vLLM takes from it.

    `get_kv_cache_quant_algo_string` of vllm/utils/torch_utils.py; vllm/model_executor/layers/attention/attention.py.
    """
    quantization = _of(config)
    inner = quantization.get("quantization")
    asked = [
        place.get(key)
        for key in ("kv_cache_scheme", "kv_cache_quant_algo")
        for place in (inner, quantization)
        if isinstance(place, dict)
    ]
    return "fp8" if any(_is_fp8(each) for each in asked) else None


def fp8_text_bytes(text: Text, block: int | None = None) -> int:
    """Bytes of the language model's matrices in FP8: one for each number, and a scale for each matrix or square of `block`."""
    matrices = text_matrices(text)
    scales = sum(matrix.blocks(block) if block else matrix.count for matrix in matrices)
    return sum(matrix.parameters for matrix in matrices) + scales * _SCALE_BYTES


def kv_bytes(dtype: str) -> int:
    """Bytes of a number in a KV cache of this type. PlanError for a type that Duet does not plan with."""
    try:
        return _KV_BYTES[dtype]
    except KeyError:
        raise PlanError(f"kv_cache_dtype = {dtype!r}: Duet plans with {', '.join(_KV_BYTES)}") from None


def _of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    text = config.get("text_config")
    places = (config, text if isinstance(text, dict) else {})
    found = (place.get(key) for place in places for key in ("quantization_config", "compression_config"))
    return next((each for each in found if isinstance(each, dict)), {})


def _is_fp8(asked: object) -> bool:
    if isinstance(asked, dict):
        return asked.get("num_bits") == 8 and asked.get("type") == "float"
    return isinstance(asked, str) and asked.lower().startswith("fp8")
