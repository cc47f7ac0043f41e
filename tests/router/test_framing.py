"""HTTP as it is on the wire, on both sides: lengths and chunks, old clients, expectations, requests on end, what is no HTTP."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.processes import wait_for
from tests.router.conftest import Launcher
from tests.router.scripted import WHOLE, ask, connect, engine, question, read_answer
from tests.router.streams import CHUNKED, EVENTS, SSE, chunk

STREAM = CHUNKED + b"".join(map(chunk, EVENTS)) + b"0\r\n\r\n"
BODY = b"".join(EVENTS)
POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
ASK = b'{"model":"m","stream":true,"messages":[]}'


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
    with engine(lambda connection: connection.sendall(STREAM)) as url:
        router = launch.router([url], [url])
        for version, extra in (("1.0", ""), ("1.1", "connection: close\r\n")):
            with ask(router, version=version, extra=extra) as client:
                head, body = read_answer(client)
                assert b"connection: close" in head.lower()
                assert (b"chunked" in head) == (version == "1.1")
                assert body == BODY
                assert client.recv(1) == b"", "the connection is closed after the answer"


def test_connections_are_used_again_on_both_sides(launch: Launcher) -> None:
    """A stream, a whole answer, a refusal: none of them costs the next request a connection."""
    connections = set[int]()

    def script(connection: socket.socket) -> bool:
        connections.add(id(connection))
        answers = (STREAM, WHOLE, WHOLE.replace(b"200 OK", b"400 Bad"))
        connection.sendall(answers[len(requests) % 3])
        return True

    requests: list[bytes] = []
    with engine(script, requests) as url:
        router = launch.router([url], [url])
        with connect(router) as client:
            for _ in range(4):
                statuses = []
                for _ in range(3):
                    client.sendall(question())
                    head, body = read_answer(client)
                    statuses.append(head[9:12])
                    assert body in {BODY, b"{}"} or b'"error"' in body
                assert sorted(statuses) == [b"200", b"200", b"400"]
        assert (len(requests), len(connections)) == (12, 1)


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(launch: Launcher) -> None:
    requests: list[bytes] = []
    with engine(lambda connection: connection.sendall(STREAM), requests) as url:
        router = launch.router([url], [url])
        for length, sent in (
            (b"content-length: %d" % len(ASK), ASK),
            (b"transfer-encoding: chunked", chunk(ASK) + b"0\r\n\r\n"),
        ):
            with connect(router) as client:
                client.sendall(POST + b"Expect: 100-Continue\r\n" + length + b"\r\n\r\n")
                assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
                client.sendall(sent)
                assert read_answer(client)[1] == BODY
            assert b"expect" not in requests[-1].lower()
        with connect(router) as client:
            client.sendall(POST + b"expect: 100-continue\r\ncontent-length: 99999999999\r\n\r\n")
            assert read_answer(client)[0].startswith(b"HTTP/1.1 413"), "nobody is asked to send what will be refused"
        assert len(requests) == 2


def test_a_request_in_chunks_reaches_the_engine_with_its_length(launch: Launcher) -> None:
    requests: list[bytes] = []
    sent = b"5;name=value\r\n" + ASK[:5] + b"\r\n" + chunk(ASK[5:]) + b"0\r\nx-trailer: 1\r\n\r\n"
    with engine(lambda connection: connection.sendall(STREAM), requests) as url:
        router = launch.router([url], [url])
        for place in range(0, len(sent), 9):
            with connect(router) as client:
                client.sendall(POST + b"transfer-encoding: chunked\r\n\r\n" + sent[:place])
                time.sleep(0.003)
                client.sendall(sent[place:])
                assert read_answer(client)[1] == BODY
            head, _, body = requests[-1].partition(b"\r\n\r\n")
            assert body == ASK
            assert b"content-length: %d" % len(ASK) in head
            assert b"transfer-encoding" not in head


def test_large_headers_pass_both_ways(launch: Launcher) -> None:
    requests: list[bytes] = []
    large = b"b" * 60_000
    wire = STREAM.replace(b"\r\n\r\n", b"\r\nx-large: " + large + b"\r\n\r\n", 1)
    with engine(lambda connection: connection.sendall(wire), requests) as url:
        router = launch.router([url], [url])
        with ask(router, extra=f"x-large: {large.decode()}\r\n") as client:
            head, body = read_answer(client)
        assert body == BODY
        assert b"x-large: " + large in head
        assert b"x-large: " + large in requests[-1]


def test_headers_without_end_are_refused(launch: Launcher) -> None:
    """They would be kept in memory as long as they come."""
    if launch.relay == "asgi":
        pytest.skip("uvicorn's own protocol takes them")
    with engine(lambda connection: connection.sendall(WHOLE)) as url:
        router = launch.router([url], [url])
        with connect(router) as client:
            client.sendall(POST)
            with pytest.raises((ConnectionError, TimeoutError)):  # noqa: PT012 the line goes at some send
                client.settimeout(10)
                for number in range(2_000):
                    client.sendall(b"x-%d: %b\r\n" % (number, b"a" * 10_000))


def test_an_interim_answer_is_not_the_answer(launch: Launcher) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    with engine(lambda connection: connection.sendall(interim + STREAM)) as url:
        router = launch.router([url], [url])
        with ask(router) as client:
            head, body = read_answer(client)
        assert head.startswith(b"HTTP/1.1 200")
        assert b"link" not in head
        assert body == BODY


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n" + chunk(ASK) + b"0\r\n\r\n",
        POST + b"content-length: 5\r\ncontent-length: 41\r\n\r\n" + ASK,
        POST + b"content-length: +41\r\n\r\n" + ASK,
        POST + b"content-length:\r\n\r\n" + ASK,
        POST + b"transfer-encoding: gzip\r\n\r\n" + ASK,
        POST + b"transfer-encoding: chunked\r\n\r\n" + chunk(ASK) + b"zz\r\n",
        POST + b"x-a: 1\r\n 2\r\ncontent-length: 41\r\n\r\n" + ASK,
        POST.replace(b"\r\n", b"\n") + b"content-length: 41\n\n" + ASK,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT engine:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=["both-lengths", "two-lengths", "signed", "empty", "coding", "chunk", "folded", "bare-newlines", "http2", "connect"],
)
def test_what_two_servers_could_read_in_two_ways_is_refused(router: str, request_: bytes) -> None:
    with connect(router) as client:
        client.sendall(request_)
        answer = client.recv(10_000)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 405"))
        assert answer.count(b"HTTP/1.1") == 1
        client.settimeout(1)
        if b"connection: close" in answer:
            assert client.recv(1) == b""


def test_bytes_that_are_no_request_do_not_break_into_a_running_answer(launch: Launcher) -> None:
    """The line goes, and the engine's work with it. A second answer inside the first would be read as a part of it."""
    if launch.relay == "asgi":
        pytest.skip("uvicorn's own protocol answers at once")
    hung_up: list[bytes] = []

    def script(connection: socket.socket) -> None:
        connection.sendall(CHUNKED + chunk(EVENTS[0]))
        hung_up.append(connection.recv(1))

    with engine(script) as url:
        router = launch.router([url], [url])
        with ask(router) as client:
            data = b""
            while EVENTS[0] not in data:
                data += client.recv(10_000)
            client.sendall(b"no request\r\n\r\n")
            try:
                while received := client.recv(10_000):
                    data += received
            except ConnectionResetError:
                pass
        assert data.count(b"HTTP/1.1") == 1
        wait_for("the engine's work to end", lambda: hung_up == [b""])


