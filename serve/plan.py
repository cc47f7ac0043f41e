"""Decides what each engine gets: device, memory, limits. Pure: hardware and configuration in, frozen plans out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from serve.checkpoint.embedded import EMBEDDED_MODEL
from serve.errors import PlanError
from serve.values import EMBEDDED, EVERY_POOL, EnginePlan, PixelLimits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from serve.config import DuetConfig, PoolConfig
    from serve.values import Gpu, Hardware, PoolName

HUB_MODEL: dict[PoolName, str] = {"instruct": "Qwen/Qwen3-VL-4B-Instruct", "thinking": "Qwen/Qwen3-VL-4B-Thinking"}
GIB = 1 << 30
GPU_SHARE = 0.90  # of one GPU's memory, over all engines on it
ROUNDING = 1e-9
BFLOAT16_SINCE = (8, 0)  # compute capability; FP8 KV needs the same (vLLM: v1/attention/backends/*.py)


@dataclass(frozen=True, slots=True)
class _Slot:
    """The place of one engine: its name, its port, and what it shares its device with."""

    pool: PoolName
    name: str
    port: int
    gpu: Gpu | None
    neighbours: int
    gpu_share: float | None  # of the GPU's memory, where the configuration names one
    starts_after: str | None


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What `null` in the configuration means on one kind of device."""

    max_model_len: int
    max_num_seqs: int
    max_image_pixels: int
    kv_cache_memory_bytes: int | None


ON_GPU = _Defaults(32_768, 256, 4_194_304, None)
ON_CPU = _Defaults(8_192, 32, 1_310_720, GIB)


def plan(config: DuetConfig, hardware: Hardware, pools: Collection[PoolName]) -> tuple[EnginePlan, ...]:
    """Plan one engine for each loopback replica of `pools`.

    Raises:
        PlanError: no such replica, one port or name twice, or more memory than there is.

    """
    slots = tuple(_slots(config, hardware, pools))
    if not slots:
        asked = " or ".join(f"pools.{pool}.replicas" for pool in pools)
        raise PlanError(f"{asked}: no replica has a loopback address, so there is no engine to start here")
    shares = {gpu: _left(gpu, slots) for gpu in hardware.gpus}
    plans = tuple(_engine(slot, config, hardware, shares) for slot in slots)
    _check_names(plans)
    _check_memory(plans, hardware)
    return plans


def served_id(pool: PoolName, model: str) -> str:
    """Name a model as clients see it: a hub id as it is, a folder by its last part, an embedded checkpoint by its own name."""
    if model == EMBEDDED:
        return EMBEDDED_MODEL[pool]
    return PurePath(model).name if is_path(model) else model


def is_path(model: str) -> bool:
    """Tell a folder from a hub id by its looks: `org/name` is an id, `/x`, `./x`, `~/x` and `a/b/c` are folders."""
    return model.startswith(("/", ".", "~")) or model.count("/") > 1


def model_of(pool: PoolName, config: PoolConfig, hardware: Hardware) -> str:
    """Choose the model where the configuration leaves it open: the real one needs a GPU."""
    return config.model or (HUB_MODEL[pool] if hardware.gpus else EMBEDDED)


def _slots(config: DuetConfig, hardware: Hardware, pools: Collection[PoolName]) -> Iterator[_Slot]:
    ports = [(pool, port) for pool in pools for port in config.pools.named(pool).local_ports]
    _check_ports(ports)
    in_pool = Counter(pool for pool, _ in ports)
    devices = [hardware.gpus[place % len(hardware.gpus)] if hardware.gpus else None for place in range(len(ports))]
    latest: dict[Gpu | None, str] = {}
    for (pool, port), gpu in zip(ports, devices, strict=True):
        name = pool if in_pool[pool] == 1 else f"{pool}-{port}"
        share = config.pools.named(pool).engine.gpu_memory_utilization
        yield _Slot(pool, name, port, gpu, devices.count(gpu), share, latest.get(gpu) if gpu else None)
        latest[gpu] = name


