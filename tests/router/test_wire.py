"""Bytes on real sockets: cut anywhere, read slowly, left behind. The engine here is a script that writes what it is told."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import httpx
import psutil
import pytest

from tests.processes import free_port, wait_for
from tests.router.conftest import Launcher, metric

EVENTS = [b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % number for number in range(3)] + [b"data: [DONE]\n\n"]
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
Script = Callable[[socket.socket], None]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@contextmanager
def engine(script: Script) -> Iterator[str]:
    """Serves health and models properly, and hands each other connection's socket to `script` once the request is in."""
    models = json.dumps({"data": [{"id": "m"}]}).encode()

    def serve(connection: socket.socket) -> None:
        with closing(connection):
            while request := read_request(connection):
                if request.startswith(b"POST"):
                    script(connection)
                    return
                body = models if b"/v1/models" in request else b""
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            received = connection.recv(65536)
        except OSError:
            return b""
        if not received:
            return b""
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return data


def ask(url: str, *, version: str = "1.1", extra: str = "", stream: bool = True) -> socket.socket:
    """A raw request on a connection of its own."""
    host, port = url.removeprefix("http://").split(":")
    body = json.dumps({"model": "m", "stream": stream, "messages": []})
    client = socket.create_connection((host, int(port)), timeout=20)
    client.sendall(
        f"POST /v1/chat/completions HTTP/{version}\r\nhost: x\r\n{extra}content-length: {len(body)}\r\n\r\n{body}".encode()
    )
    return client


def read_answer(client: socket.socket, data: bytes = b"") -> tuple[bytes, bytes]:
    """Head and body of an answer that begins with `data`: the chunked framing is taken off."""
    while not data.endswith((b"0\r\n\r\n", b"\r\n\r\n{}")) and (received := client.recv(65536)):
        data += received
    head, _, rest = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return head, rest
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return head, body


def test_a_stream_cut_at_every_place_arrives_to_the_byte(launch: Launcher) -> None:
    """Also in the middle of a chunk's length, of an event, and of the end; and with trailers after it."""
    wire = SSE + b"transfer-encoding: chunked\r\n\r\n" + b"".join(map(chunk, EVENTS)) + b"0\r\nx-trailer: 1\r\n\r\n"
    cuts = iter(range(1, len(wire)))

    def script(connection: socket.socket) -> None:
        cut = next(cuts)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(wire[:cut])
        time.sleep(0.002)
        connection.sendall(wire[cut:])

    with engine(script) as url:
        router = launch.router([url], [url])
        for _ in range(1, len(wire)):
            with ask(router) as client:
                head, body = read_answer(client)
            assert head.startswith(b"HTTP/1.1 200")
            assert body == b"".join(EVENTS)


@pytest.mark.parametrize(
    "framing", [b"content-length: %d\r\n\r\n" % sum(map(len, EVENTS)), b"connection: close\r\n\r\n"], ids=["length", "close"]
)
def test_streams_that_are_not_chunked_are_streams_too(launch: Launcher, framing: bytes) -> None:
    with engine(lambda connection: connection.sendall(SSE + framing + b"".join(EVENTS))) as url:
        router = launch.router([url], [url])
        with ask(router) as client:
            assert read_answer(client)[1] == b"".join(EVENTS)


def test_old_and_closing_clients_get_what_they_understand(launch: Launcher) -> None:
    if launch.relay == "asgi":
        pytest.skip("uvicorn itself answers HTTP/1.0 in chunks")
    wire = SSE + b"transfer-encoding: chunked\r\n\r\n" + b"".join(map(chunk, EVENTS)) + b"0\r\n\r\n"
    with engine(lambda connection: connection.sendall(wire)) as url:
        router = launch.router([url], [url])
        for version, extra in (("1.0", ""), ("1.1", "connection: close\r\n")):
            with ask(router, version=version, extra=extra) as client:
                head, body = read_answer(client)
                assert b"connection: close" in head.lower()
                assert (b"chunked" in head) == (version == "1.1")
                assert body == b"".join(EVENTS)
                assert client.recv(1) == b"", "the connection is closed after the answer"


def test_requests_sent_together_are_answered_one_after_the_other(launch: Launcher) -> None:
    wire = SSE + b"transfer-encoding: chunked\r\n\r\n" + b"".join(map(chunk, EVENTS)) + b"0\r\n\r\n"
    with engine(lambda connection: connection.sendall(wire)) as url:
        router = launch.router([url], [url])
        with ask(router) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            data = b""
            while received := client.recv(65536):
                data += received
        assert data.count(b"HTTP/1.1 200") == 2
        assert data.index(b"[DONE]") < data.index(b'{"status":"alive"}')


def test_a_slow_reader_holds_the_engine_back_and_not_the_routers_memory(launch: Launcher) -> None:
    event = chunk(b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % (b"x" * 16_000))
    sent, total = [0], 60_000_000

    def script(connection: socket.socket) -> None:
        connection.sendall(SSE + b"transfer-encoding: chunked\r\n\r\n")
        while sent[0] < total:
            connection.sendall(event)
            sent[0] += len(event)
        connection.sendall(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

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


def test_an_offer_of_http2_is_declined_and_nothing_is_smuggled(launch: Launcher) -> None:
    """Java's and curl's clients offer h2c with the request; what follows its head is its body, however the packets fall."""
    if launch.relay == "asgi":
        pytest.skip("uvicorn's own protocol takes the body for a request")
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    offer = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    with engine(lambda connection: connection.sendall(whole)) as url:
        router = launch.router([url], [url])
        with ask(router, stream=False, extra=offer) as client:
            assert read_answer(client, client.recv(10_000))[1] == b"{}"
        host, port = router.removeprefix("http://").split(":")
        smuggled = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{offer}content-length: {len(smuggled)}\r\n\r\n".encode()
            )
            time.sleep(0.1)
            client.sendall(smuggled)
            answer = client.recv(100_000)
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.recv(1)
        assert answer.startswith(b"HTTP/1.1 400")
        assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("leave", ["close", "reset", "half-close"])
def test_a_reader_that_vanishes_ends_the_engines_work(launch: Launcher, leave: str) -> None:
    ended = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(SSE + b"transfer-encoding: chunked\r\n\r\n" + chunk(EVENTS[0]))
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
            elif leave == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert ended.wait(5)
        wait_for("the books", lambda: metric(router, "duet_router_client_disconnects_total", phase="mid_stream") == 1)
        assert metric(router, "duet_router_requests_in_flight") == 0


def test_an_engine_that_closes_idle_connections_costs_no_request(launch: Launcher) -> None:
    """Each answer leaves a connection that the engine closes a moment later, as vLLM does after its keep-alive time."""

    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        time.sleep(0.02)

    with engine(script) as url:
        router = launch.router([url], [url])
        for pause in (0.0, 0.01, 0.02, 0.03) * 5:
            with ask(router, stream=False, extra="connection: close\r\n") as client:
                assert client.recv(1000).startswith(b"HTTP/1.1 200")
            time.sleep(pause)
