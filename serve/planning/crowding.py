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
    names = [each.name for each in engines]
    at = names.index(plan.name)
    ahead, waiting = ([each for each in part if room.gpu in each.gpus] for part in (engines[:at], engines[at:]))
    running = sum(each.budget.encoder + each.budget.slack for each in ahead if each.budget)
    to_start = sum(each.budget.total for each in waiting if each.budget)
    counted = running + to_start + room.reserve
    if not plan.budget or counted - free <= (0 if known else room.reserve):
        return None
    missing = _share(counted - free, waiting) - _given(plan, engines[at])
    said = f"{free / GIB:.1f} GiB of GPU {room.gpu.index} are free, and the plan counts on {counted / GIB:.1f}"
    return Shortage("running", said, missing=missing, counted=True) if missing > 0 else None


def _share(missing: int, waiting: Sequence[EnginePlan]) -> int:
    """The first one's part, by what each can give and still hold a full context; all of it where none can."""
    spare = [_spare(each) for each in waiting]
    return missing * spare[0] // sum(spare) if any(spare) else missing


def _spare(plan: EnginePlan) -> int:
    if not plan.budget or "kv_cache_memory" not in plan.open_keys:
        return 0
    return max(0, plan.budget.kv_cache - plan.budget.kv_bytes_per_token * plan.settings.max_model_len)


def _given(plan: EnginePlan, planned: EnginePlan) -> int:
    """What it does without already."""
    return planned.budget.total - plan.budget.total if planned.budget and plan.budget else 0
