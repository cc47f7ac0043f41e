"""The cases that the planner's numbers come from: one thing at a time is varied around a middle one. Prints their JSON.

python -m loadtests.memory.calibration > cases.json
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from loadtests.memory.cases import Case, EngineCase, Traffic, dumps

MIDDLE_PIXELS = 1_310_720
LARGE_PIXELS = 4_194_304
WHOLE_PIXELS = 16_777_216
VIDEO_PIXELS = 8_388_608
LEAST_PIXELS = {"images_kwargs": 65_536, "videos_kwargs": 4_096}
SMALL_CARD = 24_217 << 20  # what CUDA calls the memory of a 24 GB card (RTX 4090)
# 0.92, vLLM's own default, of the small card, as a share of an H200 (139.8 GiB)
SMALL_SHARE = "0.1556"
KV = "6G"


@dataclass(frozen=True, slots=True)
class Varied:
    """What is varied; the defaults are the middle case."""

    seqs: int = 64
    batched: int = 2048
    pixels: int = MIDDLE_PIXELS
    kv: str = "fp8"


MIDDLE = Varied()


def flags(varied: Varied) -> tuple[str, ...]:
    sizes = {
        "images_kwargs": {"size": {"shortest_edge": LEAST_PIXELS["images_kwargs"], "longest_edge": varied.pixels}},
        "videos_kwargs": {"size": {"shortest_edge": LEAST_PIXELS["videos_kwargs"], "longest_edge": VIDEO_PIXELS}},
    }
    return (
        *("--load-format", "dummy", "--max-model-len", "32768", "--kv-cache-dtype", varied.kv, "--kv-cache-memory-bytes", KV),
        *("--max-num-seqs", str(varied.seqs), "--max-num-batched-tokens", str(varied.batched)),
        *("--enable-chunked-prefill", "--enable-prefix-caching", "--api-server-count", "4"),
        *("--mm-processor-kwargs", json.dumps(sizes), "--limit-mm-per-prompt", '{"image": 8, "video": 1}'),
    )


def case(name: str, size: str, varied: Varied = MIDDLE, *more: str) -> Case:
    asked = Traffic(seqs=varied.seqs, pixels=varied.pixels, video_pixels=VIDEO_PIXELS)
    return Case(name, (EngineCase(f"Qwen3-VL-{size}-Instruct", (*flags(varied), *more), asked),))


def stock(name: str, *more: str) -> Case:
    """What a user types on a 24 GB card, whose defaults for the batch differ from an H200's (vllm/engine/arg_utils.py)."""
    defaults = ("--max-num-seqs", "256", "--max-num-batched-tokens", "2048")
    argv = ("--load-format", "dummy", "--gpu-memory-utilization", SMALL_SHARE, *defaults, *more)
    asked = Traffic(seqs=64, pixels=WHOLE_PIXELS, video_pixels=25_165_824)
    return Case(name, (EngineCase("Qwen3-VL-4B-Instruct", argv, asked),), free_bytes=SMALL_CARD)


def expandable(plain: Case) -> Case:
    """The same with an allocator that grows its segments in place (https://docs.pytorch.org/docs/stable/notes/cuda.html)."""
    (engine,) = plain.engines
    return replace(plain, engines=(replace(engine, env={"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}),))


FP8 = ("--quantization", "fp8")
# Different shapes first: each is compiled once, and the cases after it find it in the cache.
CASES = (
    case("4b", "4B"),
    case("8b", "8B"),
    case("4b-seqs256", "4B", Varied(seqs=256)),
    case("4b-batched8192", "4B", Varied(batched=8192)),
    case("4b-fp8w", "4B", MIDDLE, *FP8),
    case("2b", "2B"),
    case("4b-large", "4B", Varied(pixels=LARGE_PIXELS)),
    case("4b-whole", "4B", Varied(pixels=WHOLE_PIXELS)),
    case("8b-fp8w", "8B", MIDDLE, *FP8),
    stock("stock-24gb-32k", "--max-model-len", "32768"),
    case("4b-batched8192-large", "4B", Varied(batched=8192, pixels=LARGE_PIXELS)),
    case("4b-bf16kv", "4B", Varied(kv="auto")),
    case("4b-eager", "4B", MIDDLE, "--enforce-eager"),
    case("4b-seqs16", "4B", Varied(seqs=16)),
    case("30b-a3b-fp8w", "30B-A3B", MIDDLE, *FP8),
    stock("stock-24gb"),
    expandable(case("4b-large-expandable", "4B", Varied(pixels=LARGE_PIXELS))),
    case("8b-whole", "8B", Varied(pixels=WHOLE_PIXELS)),
    replace(case("4b-tp2", "4B", MIDDLE, "--tensor-parallel-size", "2"), gpus=2),
)


def main() -> None:
    print(dumps(CASES))


if __name__ == "__main__":
    main()
