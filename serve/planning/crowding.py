"""A last look before an engine starts on a GPU: whether others took memory there since the plan was made. Pure.

vLLM looks too, but only at what this engine asks for now: what its neighbours will take once they have traffic is free until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.planning.shortage import GIB, Shortage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.values import EnginePlan, Room


def crowded(plan: EnginePlan, engines: Sequence[EnginePlan], room: Room, free: int) -> Shortage | None:
    """What `plan` has to do without on the GPU of `room`, of which `free` bytes are free now; `None` while the plan holds.

    `engines` are all as they were planned, in the order of their starts; `plan` may have been lowered since. Small changes are what
    the reserve is for; once it is gone, it is made whole.
    """
    names = [each.name for each in engines]
    ahead, behind = engines[: names.index(plan.name)], engines[names.index(plan.name) + 1 :]
    running = sum(each.budget.encoder + each.budget.slack for each in ahead if each.budget and room.gpu in each.gpus)
    to_start = sum(each.budget.total for each in (plan, *behind) if each.budget and room.gpu in each.gpus)
    needed = running + to_start
    if not plan.budget or free >= needed:
        return None
    counted = needed + room.reserve
    said = f"{free / GIB:.1f} GiB of GPU {room.gpu.index} are free, and the plan counts on {counted / GIB:.1f}"
    return Shortage("running", said, missing=counted - free)
