"""Judges the GPUs: what they can compute, and who holds their memory. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.doctor.values import failure, gib, ok, warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.config import DuetConfig
    from serve.doctor.values import Check
    from serve.values import Gpu, Hardware

# Compute capabilities: vLLM's own checks (platforms/cuda.py, v1/attention/backends), and what CUDA 13 still compiles for.
BFLOAT16_SINCE = (8, 0)
CUDA_13_SINCE = (7, 5)
OLDEST = (7, 0)
IDLE_BYTES = 1 << 30  # a desktop and a driver hold less


@dataclass(frozen=True, slots=True)
class Orphan:
    """A process of vLLM's that has outlived its API server, and what it holds."""

    pid: int
    title: str
    ram_bytes: int


def types(gpu: Gpu, torch_cuda: int | None, config: DuetConfig) -> Check:
    """Tell which types of numbers a GPU takes, and which keys ask for others."""
    name, capability = f"GPU {gpu.index}", gpu.compute_capability
    found = f"{gpu.name}, compute capability {capability[0]}.{capability[1]}"
    if capability < OLDEST:
        return failure(name, f"{found}: older than vLLM supports (7.0)", "Use another GPU, or duet-vl[cpu].")
    if capability < CUDA_13_SINCE and (torch_cuda or 0) >= 13:
        return failure(
            name, f"{found}: CUDA 13 has no kernels for it", "Install the cu129 wheels of vLLM, torch and torchvision."
        )
    if capability >= BFLOAT16_SINCE:
        return ok(name, f"{found}: bfloat16, fp8 KV cache")
    if asked := _beyond(config):
        return failure(name, f"{found} has neither bfloat16 nor fp8, and {' and '.join(asked)}", "Leave these keys out.")
    return ok(name, f"{found}: no bfloat16 and no fp8; engines use half precision")


def _beyond(config: DuetConfig) -> list[str]:
    pools = {"instruct": config.pools.instruct.engine, "thinking": config.pools.thinking.engine}
    kv = [
        f"pools.{pool}.engine.kv_cache_dtype = {it.kv_cache_dtype}"
        for pool, it in pools.items()
        if (it.kv_cache_dtype or "").startswith("fp8")
    ]
    return kv + [f"pools.{pool}.engine.dtype = {it.dtype}" for pool, it in pools.items() if it.dtype == "bfloat16"]


def memory(gpu: Gpu) -> Check:
    """Tell what is free on a GPU and who holds the rest."""
    name, held = f"GPU {gpu.index} memory", gpu.memory_bytes - gpu.free_bytes
    found = f"{gib(gpu.free_bytes)} of {gib(gpu.memory_bytes)} free"
    if not gpu.memory_bytes:
        return warning(name, "the driver does not tell how much memory there is", "Look at `nvidia-smi`.")
    if held < IDLE_BYTES:
        return ok(name, found)
    holders = ", ".join(
        f"process {it.pid} ({it.name or 'of another user or container'}) {gib(it.memory_bytes) if it.memory_bytes else ''}".rstrip()
        for it in gpu.holders
    )
    found = f"{found}; held by {holders or 'processes that the driver does not list'}"
    return warning(name, found, "End them if they are not meant to run beside Duet: what is left is all that engines can get.")


def orphans(found: Sequence[Orphan], hardware: Hardware) -> Check:
    """Name engine processes that nobody will ever ask again; they keep their memory until they are ended."""
    if not found:
        return ok("orphans", "no engine process without its server")
    on_gpu = {it.pid: it.memory_bytes or 0 for gpu in hardware.gpus for it in gpu.holders}
    said = ", ".join(_told(it, on_gpu.get(it.pid, 0)) for it in found)
    pids = " ".join(str(it.pid) for it in found)
    return failure("orphans", f"{said}: its server is gone", f"`kill {pids}`, and `kill -9 {pids}` if they stay.")


def _told(orphan: Orphan, gpu_bytes: int) -> str:
    held = f"{gib(orphan.ram_bytes)} RAM" + (f", {gib(gpu_bytes)} GPU memory" if gpu_bytes else "")
    return f"{orphan.title} (process {orphan.pid}, {held})"
