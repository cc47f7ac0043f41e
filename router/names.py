"""Model names: which pool a name means, and the list that clients see at `/v1/models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.errors import UnknownModel
from router.values import AUTO_NAMES, POOLS, PoolName

if TYPE_CHECKING:
    from router.config import RouterConfig
    from router.fleet import Fleet


class Names:
    """Names of both pools: the configured model and aliases, and what the replicas themselves say they serve."""

    def __init__(self, config: RouterConfig, fleet: Fleet, created: int) -> None:
        self._configured = {
            pool: (*((section.model,) if section.model else ()), *section.aliases) for pool, section in config.pools.items()
        }
        self._fleet, self._created = fleet, created

    def pool_of(self, model: str | None) -> PoolName | None:
        """The pool that `model` means; None leaves it to the router.

        Raises:
            UnknownModel: no pool answers to that name.
        """
        if model is None or model in AUTO_NAMES:
            return None
        for names in (
            self._configured.__getitem__,
            self.of_pool,
        ):  # what the operator wrote goes before what an engine says of itself
            for pool in POOLS:
                if model in names(pool):
                    return pool
        raise UnknownModel(f"The model {model[:256]!r} does not exist. Known: {', '.join(self.all())}")

    def of_pool(self, pool: PoolName) -> tuple[str, ...]:
        learned = [name for served in self._fleet.served(pool) for name in served.ids]
        return tuple(dict.fromkeys(name for name in (*self._configured[pool], *learned) if name not in AUTO_NAMES))

    def all(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*AUTO_NAMES, *(name for pool in POOLS for name in self.of_pool(pool)))))

    def cards(self) -> list[dict[str, Any]]:
        """OpenAI's model objects, with vLLM's `max_model_len` (tokens) where a ready replica gave it."""
        return [self.card(name) for name in self.all()]

    def card(self, model: str) -> dict[str, Any]:
        """Raises UnknownModel."""
        pool = self.pool_of(model)
        lengths = [
            served.max_model_len
            for name in POOLS
            if pool in (None, name)
            for served in self._fleet.served(name)
            if served.max_model_len
        ]
        card: dict[str, Any] = {"id": model, "object": "model", "created": self._created, "owned_by": "duet"}
        return card | ({"max_model_len": min(lengths)} if lengths else {})
