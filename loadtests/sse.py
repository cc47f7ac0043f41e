"""Reads a streamed chat completion and marks when its tokens arrived. Pure: the caller says what time it is.

A mark counts only a chunk that carries text: the role chunk that vLLM opens every stream with, the finish chunk and the usage
chunk hold none. Bytes are decoded an event at a time, so a character split over two reads stays whole.
"""

import json
from dataclasses import dataclass, field
from typing import Any

DONE = b"[DONE]"


class EventParser:
    """Splits a server-sent event stream into the data of its events, however the bytes were cut.

    Lines end in LF or CRLF; the lone CR that the standard also allows is used by no server of this API.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return the data of each event that they completed. Comments and event names are dropped."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [event for line in lines if (event := self._take(line.removesuffix(b"\r"))) is not None]

    def _take(self, line: bytes) -> bytes | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        return None

    def _dispatch(self) -> bytes | None:
        if not self._data:
            return None
        event, self._data = b"\n".join(self._data), []
        return event


@dataclass(slots=True)
class StreamMarks:
    """What one stream has shown so far. Times are the caller's clock, in seconds; None means not seen yet."""

    first_token: float | None = None  # text of either kind
    first_reasoning: float | None = None
    first_answer: float | None = None  # text outside the reasoning, or a tool call
    last_token: float | None = None
    gaps: list[float] = field(default_factory=list)  # seconds between one chunk with text and the next
    completion_tokens: int | None = None  # from the usage chunk
    error: str | None = None
    done: bool = False
    _events: EventParser = field(default_factory=EventParser)

    def feed(self, chunk: bytes, now: float) -> None:
        """Take bytes that were read at `now`. What follows `[DONE]` is ignored, as clients do."""
        for event in self._events.feed(chunk):
            if not self.done:
                self._take(event, now)

    @property
    def failure(self) -> str | None:
        """Why a finished stream was no good answer, or None when it was one."""
        if self.error is not None:
            return self.error
        if not self.done:
            return "the stream ended without [DONE]"
        return None if self.first_token is not None else "the answer is empty"

    def _take(self, event: bytes, now: float) -> None:
        if event == DONE:
            self.done = True
            return
        try:
            chunk = json.loads(event)
        except ValueError:
            self.error = f"an event is not JSON: {event[:80]!r}"
            return
        if error := chunk.get("error"):
            self.error = f"error event: {_describe(error)}"
        if usage := chunk.get("usage"):
            self.completion_tokens = usage.get("completion_tokens")
        for choice in chunk.get("choices", ()):
            self._mark(choice.get("delta") or {}, now)

    def _mark(self, delta: dict[str, Any], now: float) -> None:
        reasoning = bool(delta.get("reasoning") or delta.get("reasoning_content"))
        answer = bool(delta.get("content") or delta.get("refusal") or delta.get("tool_calls"))
        if not (reasoning or answer):
            return
        if reasoning and self.first_reasoning is None:
            self.first_reasoning = now
        if answer and self.first_answer is None:
            self.first_answer = now
        if self.last_token is None:
            self.first_token = now
        else:
            self.gaps.append(now - self.last_token)
        self.last_token = now


def _describe(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)[:120]
    return f"{error.get('code') or error.get('type')}: {str(error.get('message'))[:120]}"
