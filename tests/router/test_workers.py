"""Several router processes on one port."""

from __future__ import annotations

import os
import signal

import httpx
import psutil
import pytest

from tests.processes import answers, wait_for
from tests.router.conftest import Launcher, metric

ASK = {"model": "m", "messages": []}


@pytest.fixture(scope="module")
def relay() -> str:
    return "transport"


def workers(launch: Launcher, url: str) -> list[psutil.Process]:
    children = psutil.Process(launch.children[url].pid).children()
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline())]


def test_counters_are_summed_over_workers_and_outlive_them(launch: Launcher) -> None:
    engine = launch.engine("m")
    url = launch.router([engine], [engine], workers=2)
    wait_for("both workers", lambda: len(workers(launch, url)) == 2)

    def ask(times: int) -> None:
        for _ in range(times):  # a connection each, so that both workers get some
            assert httpx.post(f"{url}/v1/chat/completions", json=ASK).status_code == 200

    def counted() -> set[float]:
        return {metric(url, "duet_router_requests_total", status="200") for _ in range(8)}

    wait_for("every worker to know the engine", lambda: all(answers(f"{url}/ready") for _ in range(8)))
    ask(40)
    assert counted() == {40}, "whichever worker is asked, it speaks for all"
    assert metric(url, "duet_router_replica_up", pool="instruct") == 1
    os.kill(workers(launch, url)[0].pid, signal.SIGKILL)
    wait_for("a new worker", lambda: len(workers(launch, url)) == 2 and all(answers(f"{url}/ready") for _ in range(8)))
    assert counted() == {40}
    ask(10)
    assert counted() == {50}


def test_sigterm_ends_every_worker(launch: Launcher) -> None:
    engine = launch.engine("m")
    url = launch.router([engine], [engine], workers=2)
    wait_for("both workers", lambda: len(workers(launch, url)) == 2)
    family = workers(launch, url)
    launch.children[url].terminate()
    launch.children[url].wait(20)
    assert not [worker for worker in family if worker.is_running()]
