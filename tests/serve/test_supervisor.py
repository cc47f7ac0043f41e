"""The supervisor's order of starts, seen by its observer; the engines pretend."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import httpx

from serve.errors import EngineDied
from serve.service import Service
from serve.supervisor import Supervisor
from serve.values import Command, Phase
from tests.processes import free_port

PRETEND = str(Path(__file__).parent / "pretend_vllm.py")


class Recorder:
    """Notes who was starting, and wakes whoever waits for a number of starts to be over."""

    def __init__(self) -> None:
        self.starting: list[str] = []
        self.ready = asyncio.Semaphore(0)

    def phase(self, name: str, phase: Phase) -> None:
        self.starting.append(name)
        if phase is Phase.READY:
            self.ready.release()

    def restarting(self, name: str, how: str, after_s: float, evidence: str) -> None:
        pass

    def lowered(self, name: str, said: str) -> None:
        pass

    def waiting(self, pools: Sequence[str]) -> None:
        pass

    def stopping(self, drain_s: float) -> None:
        pass


def _service(name: str, turn: str, folder: Path) -> Service:
    port = free_port()
    return Service(
        name=name,
        command=Command((sys.executable, PRETEND, "model", "--port", str(port))),
        health_url=f"http://127.0.0.1:{port}/health",
        log=folder / f"{name}.log",
        start_timeout_s=20,
        stop_grace_s=5,
        died=EngineDied,
        turn=turn,
    )


def _kill(service: Service) -> None:
    server = httpx.get(service.health_url.replace("/health", "/pid")).text.split()[0]
    os.kill(int(server), signal.SIGKILL)


async def _starts_before_and_after_both_die(services: list[Service]) -> list[list[str]]:
    recorder = Recorder()
    running = asyncio.create_task(Supervisor(services, recorder).run(lambda: None))
    rounds = []
    for _ in range(2):
        for _ in services:
            await asyncio.wait_for(recorder.ready.acquire(), 20)
        rounds.append([name for name, _ in groupby(recorder.starting)])
        recorder.starting.clear()
        for service in services:
            _kill(service)
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    return rounds


def test_engines_on_one_gpu_start_one_at_a_time_also_when_both_have_died(tmp_path: Path) -> None:
    services = [_service(name, "GPU 0", tmp_path) for name in ("instruct", "thinking")]
    first, second = asyncio.run(_starts_before_and_after_both_die(services))
    assert first == ["instruct", "thinking"]
    assert sorted(second) == ["instruct", "thinking"]
