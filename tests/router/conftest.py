"""A real router in front of scripted engines, both on true ports."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import answers, free_port, python, running, wait_for

FAKE_ENGINE = Path(__file__).parents[1] / "fake_engine.py"


@dataclass
class Launcher:
    """Starts engines and routers on free ports, and remembers the process behind each URL."""

    folder: Path
    processes: ExitStack
    relay: str
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def engine(self, *models: str) -> str:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        self._start(url, python(str(FAKE_ENGINE), str(port), *models))
        wait_for(f"the engine at {url}", lambda: answers(f"{url}/health"))
        return url

    def router(self, instruct: list[str], thinking: list[str], **router: Any) -> str:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        config = {"router": {"port": port, "poll_interval_s": 0.2, "relay": self.relay} | router}
        config["pools"] = {"instruct": {"replicas": instruct}, "thinking": {"replicas": thinking}}
        file = self.folder / f"duet-{port}.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        self._start(url, python("-m", "router", "router", "--config", str(file)))
        wait_for(f"the router at {url}", lambda: answers(f"{url}/ready"))
        return url

    def pair(self) -> str:
        """A router with one replica in each pool; the engines know the names that Duet's own engines do."""
        engines = [[self.engine(f"fake/{pool}", f"qwen3-vl-{pool}", "auto", "qwen3-vl")] for pool in ("instruct", "thinking")]
        return self.router(*engines)

    def _start(self, url: str, argv: list[str]) -> None:
        log = self.folder / f"{url.rsplit(':', 1)[1]}.log"
        self.children[url] = self.processes.enter_context(running(argv, log))


@pytest.fixture(scope="module", params=["transport", "asgi"])
def relay(request: pytest.FixtureRequest) -> str:
    """Both ways to the client pass the same tests."""
    return str(request.param)


@pytest.fixture
def launch(tmp_path: Path, relay: str) -> Iterator[Launcher]:
    with ExitStack() as processes:
        yield Launcher(tmp_path, processes, relay)


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory, relay: str) -> Iterator[str]:
    """A pair for tests that break nothing."""
    with ExitStack() as processes:
        yield Launcher(tmp_path_factory.mktemp("router"), processes, relay).pair()


def metric(url: str, name: str, **labels: str) -> float:
    """The sum of the samples of `name` whose labels include `labels`."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    assert any(name.removesuffix("_total") in line for line in lines), f"no metric {name} at {url}"
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    samples = [line for line in lines if line.startswith((f"{name}{{", f"{name} ")) and all(label in line for label in wanted)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in samples)
