"""A request in doubt is put to an Instruct engine: what that engine is sent, and what its word does. The engines are scripts that answer a letter."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.processes import wait_for
from tests.router import scripted
from tests.router.conftest import metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.router.conftest import Launcher

EVERYTHING_IN_DOUBT = {"doubt": "ask", "doubt_band": 0.5, "ask_timeout_s": 5}
TURN = {"role": "user", "content": "Why?"}


def saying(content: str) -> Callable[[socket.socket], object]:
    """A script that answers each request with `content`."""
    body = json.dumps({"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]}).encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    return lambda connection: connection.send(answer)


def bodies(requests: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in requests]


@pytest.mark.parametrize(("letter", "pool", "reason"), [("A", "instruct", "ask_direct"), ("B", "thinking", "ask_steps")])
def test_its_word_decides(launch: Launcher, letter: str, pool: str, reason: str) -> None:
    with scripted.engine(saying(letter)) as instruct, scripted.engine(saying("thought")) as thinking:
        router = launch.router([instruct], [thinking], routing=EVERYTHING_IN_DOUBT)
        answer = httpx.post(f"{router}/v1/chat/completions", json={"messages": [TURN]})
        assert (answer.headers["x-duet-pool"], answer.headers["x-duet-reason"]) == (pool, reason)
        assert answer.headers["x-duet-replica"] == (instruct if letter == "A" else thinking)
        assert metric(router, "duet_router_decisions_total", stage="engine", reason=reason, pool=pool) == 1


def test_it_is_asked_for_one_letter_on_the_requests_own_prefix(launch: Launcher) -> None:
    seen: list[bytes] = []
    shared = {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "Why?"}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "mm_processor_kwargs": {"max_pixels": 1},
        "chat_template_kwargs": {"x": 1},
        "cache_salt": "tenant",
    }
    with scripted.engine(saying("A"), seen) as instruct:
        router = launch.router([instruct], [instruct], routing=EVERYTHING_IN_DOUBT)
        body = shared | {"max_tokens": 77, "temperature": 1.5, "stream": False, "tool_choice": "required", "logprobs": True}
        assert httpx.post(f"{router}/v1/chat/completions", json=body).status_code == 200
    asked, answered = bodies(seen)
    assert answered == body
    *same, question = asked.pop("messages")
    assert same == shared["messages"]
    assert question["role"] == "user"
    assert "A = at once, B = several steps" in question["content"]
    assert {key: asked.pop(key) for key in shared.keys() - {"messages"}} == {
        key: shared[key] for key in shared.keys() - {"messages"}
    }
    assert asked == {
        "model": "m",
        "max_tokens": 1,
        "temperature": 0,
        "stream": False,
        "structured_outputs": {"choice": ["A", "B"]},
        "tool_choice": "none",
    }


def test_the_replica_that_was_asked_answers(launch: Launcher) -> None:
    logs: list[list[bytes]] = [[], []]
    with scripted.engine(saying("A"), logs[0]) as one, scripted.engine(saying("A"), logs[1]) as other:
        router = launch.router([one, other], [one], routing=EVERYTHING_IN_DOUBT)
        for _ in range(6):
            httpx.post(f"{router}/v1/chat/completions", json={"messages": [TURN]})
            httpx.post(f"{router}/v1/completions", json={"prompt": "Why?"}, headers={"x-duet-pool": "instruct"})
    for log in logs:
        kinds = ["structured_outputs" in body for body in bodies(log) if "messages" in body]
        assert kinds == [True, False] * (len(kinds) // 2)
        assert kinds


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", b'{"messages": []}'),
        ("chat/completions", b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}, {"type": "image_url",'
         b' "image_url": {"url": "data:image/png;base64,' + b"A" * 5000 + b'\n"}}]}]}'),
        ("completions", b'{"prompt": "Why?"}'),
        ("responses", b'{"input": "Why?"}'),
        ("messages", b'{"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 5}'),
    ],
    ids=["no message", "no JSON to the letter", "completions", "responses", "messages"],
)  # fmt: skip
def test_what_cannot_be_asked_about_goes_to_thinking(launch: Launcher, path: str, body: bytes) -> None:
    seen: list[bytes] = []
    with scripted.engine(saying("A"), seen) as instruct, scripted.engine(saying("thought")) as thinking:
        router = launch.router([instruct], [thinking], routing=EVERYTHING_IN_DOUBT)
        answer = httpx.post(f"{router}/v1/{path}", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.headers["x-duet-pool"]) == (200, "thinking")
        assert seen == []


def test_a_follow_up_in_doubt_is_not_asked_about(launch: Launcher) -> None:
    seen: list[bytes] = []
    talk = [
        TURN,
        {"role": "assistant", "content": "So.", "reasoning_content": "Because."},
        {"role": "user", "content": "And B?"},
    ]
    with scripted.engine(saying("A"), seen) as instruct, scripted.engine(saying("thought")) as thinking:
        router = launch.router([instruct], [thinking], routing=EVERYTHING_IN_DOUBT)
        answer = httpx.post(f"{router}/v1/chat/completions", json={"messages": talk})
        assert (answer.headers["x-duet-pool"], answer.headers["x-duet-reason"], seen) == ("thinking", "conversation", [])


def test_who_leaves_while_an_engine_is_asked_was_in_no_pool(launch: Launcher) -> None:
    asked = threading.Event()

    def silent(connection: socket.socket) -> None:
        asked.set()
        connection.recv(1)

    with scripted.engine(silent) as engine:
        router = launch.router([engine], [engine], routing=EVERYTHING_IN_DOUBT)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{router}/v1/chat/completions", json={"messages": [TURN]}, timeout=0.5)
        assert asked.is_set()
        left = "duet_router_client_disconnects_total"
        wait_for("the books", lambda: metric(router, left, pool="none", phase="decision") == 1)
        assert metric(router, left) == metric(router, "duet_router_requests_total", pool="none", status="499") == 1
        assert metric(router, "duet_router_requests_in_flight") == 0
