"""A client that costs little, so that one core can load a router: an asyncio protocol with llhttp, one request at a time."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import random
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import httptools

from loadtests.mock_engine import WORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtests.mock_engine import Script

ANSWER_WITHIN_S = 60.0
PAUSE_AFTER_ERROR_S = 0.05
PICTURE_BYTES = 393_216  # 512 KB in base64, which is how it travels


@dataclass(frozen=True)
class Target:
    """Where to ask, which model, and with which key."""

    port: int
    model: str
    key: str


@dataclass(frozen=True)
class Answer:
    """One answer as it came. Times in seconds from the request's first byte; `first_s` is the first word's, or the whole answer's."""

    status: int
    words: int
    first_s: float
    whole_s: float


@dataclass(frozen=True)
class Load:
    """`callers` at once, each asking again as soon as it is answered. Every `picture_every`-th request has a picture, of `picture_bytes`
    before base64 adds a third.
    """

    script: Script
    callers: int
    picture_bytes: int = 0
    picture_every: int = 1

    @property
    def ramp_s(self) -> float:
        """Until all callers are at work: the length of one stream."""
        return self.script.words * self.script.every_ms / 1000


class Caller(asyncio.Protocol):
    """One connection. `ask` it again once it has answered, unless `closed`."""

    def __init__(self) -> None:
        self.closed = False
        self.opened = asyncio.Event()  # the answer's first bytes are here
        self.words = 0  # of all its answers
        self._parser: Any = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._reset()

    def _reset(self) -> None:
        self._asked, self._first, self._words, self._tail = time.perf_counter(), 0.0, 0, b""
        self.opened.clear()

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Raises (in the future) ConnectionError when the answer breaks off."""
        self._reset()
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def connection_lost(self, _: Exception | None) -> None:
        self.closed = True
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError("the router hung up in the middle of an answer"))

    def on_body(self, data: bytes) -> None:
        """Counts words, also one that two reads share."""
        self.opened.set()
        text = self._tail + data
        found = text.count(WORD)
        self._tail = text[1 - len(WORD) :]
        if found and not self._words:
            self._first = time.perf_counter()
        self._words += found
        self.words += found

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self.closed = self.closed or not self._parser.should_keep_alive()
        answer = Answer(self._parser.get_status_code(), self._words, (self._first or now) - self._asked, now - self._asked)
        if self._answer and not self._answer.done():
            self._answer.set_result(answer)


def request(target: Target, load: Load, seed: int = 0) -> bytes:
    """A chat completion as it goes on the wire. The picture is random bytes: nobody on the way looks at its pixels."""
    picture = base64.b64encode(random.Random(seed).randbytes(load.picture_bytes)).decode()  # noqa: S311 not a secret
    image = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{picture}"}}
    text = {"type": "text", "text": load.script.prompt()}
    content = [image, text] if picture else load.script.prompt()
    ask = {"model": target.model, "messages": [{"role": "user", "content": content}], "max_tokens": 1000}
    body = json.dumps(ask | {"stream": load.script.stream}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {target.key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def requests(target: Target, load: Load, limit: int | None = None) -> Iterator[bytes]:
    """What the callers of `load` send, in the order of sending; without a `limit` it never ends."""
    plain = request(target, replace(load, picture_bytes=0))
    turns = itertools.cycle([*[plain] * (load.picture_every - 1), request(target, load)])
    return itertools.islice(turns, limit)


async def connect(port: int) -> Caller:
    """Raises OSError."""
    _, caller = await asyncio.get_running_loop().create_connection(Caller, "127.0.0.1", port)
    return caller


@dataclass
class Tally:
    """What all callers of one load have heard so far."""

    answers: list[Answer] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    errors: int = 0

    def words(self) -> int:
        """Also those of streams that have not ended."""
        return sum(caller.words for caller in self.callers)


async def run(target: Target, load: Load, seconds: float, limit: int | None = None, tally: Tally | None = None) -> Tally:
    """Loads `target` for `seconds`, or until `limit` requests were sent.

    Streams start spread over the length of one (`Load.ramp_s`), as users come, and not all at once. Returns when the last has ended.
    """
    tally, turns = tally or Tally(), requests(target, load, limit)
    end = time.perf_counter() + seconds

    async def user(number: int) -> None:
        await asyncio.sleep(number / load.callers * load.ramp_s)
        caller: Caller | None = None
        while time.perf_counter() < end and (sent := next(turns, None)):
            caller = await _ask_once(caller, target.port, sent, load.script, tally)
        if caller:
            caller.transport.close()

    await asyncio.gather(*(user(number) for number in range(load.callers)))
    return tally


async def _ask_once(caller: Caller | None, port: int, sent: bytes, script: Script, tally: Tally) -> Caller | None:
    """One request of one user; the connection for the next one, or None."""
    try:
        if caller is None:
            caller = await connect(port)
            tally.callers.append(caller)
        answer = await asyncio.wait_for(caller.ask(sent), ANSWER_WITHIN_S)
    except (OSError, TimeoutError):
        tally.errors += 1
        if caller:
            caller.transport.abort()
        await asyncio.sleep(PAUSE_AFTER_ERROR_S)
        return None
    if answer.status == 200 and answer.words == script.words:
        tally.answers.append(answer)
    else:
        tally.errors += 1
    return None if caller.closed else caller
