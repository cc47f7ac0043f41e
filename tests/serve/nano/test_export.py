"""What is written is what was trained, made up for what the engine's cache cuts off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file

from serve.nano.export import CUT_OFF_GAIN

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import Qwen3VLForConditionalGeneration

_BLOCK, _HEAD = 32, 64


@pytest.mark.skipif(not torch.cpu._is_avx512_supported(), reason="vLLM has no FP8 KV cache on this CPU")
def test_the_gain_is_what_the_engine_cuts_off() -> None:
    """If this fails, vLLM rounds to the nearest at last: then the gain has to go."""
    import vllm._C  # noqa: F401, PLC0415 registers the kernels

    sizes = torch.logspace(-2, 2, _BLOCK * 40, base=2).bfloat16()
    kept = torch.cat([_kept(sizes[first : first + _BLOCK]) for first in range(0, len(sizes), _BLOCK)])
    assert (kept <= sizes.float()).all()
    assert float(kept.sum() / sizes.float().sum()) * CUT_OFF_GAIN == pytest.approx(1, abs=0.006)


def _kept(sizes: torch.Tensor) -> torch.Tensor:
    """What vLLM's cache on a CPU holds of as many numbers as a block has tokens, each filling one token."""
    cache = torch.zeros(1, 1, 2 * _BLOCK, _HEAD, dtype=torch.uint8)
    keys, values = cache.chunk(2, dim=2)
    filled = sizes[:, None, None].expand(_BLOCK, 1, _HEAD).contiguous()
    torch.ops._C.cpu_attn_reshape_and_cache(filled, filled.clone(), keys, values, torch.arange(_BLOCK), "vec", 1.0, 1.0, "fp8")
    return values[0, 0].view(torch.float8_e4m3fn).float()[:, 0]


def test_queries_and_what_attention_hands_on_are_larger(folder: Path, model: Qwen3VLForConditionalGeneration) -> None:
    written = load_file(folder / "model.safetensors")
    trained = {name: value for name, value in model.state_dict().items() if name != "lm_head.weight"}
    assert written.keys() == trained.keys()
    larger = {name for name in written if not torch.equal(written[name], trained[name].bfloat16())}
    assert {name.rsplit(".", 2)[-2] for name in larger} == {"q_norm", "o_proj"}
    ratio = (
        written["model.language_model.layers.0.self_attn.o_proj.weight"].float().norm()
        / trained["model.language_model.layers.0.self_attn.o_proj.weight"].norm()
    )
    assert float(ratio) == pytest.approx(CUT_OFF_GAIN, abs=1e-3)
