"""Cuts base64 data out of a request body before it is parsed: pictures are most of its bytes, and no decision reads them.

JSON is not decoded here. Two facts are enough: `;base64,` can only stand inside a string, and the first quote after it ends that string
unless a backslash stands before it.
"""

from __future__ import annotations

from typing import NamedTuple

MARK = b";base64,"
WORTH_BYTES = 4096
"""Cutting shorter data costs more than reading it."""


class Outline(NamedTuple):
    """A body without its pictures' data, and where each cut was: `(offset in text, bytes left out before it in all)`."""

    text: bytes | bytearray
    cuts: tuple[tuple[int, int], ...]

    def offset_in_body(self, offset: int) -> int:
        """Where the byte at `offset` of `text` stands in the body itself."""
        return offset + max((left_out for at, left_out in self.cuts if at <= offset), default=0)


def outline(body: bytes | bytearray) -> Outline:
    """`body` without long base64 data. Cost: one memchr over the data, one substring search over the rest."""
    kept: list[bytes | bytearray] = []
    cuts: list[tuple[int, int]] = []
    begin = length = left_out = 0
    for start, end in _data(body):
        kept.append(body[begin:start])
        length += start - begin
        left_out += end - start
        cuts.append((length, left_out))
        begin = end
    return Outline(b"".join([*kept, body[begin:]]), tuple(cuts)) if cuts else Outline(body, ())


def _data(body: bytes | bytearray) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    at = body.find(MARK)
    while at >= 0:
        start = at + len(MARK)
        end = body.find(b'"', start)
        if end < 0:
            break
        if end - start >= WORTH_BYTES and body[end - 1] != ord("\\"):
            found.append((start, end))
        at = body.find(MARK, end)
    return found
