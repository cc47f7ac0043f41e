"""The routers that are compared: how each is started in front of the same engines, and what its processes use."""

from __future__ import annotations

import json
import os
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtests.callers import Target

ROOT = Path(__file__).parents[1]
INSTRUCT, THINKING = "Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-4B-Thinking"
KEY = "sk-" + secrets.token_hex(16)  # for routers that insist on one; engines and other routers do not look at it
END_WITHIN_S = 15.0


@dataclass(frozen=True)
class Engines:
    """The mock engines, by port: two replicas of the model that is asked, and one of the other, which Duet wants to see."""

    instruct: tuple[int, int]
    thinking: int

    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.instruct]


@dataclass(frozen=True)
class Process:
    """A started program: its process tree can be measured while it runs."""

    name: str
    root: psutil.Process
    target: Target
    log: Path

    def cpu_s(self) -> float:
        """User and system time of the tree. The kernel counts in ticks of 10 ms."""
        return sum(times.user + times.system for times in (member.cpu_times() for member in self._tree()))

    def rss_mb(self) -> float:
        return sum(member.memory_info().rss for member in self._tree()) / 1e6

    def _tree(self) -> list[psutil.Process]:
        return [self.root, *self.root.children(recursive=True)]


@dataclass(frozen=True)
class Start:
    """What a router is started with."""

    program: str
    port: int
    metrics_port: int
    engines: Engines
    folder: Path


def duet(start: Start) -> list[str]:
    instruct, thinking = start.engines.urls(), f"http://127.0.0.1:{start.engines.thinking}"
    pools = {"instruct": {"replicas": instruct}, "thinking": {"replicas": [thinking]}}
    file = start.folder / "duet.yaml"
    file.write_text(json.dumps({"router": {"port": start.port}, "pools": pools}))
    return [start.program, "-m", "router", "router", "--config", str(file)]


def vllm_router(start: Start) -> list[str]:
    """https://github.com/vllm-project/router"""
    listen = ["--host", "127.0.0.1", "--port", str(start.port), "--prometheus-port", str(start.metrics_port)]
    policy = ["--policy", "round_robin", "--log-level", "warning"]
    return [start.program, "--worker-urls", *start.engines.urls(), *policy, *listen]


def smg(start: Start) -> list[str]:
    """https://github.com/lightseekorg/smg"""
    listen = ["--host", "127.0.0.1", "--port", str(start.port)]
    metrics = ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(start.metrics_port)]
    policy = ["--policy", "round_robin", "--log-level", "warn"]
    return [start.program, "launch", "--worker-urls", *start.engines.urls(), *policy, *listen, *metrics]


def litellm(start: Start) -> list[str]:
    """https://docs.litellm.ai/docs/proxy/configs"""
    engines = [{"model": f"hosted_vllm/{INSTRUCT}", "api_base": f"{url}/v1", "api_key": "none"} for url in start.engines.urls()]
    models = [{"model_name": INSTRUCT, "litellm_params": engine} for engine in engines]
    file = start.folder / "litellm.yaml"
    file.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": KEY}}))
    return [start.program, "--config", str(file), "--host", "127.0.0.1", "--port", str(start.port), "--telemetry", "False"]


COMMANDS: dict[str, Callable[[Start], list[str]]] = {"Duet": duet, "vllm-router": vllm_router, "smg": smg, "litellm": litellm}
ENVIRONMENT = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}


def present(given: dict[str, str]) -> dict[str, str]:
    """The contenders of this run, each with its program: Duet, those that were given, those on PATH.

    Raises:
        ValueError: a name that nobody here can start.
    """
    if unknown := sorted(given.keys() - COMMANDS.keys()):
        raise ValueError(f"--peer {unknown[0]}: known are {', '.join(COMMANDS)}")
    found = {name: given.get(name) or shutil.which(name) for name in COMMANDS}
    return {name: program for name, program in (found | {"Duet": sys.executable}).items() if program}


@contextmanager
def started(name: str, argv: list[str], target: Target, core: int, log: Path) -> Iterator[Process]:
    """A program on one core, in a process group of its own that is ended with the block."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DUET_")} | ENVIRONMENT
    with log.open("wb") as output, on(core):
        child = subprocess.Popen(
            argv, cwd=ROOT, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield Process(name, psutil.Process(child.pid), target, log)
    finally:
        _end(child)


@contextmanager
def on(core: int) -> Iterator[None]:
    """This thread, and what it starts within the block, runs on `core` alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Asks the program, then makes its whole group go."""
    if child.poll() is None:
        child.terminate()
    deadline = time.monotonic() + END_WITHIN_S
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def raise_file_limit() -> int:
    """Lets this process and its children open as many files as the machine allows; how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def cores() -> tuple[int, int]:
    """The core of the routers and the core of everything else: two that this process may use, or one twice."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on, all different."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
