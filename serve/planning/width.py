"""Over how many GPUs one engine goes, in tensor parallel: as few as hold it, and more where that saves a step down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.errors import PlanError
from serve.planning.drafts import draft
from serve.planning.settle import settle
from serve.planning.slots import Slot, groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serve.config import EngineConfig
    from serve.memory.card import ModelCard
    from serve.values import Gpu, PoolName

WIDTHS = (1, 2, 4, 8)


def widths(
    engines: Mapping[PoolName, EngineConfig], cards: Mapping[PoolName, ModelCard], usable: Mapping[Gpu, int]
) -> Iterator[dict[PoolName, int]]:
    """List the widths that each pool's engines may have, narrowest first: those that fit GPUs of their own, and wider ones.

    A wish is kept. With no width that fits, the widest is tried, and what it lacks is told.

    Raises:
        PlanError: a wish that the GPUs or the model's heads do not allow.

    """
    gpus = tuple(usable)
    choices: dict[PoolName, list[int]] = {}
    for pool, card in cards.items():
        asked = engines[pool]
        if asked.tensor_parallel_size:
            _check(pool, asked.tensor_parallel_size, card, gpus)
        possible = [count for count in WIDTHS if _divides(count, card) and groups(gpus, count)]
        fitting = [count for count in possible if any(_fits(pool, asked, card, own, usable) for own in groups(gpus, count))]
        choices[pool] = [asked.tensor_parallel_size] if asked.tensor_parallel_size else fitting or possible[-1:]
    for at in range(max(map(len, choices.values()))):
        yield {pool: each[min(at, len(each) - 1)] for pool, each in choices.items()}


def _fits(pool: PoolName, asked: EngineConfig, card: ModelCard, own: tuple[Gpu, ...], usable: Mapping[Gpu, int]) -> bool:
    alone = draft(Slot(pool, pool, 0, own), asked, card)
    return settle([alone], {gpu.index: usable[gpu] for gpu in own}).fits


def _divides(count: int, card: ModelCard) -> bool:
    text = card.shape.text
    return text.kv_heads % count == 0 and text.heads % count == 0 and card.shape.vision.heads % count == 0


def _check(pool: PoolName, wish: int, card: ModelCard, gpus: Sequence[Gpu]) -> None:
    key = f"pools.{pool}.engine.tensor_parallel_size = {wish}"
    if not _divides(wish, card):
        raise PlanError(f"{key}: the {card.shape.text.kv_heads} KV heads of {card.name} cannot be divided by it")
    if not groups(gpus, wish):
        raise PlanError(f"{key}: there are not so many GPUs that are alike; there are {len(gpus)}")
