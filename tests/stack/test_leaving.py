"""A client that leaves aborts the engine's work: mid-stream, before the first token, and while a whole answer is being made."""

from __future__ import annotations

import base64
import io
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from tests.router.conftest import metric
from tests.stack.conftest import turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Stack

TOKENS = {"mid_stream": 6000, "before_first_event": 1000, "unary": 6000}
"""What is asked for: far more than the engine makes before it notices (the context has room for less after four pictures)."""


def noise() -> str:
    """A picture of 1,024 tokens that no cache has seen."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (1024, 1024), os.urandom(3 << 20)).save(buffer, "PNG", compress_level=0)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def leave(stack: Stack, phase: str) -> None:
    """Asks for a long answer and is gone: after five events, or before the first, or while the engine still collects a whole one."""
    pictures = [noise() for _ in range(4)] if phase == "before_first_event" else []
    ask: dict[str, Any] = {
        "model": "qwen3-vl-instruct",
        "messages": turn("Go on.", *pictures),
        "max_tokens": TOKENS[phase],
        "ignore_eos": True,
    }
    patience = httpx.Timeout(60, read=60 if phase == "mid_stream" else 0.2)
    with httpx.stream(
        "POST", f"{stack.url}/v1/chat/completions", json=ask | {"stream": phase != "unary"}, timeout=patience
    ) as response:
        for number, _ in enumerate(response.iter_text()):
            if number == 5:
                return
    raise AssertionError(f"the answer came before the client could leave {phase}")


@pytest.mark.parametrize("phase", ["mid_stream", "before_first_event", "unary"])
def test_leaving_frees_the_engine(stack: Stack, phase: str, idle: Callable[[], None], counted: Callable[..., float]) -> None:
    idle()
    counted("instruct", "generation_tokens_total")
    before = metric(stack.url, "duet_router_client_disconnects_total", phase=phase)
    with suppress(httpx.ReadTimeout):
        leave(stack, phase)
    time.sleep(1.5)  # had it not been aborted, the engine would be at work by now
    idle()
    assert counted("instruct", "generation_tokens_total") < TOKENS[phase] / 4
    assert metric(stack.url, "duet_router_client_disconnects_total", phase=phase) == before + 1
    assert metric(stack.url, "duet_router_requests_in_flight") == 0
