"""Reads off a log line how far an engine has come. Pure; the lines are vLLM's, on a GPU and on a CPU."""

from __future__ import annotations

import re

from serve.values import Phase

# vllm: v1/worker/{gpu,cpu}_model_runner.py, v1/worker/gpu/model_runner.py, model_executor/model_loader/*.py, v1/core/kv_cache_utils.py
SIGNS = (
    (
        Phase.PROFILING,
        re.compile(r"Loading weights took|Model loading took|KV cache size: |Dynamo bytecode transform|Capturing CUDA graphs"),
    ),
    (
        Phase.LOADING,
        re.compile(
            r"Starting to load model|Loading model from scratch|Time spent downloading weights|Loading safetensors checkpoint shards"
        ),
    ),
)


def phase_of(line: str) -> Phase | None:
    """Name the phase that a line announces; most lines announce none."""
    return next((phase for phase, sign in SIGNS if sign.search(line)), None)


def furthest(phase: Phase, lines: list[str]) -> Phase:
    """Move on from `phase` by what the lines say. An engine never goes back, though its processes log out of order."""
    return max([phase, *filter(None, map(phase_of, lines))])
