"""Pictures, clients and counters for tests on the real stack."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from PIL import Image, ImageDraw

from tests.processes import wait_for
from tests.router.conftest import metric

if TYPE_CHECKING:
    from tests.conftest import Stack


def picture(text: str, size: tuple[int, int] = (512, 512)) -> str:
    """A PNG with `text` on it, as a data URL. The embedded models make 400 tokens of it, three KV blocks of the CPU engine."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((20, 20), text, fill="black", font_size=40)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def turn(text: str, *images: str) -> list[Any]:
    parts = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture
def counted(stack: Stack) -> Callable[..., float]:
    """The growth since the last look of a counter of `engine`, by name: counters of one run are shared by all tests."""
    last: dict[tuple[str, str], float] = {}

    def growth(pool: str, name: str) -> float:
        now = metric(stack.engines[pool], f"vllm:{name}")
        before = last.get((pool, name), now)
        last[pool, name] = now
        return now - before

    return growth


@pytest.fixture
def idle(stack: Stack) -> Callable[[], None]:
    """Waits until no engine has a request left."""

    def nothing_left() -> bool:
        gauges = ("vllm:num_requests_running", "vllm:num_requests_waiting")
        return sum(metric(url, gauge) for url in stack.engines.values() for gauge in gauges) == 0

    return lambda: wait_for("the engines to be idle", nothing_left, 10)


def events(response: httpx.Response) -> list[str]:
    return [event for event in response.text.split("\n\n") if event]


def cache_config(engine: str) -> dict[str, str]:
    """The labels of `vllm:cache_config_info`."""
    line = re.search(r"^vllm:cache_config_info\{(.*)\}", httpx.get(f"{engine}/metrics").text, re.MULTILINE)
    assert line is not None
    return dict(re.findall(r'(\w+)="([^"]*)"', line[1]))
