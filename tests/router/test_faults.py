"""What a client sees when engines misbehave: a real router in front of scripted engines."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import AbstractContextManager
from typing import Any

import httpx
import openai
import pytest

from tests.processes import free_port, wait_for
from tests.router.conftest import Launcher, metric

ASK: dict[str, Any] = {"model": "qwen3-vl-thinking", "messages": [{"role": "user", "content": "Why?"}]}


def sdk(url: str, fault: str = "") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, default_headers={"x-fake": fault})


def streamed(url: str, fault: str) -> list[Any]:
    with sdk(url, fault) as client:
        return [chunk.choices[0].delta for chunk in client.chat.completions.create(**ASK, stream=True)]


def test_an_engine_that_dies_mid_stream_makes_the_sdk_raise(launch: Launcher) -> None:
    router = launch.pair()
    seen: list[str] = []
    with sdk(router, "die-mid-stream") as client, pytest.raises(openai.APIError) as raised:
        seen.extend(
            chunk.choices[0].delta.reasoning
            for chunk in client.chat.completions.create(**ASK, stream=True)
            if chunk.choices[0].delta.model_extra
        )
    assert raised.value.code == "engine_failed"
    assert "second" in seen, "what came before the failure reaches the client"
    assert metric(router, "duet_router_upstream_failures_total", kind="mid_stream") == 1


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
def test_half_an_event_never_reaches_the_client_and_the_error_has_the_shape_of_its_api(launch: Launcher, path: str) -> None:
    router = launch.pair()
    body = {"model": "qwen3-vl-thinking", "messages": [], "input": "Why?", "stream": True}
    text = httpx.post(f"{router}{path}", json=body, headers={"x-fake": "die-mid-stream"}).text
    *_, last = [event for event in text.split("\n\n") if event]
    fields = dict(line.split(": ", 1) for line in last.splitlines())
    for event in text.strip().split("\n\n"):
        json.loads(event.splitlines()[-1].removeprefix("data: "))
    error = json.loads(fields["data"])
    assert fields.get("event") == {"/v1/chat/completions": None}.get(path, "error")
    message = error["message"] if path == "/v1/responses" else error["error"]["message"]
    assert "broke off" in message or "ended before" in message


def test_a_stream_that_ends_without_saying_so_is_an_error(router: str) -> None:
    with pytest.raises(openai.APIError, match="ended before its answer did"):
        streamed(router, "silent-end")


def test_an_error_that_the_engine_sends_as_a_first_event_becomes_a_true_status(router: str) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        streamed(router, "error-first")
    assert (raised.value.status_code, raised.value.code, raised.value.type) == (503, "engine_overloaded", "server_error")
    assert "Too many requests" in str(raised.value)


@pytest.mark.parametrize("fault", ["die@doomed", "overloaded@doomed", "error-first@doomed"])
def test_before_the_first_byte_another_replica_answers(launch: Launcher, fault: str) -> None:
    """Whichever replica gets a request first, no client notices the bad one."""
    url = launch.router(
        [launch.engine("doomed"), launch.engine("sound"), f"http://127.0.0.1:{free_port()}"], [launch.engine("t")]
    )
    with sdk(url, fault) as client:
        for _ in range(4):
            chunks = list(client.chat.completions.create(model="qwen3-vl-instruct", messages=[], stream=True))
            assert chunks[-1].choices[0].finish_reason == "stop"


def test_when_every_replica_fails_the_client_is_told(launch: Launcher) -> None:
    url = launch.router([launch.engine("a"), launch.engine("b")], [launch.engine("t")])
    for fault, codes in (("overloaded", {"engine_overloaded"}), ("die", {"engine_failed", "engine_unreachable"})):
        with pytest.raises(openai.InternalServerError) as raised, sdk(url, fault) as client:
            client.chat.completions.create(model="qwen3-vl-instruct", messages=[])
        assert raised.value.code in codes


def test_a_request_that_kills_engines_does_not_get_them_all(launch: Launcher) -> None:
    engines = [launch.engine(name) for name in "abcd"]
    url = launch.router(engines, [launch.engine("t")])
    answer = httpx.post(
        f"{url}/v1/chat/completions", json={"model": "qwen3-vl-instruct", "messages": []}, headers={"x-fake": "die"}
    )
    assert answer.status_code in {502, 503}
    assert sum(launch.children[engine].poll() is None for engine in engines) >= 2


def test_an_engine_that_says_mid_stream_that_it_failed_is_believed(launch: Launcher) -> None:
    """vLLM's own error event has a number for a code, and `[DONE]` after it."""
    url = launch.pair()
    with pytest.raises(openai.APIError) as raised:
        streamed(url, "error-later")
    assert (raised.value.code, raised.value.type) == ("engine_unreachable", "server_error")
    assert metric(url, "duet_router_upstream_failures_total", kind="mid_stream") == 1


