"""Server-sent events, as bytes: whole events out of chunks, the marks that matter, and the one edit that Duet makes.

No event is decoded on the way through. The patterns rest on one fact of JSON: inside a string a quote is always escaped, so `"name":`
with bare quotes can only be a key. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import re

# The first text that is not empty, in the stream of any of the four APIs: chat, completions, messages by key, responses by event name
REASONING = re.compile(
    rb'"(?:reasoning|reasoning_content|thinking)":\s*"[^"]|^event: response\.reasoning_text\.delta', re.MULTILINE
)
ANSWER = re.compile(rb'"(?:content|text)":\s*"[^"]|"tool_calls":\s*\[\s*\{|^event: response\.output_text\.delta', re.MULTILINE)
_REASONING_VALUE = re.compile(rb'"reasoning":\s*(null|"[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)


class EventBuffer:
    """Cuts a byte stream at event boundaries: what `feed` hands out always ends with a whole event."""

    __slots__ = ("rest",)

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """All bytes up to the last boundary seen so far that were not handed out before."""
        data = self.rest + chunk if self.rest else chunk
        if data.endswith(b"\n\n"):
            self.rest = b""
            return data
        end = max(_after(data, b"\n\n"), _after(data, b"\r\n\r\n"))
        self.rest = data[end:]
        return data[:end]


def _after(data: bytes, boundary: bytes) -> int:
    at = data.rfind(boundary)
    return at + len(boundary) if at >= 0 else 0


def with_reasoning_content(data: bytes) -> bytes:
    """`data` with each `"reasoning": …` followed by the same value as `"reasoning_content"`.

    vLLM sends the first name only (vllm-project/vllm#33402); many clients read only the second.
    """
    if b'"reasoning":' not in data or b'"reasoning_content":' in data:
        return data
    return _REASONING_VALUE.sub(rb'\g<0>,"reasoning_content":\1', data)


def first_event(events: bytes) -> bytes:
    """The payload of the first event that has data: its `data:` lines, joined. Comments have none."""
    for event in re.split(rb"\r?\n\r?\n", events):
        lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
        if lines:
            return b"\n".join(lines)
    return b""
