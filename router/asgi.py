"""The client's end on plain ASGI, for any server: a queue between what arrives and what the server takes.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from router.client import DISCARD_BYTES, DISCARD_S, too_large, upload_deadline
from router.errors import ClientGone

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.types import Receive, Scope, Send

    from router.client import Source
    from router.headers import RawHeaders

HIGH_WATER_BYTES = 1 << 20


class AsgiClient:
    """A `router.client.Client`."""

    send = None

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._waiting = deque[dict[str, Any]]()
        self._waiting_bytes = 0
        self._more = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._source: Source | None = None

    async def body(self, limit: int, timeout_s: float) -> bytes | bytearray:
        headers = dict(self._scope["headers"])
        announced = int(headers.get(b"content-length", b"0"))  # the server has refused what is no number
        body, more = bytearray(), announced <= limit
        async with upload_deadline(timeout_s):
            while more and len(body) <= limit:
                part, more = await self._next_part()
                body += part
        if max(len(body), announced) <= limit:
            return body
        body.clear()
        if b"expect" not in headers or announced <= limit:  # who waits for a 100 Continue has sent nothing yet
            await self._discard(more=more or announced > limit)
        raise too_large(limit)

    async def _next_part(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The client left before its request was complete")
        return message.get("body", b""), message.get("more_body", False)

    async def _discard(self, *, more: bool) -> None:
        left = DISCARD_BYTES
        try:
            async with asyncio.timeout(DISCARD_S):
                while more and left > 0:
                    part, more = await self._next_part()
                    left -= len(part)
        except TimeoutError:
            pass

    async def while_present(self, work: Coroutine[Any, Any, None]) -> None:
        working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(self._until_gone())
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientGone("The client left before its answer was complete")
            working.result()
        finally:
            working.cancel()
            leaving.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)
            del (
                working,
                leaving,
                work,
            )  # an error's traceback holds this frame, and a task its error: the body would stay with them

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        length = (b"content-length", str(len(body)).encode())
        self._put({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        self._put({"type": "http.response.body", "body": body})

    def start(self, status: int, headers: RawHeaders, source: Source) -> None:
        self._source = source
        self._put({"type": "http.response.start", "status": status, "headers": headers})

    def write(self, data: bytes) -> None:
        self._put({"type": "http.response.body", "body": data, "more_body": True})

    def finish(self) -> None:
        self._source = None
        self._put({"type": "http.response.body", "body": b""})

    async def flush(self) -> None:
        if self._sending:
            await self._sending

    async def abandon(self) -> None:
        if self._sending:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    def _put(self, message: dict[str, Any]) -> None:
        self._waiting.append(message)
        self._waiting_bytes += len(message.get("body", b""))
        self._more.set()
        self._sending = self._sending or asyncio.create_task(self._send_all())
        if self._source and self._waiting_bytes > HIGH_WATER_BYTES:
            self._source.pause()

    async def _send_all(self) -> None:
        last = False
        while not last:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                message = self._waiting.popleft()
                await self._send(message)
                self._waiting_bytes -= len(message.get("body", b""))
                last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if self._source:
                self._source.resume()
