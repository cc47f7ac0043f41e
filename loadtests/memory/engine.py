"""One vLLM server in a process group of its own, from start to its last process."""

from __future__ import annotations

import http.client
import os
import shlex
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadtests.memory.cases import EngineCase

INSIDE = Path(__file__).parent / "inside"
LOOK_EVERY_S = 0.1
LEAVE_WITHIN_S = 3.0
END_WITHIN_S = 15.0
NO_ANSWER = (OSError, http.client.HTTPException)  # not up, gone, or killed in the middle of an answer
ALWAYS = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "DEBUG",
    "VLLM_WORKER_MULTIPROCESSING_METHOD": "spawn",
    "VLLM_ALLREDUCE_USE_SYMM_MEM": "0",  # it would use NVLink multicast, which not every host allows
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
}


@dataclass(frozen=True)
class Launch:
    """How engines are started on this machine: the launcher up to the model, the folder of models."""

    launcher: str
    models: Path

    def argv(self, case: EngineCase, port: int) -> list[str]:
        model = self.models / case.model
        named = str(model) if model.is_dir() else case.model
        return [*shlex.split(self.launcher), named, "--host", "127.0.0.1", "--port", str(port), *case.argv]


@dataclass(frozen=True, eq=False)
class Engine:
    """A started server."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    log: Path
    started: float

    def ready(self) -> bool:
        with suppress(*NO_ANSWER), urllib.request.urlopen(self._url("/health"), timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
        return False

    def wait(self, deadline: float) -> float | None:
        """Seconds until it was ready; None when it died, or `deadline` (monotonic) passed."""
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.ready():
                return time.monotonic() - self.started
            time.sleep(LOOK_EVERY_S)
        return None

    def metrics(self) -> str:
        with suppress(*NO_ANSWER), urllib.request.urlopen(self._url("/metrics"), timeout=5) as answer:  # noqa: S310
            return str(answer.read().decode())
        return ""

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def started(launch: Launch, case: EngineCase, gpus: tuple[int, ...], folder: Path) -> Iterator[Engine]:
    """An engine on its way up. Its whole process group has ended when the block has."""
    folder.mkdir(parents=True, exist_ok=True)
    log, port = folder / "engine.log", free_port()
    with log.open("wb") as output:
        began = time.monotonic()
        child = subprocess.Popen(
            launch.argv(case, port),
            env=environment(os.environ, gpus, folder) | case.env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Engine(child, port, folder, log, began)
    finally:
        end_group(child)


def environment(own: Mapping[str, str], gpus: tuple[int, ...], folder: Path) -> dict[str, str]:
    cards = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))} if gpus else {}
    path = os.pathsep.join(filter(None, (str(INSIDE), own.get("PYTHONPATH", ""))))
    return {**own, **ALWAYS, **cards, "PYTHONPATH": path, "MEMORY_PROBE": str(folder)}


def end_group(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the group, then SIGKILL to what is left: an engine core outlives its server and holds the card."""
    _signal(child, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(LEAVE_WITHIN_S)
    kill(child)
    child.wait()
    deadline = time.monotonic() + END_WITHIN_S
    while _alive(child.pid) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)


def kill(child: subprocess.Popen[bytes]) -> None:
    """The whole group at once."""
    _signal(child, signal.SIGKILL)


def _signal(child: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, sign)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
