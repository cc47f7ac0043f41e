"""Asks the NVIDIA driver and the operating system what there is to run on."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pynvml

from serve.errors import PlanError
from serve.values import Gpu, GpuProcess, Hardware

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


GPU_NAME = re.compile(r"\d+$|GPU-|MIG-")
NO_DRIVER = (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded)


def probe(cuda_visible_devices: str | None, *, with_gpus: bool) -> Hardware:
    """Describe this machine; GPUs are those that `CUDA_VISIBLE_DEVICES` leaves, counted in PCI bus order.

    Raises:
        PlanError: the variable names a GPU that the driver does not know, or the driver does not answer.

    """
    cores, memory = len(os.sched_getaffinity(0)), psutil.virtual_memory().total
    machine = Hardware((), cores, memory, fp8_on_cpu=_keeps_fp8(Path("/proc/cpuinfo")))
    if not with_gpus:
        return machine
    driven = _driven(machine)
    return replace(driven, gpus=visible(driven.gpus, cuda_visible_devices))


def _keeps_fp8(cpuinfo: Path) -> bool:
    """https://github.com/vllm-project/vllm/blob/v0.32.0/vllm/v1/attention/backends/cpu_attn.py: `_get_attn_isa`."""
    try:
        flags = cpuinfo.read_text(encoding="utf-8").split()
    except OSError:
        return False
    return "avx512f" in flags or "amx_tile" in flags


def free_bytes(gpu: Gpu) -> int:
    """What is free on `gpu` now, as the driver says; what was free before where it says nothing."""
    try:
        gpus = _driven(Hardware((), 0, 0)).gpus
    except PlanError:
        return gpu.free_bytes
    return next((each.free_bytes for each in gpus if each.index == gpu.index and each.memory_bytes), gpu.free_bytes)


def visible(gpus: Sequence[Gpu], cuda_visible_devices: str | None) -> tuple[Gpu, ...]:
    """Choose GPUs as CUDA does: nothing set means all; numbers and (beginnings of) UUIDs up to the first entry that is neither.

    CUDA also ends the list at a GPU that is not there. That is a mistake and nobody's wish, so it is refused; and so are the
    parts of a GPU that MIG makes, which the driver lists elsewhere.
    https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#env-vars
    """
    if cuda_visible_devices is None or not gpus:
        return tuple(gpus)
    names = takewhile(GPU_NAME.match, (name.strip() for name in cuda_visible_devices.split(",")))
    try:
        return tuple(_named(name, gpus) for name in names)
    except PlanError as error:
        raise PlanError(f"CUDA_VISIBLE_DEVICES = {cuda_visible_devices!r}: {error.message}") from error


def _named(name: str, gpus: Sequence[Gpu]) -> Gpu:
    if name.startswith("MIG-"):
        raise PlanError(f"{name}: Duet gives an engine a whole GPU, not a MIG device")
    found = [gpu for gpu in gpus if name == str(gpu.index) or (name.startswith("GPU-") and gpu.uuid.startswith(name))]
    if len(found) > 1:
        raise PlanError(f"{name} is the beginning of {len(found)} GPUs' UUIDs")
    if not found:
        raise PlanError(f"no GPU {name}; there are {', '.join(str(gpu.index) for gpu in gpus)}")
    return found[0]


def _driven(machine: Hardware) -> Hardware:
    """The machine as its NVIDIA driver describes it; as it was where there is no driver."""
    try:
        pynvml.nvmlInit()
    except NO_DRIVER:
        return machine
    except pynvml.NVMLError as error:
        raise PlanError(f"the NVIDIA driver does not answer: {error}") from error
    try:
        gpus = tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
        return replace(machine, gpus=gpus, driver=_told(pynvml.nvmlSystemGetDriverVersion), cuda=_cuda())
    except pynvml.NVMLError as error:
        raise PlanError(f"the NVIDIA driver cannot describe its GPUs: {error}") from error
    finally:
        pynvml.nvmlShutdown()


def _cuda() -> str | None:
    """The newest CUDA that the driver runs, "13.0"; NVML says 13000."""
    version = _told(pynvml.nvmlSystemGetCudaDriverVersion_v2)
    return f"{version // 1000}.{version % 1000 // 10}" if version else None


def _gpu(index: int) -> Gpu:
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
        gpu = Gpu(index, pynvml.nvmlDeviceGetName(handle), (major, minor), pynvml.nvmlDeviceGetUUID(handle))
    except pynvml.NVMLError as error:
        raise PlanError(f"the NVIDIA driver cannot describe GPU {index}: {error}") from error
    memory = _told(pynvml.nvmlDeviceGetMemoryInfo, handle)
    total, free = (memory.total, memory.free) if memory else (0, 0)
    return replace(gpu, memory_bytes=total, free_bytes=free, holders=_holders(handle))


def _holders(handle: Any) -> tuple[GpuProcess, ...]:
    """Other processes with memory on the GPU, most first; a process that computes and draws is listed twice and counted once."""
    running = [
        process
        for ask in (pynvml.nvmlDeviceGetComputeRunningProcesses, pynvml.nvmlDeviceGetGraphicsRunningProcesses)
        for process in _told(ask, handle) or ()
    ]
    found = {each.pid: GpuProcess(each.pid, each.usedGpuMemory, _name(each.pid)) for each in running if each.pid != os.getpid()}
    return tuple(sorted(found.values(), key=lambda process: (-(process.memory_bytes or 0), process.pid)))


def _name(pid: int) -> str:
    """The program's name; empty where the process cannot be seen, as from within a container."""
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""


def _told(ask: Callable[..., Any], *of: Any) -> Any:
    """What the driver answers, or `None` where it does not: some machines and containers keep it to themselves."""
    try:
        return ask(*of)
    except pynvml.NVMLError:
        return None
