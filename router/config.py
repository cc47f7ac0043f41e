"""`duet.yaml` as the router reads it: one frozen value, every default written here once.

The sections `serve` and `pools.*.engine` belong to the process that starts engines; they pass unread.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from router.errors import ConfigError
from router.values import POOLS, PoolName

if TYPE_CHECKING:
    from pathlib import Path

ENV_PREFIX = "DUET_"
ReplicaUrl = Annotated[str, StringConstraints(pattern=r"^(https?|dns)://[^/\s]+$")]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^\S+$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RouterSection(Section):
    """`router:` — where it listens and what it puts up with."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: Literal[1] = 1
    max_body_mb: float = Field(default=32, gt=0)
    connect_timeout_s: float = Field(default=5, gt=0)
    read_timeout_s: float = Field(default=600, gt=0)
    poll_interval_s: float = Field(default=1, gt=0)
    drain_s: int = Field(default=30, ge=0)

    @property
    def max_body_bytes(self) -> int:
        return int(self.max_body_mb * 1_000_000)


class Pool(Section):
    """`pools.NAME:` — the names that clients may use, and the replicas behind them."""

    model: ModelName | None = None
    aliases: tuple[ModelName, ...] = ()
    replicas: tuple[ReplicaUrl, ...] = Field(min_length=1)
    engine: dict[str, Any] = {}


class InstructPool(Pool):
    aliases: tuple[ModelName, ...] = ("qwen3-vl-instruct",)
    replicas: tuple[ReplicaUrl, ...] = Field(default=("http://127.0.0.1:8101",), min_length=1)


class ThinkingPool(Pool):
    aliases: tuple[ModelName, ...] = ("qwen3-vl-thinking",)
    replicas: tuple[ReplicaUrl, ...] = Field(default=("http://127.0.0.1:8102",), min_length=1)


class Pools(Section):
    instruct: InstructPool = InstructPool()
    thinking: ThinkingPool = ThinkingPool()

    def items(self) -> tuple[tuple[PoolName, Pool], ...]:
        return tuple((name, getattr(self, name)) for name in POOLS)


class RouterConfig(BaseSettings):
    """The whole file, as far as it concerns the router."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    router: RouterSection = RouterSection()
    pools: Pools = Pools()
    serve: dict[str, Any] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)


def load(path: Path | None) -> RouterConfig:
    """The configuration from `path` (None: defaults alone) under the environment's `DUET_SECTION__KEY` overrides.

    Raises:
        ConfigError: names the file or variable, the key and the value.
    """
    if path is not None and not path.is_file():
        raise ConfigError(f"{path}: there is no such configuration file")
    _refuse_unknown_sections()

    class FromFile(RouterConfig):
        model_config = SettingsConfigDict(yaml_file=path)

    try:
        return FromFile()
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from error
    except (yaml.YAMLError, SettingsError, TypeError, ValueError) as error:
        raise ConfigError(f"{path or 'environment'}: {error}") from error


def _refuse_unknown_sections() -> None:
    for name in os.environ:
        section = name.removeprefix(ENV_PREFIX).split("__")[0].lower()
        if name.startswith(ENV_PREFIX) and "__" in name and section not in RouterConfig.model_fields:
            known = ", ".join(RouterConfig.model_fields)
            raise ConfigError(f"environment: {name}: no such section {section!r}; there are {known}")


def _explain(error: ValidationError, path: Path | None) -> str:
    return "\n".join(_explain_one(item["loc"], item["input"], item["msg"], path) for item in error.errors())


def _explain_one(loc: tuple[int | str, ...], value: object, message: str, path: Path | None) -> str:
    variable = ENV_PREFIX + "__".join(str(part) for part in loc).upper()
    source = f"environment ({variable})" if variable in os.environ else str(path or "defaults")
    return f"{source}: {'.'.join(str(part) for part in loc)}: {value!r}: {message}"
