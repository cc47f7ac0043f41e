"""transformers' Qwen3-VL run on packed steps: its own parameters, without its loops over pictures and without padding.

The arithmetic is that of transformers/models/qwen3_vl/modeling_qwen3_vl.py; a test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional

from serve.nano.attention import attend
from serve.nano.packing import MAX_PICTURE, MAX_SPOKEN
from serve.nano.patches import PATCH_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn
    from transformers import Qwen3VLForConditionalGeneration


_LARGEST = torch.finfo(torch.float8_e4m3fn).max
_BEHIND_THE_POINT = ~0xFFFFF  # of a float32: sign, exponent, and the three bits of its fraction that e4m3 has
_SMALL, _STEP = 2.0**-6, 2.0**-9  # numbers below the one are multiples of the other


def _exact(kept: Tensor) -> Tensor:
    return kept


def as_fp8(kept: Tensor) -> Tensor:
    """`kept` as vLLM's FP8 KV cache on a CPU returns it: e4m3, scale 1, cut off and not rounded to the nearest.

    Its gradient passes as if nothing were cut. https://github.com/vllm-project/vllm/blob/main/csrc/cpu/cpu_attn_fp8.hpp
    """
    exact = kept.detach().float().clamp(-_LARGEST, _LARGEST)
    normal = (exact.view(torch.int32) & _BEHIND_THE_POINT).view(torch.float32)
    small = (exact / _STEP).trunc() * _STEP
    stored = torch.where(exact.abs() < _SMALL, small, normal).to(kept.dtype)
    return kept + (stored - kept).detach()


class Seen(NamedTuple):
    """What the tower makes of P patches: their last features, P / 4 visual tokens, and as many for each DeepStack level."""

    patches: Tensor
    tokens: Tensor
    levels: list[Tensor]


def see(model: Qwen3VLForConditionalGeneration, step: Mapping[str, Tensor]) -> Seen:
    """Run the vision tower on a step's `values`, `place` and `picture_ends`."""
    tower = model.model.visual
    x = _embed_patches(tower, step["values"]) + _learnt_positions(tower, step["place"])
    turns = _tower_turns(tower, step["place"])
    levels: list[Tensor] = []
    for index, block in enumerate(tower.blocks):
        x = x + _look(block.attn, block.norm1(x).to(x.dtype), turns, step["picture_ends"])
        x = x + block.mlp(block.norm2(x).to(x.dtype))
        if index in tower.deepstack_visual_indexes:
            levels.append(tower.deepstack_merger_list[len(levels)](x))
    return Seen(x, tower.merger(x), levels)


def say(
    model: Qwen3VLForConditionalGeneration,
    seen: Seen,
    step: Mapping[str, Tensor],
    *,
    cached: Callable[[Tensor], Tensor] = _exact,
) -> Tensor:
    """The language model's last hidden states, (tokens, hidden). `visual` picks a visual token, or the one after them all.

    `cached` is what becomes of keys and values in the KV cache.
    """
    language = model.model.language_model
    visual = step["visual"]
    is_text = (visual == len(seen.tokens)).unsqueeze(-1)
    x = torch.where(is_text, language.embed_tokens(step["ids"]).to(seen.tokens.dtype), _pick(seen.tokens, visual))
    turns = _text_turns(language, step["positions"])
    for index, layer in enumerate(language.layers):
        x = x + _listen(layer.self_attn, layer.input_layernorm(x), turns, step["spoken_ends"], cached)
        x = x + layer.mlp(layer.post_attention_layernorm(x))
        if index < len(seen.levels):
            x = x + _pick(seen.levels[index], visual)
    hidden: Tensor = language.norm(x)
    return hidden


def _pick(tokens: Tensor, index: Tensor) -> Tensor:
    """Rows of `tokens`; zeros where the index is one past the last."""
    return functional.pad(tokens, (0, 0, 0, 1))[index]


