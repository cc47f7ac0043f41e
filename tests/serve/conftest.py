"""`duet` as a user starts it, on a configuration of its own, with engines that start in half a second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
import yaml

from tests.processes import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

PRETEND = [sys.executable, str(Path(__file__).parent / "pretend_vllm.py")]


@dataclass
class Duet:
    """One `duet` and its ports."""

    folder: Path
    ports: dict[str, int]
    config: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)
    child: subprocess.Popen[bytes] | None = None
    stdout: int | None = None  # a descriptor, in the place of the file `out`

    def model(self, name: str) -> str:
        """A folder that looks like a model; its name tells the pretended engine what to do."""
        folder = self.folder / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text("{}")
        return str(folder)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        file = self.folder / "duet.yaml"
        file.write_text(yaml.safe_dump(self.config))
        argv = [sys.executable, "-P", "-c", "from serve.cli import main; main()", *arguments, "--config", str(file)]
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            self.child = subprocess.Popen(
                argv, stdout=self.stdout or out, stderr=err, cwd=self.folder, env=os.environ | self.environment
            )
        return self.child

    def run(self, *arguments: str, seconds: float = 60) -> tuple[int, str, str]:
        """To its end: exit code, stdout, stderr."""
        self.start(*arguments)
        return self.ended(seconds)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        assert self.child
        self.child.send_signal(number)
        return self.ended()

    def ended(self, seconds: float = 60) -> tuple[int, str, str]:
        assert self.child
        code = self.child.wait(seconds)
        return code, *((self.folder / name).read_text() for name in ("out", "err"))  # type: ignore[return-value]

    def wait_ready(self) -> None:
        assert self.child
        child = self.child
        wait_for("`Ready.`", lambda: child.poll() is not None or "Ready." in (self.folder / "out").read_text(), 60)

    def pids(self, pool: str) -> list[int]:
        """The engine of a pool and its child."""
        return [int(pid) for pid in httpx.get(f"http://127.0.0.1:{self.ports[pool]}/pid").text.split()]


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    ports = {name: free_port() for name in ("router", "instruct", "thinking")}
    stack = Duet(tmp_path, ports, {})
    for name in ("serve", "router", "vllm", "typer"):  # nothing may be taken from the folder that the user happens to be in
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    pools = {
        pool: {"model": stack.model(pool), "replicas": [f"http://127.0.0.1:{ports[pool]}"]} for pool in ("instruct", "thinking")
    }
    timing = {"drain_s": 0, "shutdown_timeout_s": 5, "start_timeout_s": 20}
    stack.config |= {
        "router": {"port": ports["router"], "drain_s": 2},
        "pools": pools,
        "serve": {"cache_dir": str(tmp_path / "cache"), "launcher": PRETEND, **timing},
    }
    yield stack
    if stack.child and stack.child.poll() is None:
        stack.child.kill()
        stack.child.wait()
