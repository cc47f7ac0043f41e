"""Frozen nouns that flow through `serve`: hardware in, then plan and command, and what became of the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from signal import Signals
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

PoolName = Literal["instruct", "thinking"]
POOLS: tuple[PoolName, ...] = ("instruct", "thinking")
EVERY_POOL = ("auto", "qwen3-vl")  # names that leave the pool to the router, so any engine may see them
EMBEDDED = "embedded"  # as a model: the tiny checkpoint that Duet makes itself


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU as the driver reports it; `index` counts in PCI bus order."""

    index: int
    name: str
    compute_capability: tuple[int, int]
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the engines can run on. Without GPUs they run on the CPU."""

    gpus: tuple[Gpu, ...]
    cores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PixelLimits:
    """The areas, in pixels, between which a picture, or all frames of a video together, is scaled."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """Everything decided about one engine before it starts. `None` leaves the matter to vLLM."""

    name: str
    pool: PoolName
    model: str
    served_names: tuple[str, ...]
    host: str
    port: int
    gpu: Gpu | None
    threads: int | None
    dtype: str | None
    kv_cache_dtype: str
    kv_cache_memory_bytes: int | None
    gpu_memory_utilization: float | None
    max_model_len: int
    max_num_seqs: int
    image_pixels: PixelLimits
    video_pixels: PixelLimits
    images_per_request: int
    videos_per_request: int
    drain_s: int
    extra_args: tuple[str, ...] = ()
    local: bool = False  # the model is a folder: nothing may be asked of the hub
    starts_after: str | None = None  # the engine before it on the same GPU: vLLM profiles the memory that is free


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start: its arguments, and how its environment differs from ours (`None` = unset)."""

    argv: tuple[str, ...]
    env: Mapping[str, str | None] = field(default_factory=dict)

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """Apply the differences to a whole environment."""
        merged = {**base, **self.env}
        return {name: value for name, value in merged.items() if value is not None}


class Phase(IntEnum):
    """How far a process has come, in the order it happens."""

    WAITING = 0
    IMPORTING = 1
    LOADING = 2
    PROFILING = 3
    READY = 4


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a process: when (seconds, monotonic clock), how (negative = signal), and whether it had been ready."""

    at_s: float
    code: int
    was_ready: bool

    @property
    def how(self) -> str:
        """Say it in words that follow the name of the process."""
        return f"was killed by {Signals(-self.code).name}" if self.code < 0 else f"ended with exit code {self.code}"
