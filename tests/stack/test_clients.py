"""Stock clients read pictures through the running stack: the OpenAI SDKs of Python and JavaScript, raw HTTP, the other APIs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from serve import greeting
from tests.stack.conftest import events, picture, turn

if TYPE_CHECKING:
    import openai

    from tests.conftest import Stack

READ, PROVE = "Read the text in this picture.", "Prove step by step that the sum is right."
CASES = [
    ("qwen3-vl-instruct", READ, "instruct", "model"),
    ("duet/embedded-thinking", READ, "thinking", "model"),
    ("auto", READ, "instruct", "transcribe"),
    ("qwen3-vl", PROVE, "thinking", "step_by_step"),
]


@pytest.mark.parametrize(("model", "ask", "pool", "reason"), CASES)
def test_a_picture_is_answered_whole_and_streamed_alike(
    client: openai.OpenAI, model: str, ask: str, pool: str, reason: str
) -> None:
    request: dict[str, Any] = {
        "model": model,
        "messages": turn(ask, picture("Total 12.50")),
        "max_tokens": 400,
        "temperature": 0,
    }
    raw = client.chat.completions.with_raw_response.create(**request)
    assert (raw.headers["x-duet-pool"], raw.headers["x-duet-reason"]) == (pool, reason)
    whole = raw.parse()
    assert whole.model == f"duet/embedded-{pool}"
    assert whole.usage is not None
    assert whole.usage.prompt_tokens > 256, "the picture's own tokens are in the prompt"
    message = whole.choices[0].message
    if ask == READ:
        assert ((message.content or "").strip(), whole.choices[0].finish_reason) == ("Total 12.50", "stop")
    chunks = list(client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    for field in ("content", "reasoning_content"):
        assert "".join(getattr(delta, field, None) or "" for delta in deltas) == (getattr(message, field, None) or "")
    assert bool(getattr(message, "reasoning_content", None)) == (pool == "thinking")
    assert len(deltas) > len("Total 12.50"), "token by token"
    assert chunks[-1].usage == whole.usage or chunks[-1].usage is not None


def test_the_greeting_s_own_words_read_a_picture(stack: Stack) -> None:
    done = subprocess.run(greeting.python(stack.url), shell=True, capture_output=True, text=True, timeout=100, check=False)
    assert "content='Total 12.50'" in done.stdout, done.stderr


def test_thinking_answers_carry_both_reasoning_fields_and_an_answer_after_them(client: openai.OpenAI) -> None:
    budget = {"thinking_token_budget": 4}
    request: dict[str, Any] = {
        "model": "qwen3-vl-thinking",
        "messages": turn("Why?"),
        "max_tokens": 16,
        "temperature": 0,
        "extra_body": budget,
    }
    message = client.chat.completions.create(**request).choices[0].message
    extra = message.model_extra or {}
    assert extra["reasoning"]
    assert extra["reasoning"] == extra["reasoning_content"]
    assert message.content
    deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(**request, stream=True)]
    streamed = {
        name: "".join((delta.model_extra or {}).get(name) or "" for delta in deltas)
        for name in ("reasoning", "reasoning_content")
    }
    assert streamed == {name: extra[name] for name in streamed}
    assert "".join(delta.content or "" for delta in deltas) == message.content


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_past_thoughts_are_accepted_under_either_name(client: openai.OpenAI, field: str) -> None:
    past: list[Any] = [*turn("1+1?"), {"role": "assistant", "content": "2", field: "one and one"}, *turn("And 2+2?")]
    answer = client.chat.completions.create(model="qwen3-vl-thinking", messages=past, max_tokens=4)
    assert answer.choices[0].finish_reason == "length"


def test_the_raw_stream_is_what_the_engine_sends(stack: Stack) -> None:
    ask = {"model": "auto", "messages": turn(READ, picture("Gate 7")), "max_tokens": 6, "temperature": 0, "stream": True}
    said = []
    for url in (stack.url, stack.engines["instruct"]):
        *chunks, done = events(httpx.post(f"{url}/v1/chat/completions", json=ask, timeout=60))
        choices = [json.loads(chunk.removeprefix("data: "))["choices"][0] for chunk in chunks]
        assert done == "data: [DONE]"
        said.append(("".join(choice["delta"].get("content", "") for choice in choices), choices[-1]["finish_reason"]))
    assert said[0] == said[1]


def test_javascript_reads_the_same_stream(stack: Stack, cache_dir: Path) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        assert "TESTS_REQUIRE_ALL" not in os.environ, "node and npm are required here"
        pytest.skip("node and npm are not on PATH")
    folder = cache_dir / "javascript"
    folder.mkdir(exist_ok=True)
    if not (folder / "node_modules" / "openai").is_dir():
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "openai@6"], cwd=folder, check=True, timeout=200
        )
    shutil.copy(Path(__file__).parent / "client.mjs", folder)
    argv = ["node", "client.mjs", f"{stack.url}/v1", picture("Gate 7")]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["instruct"]["content"] == "Gate 7"
    assert said["thinking"]["reasoning_content"]
    assert said["unknown"] == {"status": 404, "code": "model_not_found"}


def test_the_other_apis_reach_the_right_pool(stack: Stack) -> None:
    asks = {
        "/v1/completions": {"prompt": "Read the text", "max_tokens": 4},
        "/v1/responses": {
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_text", "text": READ}, {"type": "input_image", "image_url": picture("A")}],
                }
            ],
            "max_output_tokens": 4,
        },
        "/v1/messages": {"messages": [{"role": "user", "content": READ}], "max_tokens": 4},
    }
    for path, ask in asks.items():
        answer = httpx.post(f"{stack.url}{path}", json={"model": "auto"} | ask, timeout=60)
        assert (answer.status_code, answer.headers["x-duet-pool"]) == (200, "instruct"), answer.text
        streamed = httpx.post(f"{stack.url}{path}", json={"model": "qwen3-vl-thinking", "stream": True} | ask, timeout=60)
        assert streamed.headers["x-duet-pool"] == "thinking"
        assert "error" not in events(streamed)[-1], "each API says in its own way that a stream is over"


def test_streams_run_side_by_side_and_each_reads_its_own_picture(client: openai.OpenAI) -> None:
    def run(number: int) -> str:
        model = ("qwen3-vl-instruct", "qwen3-vl-thinking")[number % 2]
        ask = turn(READ, picture(f"Gate {number}"))
        stream = client.chat.completions.create(model=model, messages=ask, max_tokens=400, temperature=0, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices).strip()

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(run, range(16))) == [f"Gate {number}" for number in range(16)]
