"""What reaches the engine and what comes back: bodies to the byte, headers by their rules, model names spliced where they must be."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.processes import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.router.conftest import Launcher

MESSAGES = [{"role": "user", "content": "Read the text."}]


def post(url: str, body: bytes, path: str = "/v1/chat/completions", **headers: str) -> httpx.Response:
    return httpx.post(f"{url}{path}", content=body, headers={"content-type": "application/json"} | headers)


def test_the_clients_own_bytes_reach_the_engine(router: str) -> None:
    """Odd spacing, unknown fields, escapes and a float's digits survive: nothing is decoded and encoded again."""
    body = b'{ "model":"auto",\n "x_unknown": [1.50, 1e400, "\\u00e9"], "messages": [{"role":"user","content":"Read","uuid":"a"}]}  '
    answer = post(router, body)
    assert answer.json()["seen"]["sha256"] == hashlib.sha256(body).hexdigest()


def test_the_model_name_alone_is_spliced_for_an_engine_that_does_not_know_it(launch: Launcher) -> None:
    engine = launch.engine("Qwen/Qwen3-VL-4B-Instruct")
    url = launch.router([engine], [launch.engine("t")])
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"model": {"model": "auto"}}}}}]
    head, tail = json.dumps({"tools": tools, "note": '"model": "auto"'})[:-1], json.dumps({"messages": MESSAGES})[1:]
    body = f'{head}, "model" : "auto", {tail}'
    answer = post(url, body.encode())
    assert answer.json()["model"] == "Qwen/Qwen3-VL-4B-Instruct"
    expected = f'{head}, "model" : "Qwen/Qwen3-VL-4B-Instruct", {tail}'
    assert answer.json()["seen"]["sha256"] == hashlib.sha256(expected.encode()).hexdigest()


def test_end_to_end_headers_travel_and_connection_headers_do_not(router: str) -> None:
    sent = {"traceparent": "00-1-2-03", "x-tenant": "a", "authorization": "Bearer k", "x-request-id": "mine", "user-agent": "u"}
    answer = post(
        router,
        json.dumps({"model": "auto", "messages": MESSAGES}).encode(),
        **sent,
        te="trailers",
        connection="close, x-hop",
        **{"x-hop": "1"},
    )
    seen = answer.json()["seen"]["headers"]
    assert {name: seen[name] for name in sent} == sent
    assert not {"te", "x-hop", "accept-encoding", "connection"} & seen.keys() - {"connection"}
    assert answer.headers["x-request-id"] == "mine"
    assert "keep-alive" not in answer.headers
    assert (answer.headers["x-duet-pool"], answer.headers["x-duet-reason"]) == ("instruct", "transcribe")
    assert answer.headers["x-duet-replica"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("bad", ["", "x" * 129, "a b"])
def test_every_answer_has_a_request_id_and_an_unfit_one_is_replaced(router: str, bad: str) -> None:
    for response in (httpx.get(f"{router}/health", headers={"x-request-id": bad}), httpx.get(f"{router}/nowhere")):
        assert len(response.headers["x-request-id"]) == 32


def test_load_balancers_may_ask_with_head_and_no_path_redirects(router: str) -> None:
    assert [httpx.head(f"{router}{path}").status_code for path in ("/health", "/ready")] == [200, 200]
    assert post(router, b"{}", "/v1/chat/completions/").status_code == 404
    assert httpx.get(f"{router}/v1/chat/completions").json()["error"]["code"] == "method_not_allowed"


def test_the_query_string_travels(router: str) -> None:
    answer = post(router, b'{"model":"auto","messages":[]}', "/v1/chat/completions?a=1&b=%20")
    assert answer.json()["seen"]["query"] == "a=1&b=%20"


def test_models_lists_every_name_and_retrieves_each(router: str) -> None:
    listed = httpx.get(f"{router}/v1/models").json()["data"]
    names = [card["id"] for card in listed]
    assert names == ["auto", "qwen3-vl", "qwen3-vl-instruct", "fake/instruct", "qwen3-vl-thinking", "fake/thinking"]
    assert all(card["max_model_len"] == 4096 for card in listed)
    assert [httpx.get(f"{router}/v1/models/{name}").json()["id"] for name in names] == names
    assert httpx.get(f"{router}/v1/models/nope").json()["error"]["code"] == "model_not_found"


BAD: list[tuple[str, bytes, int, str]] = [
    ("/v1/chat/completions", b'{"model":"auto"', 400, "invalid_json"),
    ("/v1/chat/completions", b'{"model":"auto","messages":7}', 400, "invalid_type"),
    ("/v1/chat/completions", b'{"messages":[],"x":' + b"[" * 100_000, 400, "invalid_json"),
    ("/v1/chat/completions", b'{"model":"auto","messages":[{"content":"\xff"}]}', 400, "invalid_json"),
    ("/v1/chat/completions", b'{"model":"gpt-5","messages":[]}', 404, "model_not_found"),
    ("/v1/embeddings", b"{}", 404, "unknown_url"),
    ("/v1/chat/completions", b"x" * 60_000_000, 413, "request_too_large"),
]


@pytest.mark.parametrize("bad", BAD, ids=[f"{path}-{code}" for path, _, _, code in BAD])
def test_bad_requests_get_openai_shaped_errors(router: str, bad: tuple[str, bytes, int, str]) -> None:
    path, body, status, code = bad
    answer = post(router, body, path)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (status, "invalid_request_error", code)
    assert error.keys() == {"message", "type", "param", "code"}


def test_a_chunked_body_over_the_limit_is_refused_too(launch: Launcher) -> None:
    engine = launch.engine()
    url = launch.router([engine], [engine], max_body_mb=1)
    answer = httpx.post(f"{url}/v1/chat/completions", content=(b"x" * 100_000 for _ in range(40)))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_expect_100_continue_is_answered_before_the_body_is_sent(router: str) -> None:
    host, port = router.removeprefix("http://").split(":")
    body = json.dumps({"model": "auto", "messages": MESSAGES}).encode()
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        )
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(body)
        assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_a_name_that_resolves_stands_for_its_addresses(launch: Launcher) -> None:
    engine = launch.engine()
    port = engine.rsplit(":", 1)[1]
    url = launch.router([f"dns://localhost:{port}"], [engine])
    wait_for("a replica behind the name", lambda: httpx.get(f"{url}/ready").status_code == 200)
    assert f'replica="http://127.0.0.1:{port}"' in httpx.get(f"{url}/metrics").text


def test_a_port_in_use_is_one_clear_message(router: str, tmp_path: Path) -> None:
    port = router.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-m", "router", "router"],
        cwd=tmp_path,
        env={"DUET_ROUTER__PORT": port, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 8
    assert f"router.port: {port}" in done.stderr
    assert "Traceback" not in done.stderr
