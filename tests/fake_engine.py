"""A scripted engine on a true port, for faults that a real one cannot be made to show. Not used where a real engine will do.

    python tests/fake_engine.py PORT [MODEL ...]

It answers as vLLM does, and tells in its answer what reached it. The request header `x-fake` names a fault, `FAULT@MODEL` one
that only the engine of that model shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

MODELS = sys.argv[2:] or ["fake/model"]
JSON, SSE = b"application/json", b"text/event-stream; charset=utf-8"
METRICS = b'vllm:cache_config_info{block_size="16",kv_cache_size_tokens="4096"} 1.0\n'
aborted = 0


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODELS[0], "choices": [choice]}
    return b"data: " + json.dumps(chunk, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


EVENTS = [
    event({"role": "assistant", "content": ""}),
    event({"reasoning": '先想 "一" 下\\ \n'}),
    event({"reasoning": "second"}),
    event({"content": "answer"}),
    event({}, "stop"),
    b"data: [DONE]\n\n",
]
REFUSAL = {
    "error": {"message": "Too many requests are waiting.", "type": "ServiceUnavailableError", "param": None, "code": 503}
}


DEAD = {"error": {"message": "EngineCore encountered an issue.", "type": "InternalServerError", "param": None, "code": 500}}


async def stream(fault: str) -> AsyncIterator[bytes]:
    if fault == "error-first":
        yield b"data: " + json.dumps(REFUSAL).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"
        return
    for number, piece in enumerate(EVENTS):
        if number == 3 and fault == "die-mid-stream":
            yield piece[: len(piece) // 2]
            await asyncio.sleep(0.1)  # the half event leaves first
            os._exit(1)
        if number == 4 and fault == "silent-end":
            return
        if number == 3 and fault == "error-later":
            yield b"data: " + json.dumps(DEAD).encode() + b"\n\n"
            yield b"data: [DONE]\n\n"
            return
        if number == 2 and fault == "stall":
            await asyncio.sleep(60)
        if fault == "slow":
            await asyncio.sleep(0.2)
        yield piece


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    pages = {
        "/health": b"",
        "/metrics": METRICS,
        "/v1/models": json.dumps(
            {"object": "list", "data": [{"id": model, "max_model_len": 4096} for model in MODELS]}
        ).encode(),
        "/fake/aborted": str(aborted).encode(),
    }
    if scope["path"] in pages:
        await reply(send, 200, JSON, pages[scope["path"]])
        return
    body = b""
    while (message := await receive()).get("more_body") or message.get("body"):
        body += message["body"]
        if not message.get("more_body"):
            break
    await serve(scope, body, receive, send)


async def serve(scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    fault, _, culprit = headers.get("x-fake", "").partition("@")
    if culprit and culprit != MODELS[0]:
        fault = ""
    if fault == "die":
        os._exit(1)
    if fault == "overloaded":
        await reply(send, 503, JSON, json.dumps(REFUSAL).encode())
    elif fault == "dead":
        await reply(send, 500, JSON, json.dumps(DEAD).encode())
    elif fault == "never":
        await never(receive)
    elif json.loads(body).get("stream"):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", SSE), (b"x-engine", b"fake")]})
        async for piece in stream(fault):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        seen = {"headers": headers, "query": scope["query_string"].decode(), "sha256": hashlib.sha256(body).hexdigest()}
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "model": json.loads(body).get("model"), "seen": seen}
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "answer", "reasoning": "because"},
            "finish_reason": "stop",
        }
        await reply(send, 200, JSON, json.dumps(answer | {"choices": [choice]}).encode())


async def never(receive: Receive) -> None:
    global aborted  # noqa: PLW0603
    while (await receive())["type"] != "http.disconnect":
        pass
    aborted += 1


async def reply(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"keep-alive", b"timeout=5")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", ws="none", timeout_graceful_shutdown=1)
