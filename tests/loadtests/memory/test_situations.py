"""What people report of small cards, against a server with a context and a limit on pictures: conversations grow, documents are cut."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from loadtests.memory.situations import PAGES, SITUATIONS, TURNS, ask
from tests.loadtests.memory.counter import Counter
from tests.processes import free_port

CONTEXT, IMAGES = 32_768, 16
SCREEN_TOKENS, PAGE_TOKENS = 2_040, 690


class Server(Counter):
    """Counts words as tokens, and refuses what does not fit."""

    def __init__(self, picture_tokens: int) -> None:
        super().__init__()
        self.picture_tokens = picture_tokens

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        parts = [part for message in body["messages"] for part in as_parts(message["content"])]
        pictures = sum(part["type"] == "image_url" for part in parts)
        total = pictures * self.picture_tokens + sum(len(part.get("text", "").split()) for part in parts) + body["max_tokens"]
        if pictures > IMAGES or total > CONTEXT:
            return web.json_response({"error": {"message": "too much"}}, status=400)
        return web.json_response({"usage": {"total_tokens": total}})


def as_parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


async def asked(server: Server, *names: str) -> None:
    app = web.Application(client_max_size=1 << 28)
    app.add_routes([web.get("/v1/models", server.models), web.post("/tokenize", server.tokenize)])
    app.add_routes([web.post("/v1/chat/completions", server.chat)])
    runner, port = web.AppRunner(app, shutdown_timeout=0), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        await ask(argparse.Namespace(instruct=port, thinking=port, context=CONTEXT, images=IMAGES, names=",".join(names)))
    finally:
        await runner.cleanup()


def test_ten_turns_fill_the_context_and_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(SCREEN_TOKENS)
    asyncio.run(asked(server, "picture", "turns", "turns_thinking", "turns_fp8"))
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [told[name]["requests"] for name in told] == [1, TURNS, TURNS, TURNS]
    assert not any(told[name]["refusal"] for name in told)
    assert 7_000 < told["picture"]["longest_tokens"] <= 8_192
    assert all(0.85 * CONTEXT < told[name]["longest_tokens"] <= CONTEXT for name in ("turns", "turns_thinking", "turns_fp8"))


def test_a_document_that_is_refused_goes_in_parts_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(PAGE_TOKENS)
    asyncio.run(asked(server, "document"))
    lines = capsys.readouterr().out.splitlines()
    document = json.loads(lines[-1])["document"]
    assert lines[0] == "phase document"
    assert document["refusal"] == '{"error": {"message": "too much"}}'
    assert (document["parts"], document["pages_in_a_part"]) == (-(-PAGES // IMAGES), IMAGES)
    assert document["statuses"] == {"400": 1, "200": document["parts"]}
    assert set(SITUATIONS) == {"picture", "turns", "turns_thinking", "turns_fp8", "document"}
