"""An engine that is a script on a raw socket, and a client that is one: what is on the wire is what the test wrote."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

Script = Callable[[socket.socket], object]
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def engine(script: Script, requests: list[bytes] | None = None) -> Iterator[str]:
    """Serves health and models properly, and hands each other connection's socket to `script` once the request is in.

    A script that returns None has had the connection; one that returns anything else waits for its next request. `requests` collects.
    """
    models = json.dumps({"data": [{"id": "m"}]}).encode()

    def serve(connection: socket.socket) -> None:
        with closing(connection):
            while request := read_request(connection):
                if request.startswith(b"POST"):
                    if requests is not None:
                        requests.append(request)
                    if script(connection) is None:
                        return
                    continue
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
        received = connection.recv(65536)
        body, data = body + received, data + received
    return data


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def question(*, version: str = "1.1", extra: str = "", stream: bool = True, padding: int = 0) -> bytes:
    """A request as it goes on the wire; `extra`: header lines; `padding`: so many bytes of picture."""
    body = json.dumps({"model": "m", "stream": stream, "messages": [], "picture": "x" * padding})
    head = f"POST /v1/chat/completions HTTP/{version}\r\nhost: x\r\n{extra}content-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def ask(url: str, *, version: str = "1.1", extra: str = "", stream: bool = True) -> socket.socket:
    """A raw request on a connection of its own."""
    client = connect(url)
    client.sendall(question(version=version, extra=extra, stream=stream))
    return client


def read_head(client: socket.socket, data: bytes = b"") -> tuple[bytes, bytes]:
    """Head of the next answer, and what came after it."""
    while b"\r\n\r\n" not in data and (received := client.recv(65536)):
        data += received
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def read_answer(client: socket.socket, data: bytes = b"") -> tuple[bytes, bytes]:
    """Head and body of an answer that begins with `data`: the framing is taken off. Reads no further than the answer goes."""
    head, rest = read_head(client, data)
    if b"transfer-encoding: chunked" in head.lower():
        return head, _chunked(client, rest)
    named = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(named[0].split(b":")[1]) if named else None
    while (length is None or len(rest) < length) and (received := client.recv(65536)):
        rest += received
    return head, rest


def _chunked(client: socket.socket, rest: bytes) -> bytes:
    """Ends short where the connection does."""
    parts = list[bytes]()
    while True:
        while b"\r\n" not in rest:
            if not (received := client.recv(1 << 20)):
                return b"".join(parts)
            rest += received
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        while len(rest) < size + 2:
            if not (received := client.recv(1 << 20)):
                return b"".join([*parts, rest])
            rest += received
        if not size:
            return b"".join(parts)
        parts.append(rest[:size])
        rest = rest[size + 2 :]
