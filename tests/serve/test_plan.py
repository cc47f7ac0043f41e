"""What each engine gets, by hardware: the decisions that a user would notice."""

from __future__ import annotations

from typing import Any

import pynvml
import pytest

from serve.config import DuetConfig
from serve.errors import PlanError
from serve.hardware import probe, visible
from serve.plan import plan
from serve.values import POOLS, EnginePlan, Gpu, Hardware

GIB = 1 << 30


def gpu(index: int = 0, capability: tuple[int, int] = (9, 0)) -> Gpu:
    return Gpu(index, "a GPU", capability, f"GPU-{index:08x}-5a2e")


def machine(*gpus: Gpu, cores: int = 8, memory_bytes: int = 64 * GIB) -> Hardware:
    return Hardware(gpus, cores, memory_bytes)


def planned(hardware: Hardware, **pools: dict[str, Any]) -> dict[str, EnginePlan]:
    config = DuetConfig(pools=pools)  # type: ignore[arg-type]
    return {each.name: each for each in plan(config, hardware, POOLS)}


def test_without_a_gpu_the_embedded_models_share_the_cores() -> None:
    plans = planned(machine(cores=6))
    assert [each.model for each in plans.values()] == ["embedded", "embedded"]
    assert plans["thinking"].served_names == ("duet/embedded-thinking", "qwen3-vl-thinking", "auto", "qwen3-vl")
    assert {each.threads for each in plans.values()} == {2}
    assert {(each.kv_cache_dtype, each.dtype, each.kv_cache_memory_bytes) for each in plans.values()} == {("fp8", None, GIB)}


def test_engines_on_one_gpu_share_it_and_start_in_turn() -> None:
    plans = planned(machine(gpu()))
    assert [each.served_names[0] for each in plans.values()] == ["Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-4B-Thinking"]
    assert [each.gpu_memory_utilization for each in plans.values()] == [0.45, 0.45]
    assert [each.starts_after for each in plans.values()] == [None, "instruct"]


def test_engines_take_turns_over_several_gpus() -> None:
    replicas = [f"http://127.0.0.1:{port}" for port in (8101, 8103)]
    plans = planned(machine(gpu(0), gpu(3)), instruct={"replicas": replicas})
    where = {name: (each.gpu.index, each.gpu_memory_utilization, each.starts_after) for name, each in plans.items() if each.gpu}
    assert where == {"instruct-8101": (0, 0.45, None), "instruct-8103": (3, 0.9, None), "thinking": (0, 0.45, "instruct-8101")}


@pytest.mark.parametrize(
    ("capability", "kv_cache_dtype", "dtype"),
    [((7, 0), "auto", "half"), ((7, 5), "auto", "half"), ((8, 0), "fp8", None), ((8, 6), "fp8", None), ((12, 0), "fp8", None)],
)
def test_what_each_generation_of_gpu_can(capability: tuple[int, int], kv_cache_dtype: str, dtype: str | None) -> None:
    chosen = planned(machine(gpu(capability=capability)))["instruct"]
    assert (chosen.kv_cache_dtype, chosen.dtype) == (kv_cache_dtype, dtype)


def test_what_is_asked_for_wins_over_every_rule() -> None:
    engine = {
        "max_model_len": 1024,
        "max_num_seqs": 3,
        "kv_cache_dtype": "auto",
        "kv_cache_memory": "3GiB",
        "max_image_pixels": 100_000,
    }
    chosen = planned(machine(), instruct={"engine": engine})["instruct"]
    assert (chosen.max_model_len, chosen.max_num_seqs, chosen.kv_cache_dtype) == (1024, 3, "auto")
    assert (chosen.kv_cache_memory_bytes, chosen.image_pixels.most) == (3 * GIB, 100_000)


def test_a_folder_is_served_by_its_name_and_by_its_path() -> None:
    chosen = planned(machine(), instruct={"model": "/models/Qwen3-VL-8B-Instruct", "aliases": ["reader"]})["instruct"]
    assert chosen.served_names == ("Qwen3-VL-8B-Instruct", "reader", "auto", "qwen3-vl", "/models/Qwen3-VL-8B-Instruct")


