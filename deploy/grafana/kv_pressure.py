#!/usr/bin/env python3
"""Writes the dashboard `dashboards/kv-pressure.json`: what presses on the KV cache of each pool, and what that costs its clients.

Usage: `python deploy/grafana/kv_pressure.py` writes the file; with `--check` it exits 1 when the file is not what this would write.
"""

import argparse
import json
import sys
from pathlib import Path

from panels import Json, dashed, graph, note, placed, row, stat, target, variable
from queries import CAPACITY, ENGINE, NO_EVENTS, PRESSURE, REPLICA, ROUTER, USE, WAITING, hit_share, quantile, rate

FILE = Path(__file__).parent / "dashboards" / "kv-pressure.json"

GREEN_THEN_RED = ((None, "green"), (1, "red"))


def verdict_panels() -> list[Json]:
    """One glance: is a pool short of KV cache now?"""
    return [
        row("Is a pool short of KV cache?"),
        note(
            "**Pressure** = within the last minute a replica held more than 90 % of its KV cache *and* requests waited for room all "
            "the while. Either alone is healthy: full batches use the cache fully, and a short wait is a queue. Blocks of finished "
            "requests that prefix caching keeps count as free, so a warm but idle engine reads about 0 %."
        ),
        stat(
            "Pressure",
            'Last minute, one replica: vllm:kv_cache_usage_perc over 0.9 once, vllm:num_requests_waiting_by_reason{reason="capacity"} '
            "over 0 always (use swings as long prompts come and go; the queue does not). "
            "When it stays: more KV memory (engine.gpu_memory_utilization), smaller pictures (engine.max_image_pixels), or a replica.",
            "none",
            PRESSURE,
            GREEN_THEN_RED,
            mappings=[{"type": "value", "options": {"0": {"text": "none"}, "1": {"text": "PRESSURE"}}}],
        ),
        stat(
            "KV cache in use (highest replica)",
            "vllm:kv_cache_usage_perc. Near 100 % is fine as long as nothing waits; look at 'Waiting for room' and 'Preemptions'.",
            "percentunit",
            f"max by (pool) ({USE})",
            ((None, "green"), (0.9, "orange"), (0.98, "red")),
            min=0,
            max=1,
        ),
        stat(
            "Waiting for room",
            'vllm:num_requests_waiting_by_reason{reason="capacity"}: requests that found no KV blocks or no sequence slot. '
            "When it grows and does not drain, the pool is too small for its load.",
            "short",
            f"sum by (pool) ({WAITING})",
            GREEN_THEN_RED,
        ),
        stat(
            "Preemptions in this window",
            "vllm:num_preemptions_total: running requests thrown out to free blocks; their prompt is computed again. "
            "Anything above 0 is waste: lower engine.max_num_seqs (more wait, none starts over), or add memory or a replica.",
            "short",
            f"sum by (pool) (increase(vllm:num_preemptions_total{{{ENGINE}}}[$__range]))",
            GREEN_THEN_RED,
        ),
        stat(
            "Capacity",
            "duet_router_replica_kv_cache_tokens: tokens that the KV caches of the pool hold together, as the router reads them from "
            "each engine. FP8 holds twice what bf16 does; half of the usual number means that FP8 is off.",
            "short",
            f"sum by (pool) ({CAPACITY})",
            ((None, "blue"),),
        ),
        stat(
            "Replicas ready",
            "duet_router_replica_up: replicas that the router sends requests to. Fewer than you started: read the engine's log.",
            "short",
            f"sum by (pool) (duet_router_replica_up{{{ROUTER}}})",
            ((None, "red"), (1, "green")),
        ),
    ]


