"""Keeps the router and the engines running until it is asked to stop, then stops them in order and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from serve import health
from serve.errors import ForcedStop
from serve.logs import Log
from serve.phases import furthest
from serve.process import Process
from serve.restart import GiveUp, decide
from serve.service import Lowered
from serve.values import Exit, Phase
from serve.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serve.restart import Restart
    from serve.service import Service

INTERVAL_S = 0.25
STARTING_GRACE_S = 2.0  # to end, for what has not been ready since it was started: nobody's request can be in it
EVERY_LINE = 10_000  # of a log that has just begun
PATIENCE_S = 5.0  # with a router that sees no engine although all are ready, before a word about it
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Observer(Protocol):
    """Whoever shows what happens."""

    def phase(self, name: str, phase: Phase) -> None:
        """A service has come this far; said again and again while it lasts."""

    def restarting(self, name: str, how: str, after_s: float, evidence: str) -> None:
        """A service ended by itself and will be started again; `evidence` is the end of its log, or empty where that says little."""

    def lowered(self, name: str, said: str) -> None:
        """A service ended before it was ready, and is started again with less."""

    def waiting(self, pools: Sequence[str]) -> None:
        """Every engine is ready, but the router has no ready replica for these pools; the announcement waits for one."""

    def stopping(self, drain_s: float) -> None:
        """The stop has begun; requests in flight get up to `drain_s` seconds, 0 where there can be none."""


@dataclass(slots=True)
class _Run:
    """One start of a service, until its process has ended."""

    process: Process
    log: Log
    was_ready: bool = False
    overdue: bool = False


class Supervisor:
    """Runs services, restarts what ends by itself, and takes everything down again."""

    def __init__(self, services: Sequence[Service], observer: Observer) -> None:
        self._services = services
        self._observer = observer
        self._running: dict[str, _Run] = {}
        self._ready = {service.name: asyncio.Event() for service in services}
        self._turns = {service.turn: asyncio.Lock() for service in services}
        self._asked, self._forced = asyncio.Event(), asyncio.Event()

    async def run(self, announce: Callable[[], None], ready_url: str | None = None) -> None:
        """Start everything, `announce` it once all of it is ready, and return after a stop that SIGINT or SIGTERM asked for.

        `ready_url` is asked too before the announcement: the router learns of a ready engine only at its next look.

        Raises:
            DuetError: the `died` or `late` of a service that was never ready, or ForcedStop after a second signal.
                Nothing is left running then either. What was ready once is started again, however often it ends.

        """
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._record)
        self._watchdog = Watchdog()
        asked = asyncio.create_task(self._asked.wait())
        tasks = [
            asked,
            asyncio.create_task(self._announce(announce, ready_url)),
            *(asyncio.create_task(self._keep(it)) for it in self._services),
        ]
        try:
            await _done_or_failed(asked, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            try:
                await self._stop_all()
            finally:
                self._watchdog.close()

    def _record(self) -> None:
        (self._forced if self._asked.is_set() else self._asked).set()

    async def _announce(self, announce: Callable[[], None], ready_url: str | None) -> None:
        for ready in self._ready.values():
            await ready.wait()
        if ready_url:
            await self._until_open(ready_url)
        announce()

    async def _until_open(self, ready_url: str) -> None:
        clock = asyncio.get_running_loop().time
        told, patient_until = False, clock() + PATIENCE_S
        while not await health.is_ok(ready_url):
            if not told and clock() > patient_until and (pools := await health.pools_without_replica(ready_url)):
                self._observer.waiting(pools)
                told = True
            await asyncio.sleep(INTERVAL_S)

    async def _keep(self, service: Service) -> None:
        for name in service.after:
            await self._ready[name].wait()
        exits: list[Exit] = []
        while True:
            async with self._turns[service.turn]:
                service = self._looked(service)
                run = self._start(service)
                await self._until_ready(service, run)
            code = await self._until_ended(service, run)
            lowered = "" if run.was_ready else service.lower(run.log.last_lines(EVERY_LINE))
            if isinstance(lowered, Lowered):
                self._observer.lowered(service.name, lowered.said)
                service = lowered.service
                continue
            now = asyncio.get_running_loop().time()
            exits.append(Exit(now, code, run.was_ready))
            await asyncio.sleep(self._pause(service, run, decide(exits, now), exits[-1], advice=lowered))

    def _looked(self, service: Service) -> Service:
        """Start with less where memory is gone already; a neighbour that has had traffic shows what it takes, so later starts only try."""
        lowered = None if self._ready[service.name].is_set() else service.look()
        if lowered is None:
            return service
        self._observer.lowered(service.name, lowered.said)
        return lowered.service

    def _pause(self, service: Service, run: _Run, decision: Restart | GiveUp, end: Exit, advice: str) -> float:
        """Say that it starts again, and after how many seconds."""
        words = "\n".join(filter(None, [run.log.evidence(), advice]))
        if isinstance(decision, GiveUp):
            raise service.died(f"{service.name} {end.how}; {decision.because}. {words}")
        how = _late(service) if run.overdue else end.how
        often = f", {decision.often}" if decision.often else ""
        self._observer.restarting(service.name, how + often, decision.after_s, "" if end.was_ready and not often else words)
        return decision.after_s

    def _start(self, service: Service) -> _Run:
        log = Log(service.log)
        run = _Run(Process(service.command, service.log), log)
        self._running[service.name] = run
        self._watchdog.guard(run.process.pid)
        return run

    async def _until_ready(self, service: Service, run: _Run) -> None:
        phase = Phase.IMPORTING
        deadline = asyncio.get_running_loop().time() + service.start_timeout_s
        while run.process.exit_code() is None:
            phase = furthest(phase, run.log.new_lines())
            run.log.shorten()
            self._observer.phase(service.name, phase)
            if await health.is_ok(service.health_url):
                run.was_ready = True
                self._ready[service.name].set()
                self._observer.phase(service.name, Phase.READY)
                return
            if asyncio.get_running_loop().time() > deadline:
                await self._end_overdue(service, run, phase)
            await asyncio.sleep(INTERVAL_S)

    async def _end_overdue(self, service: Service, run: _Run, phase: Phase) -> None:
        if not self._ready[service.name].is_set():
            raise service.late(f"{service.name} {_late(service)}; it was {phase.name.lower()}. {run.log.evidence()}")
        run.overdue = True
        await run.process.stop(STARTING_GRACE_S)

    async def _until_ended(self, service: Service, run: _Run) -> int:
        while run.process.exit_code() is None:
            run.log.shorten()
            await asyncio.sleep(INTERVAL_S)
        code = await run.process.ended()
        self._watchdog.release(run.process.pid)
        del self._running[service.name]
        return code

    async def _stop_all(self) -> None:
        drain_s = self._drain_s()
        orderly, forced = asyncio.create_task(self._stop_in_order()), asyncio.create_task(self._forced.wait())
        await asyncio.wait({orderly, forced}, timeout=INTERVAL_S, return_when=asyncio.FIRST_COMPLETED)
        self._observer.stopping(drain_s)  # after the stop has gone out: a terminal that is gone or stopped holds nothing up
        await asyncio.wait({orderly, forced}, return_when=asyncio.FIRST_COMPLETED)
        if not orderly.done():
            orderly.cancel()
            await asyncio.gather(*(run.process.stop(grace_s=0) for run in self._running.values()))
            raise ForcedStop("stopped at once: requests in flight, if any, were cut off" if drain_s else "stopped at once")
        forced.cancel()
        await orderly

    def _drain_s(self) -> float:
        """Add up how long the stages may take to end requests."""
        longest: dict[int, float] = {}
        for service in self._services:
            if (run := self._running.get(service.name)) and run.was_ready:
                longest[service.stop_stage] = max(longest.get(service.stop_stage, 0), service.stop_grace_s)
        return sum(longest.values())

    async def _stop_in_order(self) -> None:
        for stage in sorted({service.stop_stage for service in self._services}):
            await asyncio.gather(*(self._stop(service) for service in self._services if service.stop_stage == stage))

    async def _stop(self, service: Service) -> None:
        if run := self._running.get(service.name):
            await run.process.stop(service.stop_grace_s if run.was_ready else STARTING_GRACE_S)
            self._watchdog.release(run.process.pid)


async def _done_or_failed(asked: asyncio.Task[bool], tasks: Sequence[asyncio.Task[Any]]) -> None:
    pending = set(tasks)
    while not asked.done():
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():  # a stop that was asked for outranks whatever ends with it
            for task in done:
                task.result()


def _late(service: Service) -> str:
    key = f" ({service.timeout_key})" if service.timeout_key else ""
    return f"was not ready after {service.start_timeout_s:g} s{key}"
