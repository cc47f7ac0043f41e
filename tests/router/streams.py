"""What engines send, byte by byte, and what a client should get of it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = SSE + b"transfer-encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"
EVENTS = [b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % number for number in range(3)] + [DONE]
# What text may hold and a careless reader would trip over
WORDS = (
    "a",
    "é",
    "先想",
    "🙂",
    '"',
    "\\",
    "\n",
    "\r\n\r\n",
    "\n\ndata: [DONE]\n\n",
    '"reasoning":"',
    '"content":"',
    'data: {"error"',
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass(frozen=True)
class Stream:
    """A whole answer as it goes on the wire, and the events that reach the clients of each pool."""

    wire: bytes
    instruct: bytes
    thinking: bytes

    def body(self, pool: str) -> bytes:
        return self.thinking if pool == "thinking" else self.instruct


def stream(
    events: Iterable[tuple[bytes, bytes]], chunks: Sequence[int], head: bytes = CHUNKED, trailers: bytes = b""
) -> Stream:
    """`events` as the engine sends them and as Thinking's clients get them; `chunks`: the chunks' sizes, over and over."""
    sent, thinking = map(b"".join, zip(*events, strict=True))
    framed, at, turn = [], 0, 0
    while at < len(sent):
        size = chunks[turn % len(chunks)]
        framed.append(chunk(sent[at : at + size]))
        at, turn = at + size, turn + 1
    return Stream(head + b"".join(framed) + b"0\r\n" + trailers + b"\r\n", sent, thinking)


def reasoning(value: str, ending: str = "\n\n", space: str = "") -> tuple[bytes, bytes]:
    """An event with a thought, given as JSON: as an engine sends it, and with Thinking's second name for it."""
    sent, doubled = f'"reasoning":{space}{value}', f'"reasoning":{space}{value},"reasoning_content":{value}'
    event = 'data: {"choices":[{"index":0,"delta":{%s},"logprobs":null}]}' + ending
    return (event % sent).encode(), (event % doubled).encode()


def plain(event: str) -> tuple[bytes, bytes]:
    return event.encode(), event.encode()


SHORT = stream(
    [plain(": p\n\n"), reasoning('"一"'), plain('data: {"content":"é"}\r\n\r\n'), plain(DONE.decode())],
    chunks=(70, 30, 1000),
    trailers=b"x-t: 1\r\n",
)
"""Complete and as short as can be: for tests that cut it in every way."""

RICH = stream(
    [
        plain(": keep-alive\n\n"),
        plain('data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'),
        reasoning('"先想 \\"一\\" 下\\\\ \\n🙂"'),
        reasoning('"\\n\\ndata: [DONE]"', "\r\n\r\n", " "),
        reasoning("null"),
        plain(": ping\r\n\r\n"),
        plain('id: 7\nevent: message\ndata: {"choices":[{"index":0,"delta":{"content":"\\"reasoning\\": \\"é\\""}}]}\n\n'),
        plain('data: {"choices":[],"usage":{"completion_tokens":3}}\n\n'),
        plain(DONE.decode()),
    ],
    chunks=(14, 90, 1, 200, 40),
    head=CHUNKED.replace(b"\r\n\r\n", b"\r\nX-Engine: a: b\r\nx-empty:\r\n\r\n"),
    trailers=b"x-trailer: 1\r\nx-more: 2\r\n",
)
"""All that a stream may hold: comments, both kinds of line ends, characters of one to four bytes, thoughts, chunks that mind no event."""


def random_stream(dice: random.Random, events: int) -> Stream:
    def event() -> tuple[bytes, bytes]:
        ending = dice.choice(("\n\n", "\n\n", "\r\n\r\n"))
        text = json.dumps("".join(dice.choices(WORDS, k=dice.randint(0, 12))), ensure_ascii=dice.random() < 0.3)
        kind = dice.choice(("reasoning", "content", "content", "comment"))
        if kind == "reasoning":
            return reasoning(text, ending, dice.choice(("", " ")))
        return plain(f": {dice.random()}{ending}" if kind == "comment" else f'data: {{"delta":{{"content":{text}}}}}{ending}')

    sizes = [dice.choice((1, 7, 60, 120, 500)) for _ in range(20)]
    return stream([*(event() for _ in range(events)), plain(DONE.decode())], sizes)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` in pieces, none of them empty."""
    ends = [*sorted({place for place in places if 0 < place < len(data)}), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
