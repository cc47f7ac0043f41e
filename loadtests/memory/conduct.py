"""Conducts one case: ballast, engines one after another, traffic on all of them, and an end in which nothing is left running."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from loadtests.memory import cases, engine, outcome, said, watch
from loadtests.memory.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadtests.memory.cases import Case
    from loadtests.memory.engine import Engine, Launch
    from loadtests.memory.watch import Watch

READY_WITHIN_S = 300.0
TRAFFIC_WITHIN_S = 130.0
SITUATIONS_WITHIN_S = 150.0
SETTLE_S = 1.0
GAUGES_EVERY_S = 0.2
EMPTY_WITHIN_S = 20.0
EMPTY_BYTES = 2 << 30  # an empty H200 has 615 MiB in use, the driver's own


@dataclass(frozen=True)
class Run:
    """What all cases share. `live` are the engines of this moment, so that an interrupt can end them."""

    launch: Launch
    out: Path
    deadline: float  # monotonic
    live: set[Engine] = field(default_factory=set)
    stopped: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """No further engine is started, and those that run are killed; whoever waits for them sees it."""
        self.stopped.set()
        for running in list(self.live):
            engine.kill(running.process)

    def left_s(self) -> float:
        return 0.0 if self.stopped.is_set() else self.deadline - time.monotonic()


@dataclass
class Stage:
    """A case under way."""

    case: Case
    gpus: tuple[int, ...]
    run: Run
    watched: Watch
    outcomes: list[Outcome] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)
    situations: dict[str, Any] = field(default_factory=dict)

    def folder(self, number: int) -> Path:
        return self.run.out / self.case.id / str(number)


def conduct(case: Case, gpus: tuple[int, ...], run: Run) -> dict[str, Any]:
    """The whole of one case.

    Raises:
        BadCase: the ballast cannot be taken.
        OSError: the launcher is not there, or the results cannot be written.
    """
    _wait_empty(gpus)
    with ExitStack() as stack:
        for gpu in gpus if case.free_bytes is not None else ():
            stack.enter_context(ballast(gpu, case.free_bytes or 0))
        watched = stack.enter_context(watch.watching(gpus))
        before = watch.used_bytes(gpus)
        stage = Stage(case, gpus, run, watched)
        start_all(stage, stack)
        if len(stage.engines) == len(case.engines):
            if case.situations:
                ask_situations(stage)
            ask_all(stage)
        watched.begins("end")
        ended = time.time()
        read_engines(stage)
    for number, known in enumerate(stage.outcomes):
        known.read_torch(stage.folder(number), watched.marks, ended)
    return outcome.result(case, stage.outcomes, watched, before, ended) | {"situations": stage.situations}


def start_all(stage: Stage, stack: ExitStack) -> None:
    """One after another, as each reads what the others left free; up to the first that does not start."""
    for number, wanted in enumerate(stage.case.engines):
        known = Outcome(wanted.model, wanted.argv)
        stage.outcomes.append(known)
        stage.watched.begins(f"{number}.loading")
        live = stack.enter_context(engine.started(stage.run.launch, wanted, stage.gpus, stage.folder(number)))
        stage.run.live.add(live)
        stack.callback(stage.run.live.discard, live)
        stage.watched.follow(str(number), live.log)
        known.ready_s = live.wait(time.monotonic() + min(stage.run.left_s(), READY_WITHIN_S))
        known.exit_code = live.process.poll()
        if known.ready_s is None:
            known.read_log(live.said())
            return
        stage.engines.append(live)
        (live.folder / "serving").touch()
    stage.watched.begins("idle")
    time.sleep(SETTLE_S)


def ask_all(stage: Stage) -> None:
    """The worst-case traffic of all engines of the case at once; the first one's phases are the case's marks."""
    asked = [
        threading.Thread(target=ask, args=(stage, number), daemon=True)
        for number, wanted in enumerate(stage.case.engines)
        if wanted.traffic
    ]
    for thread in asked:
        thread.start()
    while any(thread.is_alive() for thread in asked):
        for known, live in zip(stage.outcomes, stage.engines, strict=True):
            known.read_gauges(live.metrics())
        time.sleep(GAUGES_EVERY_S)


def ask(stage: Stage, number: int) -> None:
    live, wanted = stage.engines[number], stage.case.engines[number]
    traffic = json.dumps(asdict(wanted.traffic) if wanted.traffic else {})
    argv = ["loadtests.memory.traffic", "--port", str(live.port), "--traffic", traffic]
    found = told(stage, argv, live.folder / "traffic.log", TRAFFIC_WITHIN_S, marks=not number)
    stage.outcomes[number].traffic = found


def ask_situations(stage: Stage) -> None:
    """Before the worst case, which leaves the allocators with all that they will ever hold."""
    case, instruct, thinking = stage.case, stage.engines[0], stage.engines[-1]
    context = next((wanted.traffic.context for wanted in case.engines if wanted.traffic), 0)
    argv = ["loadtests.memory.situations", "--instruct", str(instruct.port), "--thinking", str(thinking.port)]
    argv += ["--context", str(context), "--images", str(case.images_per_request), "--names", ",".join(case.situations)]
    stage.situations = told(stage, argv, instruct.folder / "situations.log", SITUATIONS_WITHIN_S, marks=True)


def told(stage: Stage, argv: list[str], log: Path, within_s: float, *, marks: bool) -> dict[str, Any]:
    """Lets a program that asks engines run to its end, and takes the last JSON object that it says; its phases become marks."""
    found: dict[str, Any] = {}
    with log.open("wb") as errors, sender(argv, errors.fileno()) as sending:
        limit = threading.Timer(max(0.0, min(stage.run.left_s(), within_s)), sending.kill)
        limit.start()
        for line in sending.stdout or ():
            if line.startswith("prepared") and sending.stdin:
                print("go", file=sending.stdin, flush=True)
            elif line.startswith("phase ") and marks:
                stage.watched.begins(line.split()[1])
            elif line.startswith("{"):
                found = json.loads(line)
        limit.cancel()
    return found


def sender(argv: list[str], log: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)


def read_engines(stage: Stage) -> None:
    """While they still live: what they say when they are ended is not their fault."""
    for known, live in zip(stage.outcomes, stage.engines, strict=False):
        known.exit_code = live.process.poll()
        known.cache_config = said.cache_config(live.metrics())
        known.read_log(live.said())


@contextmanager
def ballast(gpu: int, leave: int) -> Iterator[None]:
    """Raises BadCase."""
    argv = [sys.executable, "-m", "loadtests.memory.ballast", "--gpu", str(gpu), "--leave", str(leave)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        if not (holder.stdout and holder.stdout.readline().startswith("held")):
            raise cases.BadCase(f"no ballast could be taken on card {gpu}")
        try:
            yield
        finally:
            holder.communicate()


def _wait_empty(gpus: tuple[int, ...]) -> None:
    """A killed engine's memory comes back a moment after it."""
    deadline = time.monotonic() + EMPTY_WITHIN_S
    while any(used > EMPTY_BYTES for used in watch.used_bytes(gpus)) and time.monotonic() < deadline:
        time.sleep(SETTLE_S / 4)
