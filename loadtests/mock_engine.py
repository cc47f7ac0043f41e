"""Engines that think about nothing, so that what is left to measure is the router. One process, a port for each engine.

    python -m loadtests.mock_engine MODEL PORT[,PORT...] [MODEL PORT...]

They answer as vLLM does. How, the prompt says (`Script.prompt`): a prompt is the one part of a request that every router hands on as it
came. `POST /mock/release` ends the streams that an engine holds open.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import httptools
import uvloop

WORD = b'" word"'
"""What every event of a stream contains once, however a router writes its JSON."""

BACKLOG = 4096
PROMPT_WITHIN_BYTES = 4096  # from the end of the body: a picture stands before its question
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Script:
    """What an engine does with a request: `words` events, one every `every_ms` (0: as fast as they are read), then perhaps silence."""

    words: int = 0
    every_ms: int = 0
    hold: bool = False
    stream: bool = True

    def prompt(self) -> str:
        if not self.stream:
            return "Read the text in this picture. Answer at once."
        return f"Say {self.words} words, one every {self.every_ms} ms, then {'hold' if self.hold else 'end'}."


UNARY = Script(stream=False)
_PROMPT = re.compile(rb"Say (\d+) words, one every (\d+) ms, then (hold|end)\.")


def read_script(body: bytes | bytearray) -> Script:
    """The script that stands in a request's prompt; without one, a whole answer at once."""
    found = _PROMPT.search(body, max(0, len(body) - PROMPT_WITHIN_BYTES))
    return Script(int(found[1]), int(found[2]), found[3] == b"hold") if found else UNARY


class Engine:
    """What one port serves: its pages, and the streams that it holds open."""

    def __init__(self, model: str) -> None:
        self.held: set[Session] = set()
        self.word = _chunk(_event(model, {"content": " word"}))
        self.opening = STREAM_HEAD + _chunk(_event(model, {"role": "assistant", "content": ""}))
        self.ending = _chunk(_event(model, {}, "stop")) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
        self.answer = _page(_answer(model))
        card = {"id": model, "object": "model", "created": 1, "owned_by": "vllm", "root": model, "max_model_len": 32768}
        self.pages = {
            b"/v1/models": _page({"object": "list", "data": [card]}),
            b"/metrics": _metrics(model),
            b"/load": _page({"server_load": 0}),
        }
        self.other = _page({})

    def page(self, path: bytes) -> bytes:
        if path == b"/mock/release":
            for session in list(self.held):
                session.finish()
        return self.pages.get(path, self.other)


class Session(asyncio.Protocol):
    """One connection to an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._loop = engine, asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._body = bytearray()
        self._path, self._left, self._due, self._script = b"", 0, 0.0, UNARY
        self._timer: asyncio.Handle | None = None
        self._blocked = False

    # the transport's side
    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        if self._left and self._timer is None:
            self._timer = self._loop.call_soon(self._say)

    def connection_lost(self, _: Exception | None) -> None:
        self._engine.held.discard(self)
        self._left = 0
        if self._timer:
            self._timer.cancel()

    # the parser's side
    def on_message_begin(self) -> None:
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        if not self._path.endswith(b"completions"):
            self._transport.write(self._engine.page(self._path))
            return
        self._script = read_script(self._body)
        if self._script.stream:
            self._begin()
        else:
            self._transport.write(self._engine.answer)

    # the stream
    def _begin(self) -> None:
        step_s = self._script.every_ms / 1000
        self._left, self._due = self._script.words, self._loop.time() // step_s * step_s if step_s else 0.0
        self._transport.write(self._engine.opening)
        self._say()

    def _say(self) -> None:
        """A word, and the time of the next. A step of an engine gives every running stream its token, so all speak at the same moments."""
        self._timer = None
        if self._left:
            self._transport.write(self._engine.word)
            self._left -= 1
        if not self._left:
            self._stop_speaking()
        elif not self._script.every_ms:
            self._timer = None if self._blocked else self._loop.call_soon(self._say)
        else:
            self._due += self._script.every_ms / 1000
            self._timer = self._loop.call_at(self._due, self._say)

    def _stop_speaking(self) -> None:
        if self._script.hold:
            self._engine.held.add(self)
        else:
            self.finish()

    def finish(self) -> None:
        self._engine.held.discard(self)
        self._transport.write(self._engine.ending)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(model: str, delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    data = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


def _answer(model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "ok " * 60}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 60, "total_tokens": 70}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model}
    return answer | {"choices": [choice], "usage": usage}


def _page(content: dict[str, Any]) -> bytes:
    return _whole(json.dumps(content).encode(), b"application/json")


def _metrics(model: str) -> bytes:
    names = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")
    lines = [f'vllm:{name}{{engine="0",model_name="{model}"}} 0.0\n' for name in names]
    return _whole("".join(lines).encode(), b"text/plain; version=0.0.4")


def _whole(body: bytes, kind: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(body), body)


async def serve(ports: dict[int, str]) -> None:
    """Listens on each port as an engine of its model, until the process is asked to end."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    for port, model in ports.items():
        await loop.create_server(partial(Session, Engine(model)), "127.0.0.1", port, backlog=BACKLOG)
    await ended.wait()


def main(argv: list[str]) -> None:
    pairs = zip(argv[::2], argv[1::2], strict=True)
    uvloop.run(serve({int(port): model for model, ports in pairs for port in ports.split(",")}))


if __name__ == "__main__":
    main(sys.argv[1:])
