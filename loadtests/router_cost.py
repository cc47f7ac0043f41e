"""What a router costs, beside others, in one run.

    python -m loadtests.router_cost [--peer NAME=PROGRAM] [--write docs/performance.md]
    python -m loadtests.router_cost --idle-streams 10000
    python -m loadtests.router_cost --soak 100000 --slow-readers 1000

Mock engines and clients share one core, the routers another. The cost is the CPU time of a router's process tree, divided by requests or
by streamed events: on a machine that others use too, that is steadier than any clock on the wall. Everything is on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from loadtests import callers, contenders, cost_table, endurance
from loadtests.callers import PICTURE_BYTES, Load, Target
from loadtests.contenders import INSTRUCT, KEY, THINKING, Engines, Process, Start
from loadtests.cost_table import DIRECT, Measurement, Used
from loadtests.mock_engine import UNARY, Script

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START_WITHIN_S = 90.0
WARM_UP_S = 0.5
SETTLE_S = 0.2
FIFTY_A_SECOND = Script(words=100, every_ms=20)
LOADS = {
    "text": Load(UNARY, 32),
    "picture": Load(UNARY, 16, PICTURE_BYTES),
    "64 streams": Load(FIFTY_A_SECOND, 64),
    "256 streams": Load(FIFTY_A_SECOND, 256),
}
COSTS = {
    "text": "CPU per request",
    "picture": "per request with a 512 KB picture",
    "64 streams": "per event, 64 streams",
    "256 streams": "per event, 256 streams",
}
FIRST = {"64 streams": "64 streams (p50 / p99)", "256 streams": "256 streams (p50 / p99)"}


class Failed(Exception):
    """The benchmark cannot go on; the message says why."""


@dataclass(frozen=True)
class Bench:
    """What runs: the engines and everyone who is measured in front of them."""

    engines: Engines
    direct: Target
    routers: tuple[Process, ...]

    def targets(self) -> list[tuple[str, Target, Process | None]]:
        return [(DIRECT, self.direct, None), *((router.name, router.target, router) for router in self.routers)]


@contextmanager
def bench(programs: dict[str, str]) -> Iterator[Bench]:
    """Engines and routers, started and not yet ready. They end with the block."""
    router_core, other_core = contenders.cores()
    first, second, thinking, *ports = contenders.free_ports(3 + 2 * len(programs))
    engines = Engines((first, second), thinking)
    with ExitStack() as stack:
        stack.enter_context(contenders.on(other_core))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="router-cost-")))
        argv = [sys.executable, "-m", "loadtests.mock_engine", INSTRUCT, f"{first},{second}", THINKING, str(thinking)]
        direct = Target(first, INSTRUCT, KEY)
        mock = stack.enter_context(contenders.started("engines", argv, direct, other_core, folder / "engines.log"))
        asyncio.run(until_ready(mock))
        routers = []
        for number, (name, program) in enumerate(programs.items()):
            start = Start(program, ports[2 * number], ports[2 * number + 1], engines, folder)
            target, log = Target(start.port, INSTRUCT, KEY), folder / f"{name}.log"
            routers.append(
                stack.enter_context(contenders.started(name, contenders.COMMANDS[name](start), target, router_core, log))
            )
        yield Bench(engines, direct, tuple(routers))


async def until_ready(process: Process) -> None:
    """Asks until a request is answered.

    Raises:
        Failed: it ended, or does not answer in time; with the end of what it said.
    """
    deadline = time.monotonic() + START_WITHIN_S
    while not (await callers.run(process.target, Load(UNARY, 1), START_WITHIN_S, limit=1)).answers:
        ended = not process.root.is_running() or process.root.status() == "zombie"
        if ended or time.monotonic() > deadline:
            said = process.log.read_text(errors="replace")[-2000:]
            raise Failed(f"{process.name} {'ended' if ended else f'did not answer in {START_WITHIN_S:g} s'}:\n{said}")


async def compare(running: Bench, loads: dict[str, Load], seconds: float, rounds: int) -> list[Measurement]:
    """Every contender under every load, in turn, several times over: noise that comes and goes meets all of them."""
    targets = running.targets()
    for load in loads.values():
        for _, target, _ in targets:
            await callers.run(target, Load(_brief(load.script), 8, load.picture_bytes), WARM_UP_S)
    measured = []
    for number in range(rounds):
        for name, load in loads.items():
            for contender, target, router in targets[number % len(targets) :] + targets[: number % len(targets)]:
                used = await measure(target, load, seconds, router)
                measured.append(Measurement(contender, name, used))
                print(f"round {number + 1}: {measured[-1]}", file=sys.stderr)
    return sorted(measured, key=lambda it: [name for name, *_ in targets].index(it.contender))


def _brief(script: Script) -> Script:
    return Script(min(script.words, 10), 0, stream=script.stream)


async def measure(target: Target, load: Load, seconds: float, router: Process | None) -> Used:
    """Loads `target`, and counts while all callers are at work: not while they come and go."""
    tally = callers.Tally()
    loading = asyncio.create_task(callers.run(target, load, load.ramp_s + SETTLE_S + seconds, tally=tally))
    await asyncio.sleep(load.ramp_s + SETTLE_S)
    cpu, answers, words = _cpu_s(router), len(tally.answers), tally.words()
    await asyncio.sleep(seconds)
    used = _cpu_s(router) - cpu, len(tally.answers) - answers, tally.words() - words
    await loading
    first = tuple(answer.first_s for answer in tally.answers)
    return Used(*used, first, tally.errors, router.rss_mb() if router else 0.0)


def _cpu_s(router: Process | None) -> float:
    return router.cpu_s() if router else 0.0


def described(programs: dict[str, str], options: argparse.Namespace) -> str:
    """What the figures were taken on."""
    router_core, other_core = contenders.cores()
    apart = "routers on one, engines and clients on another" if router_core != other_core else "all on the same one"
    return (
        f"Medians of {options.rounds} rounds of {options.seconds:g} s; {', '.join(programs)}; {len(os.sched_getaffinity(0))} "
        f"{platform.machine()} cores, {apart}; Linux, Python {platform.python_version()}. Load of the machine over the last minute: "
        f"{os.getloadavg()[0]:.1f}."
    )


def check_files(streams: int, limit: int) -> None:
    """Raises Failed when no router could hold `streams` open here."""
    if (needed := endurance.files_needed(streams)) > limit:
        raise Failed(
            f"--idle-streams {streams}: that is {needed} open files, and this machine allows a process {limit} (ulimit -Hn)"
        )


async def ready(running: Bench) -> None:
    for router in running.routers:
        await until_ready(router)


async def endure(running: Bench, options: argparse.Namespace) -> list[str]:
    """The memory of the first router, under what `options` ask for."""
    router, said = running.routers[0], []
    if options.idle_streams:
        said.append(str(await endurance.idle_streams(router, running.engines, options.idle_streams)))
    if options.soak or options.slow_readers:
        said.append(str(await endurance.soak(router, options.soak, options.slow_readers, options.picture_every)))
    return said


async def report(running: Bench, options: argparse.Namespace) -> str:
    await ready(running)
    if options.idle_streams or options.soak or options.slow_readers:
        return "\n".join(await endure(running, options))
    measured = await compare(running, LOADS, options.seconds, options.rounds)
    return cost_table.markdown(cost_table.rows(measured), COSTS, FIRST)


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="router_cost", description="What a router costs, beside others, in one run.")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=PROGRAM", help="also this router; those on PATH are found"
    )
    parser.add_argument("--alone", action="store_true", help="Duet alone, whatever is on PATH")
    parser.add_argument("--seconds", type=float, default=4, help="for each router and load in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the markers of this file")
    parser.add_argument("--idle-streams", type=int, default=0, metavar="N", help="instead: N streams open and silent")
    parser.add_argument("--soak", type=int, default=0, metavar="REQUESTS", help="instead: memory over so many requests")
    parser.add_argument("--picture-every", type=int, default=50, metavar="N", help="every Nth of them has a picture (0: none)")
    parser.add_argument("--slow-readers", type=int, default=0, metavar="N", help="then over N readers that hardly read")
    return parser.parse_args(argv)


def chosen(options: argparse.Namespace) -> dict[str, str]:
    given = dict(peer.partition("=")[::2] for peer in options.peer)
    memory = options.idle_streams or options.soak or options.slow_readers
    programs = contenders.present(given)
    return {"Duet": programs["Duet"]} if options.alone or (memory and not given) else programs


def main(argv: Sequence[str] | None = None) -> None:
    options = parsed(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as from Ctrl-C, every block is left and ends what it started
    try:
        check_files(options.idle_streams, contenders.raise_file_limit())
        programs = chosen(options)
        with bench(programs) as running:
            said = uvloop.run(report(running, options))
        print(said)
        if options.write:
            table = f"{said}\n\n{described(programs, options)}"
            options.write.write_text(cost_table.replaced(options.write.read_text(), table))
    except (Failed, ValueError) as error:
        sys.exit(f"router_cost: {error}")


if __name__ == "__main__":
    main()
