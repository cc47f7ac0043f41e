"""What can go wrong in `router`, drawn as a tree. A request's errors own status, OpenAI type and code.

    DuetError
    ├── ConfigError            exit code 3
    ├── PortInUse              exit code 8
    └── RequestError
        ├── BadRequest         400 invalid_request_error, `invalid_json` or `invalid_type`
        ├── UnknownModel       404 invalid_request_error, `model_not_found`
        ├── UnknownPath        404 invalid_request_error, `unknown_url`
        ├── MethodNotAllowed   405 invalid_request_error, `method_not_allowed`
        ├── UploadTimeout      408 invalid_request_error, `request_timeout`
        ├── BodyTooLarge       413 invalid_request_error, `request_too_large`
        ├── ClientGone         499 never sent: nobody is left to read it
        ├── InternalError      500 server_error, `internal_error`
        ├── EngineRefused      the engine's own status and message, in OpenAI's shape
        ├── UpstreamFailed     502 server_error, `engine_failed`
        │   ├── Stale          never sent: another connection is tried
        │   ├── Crowded        503 server_error, `too_many_connections`
        │   ├── Unreachable    503 server_error, `engine_unreachable`
        │   └── Silent         504 server_error, `engine_timeout`
        ├── PoolUnavailable    503 server_error, `pool_unavailable`
        └── Stopping           503 server_error, `router_stopping`

Source of the shapes: https://platform.openai.com/docs/guides/error-codes and https://docs.anthropic.com/en/api/errors.
"""

from __future__ import annotations

from typing import ClassVar


class DuetError(Exception):
    """A failure that somebody can act on: one message."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigError(DuetError):
    exit_code = 3


class PortInUse(DuetError):
    exit_code = 8


class RequestError(DuetError):
    """A request that is answered with an error, in the shape of the API that it used."""

    status: int = 500
    type: str = "server_error"
    code: str = "internal_error"
    kind: ClassVar[str] = "refused"
    """How a failed attempt is counted (`duet_router_upstream_failures_total`)."""
    param: str | None = None
    retry_after_s: int | None = None


class BadRequest(RequestError):
    status, type, code = 400, "invalid_request_error", "invalid_json"

    def __init__(self, message: str, *, code: str = "invalid_json", param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.param = code, param


class UnknownModel(RequestError):
    status, type, code, param = 404, "invalid_request_error", "model_not_found", "model"


class UnknownPath(RequestError):
    status, type, code = 404, "invalid_request_error", "unknown_url"


class MethodNotAllowed(RequestError):
    status, type, code = 405, "invalid_request_error", "method_not_allowed"


class BodyTooLarge(RequestError):
    status, type, code = 413, "invalid_request_error", "request_too_large"


class UploadTimeout(RequestError):
    status, type, code = 408, "invalid_request_error", "request_timeout"


class ClientGone(RequestError):
    status, code = 499, "client_gone"


class InternalError(RequestError):
    pass


class EngineRefused(RequestError):
    """The engine answered with an error of its own."""

    def __init__(self, message: str, *, status: int, type: str, code: str, param: str | None) -> None:  # noqa: A002 OpenAI's key
        super().__init__(message)
        self.status, self.type, self.code, self.param = status, type, code, param


class UpstreamFailed(RequestError):
    status, code = 502, "engine_failed"
    kind = "broken"


class Unreachable(UpstreamFailed):
    status, code, retry_after_s = 503, "engine_unreachable", 1
    kind = "unreachable"


class Crowded(UpstreamFailed):
    status, code, retry_after_s = 503, "too_many_connections", 1
    kind = "crowded"


class Stale(UpstreamFailed):
    """A kept connection turned out to be closed before the engine answered on it: the same replica is worth another try."""

    kind = "stale"


class Silent(UpstreamFailed):
    status, code = 504, "engine_timeout"
    kind = "silent"


class PoolUnavailable(RequestError):
    status, code, retry_after_s = 503, "pool_unavailable", 2


class Stopping(RequestError):
    status, code, retry_after_s = 503, "router_stopping", 2
