"""Every `duet_router_*` metric, defined once. Histograms time the whole stream, not just its headers; nothing here is an average."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from router.values import POOLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.fleet import Fleet

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
SCORES = tuple(tenth / 10 for tenth in range(1, 11))
CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SEVERAL_PROCESSES = FOLDER in os.environ  # the library looks at it once too, when it is imported
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nobody here reads


class Metrics:
    """One registry a router, so that two routers in one process do not mix."""

    def __init__(self, fleet: Fleet) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = self._count(
            "requests", "Requests answered, by HTTP status (499: the client left)", ["pool", "endpoint", "status"]
        )
        self.decisions = self._count("decisions", "Routing decisions", ["pool", "reason", "stage"])
        text = "How likely requests needed thinking, of those that were decided by what they ask; the pool is where they went"
        self.score = cache(Histogram("duet_router_decision_score", text, ["pool"], buckets=SCORES, registry=registry).labels)
        self.images = self._count("images", "Pictures in the last user turns of requests", ["pool"])
        self.disconnects = self._count("client_disconnects", "Clients that left before their answer ended", ["pool", "phase"])
        self.failures = self._count("upstream_failures", "Attempts at a replica that failed", ["pool", "replica", "kind"])
        self.duration = self._seconds(
            "request_duration", "From the request's last byte to the answer's last byte", ["pool", "endpoint"]
        )
        self.first_byte = self._seconds(
            "time_to_first_byte", "From the request's last byte to the engine's first event or body", ["pool"]
        )
        self.first_reasoning = self._seconds("time_to_first_reasoning", "To the first reasoning text of a stream", ["pool"])
        self.first_answer = self._seconds("time_to_first_answer", "To the first answer text of a stream", ["pool"])
        self._fleet = fleet
        self._in_flight = self._gauge("requests_in_flight", "Requests handed to the replica and not ended", "livesum")
        self._up = self._gauge("replica_up", "1 while the replica is ready", "livemin")
        self._capacity = self._gauge("replica_kv_cache_tokens", "Tokens that the replica's KV cache holds", "livemax")
        self._known: set[tuple[str, str]] = set()
        self._begin_at_zero()
        if not SEVERAL_PROCESSES:
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)

    def _begin_at_zero(self) -> None:
        """A series that first appears with a value of 1 has no rate: Prometheus never saw it rise."""
        for pool in POOLS:
            self.requests(pool, "chat_completions", "200")
            self.duration(pool, "chat_completions")
            self.images(pool)
            for histogram in (self.first_byte, self.first_reasoning, self.first_answer, self.score):
                histogram(pool)

    def refresh(self) -> None:
        """Takes over the fleet's state. Other workers see ours as it was at the last call."""
        replicas = {(replica.pool, replica.url): replica for replica in self._fleet.all()}
        for key in self._known - replicas.keys():
            for gauge in (self._in_flight, self._up, self._capacity):
                gauge.remove(*key)
        for key, replica in replicas.items():
            self._up.labels(*key).set(replica.ready)
            self._in_flight.labels(*key).set(replica.in_flight)
            if replica.served and replica.served.kv_cache_tokens:
                self._capacity.labels(*key).set(replica.served.kv_cache_tokens)
        self._known = set(replicas)

    def render(self) -> bytes:
        self.refresh()
        return generate_latest(_over_all_workers() if SEVERAL_PROCESSES else self.registry)

    def _gauge(self, name: str, text: str, over_workers: Literal["livesum", "livemin", "livemax"]) -> Gauge:
        return Gauge(f"duet_router_{name}", text, ["pool", "replica"], registry=self.registry, multiprocess_mode=over_workers)

    def _count(self, name: str, text: str, labels: list[str]) -> Callable[..., Counter]:
        """Counters by their labels' values, in the order of `labels`. Remembered: the library takes a lock to find one."""
        return cache(Counter(f"duet_router_{name}", text, labels, registry=self.registry).labels)

    def _seconds(self, name: str, text: str, labels: list[str]) -> Callable[..., Histogram]:
        """Histograms by their labels' values, remembered too."""
        return cache(Histogram(f"duet_router_{name}_seconds", text, labels, buckets=SECONDS, registry=self.registry).labels)


def _over_all_workers() -> CollectorRegistry:
    """What all workers count together, the ended ones included, whose gauges are forgotten here."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    folder = Path(os.environ[FOLDER])
    ended = {pid for file in folder.glob("gauge_live*.db") if not psutil.pid_exists(pid := int(file.stem.rsplit("_", 1)[1]))}
    for pid in ended:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
    return registry
