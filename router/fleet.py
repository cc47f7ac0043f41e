"""The one thing that changes while the router runs: which replicas there are, which are ready, how much each is doing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.values import PoolName, Replica, Served

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(slots=True)
class _State:
    pool: PoolName
    served: Served | None = None  # None: not ready
    in_flight: int = 0


class Fleet:
    """All replicas of both pools, by URL."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}

    def sync(self, pool: PoolName, urls: Iterable[str]) -> None:
        """Makes `urls` the replicas of `pool`; those that were there before keep their state."""
        wanted = dict.fromkeys(urls)
        for url in [url for url, state in self._states.items() if state.pool == pool and url not in wanted]:
            del self._states[url]
        for url in wanted:
            self._states.setdefault(url, _State(pool))

    def mark_ready(self, url: str, served: Served) -> None:
        if url in self._states:
            self._states[url].served = served

    def mark_down(self, url: str) -> None:
        if url in self._states:
            self._states[url].served = None

    def is_ready(self, url: str) -> bool:
        return url in self._states and self._states[url].served is not None

    @contextmanager
    def lease(self, url: str) -> Iterator[None]:
        """Counts one request as in flight on `url`, also when the replica leaves the fleet meanwhile."""
        state = self._states[url]
        state.in_flight += 1
        try:
            yield
        finally:
            state.in_flight -= 1

    def snapshot(self, pool: PoolName) -> tuple[Replica, ...]:
        return tuple(
            Replica(url, pool, state.served, state.in_flight) for url, state in self._states.items() if state.pool == pool
        )

    def served(self, pool: PoolName) -> tuple[Served, ...]:
        """What the ready replicas of `pool` say of themselves."""
        return tuple(replica.served for replica in self.snapshot(pool) if replica.served)

    def urls(self) -> tuple[str, ...]:
        return tuple(self._states)
