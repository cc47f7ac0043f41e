"""What an engine sends, cut anywhere, reaches the client to the byte: a real router between true sockets, each cut a read of its own.

Every pair of cuts, and thousands at random, where sockets would be too slow: `test_cuts_all.py`.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.router.conftest import Launcher
from tests.router.streams import CHUNKED, DONE, EVENTS, RICH, Stream, chunk, cut, random_stream

CALLERS = 12
GAP_S = 0.003  # longer than a router needs for all callers: two writes are two reads


class Engine:
    """Serves both pools. Cuts the wire where the request's header `x-cuts` says; hangs up after `x-end` bytes of it."""

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        self.serving = set[asyncio.Task[Any]]()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.serving.add(task)
        try:
            while headers := await _request(reader):
                await self._answer(headers, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.serving.discard(task)

    async def _answer(self, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        if "x-cuts" not in headers:
            models = json.dumps({"data": [{"id": "m"}]}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(models), models))
            return
        end = int(headers.get("x-end", len(self.wire)))
        for piece in cut(self.wire[:end], json.loads(headers["x-cuts"])) if end else []:
            writer.write(piece)
            await asyncio.sleep(GAP_S)
        if "x-end" in headers:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> dict[str, str]:
    """The request's headers; its body is read too. Empty at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return {}
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.splitlines()[1:])}
    await reader.readexactly(int(headers.get("content-length", "0")))
    return headers | {"": ""}


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def _line(router: str) -> AsyncIterator[Line]:
    """A client's connection."""
    address = urlsplit(router)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def _ask(line: Line, model: str, **extra: str) -> tuple[int, str, bytes]:
    """Status, headers and body of an answer."""
    reader, writer = line
    body = json.dumps({"model": model, "messages": [], "stream": True}).encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in extra.items())
    writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = int(head.split(" ")[1])
    if "chunked" not in head:
        length = next(line for line in head.lower().splitlines() if line.startswith("content-length:"))
        return status, head, await reader.readexactly(int(length.split(":")[1]))
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    assert await reader.readline() == b"\r\n"
    return status, head, b"".join(parts)


@asynccontextmanager
async def _between(launch: Launcher, wire: bytes) -> AsyncIterator[tuple[str, psutil.Process]]:
    """A router in front of one engine, and its process."""
    scripted = Engine(wire)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    engine = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    # a look at its health now and then is enough: those are reads too
    router = await asyncio.to_thread(launch.router, [engine], [engine], poll_interval_s=5)
    try:
        yield router, psutil.Process(launch.children[router].pid)
    finally:
        server.close()
        for task in scripted.serving:
            task.cancel()
        await asyncio.gather(*scripted.serving, return_exceptions=True)


async def _all(router: str, pool: str, cuts: Sequence[Sequence[int]], stream: Stream) -> None:
    """Asks for `stream` once for each member of `cuts`, several at a time, each caller on one connection."""
    turns = iter(cuts)

    async def caller() -> None:
        async with _line(router) as line:
            for places in turns:
                status, head, body = await _ask(line, f"qwen3-vl-{pool}", x_cuts=json.dumps(list(places)))
                assert status == 200, places
                assert stream.wire.startswith(CHUNKED) or "x-engine: a: b\r\n" in head.lower(), places
                assert body == stream.body(pool), places

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def _cuts_arrive(launch: Launcher, stream: Stream, cuts: Sequence[Sequence[int]]) -> None:
    """Runs all, and counts the router's reads: without cuts first, to know what else it reads."""
    async with _between(launch, stream.wire) as (router, process):
        for pool in ("instruct", "thinking"):
            counts = [process.io_counters().read_count]
            for places in ([()] * len(cuts), cuts):
                await _all(router, pool, places, stream)
                counts.append(process.io_counters().read_count)
            more, expected = (counts[2] - counts[1]) - (counts[1] - counts[0]), sum(map(len, cuts))
            # on an idle machine nearly all; a busy one may let two writes meet in one read, and `test_cuts_all.py` needs no clock
            assert more > 0.5 * expected, f"{more} reads for {expected} cuts: the rest arrived uncut"


def test_a_stream_cut_at_every_place(launch: Launcher) -> None:
    """In the middle of the head, of a chunk's length, of a character, of the end of an event, of the trailers."""
    asyncio.run(_cuts_arrive(launch, RICH, [(place,) for place in range(1, len(RICH.wire))]))


def test_long_streams_cut_at_many_places_at_random(launch: Launcher) -> None:
    for seed in range(2):
        dice = random.Random(seed)
        stream = random_stream(dice, events=100)
        cuts = [sorted(dice.sample(range(1, len(stream.wire)), dice.randint(2, 20))) for _ in range(100)]
        asyncio.run(_cuts_arrive(launch, stream, cuts))


def test_an_engine_that_dies_at_any_byte(launch: Launcher) -> None:
    """Before the first event that is a 502; after it the client has every whole event, and then one that says what happened."""
    wire = CHUNKED + b"".join(map(chunk, EVENTS)) + b"0\r\n\r\n"
    arrived = [len(CHUNKED + b"".join(map(chunk, EVENTS[:count]))) - 2 for count in range(1, len(EVENTS) + 1)]

    async def every_end() -> None:
        async with _between(launch, wire) as (router, _):
            for end in range(len(wire)):
                async with _line(router) as line:
                    status, _, body = await _ask(line, "qwen3-vl-instruct", x_cuts="[]", x_end=str(end))
                whole = sum(end >= place for place in arrived)
                assert status == (200 if whole else 502), end
                if DONE not in body:
                    events = body.split(b"\n\n")
                    error = events[-2] if whole else body
                    assert body.startswith(b"".join(EVENTS[:whole])), end
                    assert json.loads(error.removeprefix(b"data: "))["error"]["code"] == "engine_failed", end
                    assert len(events) == (whole + 2 if whole else 1), end
                else:
                    assert body == b"".join(EVENTS), end

    asyncio.run(every_end())
