"""PromQL that several panels share."""

# Selectors: an engine's series carry `pool` and `instance` from the scrape, the router's carry `pool` and `replica` (a URL).
ENGINE = 'pool=~"$pool", instance=~"$instance"'
ROUTER = 'pool=~"$pool"'
REPLICA = 'pool=~"$pool", replica=~"https?://($instance)"'

USE = f"max by (pool, instance) (vllm:kv_cache_usage_perc{{{ENGINE}}})"
WAITING = f'sum by (pool, instance) (vllm:num_requests_waiting_by_reason{{{ENGINE}, reason="capacity"}})'
PRESSURE = (
    f"max by (pool) ((max by (pool, instance) (max_over_time(vllm:kv_cache_usage_perc{{{ENGINE}}}[1m])) > bool 0.9)"
    " * on (pool, instance) (sum by (pool, instance) "
    f'(min_over_time(vllm:num_requests_waiting_by_reason{{{ENGINE}, reason="capacity"}}[1m])) > bool 0))'
)
# vLLM tells its capacity as a label, which no query can turn into a number; the router reads it and exports the number.
CAPACITY = (
    f"max by (pool, instance) (label_replace(duet_router_replica_kv_cache_tokens{{{REPLICA}}}"
    ', "instance", "$1", "replica", "https?://(.*)"))'
)
NO_EVENTS = f"or on (pool) 0 * sum by (pool) (duet_router_replica_up{{{ROUTER}}})"  # a counter without events has no series


def rate(metric: str, selector: str, by: str = "pool") -> str:
    """Per second, summed by the labels `by`."""
    return f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))"


def quantile(share: float, histogram: str, selector: str) -> str:
    """The value under which `share` of the observations of each pool lie."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', selector, 'pool, le')})"


def hit_share(kind: str) -> str:
    """Hits of all look-ups of a cache, by pool; no value while nothing is looked up."""
    return f"{rate(f'vllm:{kind}_hits_total', ENGINE)} / ({rate(f'vllm:{kind}_queries_total', ENGINE)} > 0)"
