"""Reads off an engine's log that it ended for lack of memory, and how much was missing. Pure; the words are vLLM's and torch's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["context", "loading", "running"]

UNIT = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
GIB = UNIT["GiB"]
SIZE = r"([\d.]+) (bytes|KiB|MiB|GiB)"
# vllm: v1/core/kv_cache_utils.py, _check_enough_kv_cache_memory; v1/worker/utils.py, request_memory
TOO_LONG = re.compile(r"KV cache is needed, which is larger than the available KV cache memory")
ESTIMATE = re.compile(r"estimated maximum model length is (\d+)")
NO_BLOCKS = "No available memory for the cache blocks"
LESS_FREE = re.compile(
    r"Free memory on device \S+ \(([\d.]+)/[\d.]+ GiB\) on startup is less than desired .* \([\d.]+, ([\d.]+) GiB\)"
)
# torch: c10/cuda/CUDACachingAllocator.cpp; the driver's own words where torch's allocator was not asked
OUT_OF_MEMORY = re.compile(rf"CUDA out of memory\. Tried to allocate {SIZE}\..*?of which {SIZE} is free")
OUT_OF_MEMORY_PLAIN = re.compile(r"CUDA out of memory|CUDA error: out of memory|CUDA_ERROR_OUT_OF_MEMORY")
LOADED = "Model loading took"


@dataclass(frozen=True, slots=True)
class Shortage:
    """What was missing.

    `context`: the KV cache does not hold one full context, at most `longest` tokens of it where vLLM says. `loading`: the weights
    did not fit. `running`: what comes after them did not, by `missing` bytes where that is said.
    """

    kind: Kind
    said: str
    missing: int = 0
    longest: int | None = None
    counted: bool = False  # by the plan's own sums with the reserve, so that nothing beyond it is missing
    early: bool = False  # said before anything was allocated, so of what is free and not of what was tried


def shortage(lines: Sequence[str]) -> Shortage | None:
    """Judge the log of an engine that has ended; `None` where it speaks of no lack of memory."""
    for line in reversed(lines):
        if TOO_LONG.search(line):
            estimate = ESTIMATE.search(line)
            return Shortage("context", _message(line), longest=int(estimate[1]) if estimate else None)
        if found := LESS_FREE.search(line):
            return Shortage("running", _message(line), missing=int((float(found[2]) - float(found[1])) * GIB), early=True)
        if NO_BLOCKS in line:
            return Shortage("running", _message(line))
        if OUT_OF_MEMORY_PLAIN.search(line):
            after_loading = any(LOADED in earlier for earlier in lines)
            return Shortage("running" if after_loading else "loading", _message(line), missing=_missing(line))
    return None


def _missing(line: str) -> int:
    found = OUT_OF_MEMORY.search(line)
    return max(0, _bytes(found[1], found[2]) - _bytes(found[3], found[4])) if found else 0


def _bytes(number: str, unit: str) -> int:
    return int(float(number) * UNIT[unit])


def _message(line: str) -> str:
    """Leave out what a logger and a traceback put before a message, and the advice after its first sentence or two."""
    words = re.search(r"(?:To serve|Free memory|No available|CUDA).*", line)
    return (words[0] if words else line).split(". Based on")[0].split(". Try ")[0].split(". Decrease")[0].split(". GPU ")[0]
