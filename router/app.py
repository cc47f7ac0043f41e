"""The router as a FastAPI application: routes, life span, and the one boundary where errors become answers."""

from __future__ import annotations

import asyncio
import gc
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from router import metrics as exposition
from router.asgi import AsgiClient
from router.decide import decide, policy_of
from router.dialect import error_body
from router.errors import InternalError, MethodNotAllowed, RequestError, UnknownPath
from router.fleet import Fleet
from router.headers import request_id
from router.line import LINE
from router.metrics import Metrics
from router.names import Names
from router.proxy import Proxy
from router.scorer import weights
from router.upstream import Upstream
from router.values import PATHS, POOLS
from router.view import read_view
from router.watch import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from router.config import RouterConfig, RouterSection


LAST_WORDS_S = 0.2


def build(config: RouterConfig) -> ASGIApp:
    """The application for `config`. It connects to nothing until its life span begins."""
    fleet = Fleet()
    metrics = Metrics(fleet)
    names = Names(config, fleet, created=int(time.time()))

    front = Front()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with Upstream(config.router) as upstream:
            watch = Watch(config, fleet, upstream, on_round=metrics.refresh)
            await watch.first_look()
            watching = asyncio.create_task(watch.run())
            front.proxy = Proxy(config.router, fleet, names, upstream, metrics)
            weights()  # the first decision need not wait for them, and the collector need not look at them
            _spare_the_collector()
            yield
            await asyncio.sleep(
                LAST_WORDS_S
            )  # requests cut off by the end of the drain are told so; the loop must live to send it
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    app = FastAPI(openapi_url=None, redirect_slashes=False, lifespan=lifespan)
    app.add_middleware(RequestIds)
    app.add_exception_handler(RequestError, _answer_request_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Exception, _answer_bug)
    _add_pages(app, fleet, names, metrics)
    _add_route(app, config.router, names)
    front.pages = app
    return front


def _spare_the_collector() -> None:
    """What is loaded by now stays, and a stream makes no cycles: by default the collector would look at all of it between tokens."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


class Front:
    """The proxied paths go straight to the proxy, past the framework's layers; everything else is FastAPI's."""

    pages: ASGIApp
    proxy: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        proxied = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in PATHS
        try:
            await (self.proxy if proxied else self.pages)(scope, receive, send)
        finally:
            scope.pop(LINE, None)  # it leads back to the scope: left in, the body would stay until the collector comes by


def _add_pages(app: FastAPI, fleet: Fleet, names: Names, metrics: Metrics) -> None:
    @app.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    @app.api_route("/ready", methods=["GET", "HEAD"])
    async def ready() -> JSONResponse:
        pools = {pool: [replica.ready for replica in fleet.snapshot(pool)] for pool in POOLS}
        everywhere = all(any(states) for states in pools.values())
        counts = {pool: {"ready": sum(states), "replicas": len(states)} for pool, states in pools.items()}
        return JSONResponse({"ready": everywhere, "pools": counts}, 200 if everywhere else 503)

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(metrics.render(), media_type=exposition.CONTENT_TYPE)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": names.cards()}

    @app.get("/v1/models/{model:path}")
    async def model(model: str) -> dict[str, Any]:
        return names.card(model)

    for path in PATHS:
        app.add_route(path, _post_only, methods=["POST"])


async def _unheard(_: Message) -> None:
    """Where the framework answers, and only the body is read by ourselves."""


def _add_route(app: FastAPI, config: RouterSection, names: Names) -> None:
    policy = policy_of(config.routing)

    @app.post("/v1/route")
    async def route(request: Request) -> dict[str, Any]:
        """The decision on a chat body, which goes to no engine."""
        client = AsgiClient(request.scope, request.receive, _unheard)
        body = await client.body(config.max_body_bytes, config.client_timeout_s)
        view = read_view("chat_completions", body)
        return asdict(decide(view, request.headers.raw, names, policy)) | {"threshold": policy.threshold}


class RequestIds:
    """Gives every request an id, the client's own where it sent a fit one, and every answer that id as `x-request-id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        identity = request_id(scope["headers"]) or uuid.uuid4().hex.encode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", identity)]
            await send(message)

        return await self._app(scope, receive, send_with_id)


async def _post_only(request: Request) -> Response:
    """Never reached: `Front` takes every POST. With this route another method is a 405 and not a 404."""
    raise InternalError(f"{request.url.path} did not reach the proxy")


async def _answer_request_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101 the handler is registered for this class
    return Response(error_body(error, None), error.status, media_type="application/json")


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: a path or a method that is not on the list."""
    asked = f"{request.method} {request.url.path}"
    wrong_method = isinstance(error, HTTPException) and error.status_code == 405
    ours = MethodNotAllowed(f"Method not allowed: {asked}") if wrong_method else UnknownPath(f"Unknown request URL: {asked}")
    response = await _answer_request_error(request, ours)
    response.headers.update(getattr(error, "headers", None) or {})
    return response


async def _answer_bug(request: Request, _: Exception) -> Response:
    """Starlette logs the traceback after this."""
    return await _answer_request_error(request, InternalError("The router failed; its log has the details"))