def test_requests_sent_together_are_answered_one_after_the_other(launch: Launcher) -> None:
    with engine(lambda connection: connection.sendall(STREAM)) as url:
        router = launch.router([url], [url])
        with ask(router) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            data = b""
            while received := client.recv(65536):
                data += received
        assert data.count(b"HTTP/1.1 200") == 2
        assert data.index(b"[DONE]") < data.index(b'{"status":"alive"}')


def test_an_offer_of_http2_is_declined_and_nothing_is_smuggled(launch: Launcher) -> None:
    """Java's and curl's clients offer h2c with the request; what follows its head is its body, however the packets fall."""
    if launch.relay == "asgi":
        pytest.skip("uvicorn's own protocol takes the body for a request")
    offer = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    with engine(lambda connection: connection.sendall(WHOLE)) as url:
        router = launch.router([url], [url])
        with ask(router, stream=False, extra=offer) as client:
            assert read_answer(client)[1] == b"{}"
        smuggled = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"
        with connect(router) as client:
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


def test_an_engine_that_closes_idle_connections_costs_no_request(launch: Launcher) -> None:
    """Each answer leaves a connection that the engine closes a moment later, as vLLM does after its keep-alive time."""

    def script(connection: socket.socket) -> None:
        connection.sendall(WHOLE)
        time.sleep(0.02)

    with engine(script) as url:
        router = launch.router([url], [url])
        for pause in (0.0, 0.01, 0.02, 0.03) * 5:
            with ask(router, stream=False, extra="connection: close\r\n") as client:
                assert client.recv(1000).startswith(b"HTTP/1.1 200")
            time.sleep(pause)


def test_idle_connections_that_were_all_closed_cost_no_request(launch: Launcher) -> None:
    """Two are kept from two answers given at once; the engine hangs up on both as soon as they are used again."""
    seen, together = set[int](), threading.Barrier(2)

    def script(connection: socket.socket) -> bool | None:
        port = connection.getpeername()[1]
        if port in seen:
            return None
        seen.add(port)
        if len(seen) <= 2:
            together.wait(10)
        connection.sendall(WHOLE)
        return True

    with engine(script) as url:
        router = launch.router([url], [url])
        with ask(router, stream=False) as one, ask(router, stream=False) as other:
            assert {read_answer(client)[0][:12] for client in (one, other)} == {b"HTTP/1.1 200"}
        with ask(router, stream=False) as client:
            assert read_answer(client)[0].startswith(b"HTTP/1.1 200")