def test_replicas_elsewhere_are_not_started_here() -> None:
    plans = planned(machine(), instruct={"replicas": ["http://10.0.0.7:8101", "dns://engines:8000", "http://localhost:8109"]})
    assert [(each.name, each.port) for each in plans.values()] == [("instruct", 8109), ("thinking", 8102)]


@pytest.mark.parametrize(
    ("pools", "said"),
    [
        ({"thinking": {"replicas": ["http://127.0.0.1:8101"]}}, "port 8101 is given to more than one engine"),
        ({"thinking": {"engine": {"kv_cache_memory": "64GiB"}}}, "2 engines want 65.0 GiB; there are 64.0 GiB"),
        ({"instruct": {"model": "/a/reader"}, "thinking": {"model": "/b/reader"}}, "both would serve 'reader'"),
    ],
)
def test_what_cannot_be_is_refused(pools: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        planned(machine(), **pools)


@pytest.mark.parametrize(
    ("variable", "left"),
    [
        (None, [0, 1, 2]),
        ("2,0", [2, 0]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        (" 1 ", [1]),
        ("GPU-00000001-5a2e", [1]),
        ("GPU-00000002", [2]),
        ("1,-1,0", [1]),
        ("2,,0", [2]),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(variable: str | None, left: list[int]) -> None:
    assert [each.index for each in visible([gpu(0), gpu(1), gpu(2)], variable)] == left


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("0,7", "no GPU 7; there are 0, 1"),
        ("GPU-7", "no GPU GPU-7; there are 0, 1"),
        ("GPU-0000", "GPU-0000 is the beginning of 2 GPUs' UUIDs"),
        ("MIG-0d1c", "MIG-0d1c: Duet gives an engine a whole GPU, not a MIG device"),
    ],
)
def test_a_gpu_that_is_not_there_is_named(variable: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        visible([gpu(0), gpu(1)], variable)
    assert caught.value.message == f"CUDA_VISIBLE_DEVICES = {variable!r}: {said}"


def shares(**asked: float) -> dict[str, float | None]:
    engines = {pool: {"engine": {"gpu_memory_utilization": share}} for pool, share in asked.items()}
    return {name: each.gpu_memory_utilization for name, each in planned(machine(gpu()), **engines).items()}


def test_an_engine_gets_what_the_others_on_its_gpu_leave() -> None:
    assert shares(instruct=0.3) == {"instruct": 0.3, "thinking": 0.6}
    assert shares(instruct=0.3, thinking=0.7) == {"instruct": 0.3, "thinking": 0.7}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"instruct": 0.6, "thinking": 0.5}, "on GPU 0 0.6 (instruct) + 0.5 (thinking) = 1.1, which is more than 1"),
        ({"thinking": 0.9}, "on GPU 0 0.9 (thinking) = 0.9, which leaves nothing of 0.9 to 1 more"),
    ],
)
def test_shares_of_a_gpu_that_do_not_fit_it_are_refused_with_their_sum(asked: dict[str, float], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        shares(**asked)
    assert said in caught.value.message


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex", "nvmlDeviceGetUUID"])
def test_a_driver_that_does_not_answer_is_no_machine_without_gpus(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def refuse(*_: object) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)

    answers: dict[str, object] = {
        "nvmlInit": None,
        "nvmlShutdown": None,
        "nvmlDeviceGetCount": 1,
        "nvmlDeviceGetHandleByIndex": None,
    }
    answers |= {"nvmlDeviceGetCudaComputeCapability": (9, 0), "nvmlDeviceGetName": "a GPU", "nvmlDeviceGetUUID": "GPU-1"}
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, lambda *_, answer=answer: answer)
    assert probe(None, with_gpus=True).gpus == (Gpu(0, "a GPU", (9, 0), "GPU-1"),)
    monkeypatch.setattr(pynvml, call, refuse)
    with pytest.raises(PlanError, match=r"the NVIDIA driver .*: Insufficient Permissions"):
        probe(None, with_gpus=True)
    assert probe(None, with_gpus=False).gpus == ()
