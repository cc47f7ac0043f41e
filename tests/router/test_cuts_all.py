"""Every way to cut what an engine sends into two and three reads, and thousands of ways to cut more of it: into the wire, out of the relay.

The same on true sockets, for fewer cuts: `test_cuts.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

import pytest
import uvloop

from router import sse
from router.client import Source
from router.headers import RawHeaders
from router.relay import Marks, Outlet, Relay
from router.wire import Connection
from tests.router.streams import CHUNKED, DONE, EVENTS, RICH, SHORT, Stream, chunk, cut, random_stream

ERROR = b'data: {"error": {"message": "no more", "type": "InternalServerError", "param": null, "code": 500}}\n\n'
SAID = b'data: {"error":{"message":"no more","type":"server_error","param":null,"code":"engine_error"}}\n\n'


class Reader:
    """A client that keeps what it is given."""

    def __init__(self) -> None:
        self.status, self.headers, self.writes, self.finished = 0, RawHeaders(), list[bytes](), False

    async def body(self, limit: int, timeout_s: float) -> bytes | bytearray:
        raise NotImplementedError

    async def while_present(self, work: Coroutine[Any, Any, None]) -> None:
        await work

    def answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        self.start(status, headers, None)
        self.write(body)
        self.finish()

    def start(self, status: int, headers: RawHeaders, source: Source | None) -> None:  # noqa: ARG002
        assert not self.status
        self.status, self.headers = status, headers

    def send(self, data: bytes) -> None:
        size, chunk = data.split(b"\r\n", 1)
        assert len(chunk) == int(size, 16) + 2
        assert chunk.endswith(b"\r\n")
        self.write(chunk[:-2])

    def write(self, data: bytes) -> None:
        assert self.status
        assert not self.finished
        self.writes.append(data)

    def finish(self) -> None:
        self.finished = True

    async def flush(self) -> None: ...
    async def abandon(self) -> None: ...


class Cable(asyncio.Transport):
    """The transport of a connection whose bytes the test hands over itself."""

    cut = False

    def writelines(self, list_of_data: Iterable[Any]) -> None: ...
    def abort(self) -> None:
        self.cut = True

    def get_write_buffer_size(self) -> int:
        return 0


async def relayed(pieces: Sequence[bytes], pool: str, turns: int) -> Reader:
    """What a client gets of an answer that arrives in `pieces`, the first `turns` of them with a turn of the event loop after each."""
    reader, cable, freed = Reader(), Cable(), list[Connection]()
    connection = Connection("http://engine", freed.append, freed.append)
    connection.connection_made(cable)
    edit = sse.with_reasoning_content if pool == "thinking" else None
    relay = Relay(Outlet(reader, "chat_completions", [], edit, Marks()), asyncio.get_running_loop())
    connection.send([b"GET"], relay)

    async def attempt() -> None:
        try:
            await relay.run(connection)
        finally:
            connection.release(relay)

    running = asyncio.ensure_future(attempt())
    for number, piece in enumerate(pieces):
        if not cable.cut:
            connection.data_received(piece)
        if number < turns:
            await asyncio.sleep(0)
    await running
    assert cable.cut or freed == [connection], "the connection serves the next request"
    return reader


async def check(stream: Stream, cuts: Iterable[Sequence[int]], pool: str, turns: int) -> int:
    """How many ways of cutting were right. Whole events only, so that an error of ours never lands within one."""
    count = 0
    for places in cuts:
        reader = await relayed(cut(stream.wire, places), pool, turns)
        assert (reader.status, reader.finished) == (200, True), places
        assert b"".join(reader.writes) == stream.body(pool), places
        assert all(write.endswith((b"\n\n", b"\r\n\r\n")) for write in reader.writes), places
        count += 1
    return count


@pytest.mark.parametrize("turns", [0, 1, 3])
@pytest.mark.parametrize("pool", ["instruct", "thinking"])
def test_every_pair_of_cuts(pool: str, turns: int) -> None:
    pairs = itertools.combinations(range(1, len(SHORT.wire)), 2)
    assert uvloop.run(check(SHORT, pairs, pool, turns)) > 20_000


@pytest.mark.parametrize("pool", ["instruct", "thinking"])
def test_thousands_of_cuts_at_random_places(pool: str) -> None:
    """Of streams that are random themselves. The seed of one that fails is in the message."""
    for seed in range(60):
        dice = random.Random(seed)
        stream = random_stream(dice, events=60)
        cuts = [dice.sample(range(1, len(stream.wire)), dice.choice((3, 10, 60, 400))) for _ in range(50)]
        try:
            assert uvloop.run(check(stream, cuts, pool, (0, 2, 1000)[seed % 3])) == 50
        except AssertionError as failure:
            failure.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("pool", ["instruct", "thinking"])
def test_a_byte_at_a_time_and_all_at_once(pool: str) -> None:
    cuts = [range(len(RICH.wire)), (), range(0, len(RICH.wire), 2), range(1, len(RICH.wire), 2)]
    for turns in (0, 5, 1000):
        assert uvloop.run(check(RICH, cuts, pool, turns)) == 4


def test_an_error_event_ends_the_stream_wherever_it_was_cut() -> None:
    """What stands before it arrives, it is told once and in our words, and nothing after it gets through."""
    events = [EVENTS[0], EVENTS[1], ERROR, DONE]
    wire = CHUNKED + chunk(events[0]) + chunk(events[1] + ERROR[:20]) + chunk(ERROR[20:] + DONE) + b"0\r\n\r\n"

    async def all_cuts() -> None:
        for places in itertools.combinations(range(len(CHUNKED), len(wire)), 2):
            for turns in (0, 1, 3):
                reader = await relayed(cut(wire, places), "instruct", turns)
                assert b"".join(reader.writes) == EVENTS[0] + EVENTS[1] + SAID, places
                assert reader.finished

    uvloop.run(all_cuts())
