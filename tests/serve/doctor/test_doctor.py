"""`duet doctor` as a user runs it: on this machine, whole and broken in every way that a test can break it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from serve.checkpoint import embedded
from tests.processes import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serve.conftest import Duet

LOGS = Path(__file__).parents[1] / "causes" / "data"


@pytest.fixture
def machine(duet: Duet, cache_dir: Path) -> Duet:
    """A configuration without mistakes: the installed vLLM, embedded models, free ports."""
    del duet.config["serve"]["launcher"]
    duet.config["serve"]["cache_dir"] = str(cache_dir)
    for pool in duet.config["pools"].values():
        pool["model"] = "embedded"
    return duet


@pytest.fixture
def folder(machine: Duet) -> Path:
    """A whole checkpoint, served as the Instruct model."""
    whole = machine.folder / "models" / "whole"
    shutil.copytree(embedded.ensure("instruct"), whole)
    machine.config["pools"]["instruct"]["model"] = str(whole)
    return whole


def examined(machine: Duet) -> tuple[int, dict[str, Any]]:
    """The exit code, and the rows by name."""
    code, out, err = machine.run("doctor", "--json")
    document = json.loads(out)
    rows = {row["name"]: row for row in document["checks"]}
    assert len(rows) == len(document["checks"]), "two rows of one name"
    failed = [name for name, row in rows.items() if row["state"] == "failure"]
    assert all(row["fix"] for row in rows.values() if row["state"] != "ok")
    assert (code == 12) == bool(failed) == (document["counts"]["failure"] > 0)
    assert (f"checks failed: {', '.join(failed)}" in err) == bool(failed)
    return code, rows


def test_a_machine_that_is_well(machine: Duet, folder: Path) -> None:
    code, rows = examined(machine)
    assert code == 0, rows
    assert rows["versions"]["found"].startswith("torch ")
    assert rows["instruct model"]["found"].startswith(str(folder))
    assert rows["thinking model"]["found"].startswith("embedded: ")
    assert set(rows) == {
        *("configuration", "vLLM", "versions", "driver", "C compiler", "orphans", "RAM", "/dev/shm", "open files", "allocator"),
        *("disk of the cache", *(f"port {port}" for port in machine.ports.values()), "instruct model", "thinking model"),
    }


def test_the_table_is_for_people(machine: Duet) -> None:
    machine.config["pools"]["thinking"]["model"] = "/no/such/folder"
    code, out, err = machine.run("doctor")
    assert code == 12
    rows = {line[8:].split("  ")[0].strip(): line for line in out.splitlines() if line[:8].strip()}
    assert rows["configuration"].startswith("ok ")
    assert rows["thinking model"].startswith("failure ")
    assert "  Fix: Correct the path, or name a hub id." in out
    assert max(map(len, out.splitlines())) <= 120
    assert err.endswith("checks failed: thinking model\n")


def test_a_wrong_configuration_ends_no_other_check(machine: Duet) -> None:
    machine.config["pools"]["instruct"]["engine"] = {"max_model_ln": 1}
    machine.config["router"]["workers"] = "many"
    code, rows = examined(machine)
    assert code == 12
    assert "pools.instruct.engine.max_model_ln = 1: no such key" in rows["configuration"]["found"]
    assert "versions" in rows
    del machine.config["pools"]["instruct"]["engine"]
    assert "router.workers: 'many'" in examined(machine)[1]["configuration"]["found"]


def test_a_port_that_somebody_holds(machine: Duet) -> None:
    port = machine.ports["thinking"]
    with socket.create_server(("127.0.0.1", port)):
        _, rows = examined(machine)
    assert rows[f"port {port}"]["state"] == "failure"
    assert f"in use by process {os.getpid()} (" in rows[f"port {port}"]["found"]


def test_a_model_that_is_not_whole(machine: Duet, folder: Path) -> None:
    weights = folder / "model.safetensors"
    os.truncate(weights, weights.stat().st_size - 1000)
    (folder / "preprocessor_config.json").unlink()
    (folder / "chat_template.json").unlink()
    tokenizer = folder / "tokenizer_config.json"
    tokenizer.write_text(
        json.dumps({key: value for key, value in json.loads(tokenizer.read_text()).items() if "template" not in key})
    )
    (folder / "generation_config.json").write_text("{")
    _, rows = examined(machine)
    found = rows["instruct model"]["found"]
    assert rows["instruct model"]["state"] == "failure"
    for wrong in (
        "lacks preprocessor_config.json or",
        "lacks a chat template",
        "generation_config.json is not JSON",
        "model.safetensors is cut short",
    ):
        assert wrong in found, found


def test_a_shard_that_the_index_names_and_the_folder_lacks(machine: Duet, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    _, rows = examined(machine)
    assert "1 of 2 weight files are missing: model-00002-of-00002.safetensors" in rows["instruct model"]["found"]


def test_a_folder_without_weights_is_whole_for_a_trial_without_weights(machine: Duet, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "it holds no *.safetensors" in examined(machine)[1]["instruct model"]["found"]
    machine.config["pools"]["instruct"]["engine"] = {"args": ["--load-format=dummy"]}
    assert examined(machine)[1]["instruct model"]["state"] == "ok"


def test_a_hub_that_cannot_be_reached(machine: Duet) -> None:
    nowhere = f"http://127.0.0.1:{machine.ports['router']}"
    machine.environment |= {"HF_ENDPOINT": nowhere, "HF_HOME": str(machine.folder / "hf")}
    machine.config["pools"]["thinking"]["model"] = "Qwen/Qwen3-VL-4B-Thinking"
    _, rows = examined(machine)
    assert rows["thinking model"]["state"] == "failure"
    assert f"{nowhere} cannot be reached" in rows["thinking model"]["found"]
    assert "HF_ENDPOINT" in rows["thinking model"]["fix"]
    assert "8.3 GiB are still to come" in rows["disk of the hub's cache"]["found"]


def test_variables_that_contradict_what_vllm_is_asked_for(machine: Duet) -> None:
    machine.environment["PYTORCH_CUDA_ALLOC_CONF"] = "expandable_segments:True"
    assert examined(machine)[1]["allocator"]["state"] == "ok"
    machine.config["pools"]["thinking"]["engine"] = {"kv_offloading_size": 4}
    row = examined(machine)[1]["allocator"]
    assert (row["state"], "pools.thinking.engine.kv_offloading_size is set" in row["found"]) == ("failure", True)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "tiny"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user may not mount")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_without_room(machine: Duet, tiny_disk: Path) -> None:
    machine.config["serve"]["cache_dir"] = str(tiny_disk / "cache")
    row = examined(machine)[1]["disk of the cache"]
    assert (row["state"], row["found"]) == ("failure", f"0.0 GiB free for {tiny_disk / 'cache'}; 0.2 GiB are needed")


@pytest.fixture
def engine_core() -> Iterator[psutil.Process]:
    """A process with the title of an engine core, whose parent has ended."""
    shell = "(exec -a VLLM::EngineCore sleep 300) >/dev/null 2>&1 & echo $!"
    started = subprocess.run(["setsid", "bash", "-c", shell], capture_output=True, text=True, check=True)
    process = psutil.Process(int(started.stdout))
    wait_for("its title", lambda: process.cmdline()[:1] == ["VLLM::EngineCore"])
    yield process
    process.send_signal(signal.SIGKILL)


def test_an_engine_core_that_has_lost_its_server(machine: Duet, engine_core: psutil.Process) -> None:
    row = examined(machine)[1]["orphans"]
    assert row["state"] == "failure"
    assert f"VLLM::EngineCore 300 (process {engine_core.pid}, 0.0 GiB RAM)" in row["found"]
    assert str(engine_core.pid) in row["fix"]


def test_an_engine_core_that_has_a_server_is_none_of_the_doctors_business(machine: Duet) -> None:
    child = subprocess.Popen(["bash", "-c", "exec -a VLLM::EngineCore sleep 300"])
    try:
        wait_for("its title", lambda: psutil.Process(child.pid).cmdline()[:1] == ["VLLM::EngineCore"])
        assert f"process {child.pid}" not in examined(machine)[1]["orphans"]["found"]
    finally:
        child.kill()
        child.wait()


def test_a_launcher_that_is_not_there(machine: Duet) -> None:
    machine.config["serve"]["launcher"] = ["/no/such/program"]
    _, rows = examined(machine)
    assert "there is no program '/no/such/program'" in rows["vLLM"]["found"]
    assert "instruct model" in rows


def doctor(*arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    argv = [sys.executable, "-P", "-c", "from serve.cli import main; main()", "doctor", *arguments]
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_log_is_read_from_a_file_and_from_standard_input() -> None:
    log = LOGS / "size-mismatch.log"
    code, out, _ = doctor("--log", str(log))
    assert code == 0
    cause, line, fix = out.splitlines()
    assert cause.startswith("Cause: tensors have other shapes")
    assert "RuntimeError: The size of tensor a (384) must match the size of tensor b (192)" in line
    assert log.read_text().split("\n")[int(line.split(":")[0].removeprefix("Line ")) - 1].strip() in line
    assert fix.startswith("Fix: ")
    assert doctor("--log", "-", stdin=log.read_bytes()) == (0, out, "")


def test_a_log_without_a_known_cause_is_quoted() -> None:
    code, out, _ = doctor("--log", "-", stdin=b"\x1b[31mTraceback (most recent call last):\x1b[0m\nKeyError: 'nobody knows'\n")
    assert (code, out) == (0, "No cause that Duet knows. The log's last words:\n  KeyError: 'nobody knows'\n")


def test_a_log_as_json() -> None:
    code, out, _ = doctor("--json", "--log", str(LOGS / "port-in-use.log"))
    document = json.loads(out)
    assert (code, document["diagnosis"]["code"]) == (0, "port-in-use")
    assert document["diagnosis"]["line"] == "OSError: [Errno 98] Address already in use"
    assert json.loads(doctor("--json", "--log", "/dev/null")[1]) == {"diagnosis": None, "last_words": []}


def test_a_log_that_is_not_there() -> None:
    code, _, err = doctor("--log", "/no/such.log")
    assert code == 2
    assert "/no/such.log: No such file or directory" in err
