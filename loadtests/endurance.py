"""What a router holds on to: many streams that are open and silent, many requests, readers that hardly read. Memory, not speed."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtests import callers
from loadtests.callers import Caller, Load, Target, request
from loadtests.mock_engine import UNARY, Script

if TYPE_CHECKING:
    from loadtests.contenders import Engines, Process

OPENING_AT_ONCE = 100
OWN_FILES = 64
OPEN_WITHIN_S = 60.0
SETTLE_S = 1.0
SOAK_CALLERS = 32
SOAK_WITHIN_S = 600.0
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
    """What was sent, and the router's memory in MB."""

    requests: int
    errors: int
    readers: int
    still_reading: int
    rss_before: float
    rss_early: float  # after a tenth of the requests
    rss_late: float  # after all of them
    rss_slow: float  # the most while the slow readers read
    rss_after: float

    def __str__(self) -> str:
        return (
            f"{self.requests} requests answered, {self.errors} errors; {self.still_reading} of {self.readers} slow readers served "
            f"throughout. RSS {self.rss_before:.0f} MB before, {self.rss_early:.0f} MB after a tenth of the requests, "
            f"{self.rss_late:.0f} MB after all, {self.rss_slow:.0f} MB at most with the readers, {self.rss_after:.0f} MB after; "
            f"growth {self.rss_after - self.rss_before:+.0f} MB in all, "
            f"{self.rss_late - self.rss_early:+.0f} MB over the last nine tenths of the requests"
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


async def soak(router: Process, requests: int, readers: int, slow_s: float = SLOW_FOR_S) -> Soak:
    before = router.rss_mb()
    first = await _requests(router.target, math.ceil(requests / 10))
    early = router.rss_mb()
    rest = await _requests(router.target, requests - math.ceil(requests / 10))
    after = router.rss_mb()
    slow, still_reading = await _slow_readers(router, readers, slow_s)
    await asyncio.sleep(SETTLE_S)
    answered, errors = len(first.answers) + len(rest.answers), first.errors + rest.errors
    return Soak(answered, errors, readers, still_reading, before, early, after, slow, router.rss_mb())


async def _requests(target: Target, count: int) -> callers.Tally:
    return await callers.run(target, Load(UNARY, SOAK_CALLERS), SOAK_WITHIN_S, limit=max(1, count))


async def _slow_readers(router: Process, count: int, seconds: float) -> tuple[float, int]:
    """`count` clients read a little of a stream that the engine would send at once: the router's largest memory meanwhile, in MB, and
    how many clients were still served at the end.
    """
    sent = request(router.target, Load(Script(SLOW_WORDS), count))
    readers = [asyncio.create_task(_read_slowly(router.target.port, sent)) for _ in range(count)]
    largest, end = router.rss_mb(), time.perf_counter() + seconds
    while time.perf_counter() < end and any(not reader.done() for reader in readers):
        await asyncio.sleep(SLOW_EVERY_S)
        largest = max(largest, router.rss_mb())
    still_reading = sum(not reader.done() for reader in readers)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    return largest, still_reading


async def _read_slowly(port: int, sent: bytes) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_READ_BYTES)
        line.setblocking(False)  # noqa: FBT003 the socket's signature
        await loop.sock_connect(line, ("127.0.0.1", port))
        await loop.sock_sendall(line, sent)
        while await loop.sock_recv(line, SLOW_READ_BYTES):  # noqa: ASYNC110 the pause is the point
            await asyncio.sleep(SLOW_EVERY_S)
