"""A request in doubt is put to the Instruct engine itself: one token, constrained, on the request's own prefix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import Stack
from tests.processes import answers, free_port, python, running, wait_for
from tests.router.conftest import metric
from tests.stack.conftest import picture, turn


@contextmanager
def asking(stack: Stack, folder: Path, timeout_s: float) -> Iterator[str]:
    """A second router before the same engines, to which everything is in doubt."""
    port = free_port()
    routing = {"doubt": "ask", "doubt_band": 0.5, "ask_timeout_s": timeout_s}
    pools = {pool: {"replicas": [url]} for pool, url in stack.engines.items()}
    file = folder / f"duet-{port}.yaml"
    file.write_text(json.dumps({"router": {"port": port, "routing": routing}, "pools": pools}))
    url = f"http://127.0.0.1:{port}"
    with running(python("-m", "router", "router", "--config", str(file)), folder / f"{port}.log"):
        wait_for("the router", lambda: answers(f"{url}/ready"))
        yield url


def test_the_engine_is_asked_and_then_answers_from_its_cache(stack: Stack, tmp_path: Path) -> None:
    with asking(stack, tmp_path, 30) as url:
        for number in range(4):
            body = {"messages": turn("What of it?", picture(f"doubt {number}")), "max_tokens": 2}
            answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=120)
            assert answer.status_code == 200
            assert answer.headers["x-duet-reason"] in {"ask_direct", "ask_steps"}
            if answer.headers["x-duet-pool"] != "instruct":  # what Instruct would have found in its cache
                answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers={"x-duet-pool": "instruct"}, timeout=120)
            cached = answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"]
            assert cached >= 128, "the picture's blocks were computed when the engine was asked"
        assert metric(url, "duet_router_decisions_total", stage="engine") == 4


def test_no_answer_in_time_is_an_answer_from_thinking(stack: Stack, tmp_path: Path) -> None:
    with asking(stack, tmp_path, 0.001) as url:
        answer = httpx.post(f"{url}/v1/chat/completions", json={"messages": turn("What of it?"), "max_tokens": 2}, timeout=120)
        assert (answer.headers["x-duet-pool"], answer.headers["x-duet-reason"]) == ("thinking", "ask_failed")


@pytest.mark.parametrize("stream", [True, False])
def test_the_answer_comes_whole_or_streamed_as_it_was_wanted(stack: Stack, tmp_path: Path, *, stream: bool) -> None:
    with asking(stack, tmp_path, 30) as url:
        body = {"messages": turn("Hm?"), "max_tokens": 3, "stream": stream, "ignore_eos": True}
        text = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=120).text
        assert ("data: [DONE]" in text) == stream
