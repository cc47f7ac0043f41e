"""The connections to all replicas: opened, kept for the next request, given up when they are old, silent or broken."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from router.errors import ClientGone, RequestError, Silent, Unreachable
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
        self._client_timeout_s = config.client_timeout_s
        self._idle: defaultdict[str, list[Connection]] = defaultdict(list)
        self._all: set[Connection] = set()

    async def __aenter__(self) -> Self:
        self._sweeping = asyncio.create_task(self._sweep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sweeping.cancel()
        for connection in list(self._all):
            connection.close()

    async def connection(self, url: str) -> Connection:
        """A connection to `url` that carries no exchange. Its user calls `send`, and `release` when it is done.

        Raises:
            Unreachable: no connection in `connect_timeout_s`.
        """
        return self._take(url) or await self._connect(url)

    async def get(self, url: str, path: str, timeout_s: float) -> tuple[int, bytes]:
        """Status and body of a small page. Raises UpstreamFailed."""
        page = _Page()
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self.connection(url)
                connection.send([head("GET", url, path, [])], page)
                try:
                    return await page.whole
                finally:
                    connection.release(page)
        except TimeoutError:
            raise Silent(f"The engine at {url} fell silent") from None

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
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await connecting
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"No connection to the engine at {url}") from error
        self._all.add(connection)
        return connection

    def _free(self, connection: Connection) -> None:
        self._idle[connection.url].append(connection)

    def _lost(self, connection: Connection) -> None:
        self._all.discard(connection)
        if connection in self._idle[connection.url]:
            self._idle[connection.url].remove(connection)

    async def _sweep(self) -> None:
        """Closes idle connections that are too old, and gives up on engines that fell silent and on clients that stopped reading."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for connection in list(self._all):
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
