"""Ends the process groups of a `duet` that was killed outright and could not do it itself.

`duet` holds the one end of a pipe and this program, in a session of its own, the other. Group ids come down the pipe; when it
closes, whoever held it is gone. The kernel's own means (PR_SET_PDEATHSIG) reaches only direct children, and vLLM's EngineCore
outlives its killed API server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

GRACE_S = 3.0


class Watchdog:
    """The end of the pipe that `duet` holds."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "serve.watchdog"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def guard(self, group: int) -> None:
        """From now on this group must not outlive us."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """The group is gone, and its id may come to mean another."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Let the watchdog end what is still guarded, and itself."""
        if self._popen.stdin:
            with suppress(BrokenPipeError):
                self._popen.stdin.close()
        self._popen.wait()

    def _tell(self, line: str) -> None:
        if self._popen.stdin:
            with suppress(BrokenPipeError):  # somebody killed the watchdog: we lose a safety net, not the engines
                self._popen.stdin.write(line)
                self._popen.stdin.flush()


def guarded(lines: Iterable[str]) -> set[int]:
    """Read the pipe to its end: which groups were put under guard and never released."""
    groups: set[int] = set()
    for line in lines:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    return groups


def _end(groups: set[int]) -> None:
    _signal(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and _signal(groups, 0):
        time.sleep(0.1)
    _signal(groups, signal.SIGKILL)


def _signal(groups: set[int], number: int) -> bool:
    reached = False
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, number)
            reached = True
    return reached


def _watch(pipe: TextIO) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _end(guarded(pipe))


if __name__ == "__main__":
    _watch(sys.stdin)
