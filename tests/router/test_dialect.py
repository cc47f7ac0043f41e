"""Engines' errors in the client's own API. The bodies are vLLM 0.32's."""

from __future__ import annotations

import json

import pytest

from router import dialect
from router.errors import PoolUnavailable


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (
            404,
            '{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}}',
            "invalid_request_error",
            "model_not_found",
        ),
        (
            400,
            '{"error":{"message":"This model\'s maximum context length is 4096 tokens.","type":"BadRequestError","param":"input_tokens","code":400}}',
            "invalid_request_error",
            "context_length_exceeded",
        ),
        (
            400,
            '{"error":{"message":"Failed to load image: cannot identify image file","code":400}}',
            "invalid_request_error",
            "invalid_image",
        ),
        (
            500,
            '{"error":{"message":"EngineCore encountered an issue.","type":"InternalServerError","param":null,"code":500}}',
            "server_error",
            "engine_error",
        ),
        (404, '{"detail":"Not Found"}', "invalid_request_error", "model_not_found"),
        (502, "<html>Bad gateway</html>", "server_error", "engine_error"),
        (503, "", "server_error", "engine_overloaded"),
    ],
)
def test_refusals_keep_the_engines_words_and_get_openai_types(status: int, body: str, kind: str, code: str) -> None:
    error = dialect.refusal(status, body.encode())
    assert (error.status, error.type, error.code) == (status, kind, code)
    assert error.message
    assert error.message in body or not body.startswith("{")


@pytest.mark.parametrize("payload", [b"[DONE]", b'{"id":"x","choices":[{"delta":{"content":"\\"error\\""}}]}', b"", b"3"])
def test_ordinary_first_events_are_no_refusals(payload: bytes) -> None:
    assert dialect.refusal_in_stream(payload) is None


def test_anthropics_shape() -> None:
    body = json.loads(dialect.error_body(PoolUnavailable("none"), "messages"))
    assert body == {"type": "error", "error": {"type": "overloaded_error", "message": "none"}}
