"""`duet.yaml` as the router reads it: one frozen value, every default written here once.

The sections `serve` and `pools.*.engine` belong to the process that starts engines; they pass unread.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from router.errors import ConfigError
from router.values import AUTO_NAMES, POOLS, Doubt, PoolName

if TYPE_CHECKING:
    from pathlib import Path

ENV_PREFIX = "DUET_"


def _replica(url: str) -> str:
    parts = urlsplit(url)
    if (
        parts.scheme not in {"http", "https", "dns"}
        or not parts.hostname
        or parts.port == 0
        or parts.path
        or ".." in parts.netloc
    ):
        raise ValueError("a replica is http://HOST:PORT, https://HOST:PORT or dns://NAME:PORT")
    if parts.scheme == "dns" and parts.port is None:
        raise ValueError("a dns:// replica needs a port")
    return url


ReplicaUrl = Annotated[str, AfterValidator(_replica)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^\S+$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoutingSection(Section):
    """`router.routing:` — what a needless thought costs, and what becomes of a request in doubt."""

    thought_price: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    doubt: Doubt = "thinking"
    doubt_band: float = Field(default=0.05, ge=0, le=0.5)
    ask_timeout_s: float = Field(default=2.0, gt=0, allow_inf_nan=False)


class RouterSection(Section):
    """`router:` — where it listens and what it puts up with."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=256)
    max_body_mb: float = Field(default=32, gt=0, allow_inf_nan=False)
    max_connections: int = Field(default=16_384, ge=1)
    connect_timeout_s: float = Field(default=5, gt=0, allow_inf_nan=False)
    read_timeout_s: float = Field(default=600, gt=0, allow_inf_nan=False)
    client_timeout_s: float = Field(default=120, gt=0, allow_inf_nan=False)
    relay: Literal["transport", "asgi"] = "transport"
    access_log: bool = False
    poll_interval_s: float = Field(default=1, gt=0, allow_inf_nan=False)
    drain_s: int = Field(default=30, ge=0)
    routing: RoutingSection = RoutingSection()

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

    @model_validator(mode="after")
    def _names_are_one_pools_own(self) -> Pools:
        names = {pool: {*section.aliases, *([section.model] if section.model else [])} for pool, section in self.items()}
        if reserved := sorted({*AUTO_NAMES} & {*names["instruct"], *names["thinking"]}):
            raise ValueError(f"{reserved[0]!r} leaves the choice to the router: it cannot be a pool's own name")
        if both := sorted((names["instruct"] & names["thinking"]) - {"embedded"}):
            raise ValueError(f"{both[0]!r} stands in both pools")
        return self

    def items(self) -> tuple[tuple[PoolName, Pool], ...]:
        return tuple((name, getattr(self, name)) for name in POOLS)


class RouterConfig(BaseSettings):
    """The whole file, as far as it concerns the router."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True
    )

    router: RouterSection = RouterSection()
    pools: Pools = Pools()
    serve: dict[str, Any] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 pydantic's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose content comes in as keyword arguments."""
        return env_settings, init_settings


def load(path: Path | None) -> RouterConfig:
    """The configuration from `path` (None: defaults alone) under the environment's `DUET_SECTION__KEY` overrides.

    Raises:
        ConfigError: names the file or variable, the key and the value.
    """
    _refuse_unknown_variables()
    try:
        return RouterConfig(**(_read(path) if path else {}))
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from error
    except SettingsError as error:
        raise ConfigError(f"environment: {error}: {error.__cause__}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict | None):
        raise ConfigError(f"{path}: {content!r}: should be a mapping with the sections {', '.join(RouterConfig.model_fields)}")
    return {str(key): value for key, value in _without_null(content or {}).items()}


def _without_null(section: dict[Any, Any]) -> dict[Any, Any]:
    """A key with nothing after it means its default."""
    kept = {key: value for key, value in section.items() if value is not None}
    return {key: _without_null(value) if isinstance(value, dict) else value for key, value in kept.items()}


def _refuse_unknown_variables() -> None:
    sections = tuple(RouterConfig.model_fields)
    for name, value in os.environ.items():
        section, nested, _ = name.removeprefix(ENV_PREFIX).partition("__")
        if name.startswith(ENV_PREFIX) and (not nested or section.lower() not in sections):
            hint = f"variables are {ENV_PREFIX}SECTION__KEY, with the sections {', '.join(sections)}"
            raise ConfigError(f"environment: {name} = {value!r}: {hint}")


def _explain(error: ValidationError, path: Path | None) -> str:
    return "\n".join(_explain_one(item["loc"], item["input"], item["msg"], path) for item in error.errors())


def _explain_one(loc: tuple[int | str, ...], value: object, message: str, path: Path | None) -> str:
    variable = ENV_PREFIX + "__".join(str(part) for part in loc).upper()
    source = f"environment ({variable})" if variable in os.environ else str(path or "defaults")
    return f"{source}: {'.'.join(str(part) for part in loc)}: {value!r}: {message}"
