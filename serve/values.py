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
EMBEDDED = "embedded"  # as a model: the tiny checkpoint that is part of Duet


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that holds memory on a GPU; `None` and an empty name are what the driver and the system do not tell."""

    pid: int
    memory_bytes: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU as the driver reports it; `index` counts in PCI bus order.

    `memory_bytes` is NVML's total, which is some hundred MiB more than CUDA hands out; 0 where the driver does not tell.
    """

    index: int
    name: str
    compute_capability: tuple[int, int]
    uuid: str = ""
    memory_bytes: int = 0
    free_bytes: int = 0
    holders: tuple[GpuProcess, ...] = ()


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the engines can run on. Without GPUs they run on the CPU.

    `driver` is the NVIDIA driver's version ("580.95.05"), `cuda` the newest CUDA that it runs ("13.0"). `fp8_on_cpu`: the
    CPU has AVX-512 or AMX, without which vLLM keeps no FP8 KV cache on it.
    """

    gpus: tuple[Gpu, ...]
    cores: int
    memory_bytes: int
    driver: str | None = None
    cuda: str | None = None
    fp8_on_cpu: bool = True


@dataclass(frozen=True, slots=True)
class PixelLimits:
    """The areas, in pixels, between which a picture, or all frames of a video together, is scaled."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What an engine is told that decides how much memory it takes. `None` leaves the matter to vLLM."""

    dtype: str | None
    quantization: str | None
    kv_cache_dtype: str
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int | None
    image_pixels: PixelLimits
    video_pixels: PixelLimits
    images_per_request: int
    videos_per_request: int
    cpu_offload_gb: float = 0.0
    kv_offloading_size: float | None = None  # GiB of RAM


@dataclass(frozen=True, slots=True)
class Budget:
    """Where the memory of one engine goes, in bytes on each of its GPUs, or in RAM without one."""

    weights: int
    context: int  # CUDA, its libraries and their workspaces; without a GPU the interpreter and its libraries
    encoder: int  # the largest pictures at work, and their embeddings, which are kept until the language model has read them
    activations: int
    graphs: int
    slack: int  # what the allocator keeps beyond what is asked of it
    kv_cache: int
    kv_bytes_per_token: int
    block_tokens: int

    @property
    def fixed(self) -> int:
        """All but the KV cache."""
        return self.weights + self.context + self.encoder + self.activations + self.graphs + self.slack

    @property
    def total(self) -> int:
        """The whole engine."""
        return self.fixed + self.kv_cache

    @property
    def kv_tokens(self) -> int:
        """Tokens that the KV cache holds, in whole blocks."""
        return max(0, self.kv_cache) // (self.kv_bytes_per_token * self.block_tokens) * self.block_tokens

    def requests(self, tokens: int) -> int:
        """How many requests of this many tokens the KV cache holds at once; each takes whole blocks."""
        return self.kv_tokens // (-(-tokens // self.block_tokens) * self.block_tokens)


@dataclass(frozen=True, slots=True)
class Rung:
    """A step down: what it is, and the keys of `Settings` that it lowers. A key is one of `pools.NAME.engine`."""

    what: str
    changes: tuple[tuple[str, int | str], ...]


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """Everything decided about one engine before it starts. `None` leaves the matter to vLLM."""

    name: str
    pool: PoolName
    model: str
    served_names: tuple[str, ...]
    host: str
    port: int
    gpus: tuple[Gpu, ...]  # none: it runs on the CPU
    threads: int | None
    settings: Settings
    kv_cache_memory_bytes: int | None  # on each GPU
    gpu_memory_utilization: float | None
    drain_s: int
    extra_args: tuple[str, ...] = ()
    local: bool = False  # the model is a folder: nothing may be asked of the hub
    starts_after: str | None = None  # the engine before it on the same GPU: vLLM looks at the memory that is free
    budget: Budget | None = None  # None: the model's files do not say enough
    open_keys: frozenset[str] = frozenset()  # what the configuration leaves to Duet, so that it may be lowered
    rungs: tuple[Rung, ...] = ()  # steps down that are left


@dataclass(frozen=True, slots=True)
class Step:
    """A step down that a plan took: the memory that it freed, in bytes over all engines, and the KV tokens of each before and after."""

    what: str
    freed_bytes: int
    engines: tuple[str, ...]
    tokens_before: tuple[int, ...]
    tokens_after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Room:
    """What the engines may take of one GPU: what is free now less a reserve, in bytes."""

    gpu: Gpu
    free: int
    reserve: int

    @property
    def usable(self) -> int:
        """For engines."""
        return self.free - self.reserve


@dataclass(frozen=True, slots=True)
class Plan:
    """All engines of a machine, the steps down that were taken to fit them, and what the user should know besides."""

    engines: tuple[EnginePlan, ...]
    rooms: tuple[Room, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()


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