def cache_panels() -> list[Json]:
    """The KV cache itself, over time."""
    tokens = graph(
        "KV tokens held and capacity",
        "vllm:kv_cache_usage_perc times duet_router_replica_kv_cache_tokens: the room left in tokens. A request needs its prompt "
        "(a picture of w x h pixels is about w*h/1024 tokens) and its answer; Thinking answers hold their tokens longest.",
        "short",
        target(f"{USE} * on (pool, instance) {CAPACITY}", "{{pool}} {{instance}} held"),
        target(CAPACITY, "{{pool}} {{instance}} capacity"),
    )
    tokens["fieldConfig"]["overrides"].append(dashed("/capacity$/"))
    return [
        row("KV cache"),
        graph(
            "KV cache in use",
            "vllm:kv_cache_usage_perc of each replica. One replica full beside an idle one: the load is spread badly, not too high.",
            "percentunit",
            target(USE, "{{pool}} {{instance}}"),
            max=1,
        ),
        tokens,
        graph(
            "Preemptions",
            "rate of vllm:num_preemptions_total. They stretch answers that had begun; lower engine.max_num_seqs until they stop.",
            "ops",
            target(rate("vllm:num_preemptions_total", ENGINE, "pool, instance"), "{{pool}} {{instance}}"),
        ),
        graph(
            "Running and waiting in the engines",
            "vllm:num_requests_running and vllm:num_requests_waiting_by_reason. Waiting for capacity: short of blocks or slots. "
            "Deferred: held back for another reason. Pictures that are still being decoded are in neither; see 'In flight'.",
            "short",
            target(f"sum by (pool) (vllm:num_requests_running{{{ENGINE}}})", "{{pool}} running"),
            target(f"sum by (pool, reason) (vllm:num_requests_waiting_by_reason{{{ENGINE}}})", "{{pool}} waiting: {{reason}}"),
        ),
        graph(
            "Prefix-cache hits",
            "vllm:prefix_cache_hits_total of vllm:prefix_cache_queries_total, in tokens. Low while conversations or pictures repeat: "
            "their blocks are evicted too soon (too little capacity), or the prompts differ near their start.",
            "percentunit",
            target(hit_share("prefix_cache"), "{{pool}}"),
            max=1,
        ),
        graph(
            "Picture-cache hits",
            "vllm:mm_cache_hits_total of vllm:mm_cache_queries_total, in pictures that need no decoding and resizing again. Low with "
            "repeated pictures: raise --mm-processor-cache-gb in engine.args. 0 % is right when every picture is new.",
            "percentunit",
            target(hit_share("mm_cache"), "{{pool}}"),
            max=1,
        ),
    ]


def client_panels() -> list[Json]:
    """What the pressure costs: times as the engine and as the router see them."""
    first_byte, first_answer = "duet_router_time_to_first_byte_seconds", "duet_router_time_to_first_answer_seconds"
    return [
        row("What clients feel"),
        graph(
            "Time to first token: engine",
            "vllm:time_to_first_token_seconds, from the engine's arrival to its first token. Rising together with waiting: queue. "
            "Rising alone: long prompts or large pictures.",
            "s",
            target(quantile(0.5, "vllm:time_to_first_token_seconds", ENGINE), "{{pool}} p50"),
            target(quantile(0.95, "vllm:time_to_first_token_seconds", ENGINE), "{{pool}} p95"),
        ),
        graph(
            "Time to first byte and to first answer: router",
            f"{first_byte} and {first_answer}. The first byte far above the engine's first token: time is lost before the engine "
            "(upload, picture decoding). The answer far above the first byte: the Thinking pool is thinking.",
            "s",
            target(quantile(0.95, first_byte, ROUTER), "{{pool}} first byte p95"),
            target(quantile(0.95, first_answer, ROUTER), "{{pool}} first answer p95"),
        ),
        graph(
            "Time between tokens: engine",
            "vllm:inter_token_latency_seconds. It rises with the batch; a jump without more running requests means long prefills "
            "in between: pass a lower --max-num-batched-tokens in engine.args.",
            "s",
            target(quantile(0.5, "vllm:inter_token_latency_seconds", ENGINE), "{{pool}} p50"),
            target(quantile(0.95, "vllm:inter_token_latency_seconds", ENGINE), "{{pool}} p95"),
        ),
    ]


