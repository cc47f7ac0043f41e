"""What every pretended engine of these tests does alike: it says its name, and counts words as tokens."""

from __future__ import annotations

from typing import Any

from aiohttp import web


class Counter:
    """`bodies` collects what was asked of it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "tiny"}]})

    async def tokenize(self, request: web.Request) -> web.Response:
        return web.json_response({"count": len((await request.json())["prompt"].split())})
