"""Clients that go away: the engine's work for them ends at once, at whatever point they left."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from tests.processes import wait_for
from tests.router.conftest import Launcher, metric
from tests.router.scripted import ask, connect, engine, question
from tests.router.streams import CHUNKED, EVENTS, chunk

AT_ONCE_S = 1.0
LINGER_NOT = b"\1\0\0\0\0\0\0\0"


class Listener:
    """An engine's script: says `said`, then nothing, and notes when the router hangs up."""

    def __init__(self, said: bytes) -> None:
        self.said, self.asked, self.hung_up = said, threading.Event(), threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(self.said)
        self.asked.set()
        with suppress(OSError):
            connection.recv(1)
        self.hung_up.set()


@pytest.mark.parametrize("said", [b"", CHUNKED + chunk(EVENTS[0])], ids=["before-the-first-event", "mid-stream"])
@pytest.mark.parametrize("padding", [0, 66_000, 100_000, 2_000_000])
def test_leaving_a_silent_engine(launch: Launcher, padding: int, said: bytes) -> None:
    """With requests that are read in one piece and in many."""
    script = Listener(said)
    with engine(script) as url:
        router = launch.router([url], [url])
        with connect(router) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)  # so that it leaves in one piece
            client.sendall(question(padding=padding))
            assert script.asked.wait(5)
            if said:
                client.recv(1000)
        assert script.hung_up.wait(AT_ONCE_S)


@pytest.mark.parametrize("said", [b"", CHUNKED + chunk(EVENTS[0])], ids=["before-the-first-event", "mid-stream"])
def test_leaving_with_another_request_sent_already(launch: Launcher, said: bytes) -> None:
    if launch.relay == "asgi":
        pytest.skip("uvicorn's own protocol stops reading, and so hears of nothing")
    script = Listener(said)
    with engine(script) as url:
        router = launch.router([url], [url])
        with connect(router) as client:
            client.sendall(question())
            assert script.asked.wait(5)
            client.sendall(question())
            time.sleep(0.05)
        assert script.hung_up.wait(AT_ONCE_S)


def test_leaving_without_having_read(launch: Launcher) -> None:
    """The router reads nothing more from the engine by then; it still notices."""
    event, sent, ended = chunk(b"data: %b\n\n" % (b"x" * 16_000)), [0], threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(CHUNKED)
        try:
            while True:
                connection.sendall(event)
                sent[0] += 1
        except OSError:
            ended.set()

    def held_back() -> bool:
        before = sent[0]
        time.sleep(0.3)
        return 0 < before == sent[0]

    with engine(script) as url:
        router = launch.router([url], [url])
        with ask(router):
            wait_for("the engine to be held back", held_back)
        assert ended.wait(AT_ONCE_S)


@pytest.mark.parametrize("leave", ["close", "reset", "half-close"])
def test_a_reader_that_vanishes_ends_the_engines_work(launch: Launcher, leave: str) -> None:
    ended = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(CHUNKED + chunk(EVENTS[0]))
        while not ended.is_set():
            try:
                time.sleep(0.01)
                connection.sendall(chunk(EVENTS[1]))
            except OSError:
                ended.set()

    with engine(script) as url:
        router = launch.router([url], [url])
        with ask(router) as client:
            client.recv(1000)
            if leave == "half-close":
                client.shutdown(socket.SHUT_WR)
                assert ended.wait(AT_ONCE_S), "while the client's other half is open"
            elif leave == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        assert ended.wait(AT_ONCE_S)
        wait_for("the books", lambda: metric(router, "duet_router_client_disconnects_total", phase="mid_stream") == 1)
        assert metric(router, "duet_router_requests_in_flight") == 0
