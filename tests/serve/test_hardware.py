"""What is told of GPUs, with the driver's answers given: memory, versions, and who holds the memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pynvml
import pytest
import torch

from serve.hardware import probe
from serve.values import GpuProcess

MIB = 1 << 20
GONE = 2**22 + 1  # no process has such an id: it is above what Linux gives


@pytest.fixture
def other() -> Iterator[int]:
    """A process that is not ours."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, other: int) -> pytest.MonkeyPatch:
    def process(pid: int, mib: int | None) -> SimpleNamespace:
        return SimpleNamespace(pid=pid, usedGpuMemory=None if mib is None else mib * MIB)

    answers: dict[str, object] = {
        "nvmlInit": None,
        "nvmlShutdown": None,
        "nvmlSystemGetDriverVersion": "580.95.05",
        "nvmlSystemGetCudaDriverVersion_v2": 13_010,
        "nvmlDeviceGetCount": 1,
        "nvmlDeviceGetHandleByIndex": None,
        "nvmlDeviceGetCudaComputeCapability": (8, 9),
        "nvmlDeviceGetName": "NVIDIA GeForce RTX 4090",
        "nvmlDeviceGetUUID": "GPU-1",
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=24_564 * MIB, free=20_000 * MIB, used=4_564 * MIB),
        "nvmlDeviceGetComputeRunningProcesses": [process(GONE, None), process(other, 3_000), process(os.getpid(), 500)],
        "nvmlDeviceGetGraphicsRunningProcesses": [process(other, 3_000)],
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, lambda *_, answer=answer: answer)
    return monkeypatch


@pytest.mark.usefixtures("driver")
def test_memory_and_its_holders_are_told(other: int) -> None:
    machine = probe(None, with_gpus=True)
    (gpu,) = machine.gpus
    assert (machine.driver, machine.cuda) == ("580.95.05", "13.1")
    assert (gpu.memory_bytes, gpu.free_bytes) == (24_564 * MIB, 20_000 * MIB)
    assert [(each.pid, each.memory_bytes) for each in gpu.holders] == [(other, 3_000 * MIB), (GONE, None)]
    assert gpu.holders[0].name.startswith("python")
    assert gpu.holders[1] == GpuProcess(GONE, None, "")


def test_what_the_driver_keeps_to_itself_stops_nothing(driver: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    for call in (
        "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetComputeRunningProcesses",
        "nvmlDeviceGetGraphicsRunningProcesses",
        "nvmlSystemGetDriverVersion",
        "nvmlSystemGetCudaDriverVersion_v2",
    ):
        driver.setattr(pynvml, call, refuse)
    machine = probe(None, with_gpus=True)
    (gpu,) = machine.gpus
    assert (machine.driver, machine.cuda, gpu.memory_bytes, gpu.free_bytes, gpu.holders) == (None, None, 0, 0, ())


@pytest.mark.parametrize("error", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED])
def test_without_a_driver_there_are_no_gpus(driver: pytest.MonkeyPatch, error: int) -> None:
    def missing() -> None:
        raise pynvml.NVMLError(error)

    driver.setattr(pynvml, "nvmlInit", missing)
    machine = probe("0", with_gpus=True)
    assert (machine.gpus, machine.driver, machine.cuda) == ((), None, None)
    assert machine.cores > 0
    assert machine.memory_bytes > 0
    assert machine.fp8_on_cpu == torch.cpu._is_avx512_supported() or torch.cpu._is_amx_tile_supported(), "as vLLM asks"
