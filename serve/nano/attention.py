"""Attention within stretches of one long row: FlashAttention's variable-length kernel on a GPU, a loop on a CPU."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, ends: Tensor, longest: int, *, causal: bool) -> Tensor:
    """Attention of (tokens, heads, head size) within the stretches between `ends`, none longer than `longest`."""
    if query.is_cuda:
        forward = torch.ops.aten._flash_attention_forward  # noqa: SLF001 its public face moved between releases
        query, key, value = (each.to(torch.bfloat16) for each in (query, key, value))
        out: Tensor = forward(query, key, value, ends, ends, longest, longest, 0.0, causal, False)[0]  # noqa: FBT003 positional in its schema
        return out
    return _loop(query, key, value, ends, causal=causal)


def _loop(query: Tensor, key: Tensor, value: Tensor, ends: Tensor, *, causal: bool) -> Tensor:
    stretches = [slice(first, last) for first, last in pairwise(ends.tolist()) if last > first]
    told = []
    for rows in stretches:
        q, k, v = (each[rows].transpose(0, 1) for each in (query, key, value))
        told.append(functional.scaled_dot_product_attention(q, k, v, is_causal=causal))
    return torch.cat(told, dim=1).transpose(0, 1)
