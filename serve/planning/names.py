"""Models by name: which one a pool serves where the configuration leaves it open, and what clients may call it."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING

from serve.checkpoint.embedded import EMBEDDED_MODEL
from serve.errors import PlanError
from serve.values import EMBEDDED, EVERY_POOL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from serve.config import PoolConfig
    from serve.values import EnginePlan, Hardware, PoolName

HUB_MODEL: dict[PoolName, str] = {"instruct": "Qwen/Qwen3-VL-4B-Instruct", "thinking": "Qwen/Qwen3-VL-4B-Thinking"}


def model_of(pool: PoolName, config: PoolConfig, hardware: Hardware) -> str:
    """Choose the model where the configuration leaves it open: the real one needs a GPU."""
    return config.model or (HUB_MODEL[pool] if hardware.gpus else EMBEDDED)


def served_names(pool: PoolName, model: str, aliases: Iterable[str]) -> tuple[str, ...]:
    """List what clients may call an engine; its own id comes first."""
    names = (served_id(pool, model), *aliases, *EVERY_POOL, *([model] if is_path(model) else []))
    return tuple(dict.fromkeys(names))


def served_id(pool: PoolName, model: str) -> str:
    """Name a model as clients see it: a hub id as it is, a folder by its last part, an embedded checkpoint by its own name."""
    if model == EMBEDDED:
        return EMBEDDED_MODEL[pool]
    return PurePath(model).name if is_path(model) else model


def is_path(model: str) -> bool:
    """Tell a folder from a hub id by its looks: `org/name` is an id, `/x`, `./x`, `~/x` and `a/b/c` are folders."""
    return model.startswith(("/", ".", "~")) or model.count("/") > 1


def check_names(plans: Iterable[EnginePlan]) -> None:
    """Refuse one name for both pools.

    Raises:
        PlanError: names it.

    """
    pool_of: dict[str, PoolName] = {}
    for each in plans:
        for name in each.served_names:
            if name not in EVERY_POOL and pool_of.setdefault(name, each.pool) != each.pool:
                raise PlanError(f"pools.instruct and pools.thinking: both would serve {name!r}")


def engine_names(ports: Collection[tuple[PoolName, int]]) -> list[str]:
    """Name engines after their pool, and after their port too where the pool has several."""
    in_pool = Counter(pool for pool, _ in ports)
    return [pool if in_pool[pool] == 1 else f"{pool}-{port}" for pool, port in ports]
