"""Who runs where: one engine for each loopback replica, on the GPUs with the fewest neighbours."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from serve.errors import PlanError
from serve.planning.names import engine_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from serve.config import DuetConfig
    from serve.values import Gpu, PoolName


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one engine: its name, its port, and the GPUs that it runs on; none for the CPU, which may keep no FP8 KV cache."""

    pool: PoolName
    name: str
    port: int
    gpus: tuple[Gpu, ...] = ()
    fp8_on_cpu: bool = True


def slots(config: DuetConfig, pools: Collection[PoolName]) -> tuple[Slot, ...]:
    """List the engines to start here, without their places.

    Raises:
        PlanError: no replica of `pools` has a loopback address, or two have one port.

    """
    ports = [(pool, port) for pool in pools for port in config.pools.named(pool).local_ports]
    if not ports:
        asked = " or ".join(f"pools.{pool}.replicas" for pool in pools)
        raise PlanError(f"{asked}: no replica has a loopback address, so there is no engine to start here")
    _check_ports(ports)
    return tuple(Slot(pool, name, port) for (pool, port), name in zip(ports, engine_names(ports), strict=True))


def place(waiting: Sequence[Slot], gpus: Sequence[Gpu], widths: Mapping[PoolName, int]) -> tuple[tuple[Gpu, ...], ...]:
    """Give each slot as many GPUs as its pool's width says: like ones side by side, those with the fewest engines, the first of them.

    Wide ones choose first, for they have the least choice. The answer is in the order of the slots.
    """
    if not gpus:
        return tuple(() for _ in waiting)
    engines: Counter[int] = Counter()
    chosen: dict[str, tuple[Gpu, ...]] = {}
    for slot in sorted(waiting, key=lambda slot: -widths[slot.pool]):
        group = min(groups(gpus, widths[slot.pool]), key=lambda group: sum(engines[gpu.index] for gpu in group))
        engines.update(gpu.index for gpu in group)
        chosen[slot.name] = group
    return tuple(chosen[slot.name] for slot in waiting)


def groups(gpus: Sequence[Gpu], width: int) -> list[tuple[Gpu, ...]]:
    """Cut the GPUs into groups of `width` that are alike: tensor parallel waits for the slowest and fills up with the smallest."""
    kinds: dict[tuple[str, int], list[Gpu]] = {}
    for gpu in gpus:
        kinds.setdefault((gpu.name, gpu.memory_bytes) if width > 1 else ("", 0), []).append(gpu)
    starts = [(kind, start) for kind in kinds.values() for start in range(0, len(kind) - width + 1, width)]
    return [tuple(kind[start : start + width]) for kind, start in starts]


def together(placed: Sequence[Slot]) -> list[list[Slot]]:
    """Gather the engines that share a GPU, directly or through others, in the order in which they start."""
    found: list[list[Slot]] = []
    for slot in placed:
        touching = [group for group in found if any(set(slot.gpus) & set(other.gpus) for other in group)] if slot.gpus else []
        if not slot.gpus:
            touching = [group for group in found if not group[0].gpus]
        found = [group for group in found if group not in touching]
        found.append([*(other for group in touching for other in group), slot])
    return [sorted(group, key=placed.index) for group in found]


def order_of_starts(group: Sequence[Slot]) -> dict[str, str | None]:
    """Say which engine each one starts after: on a GPU one at a time, for each looks at the memory that is free."""
    if not group[0].gpus:
        return {slot.name: None for slot in group}
    return {group[0].name: None, **{later.name: earlier.name for earlier, later in pairwise(group)}}


def _check_ports(ports: list[tuple[PoolName, int]]) -> None:
    twice = [port for port, count in Counter(port for _, port in ports).items() if count > 1]
    if twice:
        where = " and ".join(f"pools.{pool}.replicas" for pool, port in ports if port == twice[0])
        raise PlanError(f"{where}: port {twice[0]} is given to more than one engine")
