"""`duet.yaml` as `duet up` and `duet serve` read it: the only home of their defaults.

The environment overrides the file: `DUET_SERVE__CACHE_DIR=/data`, lists and maps as JSON. The router validates its own section.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from serve.config import document
from serve.errors import ConfigError
from serve.values import EMBEDDED, EVERY_POOL, POOLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails

    from serve.values import PoolName

PREFIX = "DUET_"
SECTIONS = ("router", "pools", "serve")
NO_SECTION = f"no such section; there are {', '.join(SECTIONS)}"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Replica and serve.host of which the one is not reached through the other; a server on :: takes both families.
UNSERVED = {("::1", "127.0.0.1"), ("::1", "localhost"), ("::1", "0.0.0.0"), ("127.0.0.1", "::1")}


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
    kv_cache_dtype: Name | None = None
    kv_cache_memory: ByteSize | None = Field(default=None, gt=0)
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    min_image_pixels: int = Field(default=65_536, ge=1024)
    max_image_pixels: int | None = Field(default=None, ge=1024)
    max_video_pixels: int = Field(default=8_388_608, ge=4096)
    images_per_request: int = Field(default=8, ge=0)
    videos_per_request: int = Field(default=1, ge=0)
    args: tuple[str, ...] = ()

    @field_validator("max_image_pixels")
    @classmethod
    def _above_the_least(cls, most: int | None, info: ValidationInfo) -> int | None:
        least = info.data.get("min_image_pixels", 0)
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
    start_timeout_s: Annotated[float, Field(gt=0)] = 1800
    drain_s: Annotated[int, Field(ge=0)] = 20
    shutdown_timeout_s: Seconds = 10


class DuetConfig(BaseSettings):
    """The whole file, as far as `serve` is concerned."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    router: RouterAddress = RouterAddress()
    pools: PoolsConfig = PoolsConfig()
    serve: ServeConfig = ServeConfig()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment above the file, whose content comes in as keyword arguments."""
        return env_settings, init_settings


def load(path: Path | None) -> DuetConfig:
    """Read the file, if there is one, and the environment's `DUET_SECTION__KEY` variables over it.

    Raises:
        ConfigError: one line for each mistake: where it stands, the dotted key, the value, and what is wrong with it.

    """
    _refuse_unknown_variables(os.environ)
    source = str(path) if path else "defaults"
    try:
        config = DuetConfig(**_of_known_sections(document.read(path, SECTIONS) if path else {}, source))
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(item, source, os.environ) for item in error.errors())) from error
    except SettingsError as error:
        raise ConfigError(_explain_json(error, os.environ)) from error
    clashes = _clashes(config.pools, config.serve)
    if mistakes := [f"{_variable(loc, os.environ) or source}: {'.'.join(loc)}: {said}" for loc, said in clashes]:
        raise ConfigError("\n".join(mistakes))
    return config


def _of_known_sections(content: dict[str, Any], source: str) -> dict[str, Any]:
    if unknown := {key: value for key, value in content.items() if key not in SECTIONS}:
        raise ConfigError("\n".join(f"{source}: {key} = {value!r}: {NO_SECTION}" for key, value in unknown.items()))
    return content


def _clashes(pools: PoolsConfig, serve: ServeConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find keys that are right by themselves and wrong together: which one, and what is wrong with it."""
    owner: dict[str, PoolName] = {}
    for pool in POOLS:
        section = pools.named(pool)
        for url in section.replicas:
            if (urlsplit(url).hostname, serve.host) in UNSERVED:
                yield ("pools", pool, "replicas"), f"{url}: an engine on serve.host = {serve.host!r} does not listen there"
        for key, name in [("model", section.model), *(("aliases", alias) for alias in section.aliases)]:
            if name in EVERY_POOL:
                yield (
                    ("pools", pool, key),
                    f"{name!r} leaves the choice of a pool to the router: it cannot be a pool's own name",
                )
            elif name and name != EMBEDDED and owner.setdefault(name, pool) != pool:
                yield ("pools", pool, key), f"{name!r} is a name of pools.{owner[name]} already"


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    for name, value in environ.items():
        section, nested, _ = name.upper().removeprefix(PREFIX).partition("__")
        if not name.upper().startswith(PREFIX):
            continue
        if not nested:
            raise ConfigError(f"environment: {name} = {value!r}: variables are {PREFIX}SECTION__KEY{_hint(section)}")
        if section.lower() not in SECTIONS:
            raise ConfigError(f"environment: {name} = {value!r}: {NO_SECTION}")


def _hint(words: str) -> str:
    """Guess what `ROUTER_PORT`, `PORT` or `POOLS_INSTRUCT_MODEL` was meant to be."""
    section, *rest = words.split("_", 2 if words.startswith("POOLS_") else 1)
    if rest and section.lower() in SECTIONS:
        return f"; did you mean {PREFIX}{'__'.join([section, *rest])}?"
    keys = {"ROUTER": RouterAddress.model_fields, "SERVE": ServeConfig.model_fields}
    meant = [f"{PREFIX}{name}__{words}" for name, fields in keys.items() if words.lower() in fields]
    return f"; did you mean {' or '.join(meant)}?" if meant else ""


def _explain(item: ErrorDetails, source: str, environ: Mapping[str, str]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    message = "no such key" if item["type"] == "extra_forbidden" else item["msg"].removeprefix("Value error, ")
    message = message.replace("valid tuple", "list")
    return f"{_variable(item['loc'], environ) or source}: {key} = {item['input']!r}: {message}"


def _explain_json(error: SettingsError, environ: Mapping[str, str]) -> str:
    text = getattr(error.__cause__, "doc", "")  # json names no variable, but keeps the text that it could not read
    names = [name for name, value in environ.items() if name.upper().startswith(PREFIX) and value == text]
    return f"{', '.join(names) or 'environment'}: {text!r}: should be JSON: {error.__cause__}"


def _variable(loc: Sequence[int | str], environ: Mapping[str, str]) -> str | None:
    """Name the variable that set this key, or a part of the configuration that holds it."""
    by_key = {name.upper(): name for name in environ}
    names = (PREFIX + "__".join(str(part) for part in loc[:depth]).upper() for depth in range(len(loc), 0, -1))
    return next((by_key[name] for name in names if name in by_key), None)
