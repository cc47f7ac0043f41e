"""Which replica answers: a pure choice over a snapshot of the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from router.values import Replica


def pick(replicas: Sequence[Replica], tried: Container[str], turn: int, prefers: str | None = None) -> Replica | None:
    """The ready replica, not yet tried for this request, that the request `prefers`, else the one with the fewest requests in flight.

    Ties go round by `turn`.
    """
    ready = [replica for replica in replicas if replica.ready and replica.url not in tried]
    rotated = ready[turn % len(ready) :] + ready[: turn % len(ready)] if ready else []
    known = next((replica for replica in ready if replica.url == prefers), None)
    return known or min(rotated, key=lambda replica: replica.in_flight, default=None)
