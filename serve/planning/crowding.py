"""A last look before an engine starts on a GPU: whether others took memory there since the plan was made. Pure.

vLLM looks too, but only at what this engine asks for now: what its neighbours will take once they have traffic is free until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.planning.shortage import GIB, Shortage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.values import EnginePlan, Room


def crowded(plan: EnginePlan, engines: Sequence[EnginePlan], room: Room, free: int, *, known: bool = False) -> Shortage | None:
    """What `plan` has to do without on the GPU of `room`, of which `free` bytes are free now; `None` while the plan holds.

    `engines` are all as they were planned, in the order of their starts; `plan` may have been lowered since. Small changes are what
    the reserve is for; once it is gone, or `known` to have been gone at an earlier look, it is made whole: by this engine and those that
    start after it, each by its share.
    """
    _, waiting = _parts(plan, engines, room)
    lacks = lacking(plan, engines, room, free)
    if not plan.budget or lacks <= (0 if known else room.reserve):
        return None
    missing = _share(lacks, waiting) - _given(plan, waiting[0])
    said = f"{free / GIB:.1f} GiB of GPU {room.gpu.index} are free, and the plan counts on {(free + lacks) / GIB:.1f}"
    return Shortage("running", said, missing=missing, counted=True) if missing > 0 else None


def lacking(plan: EnginePlan, engines: Sequence[EnginePlan], room: Room, free: int) -> int:
    """Bytes that are not `free` on the GPU of `room`, of those that `plan`, what starts after it and the reserve count on."""
    ahead, waiting = _parts(plan, engines, room)
    running = sum(each.budget.encoder + each.budget.slack for each in ahead if each.budget)
    to_start = sum(each.budget.total for each in waiting if each.budget)
    return running + to_start + room.reserve - free


def _parts(plan: EnginePlan, engines: Sequence[EnginePlan], room: Room) -> tuple[list[EnginePlan], list[EnginePlan]]:
    """Those on the GPU that start before `plan`; and itself, as it was planned, with those that start after it."""
    at = [each.name for each in engines].index(plan.name)
    before, after = ([each for each in part if room.gpu in each.gpus] for part in (engines[:at], engines[at:]))
    return before, after


def _share(missing: int, waiting: Sequence[EnginePlan]) -> int:
    """The first one's part: by what each can give and still hold a full context; beyond that by its KV cache; all where none is open."""
    caches, spares = [_cache(each) for each in waiting], [_spare(each) for each in waiting]
    weights = spares if missing <= sum(spares) else caches
    return missing * weights[0] // sum(weights) if any(weights) else missing


def _cache(plan: EnginePlan) -> int:
    return plan.budget.kv_cache if plan.budget and "kv_cache_memory" in plan.open_keys else 0


def _spare(plan: EnginePlan) -> int:
    context = plan.budget.kv_bytes_per_token * plan.settings.max_model_len if plan.budget else 0
    return max(0, _cache(plan) - context)


def _given(plan: EnginePlan, planned: EnginePlan) -> int:
    """What it does without already."""
    return planned.budget.total - plan.budget.total if planned.budget and plan.budget else 0
