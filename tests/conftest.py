"""The one running stack that the tests share: `duet up`, two real vLLM engines, the router. Started when a test first asks for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.processes import answers, free_port, running, wait_for

ROOT = Path(__file__).parents[1]
DUET = [str(Path(sys.executable).with_name("duet"))]
START_S = 240


@dataclass(frozen=True)
class Stack:
    """What is running: the router's base URL, each pool's engine, and where they log."""

    url: str
    engines: dict[str, str]
    logs: Path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quality-page", type=Path, metavar="FILE", help="put what tests/quality measures into this page")


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside() -> Iterator[None]:
    """Variables of the person who runs the tests do not change what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("DUET_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def cache_dir(pytestconfig: pytest.Config) -> Path:
    """Bytecode, logs and probed flags, kept from run to run; `make clean` removes them."""
    assert pytestconfig.cache is not None
    return pytestconfig.cache.mkdir("duet")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    ports = {name: free_port() for name in ("router", "instruct", "thinking")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    file = folder / "duet.yaml"
    file.write_text(
        json.dumps(
            {
                "router": {"port": ports["router"]},
                "pools": {pool: {"replicas": [urls[pool]]} for pool in ("instruct", "thinking")},
                "serve": {"cache_dir": str(cache_dir)},
            }
        )
    )
    output = folder / "up.log"
    with running([*DUET, "up", "--config", str(file)], output) as up:
        wait_for(
            f"the stack; its output is {output}", lambda: up.poll() is not None or answers(f"{urls['router']}/ready"), START_S
        )
        assert up.poll() is None, output.read_text()
        yield Stack(urls["router"], {pool: urls[pool] for pool in ("instruct", "thinking")}, cache_dir / "logs")
        stop_while_streaming(up, urls["router"], output)


@pytest.fixture(scope="session")
def bf16_engine(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Callable[[str], AbstractContextManager[str]]:
    """A pool's engine once more, with its KV cache in the model's own dtype; it takes its memory only while it is used."""

    @contextmanager
    def run(pool: str) -> Iterator[str]:
        folder = tmp_path_factory.mktemp("bf16")
        engine = f"http://127.0.0.1:{free_port()}"
        pools = {pool: {"replicas": [engine], "engine": {"kv_cache_dtype": "auto"}}}
        file, output = folder / "duet.yaml", folder / "serve.log"
        file.write_text(json.dumps({"pools": pools, "serve": {"cache_dir": str(cache_dir)}}))
        with running([*DUET, "serve", "--pool", pool, "--config", str(file)], output) as serve:
            wait_for("the engine", lambda: serve.poll() is not None or answers(f"{engine}/health"), START_S)
            assert serve.poll() is None, output.read_text()
            yield engine

    return run


def stop_while_streaming(up: subprocess.Popen[bytes], url: str, output: Path) -> None:
    """Ctrl-C lets a running stream end, then leaves no process and no port behind."""
    family = psutil.Process(up.pid).children(recursive=True)
    ports = set[int]().union(*map(listening, family))
    assert len(ports) >= 3
    ask = {
        "model": "qwen3-vl-instruct",
        "stream": True,
        "max_tokens": 200,
        "ignore_eos": True,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=ask, timeout=60) as response:
        pieces = response.iter_text()
        text = next(pieces)
        up.send_signal(signal.SIGINT)
        text += "".join(pieces)
    assert text.endswith("data: [DONE]\n\n"), "the stream that was running was cut off"
    assert up.wait(90) == 0, output.read_text()
    assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
    assert not ports & listening(psutil)


def listening(of: Any) -> set[int]:
    """The ports on which a process, or with `psutil` itself any process, accepts connections."""
    return {it.laddr.port for it in of.net_connections("inet") if it.status == psutil.CONN_LISTEN}
