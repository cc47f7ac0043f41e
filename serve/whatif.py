"""Turns the options of `duet plan` into hardware and configuration: a card that is not there, other models, a part of the memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import ByteSize, TypeAdapter, ValidationError

from serve.errors import ConfigError
from serve.memory import catalogue
from serve.values import POOLS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from serve.config import DuetConfig, PoolConfig
    from serve.values import Gpu, Hardware, PoolName


def size(text: str | None) -> int | None:
    """Read a size such as `24GiB`.

    Raises:
        ConfigError: it is none.

    """
    if text is None:
        return None
    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as error:
        raise ConfigError(f"--memory {text}: a size is a number and a unit, such as 24GiB") from error


@dataclass(frozen=True, slots=True)
class Imagined:
    """Hardware to plan for in the place of what is here: GPUs by name, how many, and the bytes that are free at most."""

    gpus: tuple[str, ...] = ()
    count: int | None = None
    memory_bytes: int | None = None


def instead(machine: Hardware, imagined: Imagined) -> Hardware:
    """Change a machine as far as something else is imagined.

    Raises:
        PlanError: no such GPU in the catalogue.
        ConfigError: a count that fits neither the names nor the machine.

    """
    most = imagined.memory_bytes
    gpus = tuple(replace(catalogue.find(name), index=index) for index, name in enumerate(imagined.gpus)) or machine.gpus
    if imagined.count is not None:
        gpus = _counted(gpus, len(imagined.gpus), imagined.count)
    if most is None:
        return replace(machine, gpus=gpus)
    lessened = tuple(replace(gpu, free_bytes=min(gpu.free_bytes, most)) for gpu in gpus)
    return replace(machine, gpus=lessened, memory_bytes=machine.memory_bytes if gpus else min(machine.memory_bytes, most))


def _counted(gpus: tuple[Gpu, ...], named: int, count: int) -> tuple[Gpu, ...]:
    if named == 1:
        return tuple(replace(gpus[0], index=index) for index in range(count))
    if count > len(gpus):
        raise ConfigError(f"--gpus {count}: there are {len(gpus)}; name the kind with one --gpu")
    return gpus[:count]


def with_models(config: DuetConfig, models: Sequence[str], named: Mapping[PoolName, str | None]) -> DuetConfig:
    """Put other models in the pools: `named` ones in theirs, each of `models` in the one that its name speaks of.

    Raises:
        ConfigError: two for one pool.

    """
    chosen = {pool: model for pool, model in named.items() if model}
    for model in models:
        pool: PoolName = "thinking" if "thinking" in model.lower() else "instruct"
        if pool in chosen:
            raise ConfigError(f"--models {model}: the {pool} pool has {chosen[pool]} already; see --instruct and --thinking")
        chosen[pool] = model
    pools: dict[str, PoolConfig] = {
        pool: config.pools.named(pool).model_copy(update={"model": model}) for pool, model in chosen.items()
    }
    return config.model_copy(update={"pools": config.pools.model_copy(update=pools)})


def pools_of(models: Sequence[str], named: Mapping[PoolName, str | None]) -> Collection[PoolName]:
    """Plan both pools, unless models were named for one only."""
    thinking = bool(named["thinking"]) or any("thinking" in model.lower() for model in models)
    instruct = bool(named["instruct"]) or any("thinking" not in model.lower() for model in models)
    return tuple(pool for pool in POOLS if {"instruct": instruct, "thinking": thinking}[pool]) or POOLS
