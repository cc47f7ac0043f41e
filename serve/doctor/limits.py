"""Judges what the operating system grants: RAM, /dev/shm, open files, disks, and the variables that steer torch's memory. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.doctor.values import failure, gib, ok, warning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serve.config import DuetConfig
    from serve.doctor.values import Check

GIB = 1 << 30
SHM = "/dev/shm"  # noqa: S108 - looked at, not written to
# https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting/runtime_and_mpi_issues.html; Docker gives 64 MiB.
SHM_BYTES = GIB
OPEN_FILES = 65_535  # vllm/utils/system_utils.py:set_ulimit raises the soft limit to this, where the hard one lets it
# An API server and its engine: 3 to 4 GiB with the smallest model; vLLM's cache of pictures (mm-processor-cache-gb) comes to it.
ENGINE_RAM_BYTES = 4 * GIB
LEAST_DISK_BYTES = GIB // 4  # bytecode and logs
ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")  # in torch's own order: the former wins
EXPANDABLE = "expandable_segments:True"


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder that is written to (or its nearest parent that exists), and what is still to come there."""

    folder: Path
    free_bytes: int
    needed_bytes: int
    what: str


def ram(available_bytes: int, total_bytes: int, engines: int, kv_bytes: int) -> Check:
    """Hold free RAM against what the engines start with; `kv_bytes` is the KV cache of all of them, where it is in RAM."""
    needed = engines * ENGINE_RAM_BYTES + kv_bytes
    found = f"{gib(available_bytes)} of {gib(total_bytes)} free; {engines} engine(s) start with up to {gib(needed)}"
    if available_bytes < kv_bytes:
        return failure(
            "RAM", f"{found}, {gib(kv_bytes)} of it KV cache", "Lower pools.NAME.engine.kv_cache_memory, or end other programs."
        )
    if available_bytes < needed:
        return warning("RAM", found, "End other programs, or put --mm-processor-cache-gb 1 in pools.NAME.engine.args.")
    return ok("RAM", found)


def shared_memory(free_bytes: int | None, gpus: int, config: DuetConfig) -> Check:
    """GPU processes of one engine talk through /dev/shm: NCCL, and vLLM's own queues (160 MiB, device_communicators/shm_broadcast.py)."""
    pools = (config.pools.instruct, config.pools.thinking)
    parallel = any((pool.engine.tensor_parallel_size or 1) > 1 for pool in pools)
    if free_bytes is None:
        return ok(SHM, "there is none; only engines over several GPUs need it")
    found = f"{gib(free_bytes)} free"
    if free_bytes >= SHM_BYTES:
        return ok(SHM, found)
    fix = "Start the container with --shm-size=1g or more, or --ipc=host; remove stale files from /dev/shm."
    if parallel:
        return failure(SHM, f"{found}; an engine over several GPUs needs {gib(SHM_BYTES)}", fix)
    if gpus > 1:
        return warning(SHM, f"{found}; a model too large for one GPU would need {gib(SHM_BYTES)}", fix)
    return ok(SHM, f"{found}; only engines over several GPUs need more")


def open_files(hard: int) -> Check:
    """Every stream is a file to the system; vLLM and Duet raise the soft limit, nobody can raise the hard one."""
    if hard < OPEN_FILES:
        fix = f"`ulimit -n {OPEN_FILES}` as root before `duet up`, LimitNOFILE= in a unit, --ulimit nofile= for a container."
        return warning("open files", f"at most {hard:,} at once", fix)
    return ok("open files", f"at most {hard:,} at once")


def disk(it: Disk) -> Check:
    """Hold a disk against what is to be written to it."""
    name = f"disk of {it.what}"
    found = f"{gib(it.free_bytes)} free for {it.folder}"
    if it.free_bytes < max(it.needed_bytes, LEAST_DISK_BYTES):
        needs = max(it.needed_bytes, LEAST_DISK_BYTES)
        return failure(name, f"{found}; {gib(needs)} are needed", "Make room, or put it elsewhere: serve.cache_dir, HF_HOME.")
    return ok(name, found + (f"; {gib(it.needed_bytes)} are still to come" if it.needed_bytes else ""))


def allocator(environ: Mapping[str, str], config: DuetConfig) -> Check:
    """Find settings of torch's GPU allocator that contradict each other or what vLLM is asked for (vllm/config/vllm.py)."""
    name = "allocator"
    found = {variable: environ[variable] for variable in ALLOCATOR if environ.get(variable)}
    said = ", ".join(f"{variable}={value}" for variable, value in found.items())
    if not found:
        return ok(name, f"{' and '.join(ALLOCATOR)} are not set")
    if any(EXPANDABLE in value.replace(" ", "") for value in found.values()) and (asked := _pinned(config)):
        because = "moves memory that a KV connector has pinned"
        return failure(
            name, f"{said} {because}, and {asked}", f"Take {EXPANDABLE} out of the variable, or {asked.split(' ')[0]} away."
        )
    if len(set(found.values())) > 1:
        return warning(name, f"{said}: they differ, and torch reads the first", f"Unset {ALLOCATOR[1]}, the older name.")
    return ok(name, said)


def _pinned(config: DuetConfig) -> str:
    """Name the key that makes vLLM pin its KV cache. Sleep mode keeps that memory out of the allocator's hands."""
    for pool, it in (("instruct", config.pools.instruct.engine), ("thinking", config.pools.thinking.engine)):
        if any(flag.startswith("--enable-sleep-mode") for flag in it.args):
            continue
        if it.kv_offloading_size:
            return f"pools.{pool}.engine.kv_offloading_size is set"
        if any(flag.startswith(("--kv-transfer-config", "--kv-offloading-size")) for flag in it.args):
            return f"pools.{pool}.engine.args asks for one"
    return ""
