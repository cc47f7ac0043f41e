"""What a router holds on to: many streams that are open and silent, many requests, readers that hardly read. Memory, not speed."""

from __future__ import annotations

import asyncio
import math
import socket
import statistics
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtests import callers
from loadtests.callers import PICTURE_BYTES, Caller, Load, Target, request
from loadtests.mock_engine import UNARY, Script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loadtests.contenders import Engines, Process

OPENING_AT_ONCE = 100
OWN_FILES = 64
OPEN_WITHIN_S = 60.0
SETTLE_S = 1.0
SOAK_CALLERS = 32
SOAK_WITHIN_S = 600.0
SAMPLE_S = 0.25
FLAT_MB = 8
LARGEST_MB = 150
SLOW_WORDS = 5000  # about a megabyte for each reader: more than the kernel and the router would buffer
SLOW_READ_BYTES = 4096
SLOW_EVERY_S = 1.0
SLOW_FOR_S = 15.0


@dataclass(frozen=True)
class Idle:
    """Streams that were opened and then all ended when asked to; memory of the router in MB."""

    streams: int
    opened: int
    answered: int
    rss_before: float
    rss_open: float
    rss_after: float

    def __str__(self) -> str:
        return (
            f"{self.streams} idle streams: {self.opened} open at once, {self.answered} answered to the end; "
            f"RSS {self.rss_before:.0f} MB before, {self.rss_open:.0f} MB open, {self.rss_after:.0f} MB after"
        )


@dataclass(frozen=True)
class Soak:
    """What was sent, and samples of the router's memory in MB, one every SAMPLE_S."""

    requests: int
    errors: int
    pictures: int
    readers: int
    still_reading: int
    rss_before: float
    rss: tuple[float, ...]  # while the requests run
    rss_slow: tuple[float, ...]  # while the slow readers read
    rss_after: float

    @property
    def quarters(self) -> tuple[float, ...]:
        """The median of each quarter of the requests: a single sample may hold a dozen pictures that are on their way."""
        size = math.ceil(len(self.rss) / 4)
        return tuple(statistics.median(self.rss[at : at + size] or self.rss[-1:]) for at in range(0, 4 * size, size))

    @property
    def largest(self) -> float:
        return max(self.rss_before, *self.rss, *self.rss_slow, self.rss_after)

    @property
    def flat(self) -> bool:
        """Whether the last quarter needs no more than the second: the first still fills what is kept."""
        return self.quarters[3] - self.quarters[1] <= FLAT_MB

    def __str__(self) -> str:
        quarters = ", ".join(f"{quarter:.0f}" for quarter in self.quarters)
        growth, kept = self.quarters[3] - self.quarters[1], self.largest <= LARGEST_MB
        return (
            f"{self.requests} requests answered, {self.pictures} of them with a picture of 512 KB; {self.errors} errors; "
            f"{self.still_reading} of {self.readers} slow readers served throughout.\n"
            f"RSS {self.rss_before:.0f} MB before, {quarters} MB in the quarters of the requests (medians; at most "
            f"{max(self.rss):.0f} MB), {max(self.rss_slow):.0f} MB at most with the readers, {self.rss_after:.0f} MB after.\n"
            f"{'Flat' if self.flat else 'NOT FLAT'}: {growth:+.1f} MB from the second quarter to the last (bound {FLAT_MB:+d} MB). "
            f"At most {self.largest:.0f} MB (bound {LARGEST_MB} MB{'' if kept else ', BROKEN'})."
        )


def files_needed(streams: int) -> int:
    """Open files of a router with so many streams: a connection on each side, and some of its own."""
    return 2 * streams + OWN_FILES


async def idle_streams(router: Process, engines: Engines, count: int) -> Idle:
    before = router.rss_mb()
    sent = request(router.target, Load(Script(hold=True), count))
    gate = asyncio.Semaphore(OPENING_AT_ONCE)
    opened = await asyncio.gather(*(_open(router.target.port, sent, gate) for _ in range(count)))
    streams = [stream for stream in opened if stream]
    await asyncio.sleep(SETTLE_S)
    while_open = router.rss_mb()
    still_open = sum(not answer.done() for _, answer in streams)
    await asyncio.gather(*(_release(port) for port in engines.instruct))
    answers = await asyncio.gather(*(asyncio.wait_for(answer, OPEN_WITHIN_S) for _, answer in streams), return_exceptions=True)
    for caller, _ in streams:
        caller.transport.close()
    await asyncio.sleep(SETTLE_S)
    whole = sum(isinstance(answer, callers.Answer) and answer.status == 200 for answer in answers)
    return Idle(count, still_open, whole, before, while_open, router.rss_mb())


async def _open(port: int, sent: bytes, gate: asyncio.Semaphore) -> tuple[Caller, asyncio.Future[callers.Answer]] | None:
    """A stream whose first event has come."""
    async with gate:
        try:
            caller = await callers.connect(port)
            answer = caller.ask(sent)
            await asyncio.wait_for(caller.opened.wait(), OPEN_WITHIN_S)
        except (OSError, TimeoutError):
            return None
        return caller, answer


async def _release(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /mock/release HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def soak(router: Process, requests: int, readers: int, picture_every: int = 0, slow_s: float = SLOW_FOR_S) -> Soak:
    """`picture_every`: 0 for no picture at all."""
    before = router.rss_mb()
    pictured = Load(UNARY, SOAK_CALLERS, PICTURE_BYTES, picture_every) if picture_every else Load(UNARY, SOAK_CALLERS)
    async with _sampled(router) as rss:
        tally = await callers.run(router.target, pictured, SOAK_WITHIN_S, limit=requests)
    async with _sampled(router) as rss_slow:
        still_reading = await _slow_readers(router.target, readers, slow_s)
    await asyncio.sleep(SETTLE_S)
    pictures = requests // picture_every if picture_every else 0
    answered, samples = len(tally.answers), (before, tuple(rss), tuple(rss_slow), router.rss_mb())
    return Soak(answered, tally.errors, pictures, readers, still_reading, *samples)


@asynccontextmanager
async def _sampled(router: Process) -> AsyncIterator[list[float]]:
    """The router's memory in MB through the block: at its start, every SAMPLE_S, and at its end."""
    samples = [router.rss_mb()]

    async def sample() -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            samples.append(router.rss_mb())

    sampling = asyncio.create_task(sample())
    try:
        yield samples
    finally:
        sampling.cancel()
    samples.append(router.rss_mb())


async def _slow_readers(target: Target, count: int, seconds: float) -> int:
    """`count` clients read a little of a stream that the engine would send at once: how many were still served at the end."""
    sent = request(target, Load(Script(SLOW_WORDS), count))
    readers = [asyncio.create_task(_read_slowly(target.port, sent)) for _ in range(count)]
    if readers:
        await asyncio.wait(readers, timeout=seconds)
    still_reading = sum(not reader.done() for reader in readers)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    return still_reading


async def _read_slowly(port: int, sent: bytes) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_READ_BYTES)
        line.setblocking(False)  # noqa: FBT003 the socket's signature
        await loop.sock_connect(line, ("127.0.0.1", port))
        await loop.sock_sendall(line, sent)
        while await loop.sock_recv(line, SLOW_READ_BYTES):  # noqa: ASYNC110 the pause is the point
            await asyncio.sleep(SLOW_EVERY_S)
