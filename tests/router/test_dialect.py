"""Engines' errors in the client's own API. The bodies are vLLM 0.32's."""

from __future__ import annotations

import json

import pytest

from router import dialect
from router.errors import PoolUnavailable

NO_SUCH = '{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}}'
TOO_LONG = '{"error":{"message":"This model\'s maximum context length is 4096 tokens.","param":"input_tokens","code":400}}'
DEAD = '{"error":{"message":"EngineCore encountered an issue. See stack trace (above) for the root cause.","code":500}}'
BOMB = '{"error":{"message":"Image size (400000000 pixels) exceeds limit, could be decompression bomb DOS attack.","code":500}}'
LOCAL = '{"error":{"message":"Cannot load local files without `--allowed-local-media-path`.","code":500}}'


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, NO_SUCH, (404, "model_not_found")),
        (400, TOO_LONG, (400, "context_length_exceeded")),
        (400, '{"error":{"message":"Failed to load image: cannot identify image file","code":400}}', (400, "invalid_image")),
        (500, BOMB, (400, "invalid_image")),
        (500, LOCAL, (400, "invalid_image")),
        (501, '{"error":{"message":"Only base64 data URLs are supported for now."}}', (400, "invalid_image")),
        (500, DEAD, (503, "engine_unreachable")),
        (500, '{"error":{"message":"boom"}}', (500, "engine_error")),
        (500, '{"error":"a text and no object"}', (500, "engine_error")),
        (500, '{"error":null}', (500, "engine_error")),
        (404, '{"detail":"Not Found"}', (404, "model_not_found")),
        (502, "<html>Bad gateway</html>", (502, "engine_error")),
        (503, "", (503, "engine_overloaded")),
        (302, "", (502, "engine_failed")),
        (999, "\xff", (502, "engine_failed")),
    ],
)
def test_refusals_have_openais_statuses_and_codes_and_a_message(status: int, body: str, expected: tuple[int, str]) -> None:
    error = dialect.refusal(status, body.encode("latin-1"))
    assert (error.status, error.code) == expected
    assert error.type == ("server_error" if expected[0] >= 500 else "invalid_request_error")
    assert error.message
    assert "--" not in error.message


@pytest.mark.parametrize("payload", [b"[DONE]", b'{"id":"x","choices":[{"delta":{"content":"\\"error\\""}}]}', b"", b"3"])
def test_ordinary_first_events_are_no_refusals(payload: bytes) -> None:
    assert dialect.refusal_in_stream(payload) is None


def test_anthropics_shape() -> None:
    body = json.loads(dialect.error_body(PoolUnavailable("none"), "messages"))
    assert body == {"type": "error", "error": {"type": "overloaded_error", "message": "none"}}