def _embed_patches(tower: nn.Module, values: Tensor) -> Tensor:
    """A still picture is two equal frames, so the kernel's two halves act as their sum; values come with their channels last."""
    projection = tower.patch_embed.proj
    weight = projection.weight.sum(2).permute(0, 2, 3, 1).reshape(-1, PATCH_BYTES)
    pixels = values.to(torch.bfloat16 if values.is_cuda else weight.dtype) / 127.5 - 1
    return functional.linear(pixels, weight, projection.bias)


def _learnt_positions(tower: nn.Module, place: Tensor) -> Tensor:
    """The square grid of learnt positions, stretched over each picture: bilinear, corners on corners."""
    side = tower.num_grid_per_side
    at = place[:, :2].float() * (side - 1) / (place[:, 2:].float() - 1)
    at = at.clamp(max=side - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=side - 1)
    part = at - low
    total = torch.zeros(1, device=place.device)
    for row, of_row in ((low[:, 0], 1 - part[:, 0]), (high[:, 0], part[:, 0])):
        for column, of_column in ((low[:, 1], 1 - part[:, 1]), (high[:, 1], part[:, 1])):
            total = total + tower.pos_embed(row * side + column) * (of_row * of_column).unsqueeze(-1)
    return total.to(torch.bfloat16) if place.is_cuda else total


def _tower_turns(tower: nn.Module, place: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine for every patch, (P, 1, head size): rows in the first quarter of a head, columns in the second."""
    angles = (place[:, :2, None].float() * _frequencies(tower.rotary_pos_emb)).flatten(1)
    angles = torch.cat([angles, angles], dim=-1).unsqueeze(1)
    return angles.cos(), angles.sin()


def _text_turns(language: nn.Module, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine for every token, (T, 1, head size): of its time, row and column in turn, as `mrope_section` shares them."""
    rotary = language.rotary_emb
    frequencies = _frequencies(rotary)
    angles = positions[:, :, None].float() * frequencies
    pair = torch.arange(len(frequencies), device=positions.device)
    mixed = angles[:, 0]
    for axis in (1, 2):
        mixed = torch.where((pair % 3 == axis) & (pair < 3 * rotary.mrope_section[axis]), angles[:, axis], mixed)
    mixed = torch.cat([mixed, mixed], dim=-1).unsqueeze(1)
    return mixed.cos(), mixed.sin()


def _frequencies(rotary: nn.Module) -> Tensor:
    frequencies: Tensor = rotary.inv_freq.float()
    return frequencies


def _turn(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = turns
    first, second = x.float().chunk(2, dim=-1)
    turned = torch.cat([first, second], dim=-1) * cosine + torch.cat([-second, first], dim=-1) * sine
    return turned.to(x.dtype)


def _look(attention: nn.Module, x: Tensor, turns: tuple[Tensor, Tensor], ends: Tensor) -> Tensor:
    query, key, value = attention.qkv(x).view(len(x), 3, attention.num_heads, -1).unbind(1)
    heads = attend(_turn(query, turns), _turn(key, turns), value, ends, MAX_PICTURE, causal=False)
    out: Tensor = attention.proj(heads.flatten(1))
    return out


def _listen(
    attention: nn.Module, x: Tensor, turns: tuple[Tensor, Tensor], ends: Tensor, cached: Callable[[Tensor], Tensor]
) -> Tensor:
    def heads(projection: nn.Module) -> Tensor:
        return projection(x).view(len(x), -1, attention.head_dim)

    query = attention.q_norm(heads(attention.q_proj))
    key = attention.k_norm(heads(attention.k_proj))
    kept = (cached(_turn(key, turns)), cached(heads(attention.v_proj)))
    key, value = (_repeat(each, attention.num_key_value_groups) for each in kept)
    told = attend(_turn(query, turns), key, value, ends, MAX_SPOKEN, causal=True)
    out: Tensor = attention.o_proj(told.flatten(1))
    return out


def _repeat(heads: Tensor, times: int) -> Tensor:
    return heads.repeat_interleave(times, dim=1)
