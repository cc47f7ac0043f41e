"""Every `duet_router_*` metric, defined once. Histograms time the whole stream, not just its headers; nothing here is an average."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from router.values import POOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.fleet import Fleet

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
CONTENT_TYPE = CONTENT_TYPE_LATEST
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nobody here reads


class Metrics:
    """One registry a router, so that two routers in one process do not mix."""

    def __init__(self, fleet: Fleet) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "duet_router_requests",
            "Requests answered, by HTTP status (499: the client left)",
            ["pool", "endpoint", "status"],
            registry=registry,
        )
        self.decisions = Counter("duet_router_decisions", "Routing decisions", ["pool", "reason"], registry=registry)
        self.images = Counter("duet_router_images", "Pictures in the last user turns of requests", ["pool"], registry=registry)
        self.disconnects = Counter(
            "duet_router_client_disconnects",
            "Clients that left before their answer ended",
            ["pool", "phase"],
            registry=registry,
        )
        self.failures = Counter(
            "duet_router_upstream_failures", "Attempts at a replica that failed", ["pool", "replica", "kind"], registry=registry
        )
        self.duration = self._seconds(
            "request_duration", "From the request's last byte to the answer's last byte", ["pool", "endpoint"]
        )
        self.first_byte = self._seconds(
            "time_to_first_byte", "From the request's last byte to the engine's first event or body", ["pool"]
        )
        self.first_reasoning = self._seconds("time_to_first_reasoning", "To the first reasoning text of a stream", ["pool"])
        self.first_answer = self._seconds("time_to_first_answer", "To the first answer text of a stream", ["pool"])
        self._begin_at_zero()
        registry.register(_FleetCollector(fleet))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def _begin_at_zero(self) -> None:
        """A series that first appears with a value of 1 has no rate: Prometheus never saw it rise."""
        for pool in POOLS:
            self.requests.labels(pool, "chat_completions", "200")
            self.duration.labels(pool, "chat_completions")
            for metric in (self.images, self.first_byte, self.first_reasoning, self.first_answer):
                metric.labels(pool)

    def render(self) -> bytes:
        return generate_latest(self.registry)

    def _seconds(self, name: str, text: str, labels: list[str]) -> Histogram:
        return Histogram(f"duet_router_{name}_seconds", text, labels, buckets=SECONDS, registry=self.registry)


class _FleetCollector:
    """The fleet's state at the moment of the scrape: no gauge to keep in step, none left behind by a replica that went."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = ["pool", "replica"]
        up = GaugeMetricFamily("duet_router_replica_up", "1 while the replica is ready", labels=labels)
        in_flight = GaugeMetricFamily(
            "duet_router_requests_in_flight", "Requests handed to the replica and not ended", labels=labels
        )
        capacity = GaugeMetricFamily(
            "duet_router_replica_kv_cache_tokens", "Tokens that the replica's KV cache holds", labels=labels
        )
        for replica in self._fleet.all():
            key = [replica.pool, replica.url]
            up.add_metric(key, replica.ready)
            in_flight.add_metric(key, replica.in_flight)
            if replica.served and replica.served.kv_cache_tokens:
                capacity.add_metric(key, replica.served.kv_cache_tokens)
        yield from (up, in_flight, capacity)
