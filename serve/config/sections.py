"""The sections of `duet.yaml` that `serve` reads, with every key's type, limits and default."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field, ValidationInfo, field_validator

if TYPE_CHECKING:
    from serve.values import PoolName

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _replica(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https", "dns"} or not parts.hostname or parts.port == 0:
        raise ValueError("a replica is http://HOST:PORT, https://HOST:PORT or dns://NAME:PORT")
    return url


Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(min_length=1)]
Replica = Annotated[str, AfterValidator(_replica)]
Seconds = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A part of the configuration: read once, never changed, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class RouterAddress(BaseModel):
    """The few keys of the router's section that `duet up` needs; the router itself checks the rest."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: Name = "127.0.0.1"
    port: Port = 8000
    drain_s: int = 30


class EngineConfig(Section):
    """What to ask of the engines of one pool; `null` takes the rule for the hardware (`plan.py`)."""

    max_model_len: int | None = Field(default=None, ge=1)
    max_num_seqs: int | None = Field(default=None, ge=1)
    max_num_batched_tokens: int | None = Field(default=None, ge=1)
    dtype: Name | None = None
    quantization: Name | None = None
    kv_cache_dtype: Name | None = None
    kv_cache_memory: ByteSize | None = Field(default=None, gt=0)
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    tensor_parallel_size: int | None = Field(default=None, ge=1)
    cpu_offload_gb: float = Field(default=0, ge=0)
    kv_offloading_size: float | None = Field(default=None, gt=0)
    min_image_pixels: int | None = Field(default=None, ge=1024)
    max_image_pixels: int | None = Field(default=None, ge=1024)
    max_video_pixels: int | None = Field(default=None, ge=4096)
    images_per_request: int = Field(default=16, ge=0)
    videos_per_request: int = Field(default=1, ge=0)
    args: tuple[str, ...] = ()

    @field_validator("max_image_pixels")
    @classmethod
    def _above_the_least(cls, most: int | None, info: ValidationInfo) -> int | None:
        least = info.data.get("min_image_pixels") or 0
        if most is not None and most < least:
            raise ValueError(f"is less than min_image_pixels = {least}")
        return most


class PoolConfig(Section):
    """One pool: what it serves, under which names, and where its replicas are."""

    model: Name | None = None
    aliases: tuple[Name, ...] = ()
    replicas: tuple[Replica, ...] = ()
    engine: EngineConfig = EngineConfig()

    @property
    def local_ports(self) -> tuple[int, ...]:
        """The ports of the replicas on this machine: `duet serve` starts an engine on each."""
        parts = [urlsplit(url) for url in self.replicas]
        return tuple(part.port or 80 for part in parts if part.scheme == "http" and part.hostname in LOOPBACK)


class InstructConfig(PoolConfig):
    """Defaults of the pool for simple prompts."""

    aliases: tuple[Name, ...] = ("qwen3-vl-instruct",)
    replicas: tuple[Replica, ...] = ("http://127.0.0.1:8101",)


class ThinkingConfig(PoolConfig):
    """Defaults of the pool for multi-step reasoning."""

    aliases: tuple[Name, ...] = ("qwen3-vl-thinking",)
    replicas: tuple[Replica, ...] = ("http://127.0.0.1:8102",)


class PoolsConfig(Section):
    """Both pools."""

    instruct: InstructConfig = InstructConfig()
    thinking: ThinkingConfig = ThinkingConfig()

    def named(self, pool: PoolName) -> PoolConfig:
        """Look one pool up by its name."""
        return self.instruct if pool == "instruct" else self.thinking


class ServeConfig(Section):
    """How engines are started, watched and stopped."""

    host: Name = "127.0.0.1"
    cache_dir: Annotated[Path, AfterValidator(Path.expanduser)] = Path("~/.cache/duet")
    launcher: tuple[Name, ...] | None = Field(default=None, min_length=1)
    gpu_reserve: ByteSize | None = None
    memory_retries: int = Field(default=3, ge=0)
    start_timeout_s: Annotated[float, Field(gt=0)] = 1800
    drain_s: Annotated[int, Field(ge=0)] = 20
    shutdown_timeout_s: Seconds = 10
