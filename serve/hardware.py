"""Asks the NVIDIA driver and the operating system what there is to run on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
import pynvml

from serve.errors import PlanError
from serve.values import Gpu, Hardware

if TYPE_CHECKING:
    from collections.abc import Sequence


def probe(cuda_visible_devices: str | None) -> Hardware:
    """Describe this machine; GPUs are those that `CUDA_VISIBLE_DEVICES` leaves, counted in PCI bus order.

    Raises:
        PlanError: the variable names a GPU that the driver does not know.

    """
    cores = len(os.sched_getaffinity(0))
    return Hardware(visible(_gpus(), cuda_visible_devices), cores, psutil.virtual_memory().total)


def visible(gpus: Sequence[Gpu], cuda_visible_devices: str | None) -> tuple[Gpu, ...]:
    """Choose GPUs as the variable does: nothing set means all, an empty value or -1 means none."""
    if cuda_visible_devices is None or not gpus:
        return tuple(gpus)
    by_name = {str(gpu.index): gpu for gpu in gpus} | {gpu.uuid: gpu for gpu in gpus}
    names = [name.strip() for name in cuda_visible_devices.split(",")]
    if names[0] in {"", "-1"}:
        return ()
    if unknown := [name for name in names if name not in by_name]:
        there_are = ", ".join(str(gpu.index) for gpu in gpus)
        raise PlanError(f"CUDA_VISIBLE_DEVICES = {cuda_visible_devices!r}: no GPU {', '.join(unknown)}; there are {there_are}")
    return tuple(by_name[name] for name in names)


def _gpus() -> tuple[Gpu, ...]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()  # no driver, or one that does not answer: then vLLM could not use the GPU either
    try:
        return tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
    finally:
        pynvml.nvmlShutdown()


def _gpu(index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(index, pynvml.nvmlDeviceGetName(handle), memory.total, (major, minor), pynvml.nvmlDeviceGetUUID(handle))
