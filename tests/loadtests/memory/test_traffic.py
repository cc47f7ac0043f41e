"""The worst-case traffic against a server that answers, refuses and hangs: everything that was sent is counted once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from loadtests.memory.cases import Traffic
from loadtests.memory.traffic import prepare, send
from tests.loadtests.memory.counter import Counter
from tests.processes import free_port

TRAFFIC = Traffic(seqs=4, pixels=65_536, video_pixels=524_288, images_per_request=3, context=1024, seconds=1.0)

ANSWER = {"usage": {"total_tokens": 7}}


class Server(Counter):
    """Answers a text, refuses a video, and never answers a request for probabilities."""

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        if body.get("logprobs"):
            await asyncio.sleep(60)
        kinds = {part["type"] for part in body["messages"][0]["content"]}
        return web.json_response({"error": "no video"}, status=400) if "video_url" in kinds else web.json_response(ANSWER)


async def sent(server: Server) -> dict[str, dict[str, Any]]:
    app = web.Application(client_max_size=1 << 26)
    app.add_routes([web.get("/v1/models", server.models), web.post("/tokenize", server.tokenize)])
    app.add_routes([web.post("/v1/chat/completions", server.chat)])
    runner, port = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        return await send(TRAFFIC, prepare(TRAFFIC), port)
    finally:
        await runner.cleanup()


def test_answers_refusals_and_what_was_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server()
    tallies = asyncio.run(sent(server))
    assert capsys.readouterr().out.split() == [word for phase in TRAFFIC.phases for word in ("phase", phase)]
    assert {name: (tally["statuses"], tally["cut"]) for name, tally in tallies.items()} == {
        "pictures": ({"200": 6}, 0),
        "many": ({"200": 1}, 0),
        "video": ({"400": 1}, 0),
        "logprobs": ({}, 4),
        "prompt_logprobs": ({"200": 1}, 0),
    }
    assert "no video" in tallies["video"]["error"]
    assert [tally["longest_tokens"] for tally in tallies.values()] == [7, 7, 0, 0, 7]


def test_pictures_overfill_the_batch_and_the_first_text_fills_the_context() -> None:
    server = Server()
    asyncio.run(sent(server))
    pictures = [body["messages"][0]["content"] for body in server.bodies[:6]]
    assert len({parts[0]["image_url"]["url"] for parts in pictures}) == 6
    longest = max(len(parts[1]["text"].split()) for parts in pictures)
    picture, answer, template = 64, 48, 96
    assert 0.9 * (1024 - picture - answer - template) < longest <= 1024 - picture - answer - template
