"""The client's side of a request, in plain ASGI: its body read once, its leaving noticed, its error answered.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from router.dialect import error_body
from router.errors import BadRequest, BodyTooLarge, ClientGone, RequestError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.types import Receive, Scope, Send

    from router.headers import RawHeaders
    from router.values import Endpoint

T = TypeVar("T")
# A client that is still sending does not read: hang up on it and it sees a reset, not the 413. So a body that is too large is read
# to its end and thrown away, within these bounds.
DISCARD_BYTES = 512_000_000
DISCARD_S = 20.0


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: more than `limit` bytes. ClientGone: it left before the end. BadRequest: a length that is no number.
    """
    announced = _content_length(scope)
    parts: list[bytes] = []
    size, more = 0, announced <= limit
    while more:
        part, more = await _next_part(receive)
        size += len(part)
        parts.append(part)
        if size > limit:
            break
    if max(size, announced) <= limit:
        return b"".join(parts)
    parts.clear()
    await _discard(receive, more or announced > limit)
    raise BodyTooLarge(f"The request body is larger than {limit / 1e6:g} MB (router.max_body_mb)")


def _content_length(scope: Scope) -> int:
    value = dict(scope["headers"]).get(b"content-length", b"0")
    if not value.isdigit():
        raise BadRequest(f"content-length: {value.decode('latin-1')!r} is not a number", code="invalid_header")
    return int(value)


async def _next_part(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone("The client left before its request was complete")
    return message.get("body", b""), message.get("more_body", False)


async def _discard(receive: Receive, more: bool) -> None:  # noqa: FBT001
    left = DISCARD_BYTES
    try:
        async with asyncio.timeout(DISCARD_S):
            while more and left > 0:
                part, more = await _next_part(receive)
                left -= len(part)
    except TimeoutError:
        pass


async def while_present(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """Runs `work` as long as the client is there; when it leaves, `work` is cancelled at once.

    Raises:
        ClientGone: the client left first.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone("The client left before its answer was complete")
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def answer_error(send: Send, error: RequestError, endpoint: Endpoint | None, headers: RawHeaders) -> None:
    """The error in the shape of the client's API, with Retry-After where waiting helps."""
    wait = [] if error.retry_after_s is None else [(b"retry-after", str(error.retry_after_s).encode())]
    close = [(b"connection", b"close")] if isinstance(error, BodyTooLarge) else []
    kind = (b"content-type", b"application/json")
    await answer(send, error.status, [*headers, kind, *wait, *close], error_body(error, endpoint))
