"""An engine's answer → the client, inside `data_received`. Knows whether the first byte has left: before it every failure is raised where
the proxy waits, after it the proxy ends the stream with an event.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router import dialect, sse
from router.errors import ClientGone, RequestError, UpstreamFailed
from router.headers import downstream

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from router.client import Client, Source
    from router.headers import RawHeaders
    from router.values import Endpoint


ERROR = b'data: {"error"'


@dataclass(slots=True)
class Marks:
    """When things happened to one request, in seconds on the monotonic clock (None: not yet, or never)."""

    begun: float = field(default_factory=time.perf_counter)
    first_byte: float | None = None
    first_reasoning: float | None = None
    first_answer: float | None = None
    status: int | None = None
    failure: RequestError | None = None

    def read(self, events: bytes) -> bool:
        """Notes the first text that is not empty; True once the answer has begun, and nothing is left to look for."""
        if self.first_reasoning is None and sse.REASONING.search(events):
            self.first_reasoning = time.perf_counter()
        if sse.ANSWER.search(events):
            self.first_answer = time.perf_counter()
        return self.first_answer is not None


@dataclass(frozen=True, slots=True)
class Outlet:
    """The client's end of a relay: our own headers after the engine's, and how the engine's bytes are edited on the way (None: not)."""

    client: Client
    endpoint: Endpoint
    headers: RawHeaders
    edit: Callable[[bytes], bytes] | None
    marks: Marks


class Relay:
    """One attempt: the exchange that `wire` tells of the answer."""

    def __init__(self, outlet: Outlet, loop: asyncio.AbstractEventLoop) -> None:
        self._outlet, self._marks, self._edit, self._write = outlet, outlet.marks, outlet.edit, outlet.client.write
        self._send = outlet.client.send or self._write
        self._opened: asyncio.Future[None] = loop.create_future()  # a stream's first event, or the whole of another answer
        self._ended: asyncio.Future[None] = loop.create_future()
        self._status, self._headers = 0, list[tuple[bytes, bytes]]()
        self._buffer: sse.EventBuffer | None = None  # None: not a stream
        self._held = b""
        self._last = b""
        self._failure: RequestError | None = None
        self._flowing, self._reading, self._plain = False, True, False

    # what the wire tells
    def head(self, status: int, headers: RawHeaders) -> None:
        self._status, self._headers = status, headers
        if status < 400 and dict(headers).get(b"content-type", b"").startswith(b"text/event-stream"):
            self._buffer = sse.EventBuffer()

    def data(self, data: bytes) -> None:
        # Nearly all of a stream is one whole event at a time: as little as can be, for it is done once for every token. Its only line
        # ends two bytes before its end, so the error can only stand at its start.
        if self._plain and data.find(b"\n") == len(data) - 2 and data.endswith(b"\n\n") and not data.startswith(ERROR):
            self._last = data
            self._send(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            self._read(data)

    def _read(self, data: bytes) -> None:
        buffer, self._plain = self._buffer, False
        if buffer is not None and (buffer.rest or not data.endswith(b"\n\n")) and not (data := buffer.feed(data)):
            return
        if self._flowing:
            self._forward(data)
            return
        if self._marks.status is not None:
            return  # the stream is over for the client: what follows an error is not the answer
        self._held += data
        if buffer is not None and not self._opened.done() and sse.first_event(self._held):
            self._opened.set_result(None)

    def end(self) -> None:
        for future in (self._opened, self._ended):
            if not future.done():
                future.set_result(None)

    def fail(self, error: RequestError) -> None:
        if self._flowing and isinstance(error, UpstreamFailed) and self._is_whole():
            self.end()  # all that was missing is the end of the framing
            return
        future = self._ended if self._opened.done() else self._opened
        if not future.done():
            future.set_exception(error)

    # what the proxy asks
    async def run(self, source: Source) -> None:
        """Hands the answer on.

        Raises:
            EngineRefused, UpstreamFailed: before the first byte left. Afterwards a failure is sent as the stream's last event.
        """
        await self._opened
        if not 200 <= self._status < 300:
            raise dialect.refusal(self._status, self._held)
        if self._buffer is None:
            self._answer()
            return
        self._begin(source)
        try:
            await self._ended
            self._check_end()
        except RequestError as error:
            if isinstance(error, ClientGone):
                raise
            self._marks.failure = error
            self._write(dialect.error_event(error, self._outlet.endpoint))
        self._outlet.client.finish()

    def _answer(self) -> None:
        body = self._edit(self._held) if self._edit else self._held
        self._first_byte()
        self._outlet.client.answer(self._status, [*downstream(self._headers), *self._outlet.headers], body)

    def _begin(self, source: Source) -> None:
        first, self._held = self._held, b""
        if refusal := dialect.refusal_in_stream(sse.first_event(first)):
            # vLLM reports some failures as the first event of a 200 stream: `data: {"error": {…, "code": 503}}`
            raise refusal
        if not first:
            raise UpstreamFailed("The engine's stream ended before its first event")
        self._first_byte()
        self._outlet.client.start(self._status, [*downstream(self._headers), *self._outlet.headers], source)
        self._flowing = True
        self._forward(first)

    def _first_byte(self) -> None:
        self._marks.first_byte, self._marks.status = time.perf_counter(), self._status

    def _forward(self, events: bytes) -> None:
        if ERROR in events and not (events := self._before_error(events)):
            return
        if self._reading:
            self._reading = not self._marks.read(events)
        self._last = events
        self._write(events if self._edit is None else self._edit(events))
        in_parts = self._buffer is not None and bool(self._buffer.rest)
        self._plain = self._flowing and not (self._reading or self._edit or in_parts or self._outlet.client.send is None)

    def _before_error(self, events: bytes) -> bytes:
        """vLLM says in an event that it failed, with a number for a code and `[DONE]` after it: here the stream stops."""
        at = events.index(ERROR)
        self._failure = dialect.refusal_in_stream(sse.first_event(events[at:]))
        if self._failure is None:
            return events
        self._flowing = False
        self.end()
        return events[:at]

    def _check_end(self) -> None:
        """Raises the failure that the engine reported, or UpstreamFailed unless the last event says that the answer is whole."""
        if self._failure:
            raise self._failure
        if not self._is_whole():
            raise UpstreamFailed("The engine's stream ended before its answer did")

    def _is_whole(self) -> bool:
        tail = b"\n" + self._last
        return any(mark in tail for mark in dialect.END_MARKS[self._outlet.endpoint])
