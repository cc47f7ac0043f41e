"""A plan in words: one line for an engine, one for a step, and how sizes are written everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serve.values import EnginePlan, Step

GIB = 1 << 30


def gib(size: int) -> str:
    """Write bytes as the GiB that users count a card in."""
    return f"{size / GIB:.1f} GiB"


def engine_line(plan: EnginePlan) -> str:
    """Say what an engine got."""
    settings, budget = plan.settings, plan.budget
    context = f"context {settings.max_model_len:,}"
    if budget is None:
        return f"Planned {plan.name}: {context}, KV cache {gib(plan.kv_cache_memory_bytes or 0)}"
    where = f" on GPU {', '.join(str(gpu.index) for gpu in plan.gpus)}" if plan.gpus else ""
    weights = f"weights {gib(budget.weights)}{f' ({settings.quantization})' if settings.quantization else ''}"
    cache = f"KV cache {gib(budget.kv_cache)} ({settings.kv_cache_dtype}) = {budget.kv_tokens:,} tokens"
    return f"Planned {plan.name}{where}: {weights}, {cache}, {context}, pictures up to {settings.image_pixels.most:,} pixels"


def step_line(step: Step) -> str:
    """Say what a step down bought: memory, and KV tokens of each engine."""
    freed = f"+{gib(step.freed_bytes)}" if step.freed_bytes else "no memory, but a full context is shorter"
    tokens = ", ".join(
        f"{name} {before:,} → {after:,}"
        for name, before, after in zip(step.engines, step.tokens_before, step.tokens_after, strict=True)
    )
    return f"Stepped down: {step.what} ({freed}; KV tokens {tokens})"
