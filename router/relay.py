"""An engine's answer → the client. Knows whether the first byte has left: before it every failure is an exception, after it an event."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router import dialect, sse
from router.client import answer
from router.errors import UpstreamFailed
from router.headers import downstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Message, Send

    from router.headers import RawHeaders
    from router.upstream import Answer
    from router.values import Endpoint


@dataclass(slots=True)
class Marks:
    """When things happened to one request, in seconds on the monotonic clock (None: not yet, or never)."""

    begun: float = field(default_factory=time.perf_counter)
    first_byte: float | None = None
    first_reasoning: float | None = None
    first_answer: float | None = None
    status: int | None = None
    failure: UpstreamFailed | None = None

    def read(self, events: bytes) -> None:
        """Notes the first text that is not empty. Each pattern is looked for only until it was found."""
        if self.first_answer is None:
            if self.first_reasoning is None and sse.REASONING.search(events):
                self.first_reasoning = time.perf_counter()
            if sse.ANSWER.search(events):
                self.first_answer = time.perf_counter()


@dataclass(frozen=True, slots=True)
class Outlet:
    """The client's end of a relay: where bytes go, our own headers after the engine's, and how its bytes are edited on the way."""

    send: Send
    endpoint: Endpoint
    headers: RawHeaders
    edit: Callable[[bytes], bytes]
    marks: Marks


async def relay(engine: Answer, outlet: Outlet) -> None:
    """Hands the engine's answer on.

    Raises:
        EngineRefused, UpstreamFailed: before the first byte left. Afterwards a failure is sent as the stream's last event.
    """
    if engine.status >= 400:
        raise dialect.refusal(engine.status, await engine.read())
    head = [*downstream(engine.headers), *outlet.headers]
    if engine.is_stream:
        await _stream(engine, head, outlet)
    else:
        body = outlet.edit(await engine.read())
        _first_byte(engine, outlet.marks)
        await answer(outlet.send, engine.status, head, body)


def _first_byte(engine: Answer, marks: Marks) -> None:
    marks.first_byte, marks.status = time.perf_counter(), engine.status


async def _stream(engine: Answer, head: RawHeaders, outlet: Outlet) -> None:
    events = _whole_events(engine.chunks())
    first = await _first_events(events)
    _first_byte(engine, outlet.marks)
    await outlet.send({"type": "http.response.start", "status": engine.status, "headers": head})
    try:
        await _hand_on(first, events, outlet)
    except UpstreamFailed as error:
        outlet.marks.failure = error
        await outlet.send(_piece(dialect.error_event(error, outlet.endpoint)))
    await outlet.send({"type": "http.response.body", "body": b""})


async def _hand_on(first: bytes, events: AsyncIterator[bytes], outlet: Outlet) -> None:
    end = sse.EndWatch(dialect.END_MARKS[outlet.endpoint])
    async for data in _chain(first, events):
        outlet.marks.read(data)
        end.feed(data)
        await outlet.send(_piece(outlet.edit(data)))
    if not end.seen:
        raise UpstreamFailed("The engine's stream ended before its answer did")


def _piece(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}


async def _whole_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    buffer = sse.EventBuffer()
    async for chunk in chunks:
        if data := buffer.feed(chunk):
            yield data


async def _first_events(events: AsyncIterator[bytes]) -> bytes:
    """Bytes up to and with the first event that has data.

    vLLM reports some failures as the first event of a 200 stream: `data: {"error": {…, "code": 503}}` (vllm/entrypoints/openai).
    """
    seen = b""
    async for data in events:
        seen += data
        if payload := sse.first_event(seen):
            if refusal := dialect.refusal_in_stream(payload):
                raise refusal
            return seen
    raise UpstreamFailed("The engine's stream ended before its first event")


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for data in rest:
        yield data
