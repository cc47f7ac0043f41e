"""From a plan to a service that can be started, looked at right before, and lowered when it lacks memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from serve import hardware, ports
from serve.command import command
from serve.errors import EngineDied
from serve.package import bytecode_env
from serve.planning.crowding import crowded, lacking
from serve.planning.descent import descend, way_out
from serve.planning.shortage import shortage
from serve.service import Lowered, Service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.config import DuetConfig
    from serve.package import Package
    from serve.planning.shortage import Shortage
    from serve.values import EnginePlan, Room


@dataclass(frozen=True, slots=True)
class Starter:
    """Makes services of plans, and lower ones of those that ended for lack of memory before they were ready."""

    config: DuetConfig
    package: Package
    after: tuple[str, ...]  # services that start before any engine
    plans: tuple[EnginePlan, ...]
    rooms: tuple[Room, ...]
    crowded: set[int] = field(default_factory=set)  # GPUs on which a look found that others had taken memory, by index

    def service(self, plan: EnginePlan, retries: int | None = None) -> Service:
        """Make the service of one engine; with less memory it may be tried again `retries` times."""
        serve = self.config.serve
        left = serve.memory_retries if retries is None else retries
        return Service(
            name=plan.name,
            command=command(plan, self.package.launcher, bytecode_env(serve.cache_dir)),
            health_url=f"http://{ports.reachable(plan.host)}:{plan.port}/health",
            log=serve.cache_dir / "logs" / f"{plan.pool}-{plan.port}.log",
            start_timeout_s=serve.start_timeout_s,
            stop_grace_s=plan.drain_s + serve.shutdown_timeout_s,
            died=EngineDied,
            timeout_key="serve.start_timeout_s",
            turn=_turn(plan),
            after=(*self.after, *([plan.starts_after] if plan.starts_after else [])),
            stop_stage=1,
            look=lambda: self._look(plan, left),
            lower=lambda lines: self._lower(plan, left, lines),
        )

    def _lower(self, plan: EnginePlan, left: int, lines: Sequence[str]) -> Lowered | str:
        """Answer for an engine that ended before it was ready: what to start in its place, or what the user can do."""
        missing = shortage(lines)
        if missing is None:
            return ""
        descent = descend(plan, missing, self._beside(plan)) if left else None
        if descent is None:
            return way_out(plan, missing)
        often = self.config.serve.memory_retries
        said = (
            f"ended for lack of memory: {missing.said}.\n  It starts again with {descent.said} ({often - left + 1} of {often})"
        )
        return Lowered(self.service(descent.plan, left - 1), said)

    def _look(self, plan: EnginePlan, left: int) -> Lowered | None:
        """Answer for an engine that is about to start: what to start in its place, where others have taken its memory since."""
        rooms = [room for room in self.rooms if room.gpu in plan.gpus]
        missing = max(filter(None, map(partial(self._crowded, plan), rooms)), key=lambda short: short.missing, default=None)
        descent = descend(plan, missing) if missing else None
        if missing is None or descent is None:
            return None
        said = f"finds less memory than was planned: {missing.said}.\n  It starts with {descent.said}"
        return Lowered(self.service(descent.plan, left), said)

    def _crowded(self, plan: EnginePlan, room: Room) -> Shortage | None:
        index, free = room.gpu.index, hardware.free_bytes(room.gpu)
        if lacking(plan, self.plans, room, free) > room.reserve:
            self.crowded.add(index)  # engines that start later give their part, whatever this one can
        return crowded(plan, self.plans, room, free, known=index in self.crowded)

    def _beside(self, plan: EnginePlan) -> list[EnginePlan]:
        return [each for each in self.plans if each.name != plan.name and set(each.gpus) & set(plan.gpus)]


def _turn(plan: EnginePlan) -> str:
    return f"GPU {plan.gpus[0].index}" if plan.gpus else plan.name
