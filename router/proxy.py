"""A request's whole story, in the order it happens: read, view, route, pick, relay, account."""

from __future__ import annotations

import itertools
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router import sse
from router.classify import classify
from router.client import answer_error, read_body, while_present
from router.errors import ClientGone, EngineRefused, PoolUnavailable, RequestError, Silent, Unreachable, UpstreamFailed
from router.headers import upstream as upstream_headers
from router.pick import pick
from router.relay import Marks, Outlet, relay
from router.values import PATHS, Decision
from router.view import read_view, with_model

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from router.fleet import Fleet
    from router.headers import RawHeaders
    from router.metrics import Metrics
    from router.names import Names
    from router.upstream import Upstream
    from router.values import Endpoint, Replica, View

log = logging.getLogger("duet.router")
OVERLOADED = 503


@dataclass(slots=True)
class Journey:
    """One request on its way: what came in, what was decided so far, what happened."""

    scope: Scope
    send: Send
    endpoint: Endpoint
    marks: Marks = field(default_factory=Marks)
    view: View | None = None
    decision: Decision | None = None
    replica: str | None = None
    error: RequestError | None = None

    @property
    def pool(self) -> str:
        return self.decision.pool if self.decision else "none"

    def headers(self) -> RawHeaders:
        """What the router says of the request, to the client."""
        said = {} if self.decision is None else {b"x-duet-pool": self.decision.pool, b"x-duet-reason": self.decision.reason}
        if self.replica:
            said[b"x-duet-replica"] = self.replica
        return [(name, value.encode("latin-1")) for name, value in said.items()]

    def outlet(self) -> Outlet:
        thinks = (self.pool, self.endpoint) == ("thinking", "chat_completions")
        edit = sse.with_reasoning_content if thinks else bytes
        return Outlet(self.send, self.endpoint, self.headers(), edit, self.marks)

    def target(self) -> str:
        query = self.scope["query_string"].decode("latin-1")
        return f"{self.scope['path']}?{query}" if query else str(self.scope["path"])


class Proxy:
    """The ASGI application behind every path of `values.PATHS`."""

    def __init__(self, max_body_bytes: int, fleet: Fleet, names: Names, upstream: Upstream, metrics: Metrics) -> None:
        self._max_body_bytes, self._fleet, self._names, self._upstream, self._metrics = (
            max_body_bytes,
            fleet,
            names,
            upstream,
            metrics,
        )
        self._turn = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        journey = Journey(scope, send, PATHS[scope["path"]])
        try:
            body = await read_body(scope, receive, self._max_body_bytes)
            journey.marks = Marks()
            await while_present(self._serve(journey, body), receive)
        except RequestError as error:
            journey.error = error
            if journey.marks.status is None and not isinstance(error, ClientGone):
                await answer_error(send, error, journey.endpoint, journey.headers())
        finally:
            self._account(journey)

    async def _serve(self, journey: Journey, body: bytes) -> None:
        journey.view = view = read_view(journey.endpoint, body)
        journey.decision = decision = self._decide(view)
        self._metrics.decisions.labels(decision.pool, decision.reason).inc()
        self._metrics.images.labels(decision.pool).inc(view.images)
        await self._try_replicas(journey, decision, view, body)

    def _decide(self, view: View) -> Decision:
        pool = self._names.pool_of(view.model)
        return classify(view) if pool is None else Decision(pool, "model", float(pool == "thinking"))

    async def _try_replicas(self, journey: Journey, decision: Decision, view: View, body: bytes) -> None:
        """One attempt at a time, until a replica answers or none is left. A failure raised here left nothing with the client."""
        failure: RequestError = PoolUnavailable(f"No replica of the {decision.pool} pool is ready")
        tried: set[str] = set()
        while replica := pick(self._fleet.snapshot(decision.pool), tried, next(self._turn)):
            tried.add(replica.url)
            try:
                return await self._attempt(journey, replica, view, body)
            except (UpstreamFailed, EngineRefused) as error:
                self._note_failure(journey, replica, error)
                if not _another_may_help(error):
                    raise
                failure = error
        raise failure

    async def _attempt(self, journey: Journey, replica: Replica, view: View, body: bytes) -> None:
        journey.replica = replica.url
        scope, url = journey.scope, replica.url
        headers = upstream_headers(scope["headers"], scope["duet_request_id"])
        body = _for_replica(body, view, replica)
        with self._fleet.lease(replica):
            async with self._upstream.post(url, journey.target(), headers, body) as engine:
                await relay(engine, journey.outlet())

    def _note_failure(self, journey: Journey, replica: Replica, error: UpstreamFailed | EngineRefused) -> None:
        if isinstance(error, UpstreamFailed):
            self._metrics.failures.labels(replica.pool, replica.url, error.kind).inc()
            log.warning("%s: %s", journey.scope["duet_request_id"].decode(), error.message)
        if isinstance(error, Unreachable):
            self._fleet.mark_down(replica)

    def _account(self, journey: Journey) -> None:
        marks, metrics = journey.marks, self._metrics
        status = journey.error.status if journey.error else marks.status or 500
        metrics.requests.labels(journey.pool, journey.endpoint, str(status)).inc()
        if isinstance(journey.error, ClientGone):
            metrics.disconnects.labels(journey.pool, _phase(journey)).inc()
        if marks.failure and journey.replica:
            metrics.failures.labels(journey.pool, journey.replica, "mid_stream").inc()
            log.warning("%s: %s", journey.scope["duet_request_id"].decode(), marks.failure.message)
        for histogram, at in (
            (metrics.first_byte, marks.first_byte),
            (metrics.first_reasoning, marks.first_reasoning),
            (metrics.first_answer, marks.first_answer),
        ):
            if at is not None:
                histogram.labels(journey.pool).observe(at - marks.begun)
        if marks.status is not None:
            metrics.duration.labels(journey.pool, journey.endpoint).observe(time.perf_counter() - marks.begun)


def _another_may_help(error: UpstreamFailed | EngineRefused) -> bool:
    """Not after a long silence (the time is spent), nor after a refusal that the request itself earned."""
    return error.status == OVERLOADED if isinstance(error, EngineRefused) else not isinstance(error, Silent)


def _for_replica(body: bytes, view: View, replica: Replica) -> bytes:
    """The client's own bytes, but for the model's name where this replica does not know it."""
    ids = replica.served.ids if replica.served else ()
    return with_model(body, ids[0]) if view.model is not None and ids and view.model not in ids else body


def _phase(journey: Journey) -> str:
    if journey.view is None:
        return "upload"
    if journey.marks.first_byte is not None:
        return "mid_stream"
    return "before_first_event" if journey.view.stream else "unary"
