"""Tells the ways in which a GPU runs out of memory apart: by what vLLM was doing. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

MemoryPhase = Literal["loading", "profiling", "reserving", "capturing", "sampling", "running", "unknown"]

FRAMES_ABOVE = 250  # lines of a traceback above its error; two processes may log theirs at once
OUT_OF_MEMORY = re.compile(
    r"CUDA out of memory|CUDA (?:driver )?error: out of memory|Cuda failure 'out of memory'|not enough GPU memory"
)
SHORTFALL = re.compile(r"Tried to allocate (?P<asked>[\d.]+ \w+)\b.*? of which (?P<free>[\d.]+ \w+) is free")

# What vLLM was doing, by the functions in the traceback above the error (v1/worker/gpu_worker.py, gpu_model_runner.py), inmost first.
FRAMES: tuple[tuple[MemoryPhase, re.Pattern[str]], ...] = (
    ("sampling", re.compile(r"\bin _dummy_sampler_run\b|when warming up sampler")),
    ("capturing", re.compile(r"\bin (capture_model|_capture_cudagraphs|capture_end)\b|torch\.cuda\.graph\(")),
    ("reserving", re.compile(r"\bin (_?allocate_kv_cache_tensors|initialize_kv_cache\w*)\b")),
    ("profiling", re.compile(r"\b(in|method) (determine_available_memory|determine_num_available_blocks|profile_run)\b")),
    (
        "loading",
        re.compile(
            r"\bin (load_model|initialize_model|_initialize_model|create_weights|process_weights_after_loading)\b|Failed to load model"
        ),
    ),
    ("running", re.compile(r"\bin (execute_model|run_busy_loop|_process_engine_step)\b")),
)
# The same by what vLLM has printed before, latest first, for logs without a traceback.
MILESTONES: tuple[tuple[MemoryPhase, re.Pattern[str]], ...] = (
    ("running", re.compile(r"Application startup complete|\"POST /|Avg prompt throughput")),
    ("capturing", re.compile(r"KV cache size: |Capturing (CUDA|cuda ?)graph")),
    ("profiling", re.compile(r"Model loading took|Encoder cache will be initialized|Loading weights took")),
    ("loading", re.compile(r"Starting to load model|Loading model from scratch|Loading safetensors checkpoint shards")),
)

TEXTS: dict[MemoryPhase, tuple[str, str]] = {
    "loading": (
        "CUDA out of memory while loading weights: the GPU has no room for them",
        "Free the GPU (`duet doctor` lists who holds it), serve a smaller or a quantized checkpoint, or give each pool a GPU of its own.",
    ),
    "profiling": (
        "CUDA out of memory while profiling: the largest picture or video, or the largest batch, does not fit beside the weights",
        "Lower pools.NAME.engine.max_image_pixels or max_video_pixels, or max_num_batched_tokens.",
    ),
    "reserving": (
        "CUDA out of memory while reserving the KV cache: it was to be more than the GPU has left beside the weights",
        "Lower pools.NAME.engine.kv_cache_memory or gpu_memory_utilization, or free the GPU (`duet doctor` lists who holds it).",
    ),
    "capturing": (
        "CUDA out of memory while capturing CUDA graphs: the KV cache has left too little room for them",
        "Lower pools.NAME.engine.kv_cache_memory or gpu_memory_utilization, or max_num_seqs; --enforce-eager in engine.args captures none.",
    ),
    "sampling": (
        "CUDA out of memory while warming up the sampler: the KV cache has left too little room for max_num_seqs requests at once",
        "Lower pools.NAME.engine.max_num_seqs, or gpu_memory_utilization or kv_cache_memory.",
    ),
    "running": (
        "CUDA out of memory while running: requests needed more than is left beside the KV cache, or something else has taken it",
        "Lower pools.NAME.engine.kv_cache_memory or gpu_memory_utilization by 1 GiB or more, or max_image_pixels; no --skip-mm-profiling.",
    ),
    "unknown": (
        "CUDA out of memory: nothing is left on the GPU",
        "Free the GPU (`duet doctor` lists who holds it), or lower pools.NAME.engine.gpu_memory_utilization or kv_cache_memory.",
    ),
}


def phase_of(lines: Sequence[str]) -> MemoryPhase:
    """Tell what vLLM was doing when the last of these lines came: by the traceback above it, else by what it had said before."""
    for phase, sign in FRAMES:
        if any(sign.search(line) for line in lines[-FRAMES_ABOVE:]):
            return phase
    for phase, sign in MILESTONES:
        if any(sign.search(line) for line in lines):
            return phase
    return "unknown"
