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

    `engines` are all in the order of their starts. Small changes are what the reserve is for; once it is gone, it is made whole.
    """
    before = True
    needed = 0
    for each in engines:
        before = before and each.name != plan.name
        if room.gpu in each.gpus and each.budget:
            needed += each.budget.encoder + each.budget.slack if before else each.budget.total
    if not plan.budget or free >= needed:
        return None
    counted = needed + room.reserve
    said = f"{free / GIB:.1f} GiB of GPU {room.gpu.index} are free, and the plan counts on {counted / GIB:.1f}"
    return Shortage("running", said, missing=counted - free)
