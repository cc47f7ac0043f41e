"""What differs between the four APIs on one path: the shape of an error, before and inside a stream, and how a stream says it is over.

OpenAI: `{"error": {message, type, param, code}}`. Anthropic's messages: `{"type": "error", "error": {type, message}}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from router.errors import EngineRefused, RequestError, Unreachable, UpstreamFailed

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
# vLLM's own wording for what OpenAI has a status and a code for (vllm/entrypoints, vllm/renderers, vllm/multimodal/media, Pillow)
_KNOWN_WORDS = {
    "maximum context length": (400, "context_length_exceeded"),
    "maximum model length": (400, "context_length_exceeded"),
    "max_model_len": (400, "context_length_exceeded"),
    "load image": (400, "invalid_image"),
    "identify image": (400, "invalid_image"),
    "decompression bomb": (400, "invalid_image"),
    "base64": (400, "invalid_image"),
    "Incorrect padding": (400, "invalid_image"),
    "data URL": (400, "invalid_image"),
    "absolute aspect ratio": (400, "invalid_image"),
    "allowed-local-media-path": (400, "invalid_image"),
    "from one of the allowed domains": (400, "invalid_image"),
}
_PLAIN_WORDS = {
    "allowed-local-media-path": "Local files are not read: send pictures as data: URLs",
    "from one of the allowed domains": "Pictures are not fetched from other hosts: send them as data: URLs",
}
# An engine that cannot answer anybody: its core is dead, or it is shutting down (vllm/v1/engine/exceptions.py, concurrent.futures)
_DEAD_WORDS = ("EngineCore encountered an issue", "EngineDeadError", "cannot schedule new futures")


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


def refusal_in_stream(data: bytes) -> RequestError | None:
    """The error that an engine sent as an event under a status of 200, if that is what `data` (the event's payload) is."""
    if b'"error"' not in data[:64]:
        return None
    error = _error_of(data)
    return refusal(_status_of(error), data) if error else None


def refusal(status: int, body: bytes) -> RequestError:
    """An engine's error answer in the router's own shape: OpenAI's type, a string code, the engine's own message.

    An UpstreamFailed where the engine, and not the request, is at fault in a way that another replica may not share.
    """
    error = _error_of(body)
    message = str(error.get("message") or body[:500].decode("utf-8", "replace") or f"The engine answered with status {status}")
    if status >= 500 and any(words in message for words in _DEAD_WORDS):
        return Unreachable("The engine is not able to answer any more")
    if not 400 <= status <= 599:
        return UpstreamFailed(f"The engine answered with status {status}")
    words = next((words for words in _KNOWN_WORDS if words in message), "")
    status, code = _KNOWN_WORDS.get(words, (status, _code(status)))
    param = error.get("param")
    return EngineRefused(
        _PLAIN_WORDS.get(words, message),
        status=status,
        type=_openai_type(status),
        code=code,
        param=param.removeprefix("body.") if isinstance(param, str) else None,
    )


def _openai(error: RequestError) -> dict[str, Any]:
    return {"message": error.message, "type": error.type, "param": error.param, "code": error.code}


def _anthropic(error: RequestError) -> dict[str, Any]:
    fallback = "api_error" if error.status >= 500 else "invalid_request_error"
    return {"type": "error", "error": {"type": _ANTHROPIC_TYPES.get(error.status, fallback), "message": error.message}}


def _openai_type(status: int) -> str:
    return _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


def _code(status: int) -> str:
    return _CODES.get(status, "engine_error" if status >= 500 else "invalid_request")


def _error_of(body: bytes) -> dict[str, Any]:
    """vLLM's error object, or FastAPI's `detail` in its place; {} for anything else."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(decoded, dict):
        return {}
    error = decoded.get("error") or decoded
    if isinstance(error, str):
        return {"message": error}
    return (
        error
        if isinstance(error, dict) and "message" in error
        else {"message": decoded["detail"]}
        if "detail" in decoded
        else {}
    )


def _status_of(error: dict[str, Any]) -> int:
    code = error.get("code")
    return code if isinstance(code, int) and 400 <= code <= 599 else 500
