"""The step down after an engine has ended for lack of memory although its plan fitted: what to change, or what only the user may."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from serve.memory.budget import with_kv_cache
from serve.planning.ladder import lower

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.planning.shortage import Kind, Shortage
    from serve.values import EnginePlan, Rung

MIB = 1 << 20
MARGIN = 256 * MIB  # beyond what was missing in a try: the next piece may be larger
LEAST_CONTEXT = 1024  # tokens; less serves nobody
UTILIZATION_STEP = 0.01  # of the GPU: a little less than what was free
WISHES = {
    "context": "max_model_len, kv_cache_memory and kv_cache_dtype",
    "loading": "quantization",
    "running": "kv_cache_memory, max_model_len, max_image_pixels, max_num_seqs and max_num_batched_tokens",
}
LAST_RESORTS = "Else: a smaller model, an FP8 or INT4 checkpoint, engine.cpu_offload_gb, or another engine fewer on this GPU"


@dataclass(frozen=True, slots=True)
class Descent:
    """The plan to try next, and in words what is different."""

    plan: EnginePlan
    said: str


def descend(plan: EnginePlan, short: Shortage, beside: Sequence[EnginePlan] = ()) -> Descent | None:
    """Take the next step down that may help, wishes left alone; `None` where there is none. `beside` are the others on its GPUs."""
    step = _step(plan, short, _lacking(plan, short, beside))
    if step and short.counted and _given(plan, step.plan) < short.missing:
        return replace(step, said=f"{step.said}, which may not be enough")
    return step


def way_out(plan: EnginePlan, short: Shortage) -> str:
    """Say what the user can do where Duet may change nothing more."""
    return f"Leave pools.{plan.pool}.engine.{WISHES[short.kind]} to Duet, or lower them. {LAST_RESORTS}."


def _step(plan: EnginePlan, short: Shortage, less: int) -> Descent | None:
    if short.kind == "context":
        return _shorter(plan, short.longest or plan.settings.max_model_len // 2)
    if short.kind == "running" and (smaller := _smaller_cache(plan, less)):
        return smaller
    return _next_rung(plan, short.kind, less)


def _lacking(plan: EnginePlan, short: Shortage, beside: Sequence[EnginePlan]) -> int:
    """Bytes to do without: what was missing, where that was not counted a margin, and where only free memory was seen what comes later.

    An engine asks for its share without the allocator's slack, and those beside it have no picture at work yet.
    """
    if short.counted:
        return short.missing
    later = plan.budget.slack if plan.budget else 0
    growth = sum(each.budget.encoder + each.budget.slack for each in beside if each.budget)
    return short.missing + MARGIN + (later + growth if short.early else 0)


def _shorter(plan: EnginePlan, longest: int) -> Descent | None:
    block = plan.budget.block_tokens if plan.budget else 16
    now, then = plan.settings.max_model_len, longest // block * block
    if "max_model_len" not in plan.open_keys or not LEAST_CONTEXT <= then < now:
        return None
    settings = replace(plan.settings, max_model_len=then)
    return Descent(replace(plan, settings=settings), f"a context of {then:,} tokens in place of {now:,}")


def _smaller_cache(plan: EnginePlan, less: int) -> Descent | None:
    """Take from the KV cache, as long as it holds a full context."""
    if not plan.budget or "kv_cache_memory" not in plan.open_keys:
        return None
    budget = with_kv_cache(plan.budget, plan.budget.kv_cache - less)
    if budget.kv_tokens <= plan.settings.max_model_len:
        return None
    said = f"a KV cache of {budget.kv_tokens:,} tokens in place of {plan.budget.kv_tokens:,}"
    share = _less(plan, less)
    return Descent(replace(plan, budget=budget, kv_cache_memory_bytes=budget.kv_cache, gpu_memory_utilization=share), said)


def _less(plan: EnginePlan, less: int) -> float | None:
    """Ask for so many bytes less at the start, too."""
    if plan.gpu_memory_utilization is None or not plan.gpus or "gpu_memory_utilization" not in plan.open_keys:
        return plan.gpu_memory_utilization
    return round(max(UTILIZATION_STEP, plan.gpu_memory_utilization - less / plan.gpus[0].memory_bytes), 3)


def _next_rung(plan: EnginePlan, kind: Kind, less: int) -> Descent | None:
    """One rung; or as many as it takes until the KV cache can do without `less` and hold a full context, where that can be had."""
    first, settings, share = None, plan.settings, _less(plan, less)
    for at, rung in enumerate(plan.rungs):
        if kind == "loading" and not _is_weights(rung):
            continue
        before, settings = settings, lower(settings, rung, plan.open_keys)
        if settings == before:
            continue
        lowered = replace(plan, settings=settings, rungs=plan.rungs[at + 1 :], gpu_memory_utilization=share)
        first = first or Descent(lowered, rung.what)
        if _is_weights(rung):
            return first
        if smaller := _smaller_cache(lowered, less):
            return Descent(smaller.plan, f"{rung.what} and {smaller.said}")
    return first


def _given(plan: EnginePlan, lowered: EnginePlan) -> int:
    """Bytes less by the plan's own sums, which are not made again for other settings."""
    return plan.budget.total - lowered.budget.total if plan.budget and lowered.budget else 0


def _is_weights(rung: Rung) -> bool:
    return any(key == "quantization" for key, _ in rung.changes)