def test_a_core_that_is_dead_is_not_asked_twice(launch: Launcher) -> None:
    """It answers at once, and so would always be the least busy of all."""
    url = launch.router([launch.engine("dead"), launch.engine("sound")], [launch.engine("t")])
    with sdk(url, "dead@dead") as client:
        for _ in range(6):
            assert client.chat.completions.create(model="qwen3-vl-instruct", messages=[]).choices[0].message.content == "answer"


def test_an_engine_with_all_its_connections_is_left_alone_and_the_client_told_to_come_back(launch: Launcher) -> None:
    engine = launch.engine("m")
    url = launch.router([engine], [launch.engine("t")], max_connections=2)
    chat, ask = f"{url}/v1/chat/completions", {"model": "qwen3-vl-instruct", "messages": []}

    def stalled() -> AbstractContextManager[httpx.Response]:
        return httpx.stream("POST", chat, json=ask | {"stream": True}, headers={"x-fake": "stall"})

    with stalled() as first, stalled() as second:
        assert (first.status_code, second.status_code) == (200, 200)
        refused = httpx.post(chat, json=ask)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "too_many_connections")
        assert int(refused.headers["retry-after"]) > 0
        assert metric(url, "duet_router_upstream_failures_total", kind="crowded") == 1
        assert httpx.get(f"{url}/ready").status_code == 200
    wait_for("room", lambda: httpx.post(chat, json=ask).status_code == 200)


def test_the_end_of_the_drain_is_an_error_and_not_a_silent_cut(launch: Launcher) -> None:
    engine = launch.engine("m")
    url = launch.router([engine], [engine], drain_s=1)
    with httpx.stream(
        "POST", f"{url}/v1/chat/completions", json=ASK | {"stream": True}, headers={"x-fake": "stall"}
    ) as response:
        pieces = response.iter_text()
        text = next(pieces)
        launch.children[url].send_signal(signal.SIGTERM)
        text += "".join(pieces)
    assert json.loads(text.strip().split("\n\n")[-1].removeprefix("data: "))["error"]["code"] == "router_stopping"


def test_a_killed_replica_leaves_the_fleet_and_its_pool_says_so(launch: Launcher) -> None:
    doomed, other = launch.engine("m"), launch.engine("t")
    url = launch.router([doomed], [other])
    os.kill(launch.children[doomed].pid, signal.SIGKILL)
    launch.children[doomed].wait()
    answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "qwen3-vl-instruct", "messages": []})
    assert (answer.status_code, answer.json()["error"]["code"]) in {(503, "engine_unreachable"), (503, "pool_unavailable")}
    assert int(answer.headers["retry-after"]) > 0
    ready = httpx.get(f"{url}/ready")
    assert ready.status_code == 503
    assert ready.json()["pools"] == {"instruct": {"ready": 0, "replicas": 1}, "thinking": {"ready": 1, "replicas": 1}}


def test_an_engine_that_falls_silent_is_a_504_before_the_first_byte_and_an_error_event_after(launch: Launcher) -> None:
    engine = launch.engine("m")
    url = launch.router([engine], [engine], read_timeout_s=0.5)
    answer = httpx.post(f"{url}/v1/chat/completions", json=ASK | {"model": "m"}, headers={"x-fake": "never"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "engine_timeout")
    with pytest.raises(openai.APIError) as raised:
        streamed(url, "stall")
    assert raised.value.code == "engine_timeout"


def test_a_client_that_leaves_before_the_answer_aborts_the_engine(launch: Launcher) -> None:
    engine = launch.engine("m")
    url = launch.router([engine], [engine])
    for stream in (True, False):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/v1/chat/completions", json=ASK | {"stream": stream}, headers={"x-fake": "never"}, timeout=0.5)
    wait_for("both requests to be aborted", lambda: httpx.get(f"{engine}/fake/aborted").text == "2")
    assert metric(url, "duet_router_client_disconnects_total", phase="before_first_event") == 1
    assert metric(url, "duet_router_client_disconnects_total", phase="unary") == 1
    assert metric(url, "duet_router_requests_in_flight") == 0


def test_both_reasoning_fields_carry_the_same_text(router: str) -> None:
    deltas = [delta.model_extra or {} for delta in streamed(router, "")]
    texts = [(extra["reasoning"], extra["reasoning_content"]) for extra in deltas if "reasoning" in extra]
    assert texts == [('先想 "一" 下\\ \n',) * 2, ("second",) * 2]
    with sdk(router) as client:
        message = client.chat.completions.create(**ASK).choices[0].message
    assert message.model_extra == {"reasoning": "because", "reasoning_content": "because"}


def test_sigterm_lets_running_streams_end(launch: Launcher) -> None:
    router = launch.pair()
    with httpx.stream(
        "POST", f"{router}/v1/chat/completions", json=ASK | {"stream": True}, headers={"x-fake": "slow"}
    ) as response:
        pieces = response.iter_text()
        text = next(pieces)
        launch.children[router].send_signal(signal.SIGTERM)
        time.sleep(0.2)
        text += "".join(pieces)
    assert text.endswith("data: [DONE]\n\n")
    launch.children[router].wait(10)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{router}/health")
