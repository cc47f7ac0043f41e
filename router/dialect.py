"""What differs between the four APIs on one path: the shape of an error, before and inside a stream, and how a stream says it is over.

OpenAI: `{"error": {message, type, param, code}}`. Anthropic's messages: `{"type": "error", "error": {type, message}}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from router.errors import EngineRefused, RequestError

if TYPE_CHECKING:
    from router.values import Endpoint

END_MARKS: dict[Endpoint, tuple[bytes, ...]] = {
    "chat_completions": (b"\ndata: [DONE]",),
    "completions": (b"\ndata: [DONE]",),
    "responses": (
        b"\nevent: response.completed",
        b"\nevent: response.incomplete",
        b"\nevent: response.failed",
        b"\ndata: [DONE]",
    ),
    "messages": (b"\nevent: message_stop",),
}

_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_CODES = {
    401: "invalid_api_key",
    403: "forbidden",
    404: "model_not_found",
    429: "rate_limited",
    501: "unsupported",
    503: "engine_overloaded",
}
# vLLM's own wording for refusals that OpenAI has a code for (vllm/entrypoints and vllm/renderers)
_CODES_BY_WORDS = {
    "maximum context length": "context_length_exceeded",
    "maximum model length": "context_length_exceeded",
    "max_model_len": "context_length_exceeded",
    "load image": "invalid_image",
    "identify image": "invalid_image",
}


def error_body(error: RequestError, endpoint: Endpoint | None) -> bytes:
    """The JSON body that answers `error` in the API of `endpoint` (None: OpenAI's)."""
    return msgspec.json.encode(_anthropic(error) if endpoint == "messages" else {"error": _openai(error)})


def error_event(error: RequestError, endpoint: Endpoint) -> bytes:
    """The event that ends a stream which has already begun, so that the client's SDK raises."""
    if endpoint == "messages":
        return b"event: error\ndata: " + msgspec.json.encode(_anthropic(error)) + b"\n\n"
    if endpoint == "responses":
        return b"event: error\ndata: " + msgspec.json.encode({"type": "error", **_openai(error)}) + b"\n\n"
    return b"data: " + msgspec.json.encode({"error": _openai(error)}) + b"\n\n"


def refusal_in_stream(data: bytes) -> EngineRefused | None:
    """The error that an engine sent as the first event under a status of 200, if that is what `data` (an event's payload) is."""
    if b'"error"' not in data[:64]:
        return None
    error = _error_of(data)
    return refusal(_status_of(error), data) if error else None


def refusal(status: int, body: bytes) -> EngineRefused:
    """An engine's error answer in the router's own shape: OpenAI's type, a string code, the engine's own message."""
    error = _error_of(body)
    message = str(error.get("message") or body[:500].decode("utf-8", "replace") or f"The engine answered with status {status}")
    param = error.get("param")
    return EngineRefused(
        message,
        status=status,
        type=_openai_type(status),
        code=_code(status, message),
        param=param if isinstance(param, str) else None,
    )


def _openai(error: RequestError) -> dict[str, Any]:
    return {"message": error.message, "type": error.type, "param": error.param, "code": error.code}


def _anthropic(error: RequestError) -> dict[str, Any]:
    fallback = "api_error" if error.status >= 500 else "invalid_request_error"
    return {"type": "error", "error": {"type": _ANTHROPIC_TYPES.get(error.status, fallback), "message": error.message}}


def _openai_type(status: int) -> str:
    return _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


def _code(status: int, message: str) -> str:
    if status == 400:
        return next((code for words, code in _CODES_BY_WORDS.items() if words in message), "invalid_request")
    return _CODES.get(status, "engine_error" if status >= 500 else "invalid_request")


def _error_of(body: bytes) -> dict[str, Any]:
    """vLLM's error object, or FastAPI's `detail` in its place; {} for anything else."""
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    if not isinstance(decoded, dict):
        return {}
    error = decoded.get("error", decoded)
    return error if "message" in error else {"message": decoded.get("detail")} if "detail" in decoded else {}


def _status_of(error: dict[str, Any]) -> int:
    code = error.get("code")
    return code if isinstance(code, int) and 400 <= code <= 599 else 500
