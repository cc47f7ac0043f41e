"""Who gets which memory: what is free on each GPU, less a reserve, less what every engine takes anyway, is KV cache."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from serve.memory.budget import with_kv_cache
from serve.planning.drafts import GOOD
from serve.values import Room

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serve.planning.drafts import Draft
    from serve.values import Budget, Gpu, Hardware, PoolName

MIB = 1 << 20
# Tokens of KV cache in proportion. A thinking request holds its prompt and some thousand tokens of thoughts until it ends, an
# instruct request little more than its prompt. Both have the same least, so it is a share of what is left above that.
PROPORTION: dict[PoolName, int] = {"instruct": 2, "thinking": 3}
# CUDA hands out less than NVML counts: 356 MiB on an RTX 4090, 604 on an H200, 870 on an A100 80GB. It counts as used on a live
# card, so it matters for a card that is planned for by its name.
DRIVER, DRIVER_SHARE = 384 * MIB, 0.004
RESERVE, RESERVE_SHARE = 256 * MIB, 0.02  # of what is free: for a desktop that wakes up, or a neighbour that grows a little


@dataclass(frozen=True, slots=True)
class Division:
    """A budget for each engine, in the order of the drafts, and the bytes that each GPU is short of (by index; 0 is RAM)."""

    budgets: tuple[Budget, ...]
    short: Mapping[int, int]

    @property
    def is_short(self) -> bool:
        """Whether some GPU is asked for more than it has."""
        return any(short > 0 for short in self.short.values())


def with_memory(hardware: Hardware) -> Hardware:
    """Give the machine's RAM to GPUs that have no memory of their own, of which the driver tells none."""
    ram = hardware.memory_bytes
    gpus = (gpu if gpu.memory_bytes else replace(gpu, memory_bytes=ram, free_bytes=ram) for gpu in hardware.gpus)
    return replace(hardware, gpus=tuple(gpus))


def room(gpu: Gpu, reserve: int | None) -> Room:
    """Say what engines may take of a GPU; `reserve` in bytes is the configuration's, where it names one."""
    free = min(gpu.free_bytes, int(gpu.memory_bytes * (1 - DRIVER_SHARE)) - DRIVER)
    return Room(gpu, max(0, free), min(max(0, free), RESERVE + int(free * RESERVE_SHARE) if reserve is None else reserve))


def divide(drafts: Sequence[Draft], usable: Mapping[int, int]) -> Division:
    """Divide the `usable` bytes of each GPU (by index; 0 is RAM, where there is no GPU) among the engines on it."""
    parts: list[list[int]] = [[] for _ in drafts]
    short = {}
    for index, bytes_there in usable.items():
        here = [at for at, each in enumerate(drafts) if index in _indices(each)]
        named = {at: part for at in here if (part := _named(drafts[at])) is not None}
        rest = [at for at in here if at not in named]
        left = bytes_there - sum(drafts[at].fixed.fixed + named.get(at, 0) for at in here)
        for at, part in {**named, **dict(zip(rest, _parts([drafts[at] for at in rest], left), strict=True))}.items():
            parts[at].append(part)
        short[index] = -left
    kv_caches = [min(part) for part in parts]  # an engine takes the same of each of its GPUs
    return Division(tuple(with_kv_cache(each.fixed, kv) for each, kv in zip(drafts, kv_caches, strict=True)), short)


def _indices(draft: Draft) -> tuple[int, ...]:
    return tuple(gpu.index for gpu in draft.slot.gpus) or (0,)


def _named(draft: Draft) -> int | None:
    """The KV cache of an engine whose size the configuration decides, by itself or by the engine's share of the GPU."""
    if draft.kv_cache is not None:
        return draft.kv_cache
    if draft.asked.gpu_memory_utilization is None or draft.gpu is None:
        return None
    return int(draft.asked.gpu_memory_utilization * draft.gpu.memory_bytes) - draft.fixed.fixed


def _parts(drafts: Sequence[Draft], left: int) -> list[int]:
    """Divide bytes of KV cache: everyone's need first, the rest so that tokens come to be in proportion."""
    needs = [each.kv_bytes(GOOD) for each in drafts]
    if left <= sum(needs):
        return [left * need // sum(needs) for need in needs]
    weights = [PROPORTION[each.slot.pool] * each.fixed.kv_bytes_per_token for each in drafts]
    open_ones = set(range(len(drafts)))
    while True:
        over = left - sum(need for at, need in enumerate(needs) if at not in open_ones)
        total = sum(weights[at] for at in open_ones)
        parts = [over * weights[at] // total if at in open_ones else needs[at] for at in range(len(drafts))]
        if not (below := {at for at in open_ones if parts[at] < needs[at]}):
            return parts
        open_ones -= below
