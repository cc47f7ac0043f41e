"""Memory: readers that are slow, bodies that have been answered."""

from __future__ import annotations

import socket
import time

import httpx
import psutil

from tests.processes import free_port, wait_for
from tests.router.conftest import Launcher
from tests.router.scripted import ask, engine, read_answer
from tests.router.streams import CHUNKED, DONE, chunk


def test_a_slow_reader_holds_the_engine_back_and_not_the_routers_memory(launch: Launcher) -> None:
    event = chunk(b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % (b"x" * 16_000))
    sent, total = [0], 60_000_000

    def script(connection: socket.socket) -> None:
        connection.sendall(CHUNKED)
        while sent[0] < total:
            connection.sendall(event)
            sent[0] += len(event)
        connection.sendall(chunk(DONE) + b"0\r\n\r\n")

    with engine(script) as url:
        router = launch.router([url], [url])
        process = psutil.Process(launch.children[router].pid)
        before = process.memory_info().rss
        with ask(router) as client:
            first = client.recv(1000)
            settled = [-1]

            def engine_waits() -> bool:
                settled[0], was = sent[0], settled[0]
                time.sleep(0.3)
                return was == sent[0] == settled[0]

            wait_for("the engine to be held back", engine_waits)
            assert sent[0] < total / 2
            assert process.memory_info().rss - before < 12_000_000
            _, body = read_answer(client, first)
        assert sent[0] >= total
        assert len(body) > total * 0.95


def test_answered_requests_leave_nothing_in_memory(launch: Launcher) -> None:
    """Neither those that were answered nor those that were refused or found nobody keep their pictures."""
    picture = "data:image/png;base64," + "A" * 2_000_000
    content = [{"type": "image_url", "image_url": {"url": picture}}]
    gone = f"http://127.0.0.1:{free_port()}"
    router = launch.router([launch.engine("m")], [launch.engine("t"), gone])
    process = psutil.Process(launch.children[router].pid)

    def load(times: int) -> int:
        with httpx.Client(timeout=20) as client:
            for number in range(times):
                model, fault = (("m", ""), ("unknown", ""), ("m", "overloaded"))[number % 3]
                body = {"model": model, "messages": [{"role": "user", "content": content}]}
                status = client.post(f"{router}/v1/chat/completions", json=body, headers={"x-fake": fault}).status_code
                assert status == (200, 404, 503)[number % 3]
        return process.memory_info().rss

    before = load(30)
    assert load(150) - before < 40_000_000, "150 bodies of 2 MB have come and gone"
