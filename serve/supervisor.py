"""Keeps the router and the engines running until it is asked to stop, then stops them in order and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from serve import health
from serve.errors import DuetError, EngineTimeout, ForcedStop
from serve.logs import Log, last_words
from serve.phases import furthest
from serve.process import Process
from serve.restart import GiveUp, decide
from serve.values import Exit, Phase
from serve.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from serve.values import Command

INTERVAL_S = 0.25
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Service:
    """Something to keep running: the router, or one engine."""

    name: str
    command: Command
    health_url: str
    log: Path
    start_timeout_s: float
    stop_grace_s: float
    died: type[DuetError]
    turn: str  # of services that share one, one at a time starts: vLLM takes what others allocate meanwhile for its own
    after: tuple[str, ...] = ()  # services that must be ready before this one starts
    stop_stage: int = 0  # lower ones stop first


class Observer(Protocol):
    """Whoever shows what happens."""

    def phase(self, name: str, phase: Phase) -> None:
        """A service has come this far; said again and again while it lasts."""

    def restarting(self, name: str, how: str, after_s: float) -> None:
        """A service ended by itself and will be started again."""

    def stopping(self) -> None:
        """The stop has begun."""


class Supervisor:
    """Runs services, restarts what ends by itself, and takes everything down again."""

    def __init__(self, services: Sequence[Service], observer: Observer) -> None:
        self._services = services
        self._observer = observer
        self._running: dict[str, Process] = {}
        self._ready = {service.name: asyncio.Event() for service in services}
        self._turns = {service.turn: asyncio.Lock() for service in services}
        self._asked, self._forced = asyncio.Event(), asyncio.Event()

    async def run(self, announce: Callable[[], None], ready_url: str | None = None) -> None:
        """Start everything, `announce` it once all of it is ready, and return after a stop that SIGINT or SIGTERM asked for.

        `ready_url` is asked too before the announcement: the router learns of a ready engine only at its next look.

        Raises:
            DuetError: the `died` of a service that was never ready or ends too often, EngineTimeout, or ForcedStop
                after a second signal. Nothing is left running then either.

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
            await self._stop_all()
            self._watchdog.close()

    def _record(self) -> None:
        (self._forced if self._asked.is_set() else self._asked).set()

    async def _announce(self, announce: Callable[[], None], ready_url: str | None) -> None:
        for ready in self._ready.values():
            await ready.wait()
        while ready_url and not await health.is_ok(ready_url):  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(INTERVAL_S)
        announce()

    async def _keep(self, service: Service) -> None:
        for name in service.after:
            await self._ready[name].wait()
        exits: list[Exit] = []
        while True:
            async with self._turns[service.turn]:
                log = Log(service.log)
                process = self._start(service)
                was_ready = await self._until_ready(service, process, log)
            code = await self._until_ended(service, process, log)
            now = asyncio.get_running_loop().time()
            exits.append(Exit(now, code, was_ready))
            decision = decide(exits, now)
            if isinstance(decision, GiveUp):
                raise service.died(_obituary(service.name, code, decision.because, log))
            self._observer.restarting(service.name, _how(code), decision.after_s)
            await asyncio.sleep(decision.after_s)

    def _start(self, service: Service) -> Process:
        process = Process(service.command, service.log)
        self._running[service.name] = process
        self._watchdog.guard(process.pid)
        return process

    async def _until_ready(self, service: Service, process: Process, log: Log) -> bool:
        phase = Phase.IMPORTING
        deadline = asyncio.get_running_loop().time() + service.start_timeout_s
        while process.exit_code() is None:
            phase = furthest(phase, log.new_lines())
            self._observer.phase(service.name, phase)
            if await health.is_ok(service.health_url):
                self._ready[service.name].set()
                self._observer.phase(service.name, Phase.READY)
                return True
            if asyncio.get_running_loop().time() > deadline:
                raise EngineTimeout(_overdue(service, phase, log))
            await asyncio.sleep(INTERVAL_S)
        return False

    async def _until_ended(self, service: Service, process: Process, log: Log) -> int:
        while process.exit_code() is None:
            log.shorten()
            await asyncio.sleep(INTERVAL_S)
        code = await process.ended()
        self._watchdog.release(process.pid)
        del self._running[service.name]
        return code

    async def _stop_all(self) -> None:
        self._observer.stopping()
        orderly, forced = asyncio.create_task(self._stop_in_order()), asyncio.create_task(self._forced.wait())
        await asyncio.wait({orderly, forced}, return_when=asyncio.FIRST_COMPLETED)
        if not orderly.done():
            orderly.cancel()
            await asyncio.gather(*(process.stop(grace_s=0) for process in self._running.values()))
            raise ForcedStop("stopped at once: requests in flight were cut off")
        forced.cancel()
        await orderly

    async def _stop_in_order(self) -> None:
        for stage in sorted({service.stop_stage for service in self._services}):
            await asyncio.gather(*(self._stop(service) for service in self._services if service.stop_stage == stage))

    async def _stop(self, service: Service) -> None:
        if process := self._running.get(service.name):
            await process.stop(service.stop_grace_s)
            self._watchdog.release(process.pid)


async def _done_or_failed(asked: asyncio.Task[bool], tasks: Sequence[asyncio.Task[Any]]) -> None:
    pending = set(tasks)
    while not asked.done():
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():  # a stop that was asked for outranks whatever ends with it
            for task in done:
                task.result()


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _obituary(name: str, code: int, because: str, log: Log) -> str:
    return f"{name} {_how(code)}; {because}. {_evidence(log)}"


def _overdue(service: Service, phase: Phase, log: Log) -> str:
    waited = f"was not ready after {service.start_timeout_s:g} s (serve.start_timeout_s)"
    return f"{service.name} {waited}; it was {phase.name.lower()}. {_evidence(log)}"


def _evidence(log: Log) -> str:
    words = "\n".join(f"  {line}" for line in last_words(log.last_lines()))
    return f"Its last words:\n{words}\nThe whole log: {log.path}"
