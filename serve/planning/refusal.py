"""A plan that does not fit: the sum that failed, line by line, and the nearest plan that does fit."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from serve.checkpoint.shapes import PUBLISHED
from serve.errors import PlanError
from serve.memory.card import published
from serve.planning.drafts import draft
from serve.planning.settle import settle
from serve.wording import gib

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from serve.planning.drafts import Draft
    from serve.planning.settle import Settled
    from serve.values import Budget, PoolName, Room

    Wish = tuple[PoolName, str]

MOST_WISHES = 2  # let go at once, in search of a plan that fits
# Wishes that take memory, those that a user gives up most easily first.
COSTLY = {
    **dict.fromkeys(("kv_cache_memory", "gpu_memory_utilization", "max_num_seqs", "max_num_batched_tokens")),
    **dict.fromkeys(("max_model_len", "max_image_pixels", "max_video_pixels", "kv_cache_dtype", "quantization")),
}
NAMES = {"context": "libraries", "slack": "allocator"}
PARTS = ("weights", "context", "encoder", "activations", "graphs", "slack")


def refusal(failed: Settled, start: Sequence[Draft], usable: Mapping[int, int], rooms: Sequence[Room]) -> PlanError:
    """Explain why engines do not fit, by the GPU that is shortest; `start` is how they were asked for, `usable` as for `divide`."""
    tightest = max(usable, key=lambda index: failed.division.short[index])
    room = next((room for room in rooms if room.gpu.index == tightest), None)
    where = f"GPU {tightest} ({room.gpu.name})" if room else "the memory of this machine"
    title = f"{_and(each.slot.name for each in start)} {'do' if len(start) > 1 else 'does'} not fit {where}"
    return PlanError("\n".join([f"{title}:", *_sum(failed, tightest, usable[tightest], room), "", *_ways_out(start, usable)]))


def _sum(failed: Settled, index: int, have: int, room: Room | None) -> Iterator[str]:
    """Add up the engines on one GPU, with the least KV cache that each must have."""
    if room:
        free, reserve = gib(room.free), gib(room.reserve)
        yield f"  {free} are free of {gib(room.gpu.memory_bytes)}, less {reserve} in reserve (serve.gpu_reserve)"
    needed = 0
    for each, budget in zip(failed.drafts, failed.division.budgets, strict=True):
        if room and all(gpu.index != index for gpu in each.slot.gpus):
            continue
        kv = max(each.kv_bytes(1), budget.kv_cache if each.kv_cache or each.asked.gpu_memory_utilization else 0)
        needed += budget.fixed + kv
        tokens = kv // budget.kv_bytes_per_token
        cache = f"KV cache {gib(kv)} ({tokens:,} tokens)"
        yield f"  {each.slot.name} ({each.card.name}): {_terms(budget)} + {cache} = {gib(budget.fixed + kv)}"
    yield f"  together {gib(needed)}; there are {gib(have)}" + (f": {gib(needed - have)} too few" if needed > have else "")
    if failed.steps:
        yield f"  although these were lowered: {', '.join(step.what for step in failed.steps)}"


def _terms(budget: Budget) -> str:
    return " + ".join(f"{NAMES.get(part, part)} {gib(size)}" for part in PARTS if (size := getattr(budget, part)))


def _ways_out(start: Sequence[Draft], usable: Mapping[int, int]) -> Iterator[str]:
    if nearest := _without_wishes(start, usable):
        wishes, found = nearest
        without = _and(f"pools.{pool}.engine.{key}" for pool, key in wishes)
        yield f"The nearest plan that fits leaves {without} to Duet: {'; '.join(map(_describe, found.drafts))}"
        return
    yield "What is left to you:"
    if smaller := _smaller_model(start, usable):
        yield f"  a smaller model: {smaller}"
    if len(start) > 1:
        yield "  one engine on this machine (duet serve --pool NAME) and the other elsewhere"
    if start[0].gpu:
        yield "  engine.cpu_offload_gb: keeps a part of the weights in RAM, and is slow"
        yield "  a checkpoint in FP8 or INT4 (AWQ, GPTQ), named as the pool's model"


def _without_wishes(start: Sequence[Draft], usable: Mapping[int, int]) -> tuple[tuple[Wish, ...], Settled] | None:
    """Let go of as few wishes as possible."""
    wishes = [(each.slot.pool, key) for key in COSTLY for each in start if getattr(each.asked, key) is not None]
    wishes = list(dict.fromkeys(wishes))
    sets = [subset for count in range(1, MOST_WISHES + 1) for subset in combinations(wishes, count)]
    for subset in [*sets, tuple(wishes)] if wishes else []:
        found = settle([_let_go(each, subset) for each in start], usable)
        if found.fits:
            return subset, found
    return None


def _let_go(asked: Draft, wishes: Iterable[Wish]) -> Draft:
    keys = {key: None for pool, key in wishes if pool == asked.slot.pool}
    return draft(asked.slot, asked.asked.model_copy(update=keys), asked.card) if keys else asked


def _smaller_model(start: Sequence[Draft], usable: Mapping[int, int]) -> str:
    for size in sorted(PUBLISHED, key=lambda size: -_weight(size)):
        if _weight(size) < max(each.card.parameters for each in start):
            cards = [published(_name(size, each.slot.pool)) for each in start]
            smaller = [draft(each.slot, each.asked, card) for each, card in zip(start, cards, strict=True) if card]
            if settle(smaller, usable).fits:
                return " and ".join(dict.fromkeys(each.card.name for each in smaller))
    return ""


def _weight(size: str) -> int:
    card = published(_name(size, "instruct"))
    return card.parameters if card else 0


def _name(size: str, pool: PoolName) -> str:
    return f"Qwen/Qwen3-VL-{size}-{pool.capitalize()}"


def _describe(found: Draft) -> str:
    weights = f", weights {found.settings.quantization}" if found.settings.quantization else ""
    pixels = f"{found.settings.image_pixels.most:,} pixels"
    return f"{found.slot.name} with a context of {found.settings.max_model_len:,} tokens, {pixels}{weights}"


def _and(words: Iterable[str]) -> str:
    return " and ".join(words)
