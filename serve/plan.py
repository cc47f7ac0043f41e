"""Decides what each engine gets: device, memory, limits. Pure: hardware, models and configuration in, a frozen plan out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from serve.planning.drafts import KV_ON_CPU, draft
from serve.planning.ladder import LADDER
from serve.planning.names import check_names, model_of, served_names
from serve.planning.refusal import refusal
from serve.planning.settings import settings
from serve.planning.settle import settle
from serve.planning.share import room, with_memory
from serve.planning.slots import order_of_starts, place, slots, together
from serve.planning.width import widths
from serve.values import EnginePlan, Plan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from serve.config import DuetConfig
    from serve.memory.card import ModelCard
    from serve.planning.drafts import Draft
    from serve.planning.settle import Settled
    from serve.planning.slots import Slot
    from serve.values import Budget, Gpu, Hardware, PoolName, Room

    Cards = Mapping[PoolName, ModelCard | None]

SHARE_DIGITS = 1000  # vLLM's share of a GPU is given in thousandths, rounded down
TIGHT = (
    "This is tight: nothing is left to give up, and an engine holds less than a full context and a quarter. Last resorts: a smaller "
    "model, an FP8 or INT4 checkpoint, engine.kv_offloading_size (idle conversations in RAM), engine.cpu_offload_gb (slow)"
)


@dataclass(frozen=True, slots=True)
class _Group:
    """The engines that share GPUs, or the CPU; `settled` is None where nothing is known of any model."""

    slots: tuple[Slot, ...]
    start: tuple[Draft, ...]
    usable: Mapping[int, int]
    settled: Settled | None

    @property
    def fits(self) -> bool:
        return self.settled is None or self.settled.fits

    @property
    def losses(self) -> int:
        """Steps down that a user would notice."""
        return sum(step.what != LADDER[0].what for step in self.settled.steps) if self.settled else 0


def plan(config: DuetConfig, hardware: Hardware, cards: Cards, pools: Collection[PoolName]) -> Plan:
    """Plan one engine for each loopback replica of `pools`; `cards` has each pool's model, or on a CPU `None` where nothing is known.

    Raises:
        PlanError: no such replica, one port or name twice, or a wish that cannot be had: then the sum that failed, and what fits.

    """
    hardware = with_memory(hardware)
    rooms = tuple(room(gpu, config.serve.gpu_reserve) for gpu in hardware.gpus)
    groups = _best(config, hardware, cards, slots(config, pools), rooms)
    for group in groups:
        if group.settled and not group.fits:
            raise refusal(group.settled, group.start, group.usable, [room for room in rooms if room.gpu.index in group.usable])
    engines = {engine.name: engine for group in groups for engine in _engines(config, hardware, group)}
    check_names(engines.values())
    settled = [group.settled for group in groups if group.settled]
    return Plan(
        engines=tuple(engines[name] for name in (slot.name for slot in slots(config, pools))),
        rooms=rooms,
        steps=tuple(step for each in settled for step in each.steps),
        notes=() if all(each.is_good for each in settled) else (TIGHT,),
    )


def _best(config: DuetConfig, hardware: Hardware, cards: Cards, waiting: Sequence[Slot], rooms: Sequence[Room]) -> list[_Group]:
    """Take the narrowest engines that lose nothing that a user would notice, else those that lose least."""
    best: list[_Group] = []
    for choice in _widths(config, cards, waiting, rooms):
        placed = place(waiting, hardware.gpus, choice)
        fp8 = hardware.fp8_on_cpu
        there = [replace(slot, gpus=gpus, fp8_on_cpu=fp8) for slot, gpus in zip(waiting, placed, strict=True)]
        groups = [_group(config, hardware, cards, group, rooms) for group in together(there)]
        if not best or _rank(groups) < _rank(best):
            best = groups
    return best


def _rank(groups: Sequence[_Group]) -> tuple[bool, int]:
    return not all(group.fits for group in groups), sum(group.losses for group in groups)


def _widths(
    config: DuetConfig, cards: Cards, waiting: Sequence[Slot], rooms: Sequence[Room]
) -> Iterable[Mapping[PoolName, int]]:
    if not rooms:
        return [{}]
    known = {slot.pool: card for slot in waiting if (card := cards[slot.pool])}
    engines = {pool: config.pools.named(pool).engine for pool in known}
    return widths(engines, known, {room.gpu: room.usable for room in rooms})


def _group(config: DuetConfig, hardware: Hardware, cards: Cards, group: Sequence[Slot], rooms: Sequence[Room]) -> _Group:
    indices = {gpu.index for slot in group for gpu in slot.gpus}
    usable = {room.gpu.index: room.usable for room in rooms if room.gpu.index in indices} or {0: hardware.memory_bytes}
    known = [(slot, config.pools.named(slot.pool).engine, card) for slot in group if (card := cards[slot.pool])]
    start = tuple(draft(*each) for each in known)
    return _Group(tuple(group), start, usable, settle(start, usable) if start else None)


def _engines(config: DuetConfig, hardware: Hardware, group: _Group) -> Iterator[EnginePlan]:
    settled, after = group.settled, order_of_starts(group.slots)
    found = dict(zip([each.slot for each in settled.drafts], settled.pairs(), strict=True)) if settled else {}
    for slot in group.slots:
        plain = _engine(config, hardware, slot, len(group.slots), after[slot.name])
        yield _budgeted(plain, *found[slot], settled) if settled and slot in found else plain


def _engine(config: DuetConfig, hardware: Hardware, slot: Slot, neighbours: int, after: str | None) -> EnginePlan:
    """All that does not depend on the model's size."""
    pool = config.pools.named(slot.pool)
    model = model_of(slot.pool, pool, hardware)
    gpu = slot.gpus[0] if slot.gpus else None
    return EnginePlan(
        name=slot.name,
        pool=slot.pool,
        model=model,
        served_names=served_names(slot.pool, model, pool.aliases),
        host=config.serve.host,
        port=slot.port,
        gpus=slot.gpus,
        # Threads beyond the cores spin for them: two engines with two threads each on two cores answered several times slower.
        # One core is left to the router and the engines' own front ends.
        threads=None if slot.gpus else max(1, (hardware.cores - 1) // neighbours),
        settings=settings(slot.pool, pool.engine, None, gpu, fp8_on_cpu=slot.fp8_on_cpu),
        kv_cache_memory_bytes=pool.engine.kv_cache_memory or KV_ON_CPU,
        gpu_memory_utilization=None,
        drain_s=config.serve.drain_s,
        extra_args=pool.engine.args,
        starts_after=after,
    )


def _budgeted(plain: EnginePlan, found: Draft, budget: Budget, settled: Settled) -> EnginePlan:
    return replace(
        plain,
        settings=found.settings,
        kv_cache_memory_bytes=budget.kv_cache,
        gpu_memory_utilization=found.asked.gpu_memory_utilization or utilization(found.gpu, budget),
        budget=budget,
        open_keys=found.open | _open_sizes(found),
        rungs=settled.rungs,
    )


def _open_sizes(found: Draft) -> set[str]:
    if found.asked.gpu_memory_utilization:
        return set()
    return {"gpu_memory_utilization", *(() if found.asked.kv_cache_memory else ("kv_cache_memory",))}


def utilization(gpu: Gpu | None, budget: Budget) -> float | None:
    """The share of a GPU that vLLM asks for at its start, beside an exact KV cache: it ends at once where less is free.

    By then its own CUDA context is there, and what its allocator may come to keep is not. vllm: v1/worker/utils.py, request_memory
    """
    if gpu is None:
        return None
    asked = budget.total - budget.context - budget.slack
    return max(1, asked * SHARE_DIGITS // gpu.memory_bytes) / SHARE_DIGITS
