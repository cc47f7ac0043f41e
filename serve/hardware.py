"""Asks the NVIDIA driver and the operating system what there is to run on."""

from __future__ import annotations

import os
import re
from itertools import takewhile
from typing import TYPE_CHECKING

import psutil
import pynvml

from serve.errors import PlanError
from serve.values import Gpu, Hardware

if TYPE_CHECKING:
    from collections.abc import Sequence


GPU_NAME = re.compile(r"\d+$|GPU-|MIG-")
NO_DRIVER = (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded)


def probe(cuda_visible_devices: str | None, *, with_gpus: bool) -> Hardware:
    """Describe this machine; GPUs are those that `CUDA_VISIBLE_DEVICES` leaves, counted in PCI bus order.

    Raises:
        PlanError: the variable names a GPU that the driver does not know, or the driver does not answer.

    """
    cores = len(os.sched_getaffinity(0))
    gpus = visible(_gpus(), cuda_visible_devices) if with_gpus else ()
    return Hardware(gpus, cores, psutil.virtual_memory().total)


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


def _gpus() -> tuple[Gpu, ...]:
    try:
        pynvml.nvmlInit()
    except NO_DRIVER:
        return ()
    except pynvml.NVMLError as error:
        raise PlanError(f"the NVIDIA driver does not answer: {error}") from error
    try:
        return tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
    except pynvml.NVMLError as error:
        raise PlanError(f"the NVIDIA driver cannot describe its GPUs: {error}") from error
    finally:
        pynvml.nvmlShutdown()


def _gpu(index: int) -> Gpu:
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
        return Gpu(index, pynvml.nvmlDeviceGetName(handle), (major, minor), pynvml.nvmlDeviceGetUUID(handle))
    except pynvml.NVMLError as error:
        raise PlanError(f"the NVIDIA driver cannot describe GPU {index}: {error}") from error
