"""Walks the ladder for the engines that share GPUs until the plan is good enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.planning.drafts import ROOMY
from serve.planning.ladder import LADDER, LADDER_ON_CPU, grow, lower
from serve.planning.share import divide
from serve.values import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serve.planning.drafts import Draft
    from serve.planning.share import Division
    from serve.values import Budget, Rung


@dataclass(frozen=True, slots=True)
class Settled:
    """Where the walk ended: the engines, what each gets, the steps that were taken, and the rungs that are left."""

    drafts: tuple[Draft, ...]
    division: Division
    steps: tuple[Step, ...] = ()
    rungs: tuple[Rung, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether every engine starts."""
        return not self.division.is_short and all(each.fits(it.kv_cache) for each, it in self.pairs())

    @property
    def is_good(self) -> bool:
        """Whether nothing more need be given up."""
        return not self.division.is_short and all(each.is_good(it.kv_cache) for each, it in self.pairs())

    @property
    def is_roomy(self) -> bool:
        """Whether memory is not what limits these engines."""
        return not self.division.is_short and all(it.kv_cache >= each.kv_bytes(ROOMY) for each, it in self.pairs())

    def pairs(self) -> zip[tuple[Draft, Budget]]:
        """Each engine with its budget."""
        return zip(self.drafts, self.division.budgets, strict=True)


def settle(drafts: Sequence[Draft], usable: Mapping[int, int]) -> Settled:
    """Step down rung by rung, all engines together as far as their keys are open; steps that buy nothing are left out.

    More memory never takes more steps, and with the same steps never gives an engine fewer tokens.
    """
    grown = tuple(each.with_settings(grow(each.settings, each.open)) for each in drafts) if drafts[0].gpu else ()
    if grown and (roomy := Settled(grown, divide(grown, usable), rungs=LADDER)).is_roomy:
        return roomy
    ladder = LADDER if drafts[0].gpu else LADDER_ON_CPU
    now = Settled(tuple(drafts), divide(drafts, usable), rungs=ladder)
    for at, rung in enumerate(ladder):
        if now.is_good:
            break
        now = _down(now, rung, ladder[at + 1 :], usable)
    return now


def _down(now: Settled, rung: Rung, left: tuple[Rung, ...], usable: Mapping[int, int]) -> Settled:
    lowered = tuple(each.with_settings(lower(each.settings, rung, each.open)) for each in now.drafts)
    changed = [at for at, each in enumerate(lowered) if each.settings != now.drafts[at].settings]
    freed = sum((now.drafts[at].fixed.fixed - lowered[at].fixed.fixed) * max(1, len(lowered[at].slot.gpus)) for at in changed)
    relieved = any(lowered[at].kv_bytes(1) < now.drafts[at].kv_bytes(1) for at in changed)
    if freed <= 0 and not relieved:
        return Settled(now.drafts, now.division, now.steps, left)
    division = divide(lowered, usable)
    step = Step(
        rung.what,
        freed,
        tuple(each.slot.name for each in lowered),
        tuple(it.kv_tokens for it in now.division.budgets),
        tuple(it.kv_tokens for it in division.budgets),
    )
    return Settled(lowered, division, (*now.steps, step), left)
