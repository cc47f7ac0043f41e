"""The connections to all replicas: opened, kept for the next request, given up when they are old, silent or broken."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from router.errors import ClientGone, Crowded, RequestError, Silent, Unreachable
from router.wire import Connection

if TYPE_CHECKING:
    from router.config import RouterSection
    from router.headers import RawHeaders

# vLLM closes idle connections after 5 s (VLLM_HTTP_TIMEOUT_KEEP_ALIVE); ours must go first, or a request meets a closing socket.
IDLE_S = 3.0
SWEEP_S = 0.5


class Upstream:
    """Use it inside a running event loop: `async with Upstream(config) as upstream`."""

    def __init__(self, config: RouterSection) -> None:
        self._connect_timeout_s, self._read_timeout_s = config.connect_timeout_s, config.read_timeout_s
        self._client_timeout_s, self._limit = config.client_timeout_s, config.max_connections
        self._idle: defaultdict[str, list[Connection]] = defaultdict(list)
        self._open: defaultdict[str, set[Connection]] = defaultdict(set)
        self._connecting, self._looking = Counter[str](), Counter[str]()

    async def __aenter__(self) -> Self:
        self._sweeping = asyncio.create_task(self._sweep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sweeping.cancel()
        for connection in self._everyone():
            connection.close()

    async def connection(self, url: str, *, fresh: bool = False) -> Connection:
        """A connection to `url` that carries no exchange, on wish a new one. Its user calls `send`, and `release` when it is done.

        Raises:
            Crowded: `max_connections` of the replica are in use.
            Unreachable: no connection in `connect_timeout_s`.
        """
        if self._busy(url) >= self._limit:
            raise Crowded(f"The engine at {url} has {self._limit} connections in use (router.max_connections)")
        return (None if fresh else self._take(url)) or await self._connect(url)

    async def get(self, url: str, path: str, timeout_s: float) -> tuple[int, bytes]:
        """Status and body of a small page. Raises UpstreamFailed. The limit does not hold for it: a full replica is still well."""
        return await self._fetch(url, [head("GET", url, path, [])], timeout_s)

    async def post(self, url: str, path: str, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        """Status and body of the answer to a JSON `body`. Raises UpstreamFailed. The limit does not hold for it either."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        return await self._fetch(url, [head("POST", url, path, headers), body], timeout_s)

    async def _fetch(self, url: str, pieces: list[bytes], timeout_s: float) -> tuple[int, bytes]:
        page = _Page()
        self._looking[url] += 1
        try:
            async with asyncio.timeout(timeout_s):
                connection = self._take(url) or await self._connect(url)
                connection.send(pieces, page)
                try:
                    return await page.whole
                finally:
                    connection.release(page)
        except TimeoutError:
            raise Silent(f"The engine at {url} fell silent") from None
        finally:
            self._looking[url] -= 1

    def _busy(self, url: str) -> int:
        return len(self._open[url]) - len(self._idle[url]) + self._connecting[url] - self._looking[url]

    def _take(self, url: str) -> Connection | None:
        """The idle connection that was used last: the least likely to be just closing."""
        idle = self._idle[url]
        return idle.pop() if idle else None

    async def _connect(self, url: str) -> Connection:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        connecting = asyncio.get_running_loop().create_connection(
            lambda: Connection(url, self._free, self._lost),
            parts.hostname or "",
            port,
            ssl=ssl.create_default_context() if secure else None,
        )
        self._connecting[url] += 1
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await connecting
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"No connection to the engine at {url}") from error
        finally:
            self._connecting[url] -= 1
        if connection.lost:
            raise Unreachable(f"The engine at {url} took a connection and closed it")
        self._open[url].add(connection)
        return connection

    def _everyone(self) -> list[Connection]:
        return [connection for connections in self._open.values() for connection in connections]

    def _free(self, connection: Connection) -> None:
        self._idle[connection.url].append(connection)

    def _lost(self, connection: Connection) -> None:
        self._open[connection.url].discard(connection)
        if connection in self._idle[connection.url]:
            self._idle[connection.url].remove(connection)

    async def _sweep(self) -> None:
        """Closes idle connections that are too old, and gives up on engines that fell silent and on clients that stopped reading."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for connection in self._everyone():
                connection.silent_s += SWEEP_S
                if connection.exchange is None and connection.silent_s >= IDLE_S:
                    connection.close()
                elif connection.paused and connection.silent_s >= self._client_timeout_s:
                    connection.give_up(ClientGone("The client stopped reading"))
                elif connection.exchange and not connection.paused and connection.silent_s >= self._read_timeout_s + SWEEP_S:
                    connection.give_up(Silent(f"The engine at {connection.url} fell silent"))


def head(method: str, url: str, target: str, headers: RawHeaders) -> bytes:
    """A request's first line and headers as they go on the wire."""
    lines = [f"{method} {target} HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\n".encode("latin-1")]
    lines += [b"%b: %b\r\n" % header for header in headers]
    return b"".join([*lines, b"\r\n"])


class _Page:
    """An exchange that wants the whole body."""

    def __init__(self) -> None:
        self.whole: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._status, self._parts = 0, list[bytes]()

    def head(self, status: int, headers: RawHeaders) -> None:  # noqa: ARG002 the protocol's signature
        self._status = status

    def data(self, data: bytes) -> None:
        self._parts.append(data)

    def end(self) -> None:
        if not self.whole.done():
            self.whole.set_result((self._status, b"".join(self._parts)))

    def fail(self, error: RequestError) -> None:
        if not self.whole.done():
            self.whole.set_exception(error)
