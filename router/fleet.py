"""The one thing that changes while the router runs: which replicas there are, which are ready, how much each is doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.values import POOLS, Replica

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.values import PoolName, Served


@dataclass(slots=True)
class _State:
    served: Served | None = None  # None: not ready
    in_flight: int = 0


class _Lease:
    __slots__ = ("_state",)

    def __init__(self, state: _State) -> None:
        self._state = state

    def __enter__(self) -> None:
        self._state.in_flight += 1

    def __exit__(self, *_: object) -> None:
        self._state.in_flight -= 1


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

    def lease(self, replica: Replica) -> _Lease:
        """Counts one request as in flight on `replica` while it is entered, also when the replica leaves the fleet meanwhile."""
        return _Lease(self._states.get((replica.pool, replica.url)) or _State())

    def snapshot(self, pool: PoolName) -> tuple[Replica, ...]:
        return tuple(
            [Replica(url, it, state.served, state.in_flight) for (it, url), state in self._states.items() if it == pool]
        )

    def all(self) -> tuple[Replica, ...]:
        return tuple(replica for pool in POOLS for replica in self.snapshot(pool))

    def served(self, pool: PoolName) -> tuple[Served, ...]:
        """What the ready replicas of `pool` say of themselves."""
        return tuple(replica.served for replica in self.snapshot(pool) if replica.served)