def _check_ports(ports: list[tuple[PoolName, int]]) -> None:
    twice = [port for port, count in Counter(port for _, port in ports).items() if count > 1]
    if twice:
        where = " and ".join(f"pools.{pool}.replicas" for pool, port in ports if port == twice[0])
        raise PlanError(f"{where}: port {twice[0]} is given to more than one engine")


def _engine(slot: _Slot, config: DuetConfig, hardware: Hardware, shares: Mapping[Gpu, float]) -> EnginePlan:
    pool = config.pools.named(slot.pool)
    asked = pool.engine
    defaults = ON_GPU if slot.gpu else ON_CPU
    model = model_of(slot.pool, pool, hardware)
    names = (served_id(slot.pool, model), *pool.aliases, *EVERY_POOL, *([model] if is_path(model) else []))
    return EnginePlan(
        name=slot.name,
        pool=slot.pool,
        model=model,
        served_names=tuple(dict.fromkeys(names)),
        host=config.serve.host,
        port=slot.port,
        gpu=slot.gpu,
        # Threads beyond the cores spin for them: two engines with two threads each on two cores answered several times slower.
        # One core is left to the router and the engines' own front ends.
        threads=None if slot.gpu else max(1, (hardware.cores - 1) // slot.neighbours),
        dtype=None if _has_bfloat16(slot.gpu) else "half",
        kv_cache_dtype=asked.kv_cache_dtype or ("fp8" if _has_bfloat16(slot.gpu) else "auto"),
        kv_cache_memory_bytes=asked.kv_cache_memory or defaults.kv_cache_memory_bytes,
        gpu_memory_utilization=(slot.gpu_share or shares[slot.gpu]) if slot.gpu else None,
        max_model_len=asked.max_model_len or defaults.max_model_len,
        max_num_seqs=asked.max_num_seqs or defaults.max_num_seqs,
        image_pixels=PixelLimits(asked.min_image_pixels, asked.max_image_pixels or defaults.max_image_pixels),
        video_pixels=PixelLimits(4096, asked.max_video_pixels),
        images_per_request=asked.images_per_request,
        videos_per_request=asked.videos_per_request,
        drain_s=config.serve.drain_s,
        extra_args=asked.args,
        starts_after=slot.starts_after,
    )


def _has_bfloat16(gpu: Gpu | None) -> bool:
    return gpu is None or gpu.compute_capability >= BFLOAT16_SINCE


def _left(gpu: Gpu, slots: Collection[_Slot]) -> float:
    """Divide what the named shares of a GPU leave among its other engines."""
    on_it = [slot for slot in slots if slot.gpu == gpu]
    named = {slot.name: slot.gpu_share for slot in on_it if slot.gpu_share}
    others, total = len(on_it) - len(named), sum(named.values())
    left = round((GPU_SHARE - total) / others, 3) if others else 0.0
    if total > 1 + ROUNDING or (others and left <= 0):
        terms = " + ".join(f"{share:g} ({name})" for name, share in named.items())
        too_much = (
            f"which leaves nothing of {GPU_SHARE:g} to {others} more" if total <= 1 + ROUNDING else "which is more than 1"
        )
        raise PlanError(f"pools.*.engine.gpu_memory_utilization: on GPU {gpu.index} {terms} = {total:g}, {too_much}")
    return left


def _check_names(plans: tuple[EnginePlan, ...]) -> None:
    pool_of: dict[str, PoolName] = {}
    for each in plans:
        for name in each.served_names:
            if name not in EVERY_POOL and pool_of.setdefault(name, each.pool) != each.pool:
                raise PlanError(f"pools.instruct and pools.thinking: both would serve {name!r}")


def _check_memory(plans: tuple[EnginePlan, ...], hardware: Hardware) -> None:
    on_cpu = [plan.kv_cache_memory_bytes or 0 for plan in plans if plan.gpu is None]
    if sum(on_cpu) > hardware.memory_bytes:
        total, have = sum(on_cpu) / GIB, hardware.memory_bytes / GIB
        raise PlanError(f"pools.*.engine.kv_cache_memory: {len(on_cpu)} engines want {total:.1f} GiB; there are {have:.1f} GiB")
