"""An engine's own words → Served: what the router needs of `/v1/models` and of vLLM's `/metrics`."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from router.values import Served

_CACHE_SIZE = re.compile(rb'^vllm:cache_config_info\{[^}\n]*\bkv_cache_size_tokens="(\d+)"', re.MULTILINE)


class _Model(Struct):
    id: str
    max_model_len: int | None = None


class _Models(Struct):
    data: list[_Model]


_MODELS = msgspec.json.Decoder(_Models)


def served(models: bytes, metrics: bytes) -> Served:
    """Source: vllm/entrypoints/openai/models/serving.py and vllm:cache_config_info (vllm/v1/metrics/loggers.py).

    Raises:
        msgspec.DecodeError: `models` is not a list of OpenAI's model objects.
    """
    cards = _MODELS.decode(models).data
    lengths = [card.max_model_len for card in cards if card.max_model_len]
    sizes = [int(size) for size in _CACHE_SIZE.findall(metrics)]
    return Served(tuple(card.id for card in cards), min(lengths, default=None), sum(sizes) or None)
