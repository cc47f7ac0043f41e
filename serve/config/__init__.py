"""`duet.yaml` as `duet up` and `duet serve` read it: the only home of their defaults.

The environment overrides the file: `DUET_SERVE__CACHE_DIR=/data`, lists and maps as JSON. The router validates its own section.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from serve.config import document
from serve.config.sections import EngineConfig, PoolConfig, PoolsConfig, RouterAddress, ServeConfig
from serve.errors import ConfigError
from serve.values import EMBEDDED, EVERY_POOL, POOLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from serve.values import PoolName

__all__ = ["DuetConfig", "EngineConfig", "PoolConfig", "load"]

PREFIX = "DUET_"
SECTIONS = ("router", "pools", "serve")
NO_SECTION = f"no such section; there are {', '.join(SECTIONS)}"
# Replica and serve.host of which the one is not reached through the other; a server on :: takes both families.
UNSERVED = {("::1", "127.0.0.1"), ("::1", "localhost"), ("::1", "0.0.0.0"), ("127.0.0.1", "::1")}


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
