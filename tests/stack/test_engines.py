"""What the engines were started for, proven by their own counters: FP8 KV, prefix cache, picture cache, chunked prefill."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.router.conftest import metric
from tests.stack.conftest import cache_config, picture, turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import openai

    from tests.conftest import Stack


def test_fp8_holds_twice_the_tokens_of_bf16(stack: Stack, bf16_engine: Callable[[str], AbstractContextManager[str]]) -> None:
    """Each cache is of whole blocks in one GiB: they are as large but for one block of the larger."""
    with bf16_engine("instruct") as engine:
        half = cache_config(engine)
    for engine in stack.engines.values():
        fp8 = cache_config(engine)
        assert (fp8["cache_dtype"], half["cache_dtype"]) == ("fp8", "auto")
        assert _bytes_per_token(half) == 2 * _bytes_per_token(fp8)
        spared = int(fp8["kv_cache_memory_bytes"]) - int(half["kv_cache_memory_bytes"])
        assert abs(spared) < 128 * _bytes_per_token(half)
        assert fp8["enable_prefix_caching"] == "True"


def _bytes_per_token(cache: dict[str, str]) -> float:
    return int(cache["kv_cache_memory_bytes"]) / int(cache["kv_cache_size_tokens"])


def test_the_router_exports_the_capacity_as_a_number(stack: Stack) -> None:
    for pool, engine in stack.engines.items():
        exported = metric(stack.url, "duet_router_replica_kv_cache_tokens", pool=pool, replica=engine)
        assert exported == int(cache_config(engine)["kv_cache_size_tokens"])


def test_a_repeated_picture_is_taken_from_both_caches(client: openai.OpenAI, counted: Callable[..., float]) -> None:
    names = ("prefix_cache_hits_total", "mm_cache_hits_total")
    ask: dict[str, Any] = {
        "model": "qwen3-vl-instruct",
        "max_tokens": 32,
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
    assert warm.choices[0].message.content == cold.choices[0].message.content == "repeated"


def test_two_pictures_under_one_text_are_two_cache_entries(client: openai.OpenAI) -> None:
    def ask(image: str) -> Any:
        return client.chat.completions.create(
            model="qwen3-vl-instruct", max_tokens=32, temperature=0, messages=turn("Read it.", image)
        )

    texts = ("Platform 1", "Platform 2")
    cold = [ask(picture(text)) for text in texts]
    assert [cached(answer) for answer in cold] == [0, 0], "the second picture must not be taken for the first"
    warm = [ask(picture(text)) for text in texts]
    assert all(cached(answer) > 0 for answer in warm)
    for answers in (cold, warm):
        assert tuple(answer.choices[0].message.content for answer in answers) == texts


def test_prefill_is_chunked_and_only_thinking_has_a_reasoning_parser(stack: Stack) -> None:
    """Chunked prefill leaves no trace in the metrics; the engine says it once, in its log, with the rest of its configuration."""
    logs = {pool: (stack.logs / f"{pool}-{url.rsplit(':', 1)[1]}.log").read_text() for pool, url in stack.engines.items()}
    assert all("enable_chunked_prefill=True" in log for log in logs.values())
    parsers = {pool: re.search(r"'reasoning_parser': '(\w+)'", log) for pool, log in logs.items()}
    assert parsers["instruct"] is None
    assert parsers["thinking"] is not None


def cached(answer: Any) -> int:
    return int(answer.usage.prompt_tokens_details.cached_tokens or 0)
