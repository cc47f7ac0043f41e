"""An engine while it is being planned: its place, its model, what was asked for it, and the settings so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from serve.memory import budget
from serve.planning.settings import open_keys, settings

if TYPE_CHECKING:
    from serve.config import EngineConfig
    from serve.memory.card import ModelCard
    from serve.planning.slots import Slot
    from serve.values import Budget, Gpu, Settings

GIB = 1 << 30
KV_ON_CPU = GIB  # without a wish; memory is not what a CPU is short of
# An engine is good enough when one request may fill the context while another of a quarter still runs: at 32,768 tokens that is
# five requests of 8K. Less, and every long request would wait for all others to end, or put them back to the start.
GOOD = 1.25
ROOMY = 8  # full contexts; beyond that a larger batch buys more than further tokens would


@dataclass(frozen=True, slots=True)
class Draft:
    """One engine; `fixed` is its budget without a KV cache."""

    slot: Slot
    card: ModelCard
    asked: EngineConfig
    settings: Settings
    open: frozenset[str]
    fixed: Budget

    @property
    def gpu(self) -> Gpu | None:
        """The first of its GPUs; the others are like it."""
        return self.slot.gpus[0] if self.slot.gpus else None

    @property
    def kv_cache(self) -> int | None:
        """The size of the KV cache where it does not depend on what is free, in bytes."""
        return self.asked.kv_cache_memory or (None if self.slot.gpus else KV_ON_CPU)

    def kv_bytes(self, contexts: float) -> int:
        """The KV cache that holds so many full contexts; vLLM keeps one block for itself."""
        blocks = -(-int(contexts * self.settings.max_model_len) // self.fixed.block_tokens) + 1
        return blocks * self.fixed.block_tokens * self.fixed.kv_bytes_per_token

    def fits(self, kv_cache: int) -> bool:
        """Whether an engine with this KV cache starts: vLLM wants room for one full context."""
        return kv_cache >= self.kv_bytes(1)

    def is_good(self, kv_cache: int) -> bool:
        """Whether nothing more need be given up for this engine; a KV cache that was asked for need only fit."""
        return kv_cache >= self.kv_bytes(1 if self.kv_cache else GOOD)

    def with_settings(self, changed: Settings) -> Draft:
        """The same engine with other settings."""
        return replace(self, settings=changed, fixed=budget.fixed(self.card, changed, self.gpu, max(1, len(self.slot.gpus))))


def draft(slot: Slot, asked: EngineConfig, card: ModelCard) -> Draft:
    """Draw up an engine with all that is asked for it, and the most of what is left open.

    Raises:
        PlanError: a wish that this GPU or this model cannot be given.

    """
    gpu = slot.gpus[0] if slot.gpus else None
    start = settings(slot.pool, asked, card, gpu, fp8_on_cpu=slot.fp8_on_cpu)
    fixed = budget.fixed(card, start, gpu, max(1, len(slot.gpus)))
    return Draft(slot, card, asked, start, open_keys(asked, card, gpu), fixed)
