"""Which headers travel on, and which belong to one connection alone (RFC 9110, section 7.6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

RawHeaders = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# The request to the engine has its own host, length and expectation; an engine that compressed would hide its events from us.
NOT_UPSTREAM = HOP_BY_HOP | {b"host", b"content-length", b"expect", b"accept-encoding", b"x-request-id"}
# Our server writes its own date and length; the request id and the `x-duet-` family are ours to say.
NOT_DOWNSTREAM = HOP_BY_HOP | {b"content-length", b"date", b"server", b"x-request-id"}
MAX_REQUEST_ID = 128


def upstream(headers: Iterable[tuple[bytes, bytes]], request_id: bytes) -> RawHeaders:
    """A client's headers as the engine gets them."""
    return [*_without(headers, NOT_UPSTREAM), (b"x-request-id", request_id)]


def downstream(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """An engine's headers as the client gets them."""
    return [(name, value) for name, value in _without(headers, NOT_DOWNSTREAM) if not name.startswith(b"x-duet-")]


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The client's own `x-request-id` if it is fit to be logged and echoed: 1 to 128 visible ASCII characters."""
    value = next((value for name, value in headers if name == b"x-request-id"), b"")
    return value if 0 < len(value) <= MAX_REQUEST_ID and all(0x21 <= byte <= 0x7E for byte in value) else None


def _without(headers: Iterable[tuple[bytes, bytes]], banned: frozenset[bytes]) -> RawHeaders:
    headers = [(name.lower(), value) for name, value in headers]
    named = {token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")}
    return [(name, value) for name, value in headers if name not in banned and name not in named]
