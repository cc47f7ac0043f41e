"""The client's end on uvicorn's own transport: an engine's bytes are written where they arrive, in `data_received`.

`RelayProtocol` is uvicorn's HTTP protocol with four things added: a body that is wanted whole is not handed out in pieces, a client that
leaves cancels the work for it at once, an offer of another protocol is declined and not misread, and the scope holds a `Line`, on which an
answer is written without waiting.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from router.client import DISCARD_BYTES, DISCARD_S, too_large, upload_deadline
from router.errors import ClientGone

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from router.client import Source
    from router.headers import RawHeaders

MAX_HEAD_BYTES = 1 << 20
MAX_WAITING = 8  # requests that a client may send before the answer to an earlier one, and still be read from
LINE = "duet.line"
"""The scope's key for the Line, where the server has one."""


class RelayProtocol(HttpToolsProtocol):
    """One client's connection."""

    _line: Line | None = None
    _head_bytes: int | None = None  # read of a head that has not ended; None: no head is being read

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
            if self._head_bytes is not None:
                self._head_bytes += len(data)
                if self._head_bytes > MAX_HEAD_BYTES:
                    self.send_400_response("Request head too large.")
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _decline(self, rest: bytes) -> None:
        """Reads a request that offers another protocol (h2c, say) once more without the offer, which a server is free to ignore.

        llhttp takes what follows such a head for the other protocol; as a request of its own it would be a smuggled one.
        RFC 9110, section 7.8.
        """
        if self.parser.get_method() == b"CONNECT":
            self.send_400_response("Invalid HTTP request received.")
            return
        offered = {b"connection", b"upgrade", b"http2-settings"}
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] not in offered]
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (self.parser.get_method(), self.url, b"".join(lines))
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def send_400_response(self, msg: str) -> None:
        """What is no request ends the connection: with an answer of its own, unless that would stand within another."""
        if self._line:
            self.transport.abort()
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        if (
            0 < len(self.pipeline) <= MAX_WAITING
        ):  # uvicorn has stopped reading, and who does not read does not hear a client leave
            self.flow.resume_reading()
        self.cycle.scope[LINE] = Line(self, self.cycle)  # type: ignore[literal-required]

    def on_body(self, body: bytes) -> None:
        """Gathers the body as uvicorn does, but wakes nobody until it is whole or larger than is wanted."""
        cycle: RequestResponseCycle = self.cycle
        if self.parser.should_upgrade() or cycle.response_complete:
            return
        cycle.body += body
        line: Line | None = cycle.scope.get(LINE)  # type: ignore[assignment]
        if line is None or len(cycle.body) > line.wanted_bytes:
            self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def attach(self, line: Line | None) -> None:
        """Makes `line` the one that hears of the transport."""
        self._line = line

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._line and self._line.source:
            self._line.source.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._line and self._line.source:
            self._line.source.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._line:
            self._line.leave()


class Line:
    """A `router.client.Client` on the transport. Keeps uvicorn's books: what it answered, and whether the connection lives on."""

    __slots__ = ("_chunked", "_cycle", "_gone", "_protocol", "_task", "_write", "send", "source", "wanted_bytes")

    def __init__(self, protocol: RelayProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol, self._cycle = protocol, cycle
        self._chunked = cycle.scope["http_version"] == "1.1"
        self._write = cycle.transport.write
        self.send = self._write if self._chunked else None
        self._gone = False
        self._task: asyncio.Task[Any] | None = None
        self.source: Source | None = None
        self.wanted_bytes = 65_536

    async def body(self, limit: int, timeout_s: float) -> bytes | bytearray:
        self.wanted_bytes = limit
        announced = int(dict(self._cycle.scope["headers"]).get(b"content-length", b"0"))  # llhttp has refused what is no number
        if announced <= limit:
            if self._cycle.more_body:  # most bodies are here by now, and a deadline costs a timer
                async with upload_deadline(timeout_s):
                    await self._until_body(limit)
            if len(self._cycle.body) <= limit:
                return self._cycle.body
        await self._discard()
        raise too_large(limit)

    async def _until_body(self, limit: int) -> None:
        cycle = self._cycle
        if cycle.waiting_for_100_continue and not cycle.transport.is_closing():
            cycle.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        while cycle.more_body and len(cycle.body) <= limit:
            cycle.flow.resume_reading()
            await cycle.message_event.wait()
            cycle.message_event.clear()
            if cycle.disconnected:
                raise ClientGone("The client left before its request was complete")

    async def _discard(self) -> None:
        """Reads what is left of the body and throws it away."""
        self.wanted_bytes, seen = 0, 0
        try:
            async with asyncio.timeout(DISCARD_S):
                while self._cycle.more_body and seen < DISCARD_BYTES and not self._cycle.waiting_for_100_continue:
                    seen += len(self._cycle.body)
                    self._cycle.body.clear()
                    await self._until_body(0)
        except TimeoutError:
            pass

    async def while_present(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.current_task(self._protocol.loop)  # named: to look for it costs a system call
        self._protocol.attach(self)
        self._cycle.flow.resume_reading()  # a body that came in one piece may have stopped it, and a client that leaves is read
        try:
            if self._cycle.disconnected:
                work.close()
                raise ClientGone("The client left before its answer began")
            await work
        except asyncio.CancelledError:
            if not self._gone:
                raise
            raise ClientGone("The client left before its answer was complete") from None
        finally:
            self._protocol.attach(None)
            self._task = self.source = None

    def leave(self) -> None:
        """The client is gone."""
        self._gone = self._cycle.disconnected = True
        if self._task:
            self._task.cancel()

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        if any(name == b"connection" for name, _ in headers):
            self._cycle.keep_alive = False
            headers = [header for header in headers if header[0] != b"connection"]
        length = (b"content-length", str(len(body)).encode())
        self._begin(status, [*headers, length], body)
        self._end()

    def start(self, status: int, headers: RawHeaders, source: Source) -> None:
        self.source = source
        self._begin(status, [*headers, (b"transfer-encoding", b"chunked")] if self._chunked else headers)
        if self._protocol.flow.write_paused:
            source.pause()

    def write(self, data: bytes) -> None:
        self._write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def finish(self) -> None:
        if self._chunked:
            self._cycle.transport.write(b"0\r\n\r\n")
        self._end()

    async def flush(self) -> None:
        pass

    async def abandon(self) -> None:
        self._cycle.transport.abort()

    def _begin(self, status: int, headers: RawHeaders, body: bytes = b"") -> None:
        cycle = self._cycle
        cycle.response_started, cycle.waiting_for_100_continue = True, False
        lines = [STATUS_LINE[status]]
        for name, value in cycle.default_headers:
            lines.append(b"%b: %b\r\n" % (name, value))
        for name, value in headers:
            lines.append(b"%b: %b\r\n" % (name, value))
        lines.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        lines.append(body)
        cycle.transport.write(b"".join(lines))

    def _end(self) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