def traffic_panels() -> list[Json]:
    """Where the load comes from and what becomes of it."""
    return [
        row("Traffic through the router"),
        graph(
            "In flight",
            "duet_router_requests_in_flight by replica. Higher than running + waiting of the engine: it is still decoding pictures.",
            "short",
            target(f"sum by (pool, replica) (duet_router_requests_in_flight{{{REPLICA}}})", "{{pool}} {{replica}}"),
        ),
        graph(
            "Requests by status",
            "rate of duet_router_requests_total. 499: the client left. 429 and 503: no room. Other 5xx: read the engine's log.",
            "reqps",
            target(f"{rate('duet_router_requests_total', ROUTER, 'pool, status')} {NO_EVENTS}", "{{pool}} {{status}}"),
        ),
        graph(
            "Routing decisions",
            "rate of duet_router_decisions_total by who decided. A pool under pressure that gets most of its requests from "
            "rules and scorer can be relieved by router.routing.thought_price; from clients, only by capacity.",
            "reqps",
            target(f"{rate('duet_router_decisions_total', ROUTER, 'pool, stage')} {NO_EVENTS}", "{{pool}} {{stage}}"),
        ),
        graph(
            "How likely requests need thinking",
            "duet_router_decision_score of the requests that were decided by what they ask, by the pool that got them. "
            "Medians that come together at the threshold: the router is guessing; look at what is asked.",
            "percentunit",
            *(
                target(quantile(share, "duet_router_decision_score", ROUTER), f"{{{{pool}}}} {name}")
                for share, name in ((0.1, "lowest tenth"), (0.5, "median"), (0.9, "highest tenth"))
            ),
        ),
        graph(
            "Pictures",
            "rate of duet_router_images_total. Pictures are most of the prompt tokens: a rise here is the usual start of pressure.",
            "ops",
            target(f"{rate('duet_router_images_total', ROUTER)} {NO_EVENTS}", "{{pool}}"),
        ),
        graph(
            "Clients that left",
            "rate of duet_router_client_disconnects_total by phase. Many before the first token: answers start too late.",
            "ops",
            target(f"{rate('duet_router_client_disconnects_total', ROUTER, 'pool, phase')} {NO_EVENTS}", "{{pool}} {{phase}}"),
        ),
        graph(
            "Failed attempts",
            "rate of duet_router_upstream_failures_total by kind. Any steady rate: that replica is ill; read its log.",
            "ops",
            target(f"{rate('duet_router_upstream_failures_total', ROUTER, 'pool, kind')} {NO_EVENTS}", "{{pool}} {{kind}}"),
        ),
    ]


def dashboard() -> Json:
    """Build the whole page."""
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    pool = variable("pool", "Pool", "label_values(vllm:kv_cache_usage_perc, pool)")
    instance = variable("instance", "Replica", 'label_values(vllm:kv_cache_usage_perc{pool=~"$pool"}, instance)')
    return {
        "uid": "duet-kv-pressure",
        "title": "Duet / KV-cache pressure",
        "description": "KV-cache use, capacity and what presses on it, for the Instruct and the Thinking pool.",
        "tags": ["duet", "vllm"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source, pool, instance]},
        "panels": placed([*verdict_panels(), *cache_panels(), *client_panels(), *traffic_panels()]),
    }


def main() -> int:
    """Write the file, or say whether it is current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when the file is out of date; write nothing")
    text = json.dumps(dashboard(), indent=2) + "\n"
    if not parser.parse_args().check:
        FILE.write_text(text, encoding="utf-8")
        return 0
    if FILE.is_file() and FILE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{FILE} is out of date: run python deploy/grafana/kv_pressure.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
