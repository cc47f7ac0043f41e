"""Watches the cards and the engines' logs while a case runs: how much memory was gone when, and which part of the start that was."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from loadtests.memory import said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

EVERY_S = 0.02

Sample = tuple[float, tuple[int, ...]]
Mark = tuple[float, str]


def used_bytes(gpus: Sequence[int]) -> tuple[int, ...]:
    """What is gone of each card, by anyone, as nvidia-smi shows it."""
    return tuple(_used(gpu) for gpu in gpus)


def _used(gpu: int) -> int:
    import pynvml  # noqa: PLC0415 machines without a card have no library to load

    return int(pynvml.nvmlDeviceGetMemoryInfo(_handle(gpu)).used)


@cache
def _handle(gpu: int) -> Any:
    import pynvml  # noqa: PLC0415

    pynvml.nvmlInit()
    return pynvml.nvmlDeviceGetHandleByIndex(gpu)


@dataclass
class Watch:
    """Samples (seconds since the epoch, bytes gone of each card), one for each change, and marks (seconds, name of what begins)."""

    gpus: tuple[int, ...]
    samples: list[Sample] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    _logs: dict[str, tuple[Path, int]] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def begins(self, name: str) -> None:
        self.marks.append((time.time(), name))

    def follow(self, name: str, log: Path) -> None:
        """From now on, lines of `log` that end a part of the start mark it as `NAME.PART`."""
        self._logs[name] = (log, 0)

    def look(self) -> None:
        used = used_bytes(self.gpus)
        if not self.samples or self.samples[-1][1] != used:
            self.samples.append((time.time(), used))
        for name, (log, offset) in list(self._logs.items()):
            self._logs[name] = (log, self._read(name, log, offset))

    def _read(self, name: str, log: Path, offset: int) -> int:
        if not log.exists() or log.stat().st_size == offset:
            return offset
        with log.open("rb") as file:
            file.seek(offset)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        for line in whole.decode(errors="replace").splitlines():
            if part := said.mark(line):
                self.begins(f"{name}.{part}")
        return offset + len(whole)

    def run(self) -> None:
        while not self._over.wait(EVERY_S):
            self.look()

    def end(self) -> None:
        self._over.set()


@contextmanager
def watching(gpus: tuple[int, ...]) -> Iterator[Watch]:
    watch = Watch(gpus)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()


def parts(samples: Sequence[Sample], marks: Sequence[Mark], end: float) -> dict[str, dict[str, list[int]]]:
    """For each mark's stretch: the most bytes on each column, and the last. A sample holds until the next one."""
    found: dict[str, dict[str, list[int]]] = {}
    for (start, name), (stop, _) in pairwise([*marks, (end, "")]):
        before = [values for moment, values in samples if moment < start][-1:]
        here = before + [values for moment, values in samples if start <= moment < stop]
        if here:
            peak = [max(column) for column in zip(*here, strict=True)]
            earlier = found.get(name, {"peak": peak})["peak"]
            found[name] = {"peak": [max(pair) for pair in zip(peak, earlier, strict=True)], "last": list(here[-1])}
    return found
