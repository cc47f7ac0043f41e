"""What the engines were started for, proven by their own counters: FP8 KV, prefix cache, picture cache, chunked prefill."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import DUET, START_S
from tests.processes import answers, free_port, running, wait_for
from tests.router.conftest import metric
from tests.stack.conftest import picture, turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import openai

    from tests.conftest import Stack


def cache_config(engine: str) -> dict[str, str]:
    """The labels of `vllm:cache_config_info`."""
    line = re.search(r"^vllm:cache_config_info\{(.*)\}", httpx.get(f"{engine}/metrics").text, re.MULTILINE)
    assert line is not None
    return dict(re.findall(r'(\w+)="([^"]*)"', line[1]))


@pytest.fixture(scope="module")
def bf16_engine(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[str]:
    """The Instruct engine once more, with its KV cache in the model's own dtype."""
    folder = tmp_path_factory.mktemp("bf16")
    engine = f"http://127.0.0.1:{free_port()}"
    file = folder / "duet.yaml"
    pools = {"instruct": {"replicas": [engine], "engine": {"kv_cache_dtype": "auto"}}}
    file.write_text(json.dumps({"pools": pools, "serve": {"cache_dir": str(cache_dir)}}))
    with running([*DUET, "serve", "--pool", "instruct", "--config", str(file)], folder / "serve.log") as serve:
        wait_for("the engine", lambda: serve.poll() is not None or answers(f"{engine}/health"), START_S)
        yield engine


def test_fp8_holds_twice_the_tokens_of_bf16(stack: Stack, bf16_engine: str) -> None:
    half = cache_config(bf16_engine)
    for engine in stack.engines.values():
        fp8 = cache_config(engine)
        assert (fp8["cache_dtype"], half["cache_dtype"]) == ("fp8", "auto")
        assert fp8["kv_cache_memory_bytes"] == half["kv_cache_memory_bytes"]
        assert int(fp8["kv_cache_size_tokens"]) == 2 * int(half["kv_cache_size_tokens"])
        assert fp8["enable_prefix_caching"] == "True"


def test_the_router_exports_the_capacity_as_a_number(stack: Stack) -> None:
    for pool, engine in stack.engines.items():
        exported = metric(stack.url, "duet_router_replica_kv_cache_tokens", pool=pool, replica=engine)
        assert exported == int(cache_config(engine)["kv_cache_size_tokens"])


def test_a_repeated_picture_is_taken_from_both_caches(client: openai.OpenAI, counted: Callable[..., float]) -> None:
    names = ("prefix_cache_hits_total", "mm_cache_hits_total")
    ask: dict[str, Any] = {
        "model": "qwen3-vl-instruct",
        "max_tokens": 4,
        "temperature": 0,
        "messages": turn("Read it.", picture("repeated")),
    }
    cold = client.chat.completions.create(**ask)
    for name in names:
        counted("instruct", name)
    warm = client.chat.completions.create(**ask)
    assert counted("instruct", "prefix_cache_hits_total") >= 128
    assert counted("instruct", "mm_cache_hits_total") == 1
    assert cached(cold) == 0
    assert cached(warm) >= 128
    assert warm.choices[0].message.content == cold.choices[0].message.content


def test_two_pictures_under_one_text_are_two_cache_entries(client: openai.OpenAI) -> None:
    def ask(image: str) -> Any:
        return client.chat.completions.create(
            model="qwen3-vl-instruct", max_tokens=8, temperature=0, messages=turn("Read it.", image)
        )

    first, second = picture("first of two"), picture("second of two")
    cold = {image: ask(image) for image in (first, second)}
    assert [cached(answer) for answer in cold.values()] == [0, 0], "the second picture must not be taken for the first"
    for image, answer in cold.items():
        warm = ask(image)
        assert cached(warm) > 0
        assert warm.choices[0].message.content == answer.choices[0].message.content


def test_prefill_is_chunked_and_only_thinking_has_a_reasoning_parser(stack: Stack) -> None:
    """Chunked prefill leaves no trace in the metrics; the engine says it once, in its log, with the rest of its configuration."""
    logs = {pool: (stack.logs / f"{pool}-{url.rsplit(':', 1)[1]}.log").read_text() for pool, url in stack.engines.items()}
    assert all("enable_chunked_prefill=True" in log for log in logs.values())
    parsers = {pool: re.search(r"'reasoning_parser': '(\w+)'", log) for pool, log in logs.items()}
    assert parsers["instruct"] is None
    assert parsers["thinking"] is not None


def cached(answer: Any) -> int:
    return int(answer.usage.prompt_tokens_details.cached_tokens or 0)
