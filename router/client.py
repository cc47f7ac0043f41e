"""The client's end of a request, as the proxy sees it. Two files give it: `line` on uvicorn's transport, `asgi` on any ASGI server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from router.dialect import error_body
from router.errors import BodyTooLarge, UploadTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from router.errors import RequestError
    from router.headers import RawHeaders
    from router.values import Endpoint

# A client that is still sending does not read: hang up on it and it sees a reset, not the 413. So a body that is too large is read
# to its end and thrown away, within these bounds.
DISCARD_BYTES = 512_000_000
DISCARD_S = 20.0


class Source(Protocol):
    """Where bytes come from, and may be held back."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Client(Protocol):
    """Who asked. An answer is `answer`, or `start`, any number of `write`, and `finish`; none of these waits."""

    @property
    def send(self) -> Callable[[bytes], object] | None:
        """Puts a chunk of a chunked body, already framed, on the wire; None where chunks are not written as such."""

    async def body(self, limit: int, timeout_s: float) -> bytes | bytearray:
        """The whole body. Raises BodyTooLarge over `limit` bytes, UploadTimeout, and ClientGone when it left before the end."""

    async def while_present(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` until it is done or the client leaves, which cancels it. Raises ClientGone."""

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> None: ...

    def start(self, status: int, headers: RawHeaders, source: Source) -> None:
        """Begins a stream. `source` is paused while the client reads more slowly than bytes come."""

    def write(self, data: bytes) -> None: ...
    def finish(self) -> None: ...

    async def flush(self) -> None:
        """Returns when all that was written is on its way."""

    async def abandon(self) -> None:
        """Forgets what was written and not sent: the client is gone."""


@asynccontextmanager
async def upload_deadline(timeout_s: float) -> AsyncIterator[None]:
    """Raises UploadTimeout in whoever waits longer for the rest of a body."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise UploadTimeout(f"The request was not complete after {timeout_s:g} s") from None


def too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request body is larger than {limit / 1e6:g} MB (router.max_body_mb)")


def answer_error(client: Client, error: RequestError, endpoint: Endpoint | None, headers: RawHeaders) -> None:
    """The error in the shape of the client's API, with Retry-After where waiting helps."""
    wait = [] if error.retry_after_s is None else [(b"retry-after", str(error.retry_after_s).encode())]
    close = [(b"connection", b"close")] if isinstance(error, BodyTooLarge) else []
    kind = (b"content-type", b"application/json")
    client.answer(error.status, [*headers, kind, *wait, *close], error_body(error, endpoint))
