"""What vLLM says about its own memory, read from its log.

The lines are those of vllm/v1: worker/gpu_worker.py, worker/gpu/model_runner.py, worker/gpu/mm/encoder_runner.py, core/kv_cache_utils.py.
"""

from __future__ import annotations

import re

# name → pattern; the figure is the first group, in the unit that the name ends in
FIGURES = {
    "loading_gib": r"Model loading took ([\d.]+) GiB",
    "loading_s": r"Model loading took [\d.]+ GiB memory and ([\d.]+) seconds",
    "compile_s": r"torch\.compile took ([\d.]+) s",
    "initial_free_gib": r"Initial free memory:? ([\d.]+)",
    "torch_peak_increase_gib": r"torch peak memory increase: ([\d.]+)GiB",
    "total_consumed_gib": r"total consumed \(from mem_get_info\): ([\d.]+)GiB",
    "non_kv_gib": r"Total non KV cache memory: ([\d.]+)GiB",
    "available_kv_gib": r"Available KV cache memory: ([\d.-]+) GiB",
    "kv_tokens": r"GPU KV cache size: ([\d,]+) tokens",
    "concurrency": r"Maximum concurrency for [\d,]+ tokens per request: ([\d.]+)x",
    "graphs_s": r"Graph capturing finished in ([\d.]+) secs",
    "graphs_gib": r"Graph capturing finished in [\d.]+ secs, took (-?[\d.]+) GiB",
    "graphs_estimate_gib": r"CUDA graph pool memory: [\d.]+ GiB \(actual\), ([\d.]+) GiB \(estimated\)",
    "encoder_budget_tokens": r"Encoder cache will be initialized with a budget of ([\d,]+) tokens",
    "encoder_items": r"profiled with ([\d,]+) \w+ items",
    "longest_tokens": r"estimated maximum model length is ([\d,]+)",
}
GAUGES = {
    "vllm:num_requests_running": "running",
    "vllm:kv_cache_usage_perc": "kv_usage",
    "vllm:num_preemptions_total": "preemptions",
}
_PATTERNS = {name: re.compile(pattern) for name, pattern in FIGURES.items()}
_OUT_OF_MEMORY = re.compile(r"OutOfMemoryError|CUDA out of memory|CUDA error: out of memory")
_ERROR = re.compile(r"\b(?:\w+\.)*\w*(?:Error|Exception)\b: .+")
# a line that ends a part of the start → the part that then begins
MARKS = {
    "Model loading took": "profiling",
    "GPU KV cache size": "capturing",
}


def figures(log: str) -> dict[str, float]:
    """The last figure of each name that the log has."""
    found = {name: pattern.findall(log) for name, pattern in _PATTERNS.items()}
    return {name: float(values[-1].replace(",", "")) for name, values in found.items() if values}


def mark(line: str) -> str | None:
    """The part of the start that begins with this line."""
    return next((part for words, part in MARKS.items() if words in line), None)


def ran_out(log: str) -> int:
    """How many lines speak of memory that could not be had."""
    return sum(bool(_OUT_OF_MEMORY.search(line)) for line in log.splitlines())


def errors(log: str) -> list[str]:
    """The errors that the log names, each once, without what stands before them. A warning may name one too: that is none."""
    lines = (line for line in log.splitlines() if " WARNING " not in line)
    return list(dict.fromkeys(found.group()[:400] for found in map(_ERROR.search, lines) if found))


def gauges(metrics: str) -> dict[str, float]:
    """How full the batch and the KV cache are now, and how often a request was put back; each the sum over what reports it."""
    found: dict[str, float] = {}
    for line in metrics.splitlines():
        name, _, value = line.replace("{", " ").partition(" ")
        if name in GAUGES:
            found[GAUGES[name]] = found.get(GAUGES[name], 0.0) + float(value.rpartition(" ")[2])
    return found


def cache_config(metrics: str) -> dict[str, str]:
    """The labels of `vllm:cache_config_info`."""
    line = next((line for line in metrics.splitlines() if line.startswith("vllm:cache_config_info{")), "")
    return dict(re.findall(r'(\w+)="([^"]*)"', line))
