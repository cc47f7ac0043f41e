"""Puts a request in doubt to an Instruct engine and takes its word: one token, a deadline, and an engine that fails costs nothing else."""

from __future__ import annotations

import itertools
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from router import consult
from router.errors import UpstreamFailed
from router.pick import pick

if TYPE_CHECKING:
    from router.fleet import Fleet
    from router.upstream import Upstream
    from router.values import Decision, Replica

log = logging.getLogger("duet.router")
PATH = "/v1/chat/completions"


class Adviser:
    """Asks with `timeout_s` seconds of patience."""

    def __init__(self, fleet: Fleet, upstream: Upstream, timeout_s: float) -> None:
        self._fleet, self._upstream, self._timeout_s = fleet, upstream, timeout_s
        self._turn = itertools.count()  # its own: the requests themselves take turns too, each one after its question

    async def advise(self, doubtful: Decision, body: bytes | bytearray) -> tuple[Decision, str | None]:
        """The decision, and the replica that was asked: its prefix cache has the request now.

        Without an answer in time the request goes to Thinking, which can answer anything.
        """
        replica = pick(self._fleet.snapshot("instruct"), (), next(self._turn))
        verdict = await self._ask(replica, body) if replica else None
        if replica is None or verdict is None:
            return replace(doubtful, pool="thinking", reason="ask_failed", stage="engine"), None
        if verdict:
            return replace(doubtful, pool="thinking", reason="ask_steps", stage="engine"), None
        return replace(doubtful, pool="instruct", reason="ask_direct", stage="engine"), replica.url

    async def _ask(self, replica: Replica, body: bytes | bytearray) -> bool | None:
        question = consult.question(body, replica.served.ids[0] if replica.served else "")
        if question is None:
            return None
        try:
            with self._fleet.lease(replica):
                status, answer = await self._upstream.post(replica.url, PATH, question, self._timeout_s)
        except UpstreamFailed as error:
            log.warning("%s was asked about a request in doubt: %s", replica.url, error.message)
            return None
        return consult.needs_steps(answer) if status == 200 else None
