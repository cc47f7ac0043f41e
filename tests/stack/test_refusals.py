"""Bad requests to the real stack, as the OpenAI SDK raises them."""

from __future__ import annotations

import base64
from typing import Any

import openai
import pytest

from tests.stack.conftest import picture, turn

GARBAGE = "data:image/png;base64," + base64.b64encode(b"no picture" * 20).decode()
TRUNCATED = picture("cut")[: len("data:image/png;base64,") + 400]
CASES: list[tuple[str, dict[str, Any], type[openai.APIStatusError], str]] = [
    ("garbage picture", {"messages": turn("Read it.", GARBAGE)}, openai.BadRequestError, "invalid_image"),
    ("truncated picture", {"messages": turn("Read it.", TRUNCATED)}, openai.BadRequestError, "invalid_image"),
    ("remote picture", {"messages": turn("Read it.", "http://127.0.0.1:1/a.png")}, openai.BadRequestError, "invalid_image"),
    ("local picture", {"messages": turn("Read it.", "file:///etc/passwd")}, openai.BadRequestError, "invalid_image"),
    ("picture without base64", {"messages": turn("Read it.", "data:image/png,abc")}, openai.BadRequestError, "invalid_image"),
    ("unknown model", {"model": "gpt-5"}, openai.NotFoundError, "model_not_found"),
    ("prompt too long", {"messages": turn("word " * 20_000)}, openai.BadRequestError, "context_length_exceeded"),
    (
        "processor settings",
        {"extra_body": {"mm_processor_kwargs": {"max_pixels": 1}}},
        openai.BadRequestError,
        "invalid_request",
    ),
    ("60 MB", {"messages": turn("x" * 60_000_000)}, openai.APIStatusError, "request_too_large"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize(("request_body", "kind", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_refusal_is_openai_shaped(
    client: openai.OpenAI, request_body: dict[str, Any], kind: type[openai.APIStatusError], code: str, *, stream: bool
) -> None:
    body: dict[str, Any] = {"model": "qwen3-vl-instruct", "messages": turn("Hi"), "max_tokens": 4} | request_body
    with pytest.raises(kind) as raised:
        client.chat.completions.create(**body, stream=stream)
    assert (raised.value.type, raised.value.code) == ("invalid_request_error", code)
    assert len(raised.value.message) > 20
    assert raised.value.response.headers["x-request-id"]


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_pictures_of_a_request_that_was_too_long_are_answered_when_sent_again(client: openai.OpenAI, *, stream: bool) -> None:
    """vLLM's front end takes them for known, its core never got them: its first answer is a 500, and nobody sees it."""
    image = picture(f"too long {stream}")
    ask: dict[str, Any] = {"model": "qwen3-vl-instruct", "max_tokens": 4}
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**ask, messages=turn("word " * 20_000, image))
    answer = client.chat.completions.create(**ask, messages=turn("Read it.", image), stream=stream)
    assert len(list(answer)) > 0
