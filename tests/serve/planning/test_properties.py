"""What must hold for every plan, over sizes of cards, models and wishes: the parts never exceed the card, and more is never less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.config import DuetConfig
from serve.errors import PlanError
from serve.memory.card import ModelCard, published
from serve.plan import plan
from serve.values import POOLS, Gpu, Hardware, Plan, PoolName

MIB, GIB = 1 << 20, 1 << 30
SIZES = ("2B", "4B", "8B", "32B", "30B-A3B")
PIXELS = (655_360, 1_310_720, 4_194_304, 16_777_216)

wishes = st.fixed_dictionaries(
    {},
    optional={
        "max_model_len": st.sampled_from([2_048, 8_192, 32_768, 131_072]),
        "max_num_seqs": st.sampled_from([4, 64, 300]),
        "max_num_batched_tokens": st.sampled_from([512, 2_048, 16_384]),
        "kv_cache_dtype": st.sampled_from(["fp8", "auto"]),
        "kv_cache_memory": st.sampled_from([512 * MIB, 4 * GIB]),
        "gpu_memory_utilization": st.sampled_from([0.3, 0.45]),
        "quantization": st.just("fp8"),
        "max_image_pixels": st.sampled_from(PIXELS),
        "videos_per_request": st.just(0),
        "cpu_offload_gb": st.sampled_from([0, 2.5]),
    },
)
models = st.sampled_from(SIZES)
capabilities = st.sampled_from([(8, 0), (8, 9), (9, 0), (10, 0), (12, 0)])
memories = st.integers(min_value=8 * 1024, max_value=192 * 1024).map(lambda mib: mib * MIB)


CARDS = {(size, pool): published(f"Qwen/Qwen3-VL-{size}-{pool.capitalize()}") for size in SIZES for pool in POOLS}


def cards(sizes: dict[PoolName, str]) -> dict[PoolName, ModelCard | None]:
    return {pool: CARDS[size, pool] for pool, size in sizes.items()}


def planned(
    memory: int, capability: tuple[int, int], sizes: dict[PoolName, str], engines: Mapping[PoolName, Mapping[str, Any]]
) -> Plan | None:
    gpu = Gpu(0, "a GPU", capability, memory_bytes=memory, free_bytes=memory)
    config = DuetConfig(pools={pool: {"engine": engine} for pool, engine in engines.items()})  # type: ignore[arg-type]
    try:
        return plan(config, Hardware((gpu,), 8, 64 * GIB), cards(sizes), POOLS)
    except PlanError:
        return None


@given(memories, capabilities, st.tuples(models, models), st.tuples(wishes, wishes))
@settings(max_examples=100, deadline=None)
def test_the_parts_never_exceed_the_card_and_every_engine_holds_its_context(
    memory: int, capability: tuple[int, int], names: tuple[str, str], asked_for: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    one, other = asked_for
    found = planned(memory, capability, {"instruct": names[0], "thinking": names[1]}, {"instruct": one, "thinking": other})
    if found is None:
        return
    budgets = [each.budget for each in found.engines if each.budget]
    assert len(budgets) == 2
    assert sum(budget.total for budget in budgets) <= found.rooms[0].usable < memory
    for each, asked in zip(found.engines, (one, other), strict=True):
        assert each.budget
        assert min(each.budget.weights, each.budget.kv_cache, each.budget.activations, each.budget.encoder) >= 0
        assert each.budget.kv_tokens > each.settings.max_model_len
        assert each.kv_cache_memory_bytes == each.budget.kv_cache
        assert each.settings.max_num_seqs <= (each.settings.max_num_batched_tokens or 0)
        kept = {"kv_cache_dtype": each.settings.kv_cache_dtype, "max_image_pixels": each.settings.image_pixels.most}
        kept |= {
            key: getattr(each.settings, key) for key in ("max_model_len", "max_num_seqs", "quantization", "cpu_offload_gb")
        }
        assert {key: kept[key] for key in asked if key in kept} == {key: asked[key] for key in asked if key in kept}


@given(
    memories, st.integers(min_value=1, max_value=64 * 1024), capabilities, st.tuples(models, models), st.tuples(wishes, wishes)
)
@settings(max_examples=100, deadline=None)
def test_more_memory_never_gives_less(
    memory: int,
    more_mib: int,
    capability: tuple[int, int],
    names: tuple[str, str],
    asked_for: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """No step more is taken, and with the same steps no engine has fewer tokens."""
    sizes: dict[PoolName, str] = {"instruct": names[0], "thinking": names[1]}
    share = {"gpu_memory_utilization": None}  # of a larger card it is more by itself
    engines = {pool: asked | share for pool, asked in zip(POOLS, asked_for, strict=True)}
    less = planned(memory, capability, sizes, engines)
    more = planned(memory + more_mib * MIB, capability, sizes, engines)
    if less is None:
        return
    assert more is not None
    assert len(more.steps) <= len(less.steps)
    for before, after in zip(less.engines, more.engines, strict=True):
        assert after.settings.max_model_len >= before.settings.max_model_len
        assert after.settings.image_pixels.most >= before.settings.image_pixels.most
        assert before.budget
        assert after.budget
        if [each.settings for each in less.engines] == [each.settings for each in more.engines]:
            assert after.budget.kv_tokens >= before.budget.kv_tokens


@pytest.mark.parametrize("size", SIZES)
def test_a_share_of_a_larger_card_holds_more(size: str) -> None:
    engines = {pool: {"gpu_memory_utilization": 0.45} for pool in POOLS}
    sizes: dict[PoolName, str] = {"instruct": size, "thinking": size}
    tokens = [
        [each.budget.kv_tokens for each in found.engines if each.budget]
        for memory in (24, 48, 80, 141)
        if (found := planned(memory * GIB, (9, 0), sizes, engines)) and not found.steps
    ]
    assert tokens == sorted(tokens)
