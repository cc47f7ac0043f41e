"""One attempt at one replica: the only file that knows the HTTP client, and the one place where its errors become ours."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import aiohttp

from router.errors import Silent, Unreachable, UpstreamFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from router.config import RouterSection

# vLLM closes idle connections after 5 s (VLLM_HTTP_TIMEOUT_KEEP_ALIVE); ours must go first, or a request meets a closing socket.
IDLE_S = 4.0
MAX_HEADER_BYTES = 64 * 1024


class Answer:
    """An engine's answer whose status and headers have arrived and whose body has not."""

    def __init__(self, response: aiohttp.ClientResponse, url: str) -> None:
        self._response, self._url = response, url
        self.status: int = response.status
        self.headers: list[tuple[bytes, bytes]] = list(response.raw_headers)
        self.is_stream = response.content_type == "text/event-stream"

    async def read(self) -> bytes:
        """The whole body. Raises UpstreamFailed when it does not come whole."""
        with mapped_errors(self._url):
            return await self._response.read()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises UpstreamFailed when it breaks off."""
        with mapped_errors(self._url):
            async for chunk in self._response.content.iter_any():
                yield chunk


class Upstream:
    """The connections to all replicas. Open it inside the running event loop, close it at the end."""

    def __init__(self, config: RouterSection) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S, ttl_dns_cache=10),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=config.connect_timeout_s, sock_read=config.read_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_field_size=MAX_HEADER_BYTES,
            max_line_size=MAX_HEADER_BYTES,
        )

    async def close(self) -> None:
        await self._session.close()

    @asynccontextmanager
    async def post(self, url: str, target: str, headers: list[tuple[str, str]], body: bytes) -> AsyncIterator[Answer]:
        """Leaving the block before the answer was read to its end closes the connection, which aborts the engine's work.

        Raises:
            Unreachable: no connection. Silent: connected, and no byte in `read_timeout_s`. UpstreamFailed: it broke off.
        """
        with mapped_errors(url):
            # A file object is sent in pieces, under the transport's back-pressure; bytes would be copied into it at once
            response = await self._session.post(f"{url}{target}", headers=headers, data=io.BytesIO(body), allow_redirects=False)
        try:
            yield Answer(response, url)
        finally:
            response.close() if not response.content.at_eof() else response.release()

    async def get(self, url: str, timeout_s: float) -> tuple[int, bytes]:
        """Status and body of a small page. Raises UpstreamFailed."""
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        with mapped_errors(url):
            async with self._session.get(url, timeout=timeout, allow_redirects=False) as response:
                return response.status, await response.read()


@contextmanager
def mapped_errors(url: str) -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise Unreachable(f"No connection to the engine at {url}") from error
    except (aiohttp.ConnectionTimeoutError, aiohttp.SocketTimeoutError, TimeoutError) as error:
        connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
        kind = Unreachable if connecting else Silent
        raise kind(f"The engine at {url} {'did not accept a connection' if connecting else 'fell silent'}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamFailed(f"The engine at {url} broke off ({type(error).__name__})") from error
