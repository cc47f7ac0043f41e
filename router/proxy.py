"""A request's whole story, in the order it happens: read, view, route, pick, relay, account."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router import sse
from router.adviser import Adviser
from router.asgi import AsgiClient
from router.client import answer_error
from router.decide import decide, policy_of
from router.dialect import error_event
from router.errors import (
    ClientGone,
    EngineRefused,
    InternalError,
    PoolUnavailable,
    RequestError,
    Silent,
    Stale,
    Stopping,
    Unreachable,
    UpstreamFailed,
)
from router.headers import request_id
from router.headers import upstream as upstream_headers
from router.line import LINE
from router.pick import pick
from router.relay import Marks, Outlet, Relay
from router.upstream import head
from router.values import PATHS
from router.view import read_view, with_model

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from router.client import Client
    from router.config import RouterSection
    from router.fleet import Fleet
    from router.headers import RawHeaders
    from router.metrics import Metrics
    from router.names import Names
    from router.upstream import Upstream
    from router.values import Decision, Endpoint, Replica, View
    from router.wire import Buffer

log = logging.getLogger("duet.router")
OVERLOADED = 503


@dataclass(slots=True)
class Journey:
    """One request on its way: what came in, what was decided so far, what happened."""

    scope: Scope
    client: Client
    endpoint: Endpoint
    request_id: bytes
    marks: Marks = field(default_factory=Marks)
    view: View | None = None
    decision: Decision | None = None
    prefers: str | None = None  # the replica that knows the request already
    replica: str | None = None
    error: RequestError | None = None

    @property
    def pool(self) -> str:
        return self.decision.pool if self.decision else "none"

    def headers(self) -> RawHeaders:
        """What the router says of the request, to the client."""
        said = [(b"x-request-id", self.request_id)]
        if self.decision:
            said += [(b"x-duet-pool", self.decision.pool.encode()), (b"x-duet-reason", self.decision.reason.encode())]
        if self.replica:
            said.append((b"x-duet-replica", self.replica.encode("latin-1")))
        return said

    def fail(self, error: RequestError) -> None:
        """Tells the client: an answer while none has begun, else the event that ends the stream."""
        self.error = error
        if self.marks.status is None:
            answer_error(self.client, error, self.endpoint, self.headers())
        else:
            self.client.write(error_event(error, self.endpoint))
            self.client.finish()

    def outlet(self) -> Outlet:
        thinks = (self.pool, self.endpoint) == ("thinking", "chat_completions")
        edit = sse.with_reasoning_content if thinks else None
        return Outlet(self.client, self.endpoint, self.headers(), edit, self.marks)

    def target(self) -> str:
        query = self.scope["query_string"].decode("latin-1")
        return f"{self.scope['path']}?{query}" if query else str(self.scope["path"])


class Proxy:
    """The ASGI application behind every path of `values.PATHS`."""

    def __init__(self, config: RouterSection, fleet: Fleet, names: Names, upstream: Upstream, metrics: Metrics) -> None:
        self._config, self._fleet, self._names = config, fleet, names
        self._upstream, self._metrics = upstream, metrics
        self._policy = policy_of(config.routing)
        self._adviser = Adviser(fleet, upstream, config.routing.ask_timeout_s)
        self._turn = itertools.count()
        self._loop = asyncio.get_running_loop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client: Client = scope.get(LINE) or AsgiClient(scope, receive, send)
        identity = request_id(scope["headers"]) or b"%032x" % random.getrandbits(128)
        journey = Journey(scope, client, PATHS[scope["path"]], identity)
        try:
            await self._pass(journey)
        except ClientGone as error:
            journey.error = error
            await client.abandon()
        except RequestError as error:
            journey.fail(error)
        except asyncio.CancelledError:
            journey.fail(Stopping("The router is stopping, and this request took longer than router.drain_s"))
        except Exception:  # the boundary for our own mistakes: the client gets its error, the log its details
            log.exception("%s", identity.decode())
            journey.fail(InternalError("The router failed; its log has the details"))
        finally:
            self._account(journey)
            journey.error = journey.marks.failure = None  # their tracebacks lead back here, and to the body
        await client.flush()

    async def _pass(self, journey: Journey) -> None:
        body = await journey.client.body(self._config.max_body_bytes, self._config.client_timeout_s)
        journey.marks = Marks()
        await journey.client.while_present(self._serve(journey, body))

    async def _serve(self, journey: Journey, body: bytes | bytearray) -> None:
        journey.view = view = read_view(journey.endpoint, body)
        decision = decide(view, journey.scope["headers"], self._names, self._policy)
        if decision.in_doubt and self._policy.doubt == "ask" and journey.endpoint == "chat_completions":
            decision, journey.prefers = await self._adviser.advise(decision, body)
        journey.decision = decision  # not before: who leaves while an engine is asked was in no pool
        self._count(decision, view)
        await self._try_replicas(journey, decision, view, body)

    def _count(self, decision: Decision, view: View) -> None:
        self._metrics.decisions(decision.pool, decision.reason, decision.stage).inc()
        self._metrics.images(decision.pool).inc(view.images)
        if decision.stage != "client":
            self._metrics.score(decision.pool).observe(decision.score)

    async def _try_replicas(self, journey: Journey, decision: Decision, view: View, body: bytes | bytearray) -> None:
        """One attempt at a time, until a replica answers or none is left. A failure raised here left nothing with the client."""
        failure: RequestError = PoolUnavailable(f"No replica of the {decision.pool} pool is ready")
        tried: set[str] = set()
        resent = False
        broken = 0  # engines that broke off over this request: it may be what breaks them, so a second one is the last
        while replica := pick(self._fleet.snapshot(decision.pool), tried, next(self._turn), journey.prefers):
            tried.add(replica.url)
            try:
                # Where one idle connection had been closed the others may have been too.
                return await self._attempt(journey, replica, view, body, fresh=isinstance(failure, Stale))
            except Stale as error:
                broken += 1
                if broken > 1:
                    raise
                failure = error
                tried.discard(replica.url)
            except (UpstreamFailed, EngineRefused) as error:
                self._note_failure(journey, replica, error)
                broken += type(error) is UpstreamFailed
                if _is_worth_the_same_again(error) and not resent:
                    resent = True
                    tried.discard(replica.url)
                elif not _another_may_help(error) or broken > 1:
                    raise
                failure = error
        try:
            raise failure
        finally:
            del failure  # its traceback holds this frame, and so the body

    async def _attempt(self, journey: Journey, replica: Replica, view: View, body: bytes | bytearray, *, fresh: bool) -> None:
        journey.replica = replica.url
        buffers = _for_replica(body, view, replica)
        length = (b"content-length", str(sum(map(len, buffers))).encode())
        headers = [*upstream_headers(journey.scope["headers"], journey.request_id), length]
        relay = Relay(journey.outlet(), self._loop)
        pieces = [head("POST", replica.url, journey.target(), headers), *buffers]
        with self._fleet.lease(replica):
            connection = await self._upstream.connection(replica.url, fresh=fresh)
            connection.send(pieces, relay)
            try:
                await relay.run(connection)
            finally:
                connection.release(relay)

    def _note_failure(self, journey: Journey, replica: Replica, error: UpstreamFailed | EngineRefused) -> None:
        if error.status >= 500:
            self._metrics.failures(replica.pool, replica.url, error.kind).inc()
            log.warning("%s: %s: %s", journey.request_id.decode(), replica.url, error.message)
        if isinstance(error, Unreachable):
            self._fleet.mark_down(replica)

    def _account(self, journey: Journey) -> None:
        marks, metrics = journey.marks, self._metrics
        status = marks.status or (journey.error.status if journey.error else 500)
        if isinstance(journey.error, ClientGone):
            status = journey.error.status
        metrics.requests(journey.pool, journey.endpoint, str(status)).inc()
        if isinstance(journey.error, ClientGone):
            metrics.disconnects(journey.pool, _phase(journey)).inc()
        if marks.failure and journey.replica:
            metrics.failures(journey.pool, journey.replica, "mid_stream").inc()
            log.warning("%s: %s: %s", journey.request_id.decode(), journey.replica, marks.failure.message)
        if self._config.access_log:
            log.info(
                "%s %s %d pool=%s reason=%s replica=%s ms=%.1f",
                journey.request_id.decode(),
                journey.scope["path"],
                status,
                journey.pool,
                journey.decision.reason if journey.decision else "none",
                journey.replica or "none",
                (time.perf_counter() - marks.begun) * 1000,
            )
        for histogram, at in (
            (metrics.first_byte, marks.first_byte),
            (metrics.first_reasoning, marks.first_reasoning),
            (metrics.first_answer, marks.first_answer),
        ):
            if at is not None:
                histogram(journey.pool).observe(at - marks.begun)
        if marks.status is not None:
            metrics.duration(journey.pool, journey.endpoint).observe(time.perf_counter() - marks.begun)


def _another_may_help(error: UpstreamFailed | EngineRefused) -> bool:
    """Not after a long silence (the time is spent), nor after a refusal that the request itself earned."""
    return error.status == OVERLOADED if isinstance(error, EngineRefused) else not isinstance(error, Silent)


def _is_worth_the_same_again(error: UpstreamFailed | EngineRefused) -> bool:
    """What vLLM says when its front end takes pictures for known that its core never got, after a request that was too long.

    Its log calls that a retryable response; said once, it knows better (vllm: v1/engine/core.py, multi-modal cache miss).
    """
    return isinstance(error, EngineRefused) and error.status == 500 and error.message.startswith("Internal server error")


def _for_replica(body: bytes | bytearray, view: View, replica: Replica) -> tuple[Buffer, ...]:
    """The client's own bytes, but for the model's name where this replica does not know it."""
    ids = replica.served.ids if replica.served else ()
    return with_model(body, ids[0]) if view.model is not None and ids and view.model not in ids else (body,)


def _phase(journey: Journey) -> str:
    if journey.view is None:
        return "upload"
    if journey.decision is None:
        return "decision"
    if journey.marks.first_byte is not None:
        return "mid_stream"
    return "before_first_event" if journey.view.stream else "unary"
