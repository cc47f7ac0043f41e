"""A real router in front of scripted engines, both on true ports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.processes import answers, free_port, python, running, wait_for

if TYPE_CHECKING:
    import subprocess

FAKE_ENGINE = Path(__file__).parents[1] / "fake_engine.py"
StartEngine = Callable[..., str]
StartRouter = Callable[..., str]


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def children() -> dict[str, subprocess.Popen[bytes]]:
    """The processes started so far, by URL."""
    return {}


@pytest.fixture
def start_engine(processes: ExitStack, tmp_path: Path, children: dict[str, Any]) -> StartEngine:
    def start(*models: str) -> str:
        port = free_port()
        child = processes.enter_context(running(python(str(FAKE_ENGINE), str(port), *models), tmp_path / f"engine-{port}.log"))
        url = f"http://127.0.0.1:{port}"
        wait_for(f"the engine at {url}", lambda: answers(f"{url}/health"))
        children[url] = child
        return url

    return start


@pytest.fixture
def start_router(processes: ExitStack, tmp_path: Path, children: dict[str, Any]) -> StartRouter:
    def start(instruct: list[str], thinking: list[str], *, ready: bool = True, **router: Any) -> str:
        port = free_port()
        config = {"router": {"port": port, "poll_interval_s": 0.2} | router}
        config["pools"] = {"instruct": {"replicas": instruct}, "thinking": {"replicas": thinking}}
        file = tmp_path / f"duet-{port}.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        argv = python("-m", "router", "serve", "--config", str(file))
        url = f"http://127.0.0.1:{port}"
        children[url] = processes.enter_context(running(argv, tmp_path / "router.log"))
        wait_for(f"the router at {url}", lambda: answers(f"{url}/ready" if ready else f"{url}/health"))
        return url

    return start


@pytest.fixture
def router(start_engine: StartEngine, start_router: StartRouter) -> str:
    """One replica in each pool; each engine serves the names that Duet's own engines do."""
    instruct = start_engine("fake/instruct", "qwen3-vl-instruct", "auto", "qwen3-vl")
    thinking = start_engine("fake/thinking", "qwen3-vl-thinking", "auto", "qwen3-vl")
    return start_router([instruct], [thinking])


def metric(url: str, name: str, **labels: str) -> float:
    """The sum of the samples of `name` whose labels include `labels`."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    samples = [line for line in lines if line.startswith((f"{name}{{", f"{name} ")) and all(label in line for label in wanted)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in samples)
