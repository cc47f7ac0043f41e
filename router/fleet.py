"""The one thing that changes while the router runs: which replicas there are, which are ready, how much each is doing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.values import Replica

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.values import PoolName, Served


@dataclass(slots=True)
class _State:
    served: Served | None = None  # None: not ready
    in_flight: int = 0


class Fleet:
    """All replicas, by pool and URL. One server may stand in both pools."""

    def __init__(self) -> None:
        self._states: dict[tuple[PoolName, str], _State] = {}

    def sync(self, pool: PoolName, urls: Iterable[str]) -> None:
        """Makes `urls` the replicas of `pool`; those that were there before keep their state."""
        wanted = {(pool, url): None for url in urls}
        for key in [key for key in self._states if key[0] == pool and key not in wanted]:
            del self._states[key]
        for key in wanted:
            self._states.setdefault(key, _State())

    def mark_ready(self, replica: Replica, served: Served) -> None:
        if state := self._states.get((replica.pool, replica.url)):
            state.served = served

    def mark_down(self, replica: Replica) -> None:
        if state := self._states.get((replica.pool, replica.url)):
            state.served = None

    @contextmanager
    def lease(self, replica: Replica) -> Iterator[None]:
        """Counts one request as in flight on `replica`, also when it leaves the fleet meanwhile."""
        state = self._states.get((replica.pool, replica.url), _State())
        state.in_flight += 1
        try:
            yield
        finally:
            state.in_flight -= 1

    def snapshot(self, pool: PoolName) -> tuple[Replica, ...]:
        return tuple(replica for replica in self.all() if replica.pool == pool)

    def all(self) -> tuple[Replica, ...]:
        return tuple(Replica(url, pool, state.served, state.in_flight) for (pool, url), state in self._states.items())

    def served(self, pool: PoolName) -> tuple[Served, ...]:
        """What the ready replicas of `pool` say of themselves."""
        return tuple(replica.served for replica in self.snapshot(pool) if replica.served)
