"""Real processes for tests: started on free ports, waited for with a deadline, always ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 20) -> None:
    """Polls until `condition` holds. A deadline, not a measurement."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def running(argv: list[str], log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a process group of its own, which is ended with the block."""
    with log.open("ab") as output:
        child = subprocess.Popen(argv, stdout=output, stderr=output, start_new_session=True, env=os.environ | env)
    try:
        yield child
    finally:
        stop(child)


def stop(child: subprocess.Popen[bytes], seconds: float = 30) -> int:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()


def python(*argv: str) -> list[str]:
    return [sys.executable, *argv]
