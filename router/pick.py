"""Which replica answers: a pure choice over a snapshot of the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from router.values import Replica


def pick(replicas: Sequence[Replica], tried: Container[str], turn: int) -> Replica | None:
    """The ready replica, not yet tried for this request, with the fewest requests in flight; ties go round by `turn`."""
    ready = [replica for replica in replicas if replica.ready and replica.url not in tried]
    rotated = ready[turn % len(ready) :] + ready[: turn % len(ready)] if ready else []
    return min(rotated, key=lambda replica: replica.in_flight, default=None)
