"""One HTTP/1.1 connection to an engine. llhttp parses; what arrives is told to the exchange inside `data_received`, with no task between.

https://docs.python.org/3/library/asyncio-protocol.html
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from router.errors import RequestError, Stale, UpstreamFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.headers import RawHeaders

Buffer = bytes | bytearray | memoryview


class Exchange(Protocol):
    """Whoever made a request and hears of its answer: `head` once, `data` any number of times, then `end` or `fail`."""

    def head(self, status: int, headers: RawHeaders) -> None: ...
    def data(self, data: bytes) -> None: ...
    def end(self) -> None: ...
    def fail(self, error: RequestError) -> None: ...


class Connection(asyncio.Protocol):
    """A connection that carries one exchange at a time."""

    def __init__(self, url: str, on_free: Callable[[Connection], None], on_lost: Callable[[Connection], None]) -> None:
        self.url = url
        self.exchange: Exchange | None = None
        self.reused = self.paused = self.lost = False
        self.silent_s = 0.0
        """How long nothing has happened on it, as far as the sweeps of the pool have seen."""
        self._on_free, self._on_lost = on_free, on_lost
        self._bodies: list[bytes] = []
        self.on_body = self._bodies.append  # llhttp calls it for each piece of the body
        self._parser = httptools.HttpResponseParser(self)
        self._feed = self._parser.feed_data
        self._tell: Callable[[bytes], None] = self._nobody
        self._new_answer()

    def _new_answer(self) -> None:
        self._headers: RawHeaders = []
        self._answering = self._complete = self._until_close = self._keep_alive = False

    # asyncio's side
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """The token path: runs once for every event of every stream."""
        self.silent_s = 0.0
        bodies = self._bodies
        try:
            self._feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"sent what is not HTTP ({error})")
            return
        if bodies:
            piece = bodies[0] if len(bodies) == 1 else b"".join(bodies)
            bodies.clear()
            self._tell(piece)
        if self._complete:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._on_lost(self)
        if self._until_close and exc is None:
            self._finish()
        elif self.exchange and self.reused and not self._answering:
            self.give_up(Stale(f"The engine at {self.url} had closed the connection"))
        elif self.exchange:
            self._fail("broke off")

    # llhttp's side
    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status, headers = self._parser.get_status_code(), self._headers
        if self.exchange is None:
            self.close()  # an answer that nobody asked for
            return
        if status < 200:
            return
        self._answering = True
        names = {name for name, _ in headers}
        self._until_close = not names & {b"content-length", b"transfer-encoding"}
        self._keep_alive = self._parser.should_keep_alive()
        self.exchange.head(status, headers)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._new_answer()  # 100 Continue and the like: the answer is still to come
        else:
            self._complete = True

    # the pool's side
    def send(self, pieces: Sequence[Buffer], exchange: Exchange) -> None:
        """Makes a request: its head and body as they go on the wire."""
        self.exchange, self._tell, self.silent_s = exchange, exchange.data, 0.0
        self._transport.writelines(pieces)

    def release(self, exchange: Exchange) -> None:
        """Its user is done with it. If the answer has not ended this hangs up, which aborts the engine's work."""
        if self.exchange is exchange:
            self.close()

    def pause(self) -> None:
        """Stops reading: what the client has not taken stays with the engine."""
        if not self.paused:
            self.paused, self.silent_s = True, 0.0
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.paused:
            self.paused, self.silent_s = False, 0.0
            self._transport.resume_reading()

    def give_up(self, error: RequestError) -> None:
        """Ends the exchange with `error` and hangs up."""
        exchange = self.exchange
        self.close()
        if exchange:
            exchange.fail(error)

    def close(self) -> None:
        """Hangs up at once. An engine takes that as the end of the request's work."""
        self.exchange, self._tell = None, self._nobody
        self._transport.abort()

    def _nobody(self, data: bytes) -> None:
        """Hears what comes when nothing was asked: the connection is closed by then."""

    def _fail(self, what: str) -> None:
        self.give_up(UpstreamFailed(f"The engine at {self.url} {what}"))

    def _finish(self) -> None:
        exchange, self.exchange, self._tell = self.exchange, None, self._nobody
        reusable = self._complete and self._keep_alive and not self._transport.get_write_buffer_size()
        self._new_answer()
        self.resume()
        if reusable:
            self.reused = True
            self._on_free(self)
        else:
            self.close()
        if exchange:
            exchange.end()
