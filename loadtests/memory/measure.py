"""Runs cases on the cards of this machine, one a card at a time, and writes what each took of memory and what came of it.

    python -m loadtests.memory.measure --cases cases.json --gpus 0,1,2,3 --out results --models FOLDER

Each case leaves `OUT/ID.json` and a folder with its logs; a case whose result is there already is not run again. Engines run in process
groups of their own and always end: after the case, at the deadline, and when this program is interrupted. `--gpus none` measures nothing
of a card: a rehearsal on a machine without one.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.memory import cases
from loadtests.memory.conduct import Run, conduct
from loadtests.memory.engine import Launch

if TYPE_CHECKING:
    from loadtests.memory.cases import Case

SHORTEST_S = 75.0  # on a GPU no case ends sooner: with less time left none is begun
LOOK_EVERY_S = 0.2


class Queue:
    """Hands out the cases in their order, to whoever has the number of cards that a case wants."""

    def __init__(self, waiting: list[Case]) -> None:
        self._waiting, self._lock = waiting, threading.Lock()

    def next(self, gpus: int) -> Case | None:
        with self._lock:
            case = next((case for case in self._waiting if case.gpus == gpus), None)
            if case:
                self._waiting.remove(case)
            return case

    def waiting(self) -> list[Case]:
        return list(self._waiting)


def work(queue: Queue, gpus: tuple[int, ...], run: Run) -> None:
    """Cases for so many cards, until none is left or there is no time for another."""
    while run.left_s() > (SHORTEST_S if gpus else 0) and (case := queue.next(max(1, len(gpus)))):
        began = time.monotonic()
        try:
            result = conduct(case, gpus, run)
        except (OSError, cases.BadCase) as error:
            result = {"id": case.id, "failed": str(error)}
        if not run.stopped.is_set():
            (run.out / f"{case.id}.json").write_text(json.dumps(result, indent=1))
        print(f"{case.id} on {gpus}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def work_all(queue: Queue, gpus: tuple[int, ...], run: Run) -> None:
    """Cases for one card on all of them at once, then those for several on the first ones."""
    groups: list[tuple[int, ...]] = [(gpu,) for gpu in gpus] or [()]
    workers = [threading.Thread(target=work, args=(queue, group, run)) for group in groups]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for several in sorted({case.gpus for case in queue.waiting() if 1 < case.gpus <= len(gpus)}):
        work(queue, gpus[:several], run)


def parsed(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="measure", description="Runs memory cases on the cards of this machine.")
    parser.add_argument("--cases", type=Path, required=True, metavar="FILE")
    parser.add_argument("--gpus", default="0", help="0,1,2 or none")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--models", type=Path, default=Path(), metavar="FOLDER", help="checkpoint folders by their models' names"
    )
    parser.add_argument("--launcher", default="vllm serve", help="up to the model")
    parser.add_argument("--within", type=float, default=3600, metavar="SECONDS", help="for all cases together")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    asked = parsed(argv)
    gpus = () if asked.gpus == "none" else tuple(int(gpu) for gpu in asked.gpus.split(","))
    out = asked.out.resolve()
    try:
        todo = cases.loads(asked.cases.read_text())
        out.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError, cases.BadCase) as error:
        sys.exit(f"measure: {error}")
    run = Run(Launch(asked.launcher, asked.models.resolve()), out, time.monotonic() + asked.within)
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: run.stop())
    queue = Queue([case for case in todo if not (out / f"{case.id}.json").exists()])
    working = threading.Thread(target=work_all, args=(queue, gpus, run))
    working.start()
    while working.is_alive():  # a join without a limit would keep signals out
        working.join(LOOK_EVERY_S)
    if left := [case.id for case in queue.waiting()]:
        print(f"not run: {', '.join(left)}", file=sys.stderr)
    sys.exit(1 if run.stopped.is_set() else 0)


if __name__ == "__main__":
    main()
