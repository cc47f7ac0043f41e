"""What an engine's log says of missing memory, in vLLM's and torch's own words, and which step down follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serve.config import DuetConfig
from serve.memory import catalogue
from serve.plan import plan
from serve.planning.descent import descend, way_out
from serve.planning.shortage import Shortage, shortage
from serve.stack import cards_of
from serve.values import POOLS, EnginePlan, Hardware

DATA = Path(__file__).parents[1] / "data"
GIB = 1 << 30
LOADED = "(EngineCore pid=9) INFO 11-21 08:30:53 [gpu_model_runner.py:5] Model loading took 8.44 GiB memory and 3.4 seconds"
OOM = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 594.00 MiB. GPU 0 has a total capacity of 23.64 GiB of which "
    "210.31 MiB is free. Process 7 has 12.10 GiB memory in use."
)
LESS_FREE = (
    "(EngineCore pid=9) ERROR 11-21 08:30:53 [core.py:1] ValueError: Free memory on device cuda:0 (9.5/23.64 GiB) on startup is less "
    "than desired GPU memory utilization (0.45, 10.64 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes."
)


def planned(gpu: str = "RTX 4090D", **engine: Any) -> EnginePlan:
    config = DuetConfig(pools={"thinking": {"engine": engine}})  # type: ignore[arg-type]
    machine = Hardware((catalogue.find(gpu),), 8, 64 * GIB)
    return plan(config, machine, cards_of(config, machine, POOLS), POOLS).engines[1]


@pytest.mark.parametrize(
    ("lines", "kind", "missing", "longest"),
    [
        ((DATA / "died-context-too-long.log").read_text().splitlines(), "context", 0, 2432),
        (["an early line", OOM, "what follows"], "loading", 384 << 20, None),
        ([LOADED, OOM], "running", 384 << 20, None),
        ([LOADED, "RuntimeError: CUDA error: out of memory"], "running", 0, None),
        ([LESS_FREE], "running", int(1.14 * GIB), None),
        ([LOADED, "ValueError: No available memory for the cache blocks. Try increasing"], "running", 0, None),
    ],
)
def test_the_words_of_a_shortage(lines: list[str], kind: str, missing: int, longest: int | None) -> None:
    found = shortage(lines)
    assert found
    assert (found.kind, found.longest, found.early) == (kind, longest, LESS_FREE in lines)
    assert found.missing == pytest.approx(missing, rel=0.01)


def test_other_ends_are_no_shortage() -> None:
    assert shortage(["ValueError: Bfloat16 is only supported on GPUs", "OSError: Can't load image processor"]) is None


def test_what_was_missing_is_taken_from_the_kv_cache_and_from_what_is_asked_for_at_the_start() -> None:
    before = planned()
    descent = descend(before, Shortage("running", "", missing=GIB))
    assert descent
    after = descent.plan
    assert (before.kv_cache_memory_bytes or 0) - (after.kv_cache_memory_bytes or 0) >= GIB
    assert (before.gpu_memory_utilization or 0) - (after.gpu_memory_utilization or 0) >= 1 / 24
    assert after.budget
    assert after.settings == before.settings
    assert before.budget
    assert descent.said == f"a KV cache of {after.budget.kv_tokens:,} tokens in place of {before.budget.kv_tokens:,}"


def test_where_only_free_memory_was_seen_what_comes_with_traffic_is_left_free_too() -> None:
    plan = planned()
    assert plan.budget
    tried, seen = Shortage("running", "", missing=GIB // 2), Shortage("running", "", missing=GIB // 2, early=True)
    steps = [descend(plan, tried), descend(plan, seen), descend(plan, seen, [plan])]
    caches = [each.plan.kv_cache_memory_bytes or 0 for each in steps if each]
    block = plan.budget.kv_bytes_per_token * plan.budget.block_tokens
    assert caches[0] - caches[1] == pytest.approx(plan.budget.slack, abs=block)
    assert caches[1] - caches[2] == pytest.approx(plan.budget.slack + plan.budget.encoder, abs=block)


def test_a_kv_cache_that_is_no_longer_than_a_context_is_left_alone_and_the_next_rung_taken() -> None:
    descent = descend(planned(), Shortage("running", "", missing=4 * GIB))
    assert descent
    assert descent.plan.settings.max_model_len == 16_384
    assert descent.said.startswith("context to 16,384 tokens")


def test_as_many_rungs_as_it_takes_are_taken_at_once() -> None:
    """Otherwise the engine would start with a plan that is known not to fit."""
    before = planned()
    assert before.budget
    spare = before.budget.kv_cache - before.budget.kv_bytes_per_token * 12_000  # more than a context of 16,384 tokens leaves
    found = descend(before, Shortage("running", "", missing=spare, counted=True))
    assert found
    assert found.said.startswith("context to 8,192 tokens and a KV cache of ")
    assert found.plan.budget
    assert found.plan.settings.max_model_len == 8_192 <= found.plan.budget.kv_tokens
    assert found.plan.budget.kv_cache <= before.budget.kv_cache - spare
    assert "context" not in found.plan.rungs[0].what


def test_weights_that_do_not_fit_become_fp8() -> None:
    descent = descend(planned("L40S"), Shortage("loading", ""))
    assert descent
    assert (descent.plan.settings.quantization, descent.said) == ("fp8", "weights to FP8")
    assert descend(planned(), Shortage("loading", "")) is None, "they are already"


def test_a_context_comes_down_to_what_vllm_says_it_can_hold() -> None:
    descent = descend(planned(), Shortage("context", "", longest=20_001))
    assert descent
    assert descent.plan.settings.max_model_len == 20_000
    assert descend(descent.plan, Shortage("context", "", longest=20_000)) is None, "no lower than it is"


@pytest.mark.parametrize(
    ("engine", "short"),
    [
        ({"max_model_len": 32_768}, Shortage("context", "", longest=20_000)),
        ({"quantization": "fp8"}, Shortage("loading", "")),
    ],
)
def test_wishes_are_not_stepped_over(engine: dict[str, Any], short: Shortage) -> None:
    chosen = planned(**engine)
    assert descend(chosen, short) is None
    assert next(iter(engine)) in way_out(chosen, short)
