"""Locust, as `make load` starts it: against the real stack, and against streams whose token times are known."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from tests.conftest import Stack

ROOT = Path(__file__).parents[2]
FIRST_TOKEN_S, GAP_S, THOUGHTS, WORDS = 0.3, 0.05, 4, 8


def locust(host: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run locust as `make load` does, for 5 s unless the options say otherwise."""
    command = [
        sys.executable,
        "-m",
        "locust",
        "--config",
        "loadtests/locust.conf",
        "--host",
        host,
        "--run-time",
        "5s",
        *options,
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def rows_of(host: str, folder: Path, *options: str) -> dict[str, dict[str, Any]]:
    """The rows of a run without failures, by name; times in ms."""
    done = locust(host, "--json-file", str(folder / "rows"), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return {row["name"]: row for row in json.loads((folder / "rows.json").read_text())}


def test_the_real_stack_answers_every_user(stack: Stack, tmp_path: Path) -> None:
    rows = rows_of(stack.url, tmp_path, "--max-tokens", "16", "--thinking-share", "0.5")
    requests = [row for name, row in rows.items() if name.startswith("chat ")]
    assert sum(row["num_requests"] for row in requests) > 0
    assert sum(row["num_failures"] for row in requests) == 0
    pools = [name.split(":")[0] for name in rows if name.endswith("time to first token")]
    assert set(pools) <= {"instruct", "thinking"}
    assert pools
    for pool in pools:
        first, gap = rows[f"{pool}: time to first token"], rows[f"{pool}: inter-token time"]
        assert 0 < first["min_response_time"] <= first["max_response_time"] < 60_000
        assert 0 < gap["num_requests"] <= 15 * first["num_requests"]


def test_rows_show_the_times_that_the_server_kept(scripted: str, tmp_path: Path) -> None:
    rows = rows_of(scripted, tmp_path, "--thinking-share", "1", "--auto-share", "0")
    expected_ms = {
        "thinking: time to first token": FIRST_TOKEN_S * 1000,
        "thinking: time to first answer token": (FIRST_TOKEN_S + THOUGHTS * GAP_S) * 1000,
        "thinking: inter-token time": GAP_S * 1000,
        "chat thinking": (FIRST_TOKEN_S + (THOUGHTS + WORDS) * GAP_S) * 1000,
    }
    shown_ms = {name: rows[name]["total_response_time"] / rows[name]["num_requests"] for name in expected_ms}
    for name, expected in expected_ms.items():
        assert 0.9 * expected < shown_ms[name] < 2 * expected, name  # a busy machine is late, never early
    assert rows["thinking: inter-token time"]["num_requests"] == rows["chat thinking"]["num_requests"] * (THOUGHTS + WORDS - 1)


@pytest.mark.parametrize(
    ("model", "message"),
    [("cut", "the stream ended without [DONE]"), ("dies", "error event: 500: engine died"), ("full", "HTTP 503: ")],
)
def test_a_bad_answer_fails_the_run(scripted: str, model: str, message: str) -> None:
    done = locust(scripted, "--instruct-model", model, "--thinking-share", "0", "--auto-share", "0", "--run-time", "2s")
    assert done.returncode == 1
    assert re.search(r"^POST +chat instruct .*\(100\.00%\)", done.stderr, re.MULTILINE), done.stderr
    assert f"POST chat instruct: {message}" in done.stderr


def test_another_host_is_refused_by_name() -> None:
    done = locust("http://198.51.100.7:8000")
    assert done.returncode == 2
    assert "http://198.51.100.7:8000 is not this machine" in done.stderr


def test_a_wrong_share_is_refused_by_name() -> None:
    done = locust("http://127.0.0.1:9", "--repeat-share", "7")
    assert done.returncode == 2
    assert "repeat_share is 7.0" in done.stderr


def event(**body: object) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


async def answer(model: str) -> AsyncIterator[bytes]:
    yield event(choices=[{"delta": {"role": "assistant", "content": ""}}])
    await asyncio.sleep(FIRST_TOKEN_S)
    for number in range(THOUGHTS + WORDS):
        yield event(choices=[{"delta": {"reasoning" if number < THOUGHTS else "content": "word "}}])
        await asyncio.sleep(GAP_S)
    if model == "dies":
        yield event(error={"message": "engine died", "code": 500})
    if model != "cut":
        yield b"data: [DONE]\n\n"


async def chat(request: Request) -> Response:
    model = json.loads(await request.body())["model"]
    if model == "full":
        return JSONResponse({"error": {"message": "no room"}}, status_code=503)
    return StreamingResponse(answer(model), media_type="text/event-stream")


@pytest.fixture
def scripted() -> Iterator[str]:
    """A server whose streams keep known times; the model's name picks the fault."""
    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
