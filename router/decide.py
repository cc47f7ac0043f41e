"""Who answers: the header, the model's name, else what is asked. One place for requests and for `/v1/route`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.classify import classify
from router.errors import BadRequest
from router.values import POOLS, Decision, Policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.config import RoutingSection
    from router.names import Names
    from router.values import PoolName, View

POOL_HEADER = b"x-duet-pool"


def policy_of(section: RoutingSection) -> Policy:
    """The threshold that a price means: thinking pays where p · (cost of a miss) > (1 - p) · (cost of a needless thought)."""
    threshold = section.thought_price / (1 + section.thought_price)
    return Policy(threshold, section.doubt_band, section.doubt)


def decide(view: View, headers: Iterable[tuple[bytes, bytes]], names: Names, policy: Policy) -> Decision:
    """The decision on a request.

    Raises:
        BadRequest: the header `x-duet-pool` names no pool.
        UnknownModel: no pool answers to the model's name.
    """
    if (asked := next((value for name, value in headers if name == POOL_HEADER), None)) is not None:
        return _explicit(_pool(asked), "header")
    pool = names.pool_of(view.model)
    return classify(view, policy) if pool is None else _explicit(pool, "model")


def _pool(value: bytes) -> PoolName:
    asked = value.decode("latin-1").strip().lower()
    if asked not in POOLS:
        said = f"The header x-duet-pool: {asked[:64]!r} should be one of {', '.join(POOLS)}"
        raise BadRequest(said, code="invalid_header", param="x-duet-pool")
    return asked


def _explicit(pool: PoolName, reason: str) -> Decision:
    return Decision(pool, reason, float(pool == "thinking"), "client")
