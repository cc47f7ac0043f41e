"""Turns a plan into the command line and environment of vLLM. No other file knows vLLM's flags."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from serve.memory.budget import expandable_segments
from serve.values import Command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serve.values import EnginePlan, PixelLimits

# vLLM takes pictures from the hosts on this list, which exists nowhere (RFC 2606), and from data: URLs, which have no host.
NO_HOST = "data-urls-only.invalid"
MAX_IMAGE_PIXELS = 30_000_000  # of a picture as sent; 144 megapixels took 7 s of one core and 0.6 GB to decode
QUIET_ENDPOINTS = "/health,/metrics"
OVER_SEVERAL_GPUS = frozenset(
    {
        *("--tensor-parallel-size", "-tp", "--pipeline-parallel-size", "-pp", "--data-parallel-size", "-dp"),
        *("--prefill-context-parallel-size", "-pcp", "--decode-context-parallel-size", "-dcp"),
    }
)
NO_EXPANDABLE_SEGMENTS = frozenset({"--kv-transfer-config", "--enable-sleep-mode"})
# Kept as they are where weights become FP8: the vision tower with its mergers, which reads small print, and the choice of experts.
# The names are those of vllm: model_executor/models/qwen3_vl.py and qwen3_moe.py; a pattern need only match the beginning.
NOT_FP8 = json.dumps({"ignore": ["re:visual[.]", "re:.*[.]mlp[.]gate$"]})
SET_BY_DUET = frozenset(
    {"--host", "--port", "--uds", "--model", "--served-model-name", "--config", "--headless", "--shutdown-timeout"}
)


def command(plan: EnginePlan, launcher: Sequence[str], env: Mapping[str, str | None]) -> Command:
    """Spell the plan out for vLLM; `env` is what the caller knows about the machine. The user's own flags come last and win."""
    argv = (
        *launcher,
        plan.model,
        *_identity(plan),
        *_memory(plan),
        *_media(plan),
        *_answers(plan),
        *_server(plan),
        *plan.extra_args,
    )
    return Command(argv, {**env, **_environment(plan)})


def flag_names(arguments: Sequence[str]) -> tuple[str, ...]:
    """Pick the flags out of a command line as vLLM's parser reads them: `--a_b.c=1` is `--a-b`."""
    return tuple(flag_name(argument) for argument in arguments if argument.startswith("--"))


def flag_name(argument: str) -> str:
    """Spell one flag, long or short, as vLLM's help does."""
    return argument.partition("=")[0].partition(".")[0].rstrip("+").replace("_", "-")


def _identity(plan: EnginePlan) -> tuple[str, ...]:
    return ("--served-model-name", *plan.served_names, "--host", plan.host, "--port", str(plan.port))


def _memory(plan: EnginePlan) -> tuple[str, ...]:
    settings = plan.settings
    return (
        *_option("--dtype", settings.dtype),
        *_option("--quantization", settings.quantization),
        *_option("--quantization-config", NOT_FP8 if plan.gpus and settings.quantization == "fp8" else None),
        *_option("--kv-cache-dtype", settings.kv_cache_dtype),
        # The exact size wins over the share, which vLLM then only compares with what is free at its start.
        *_option("--kv-cache-memory-bytes", plan.kv_cache_memory_bytes),
        *_option("--gpu-memory-utilization", plan.gpu_memory_utilization),
        *_option("--max-model-len", settings.max_model_len),
        *_option("--max-num-seqs", settings.max_num_seqs),
        *_option("--max-num-batched-tokens", settings.max_num_batched_tokens),
        *_option("--tensor-parallel-size", len(plan.gpus) if len(plan.gpus) > 1 else None),
        *_option("--cpu-offload-gb", settings.cpu_offload_gb or None),
        *_option("--kv-offloading-size", settings.kv_offloading_size),
        "--enable-chunked-prefill",
        "--enable-prefix-caching",
        "--kv-cache-metrics",
        # On a CPU compiling takes longer than it ever gives back, and one process less saves a gigabyte.
        *(() if plan.gpus else ("--enforce-eager", "--distributed-executor-backend", "uni")),
    )


def _media(plan: EnginePlan) -> tuple[str, ...]:
    # Scoped sizes: flat ones would shrink a whole video to the area of one picture.
    settings = plan.settings
    sizes = {"images_kwargs": {"size": _size(settings.image_pixels)}, "videos_kwargs": {"size": _size(settings.video_pixels)}}
    limits = {"image": settings.images_per_request, "video": settings.videos_per_request}
    return (
        "--mm-processor-kwargs",
        json.dumps(sizes),
        "--limit-mm-per-prompt",
        json.dumps(limits),
        "--allowed-media-domains",
        NO_HOST,
    )


def _size(pixels: PixelLimits) -> dict[str, int]:
    return {"shortest_edge": pixels.least, "longest_edge": pixels.most}  # areas, for all their names


def _answers(plan: EnginePlan) -> tuple[str, ...]:
    # On an Instruct model the parser would take the whole answer for reasoning (vllm-project/vllm#53284).
    reasoning = ("--reasoning-parser", "qwen3") if plan.pool == "thinking" else ()
    return (*reasoning, "--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--enable-prompt-tokens-details")


def _server(plan: EnginePlan) -> tuple[str, ...]:
    return (
        "--enable-request-id-headers",
        "--disable-fastapi-docs",
        "--disable-access-log-for-endpoints",
        QUIET_ENDPOINTS,
        "--shutdown-timeout",
        str(plan.drain_s),
    )


def _option(flag: str, value: float | str | None) -> tuple[str, ...]:
    return () if value is None else (flag, str(value))


def _environment(plan: EnginePlan) -> dict[str, str | None]:
    return {
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
        "VLLM_MAX_IMAGE_PIXELS": str(MAX_IMAGE_PIXELS),
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        **({"HF_HUB_OFFLINE": "1"} if plan.local else {}),
        **_device(plan),
    }


def _device(plan: EnginePlan) -> dict[str, str | None]:
    if plan.gpus:
        devices = ",".join(str(gpu.index) for gpu in plan.gpus)
        own_memory = NO_EXPANDABLE_SEGMENTS.intersection(flag_names(plan.extra_args))
        expandable = expandable_segments(plan.settings, len(plan.gpus)) and not own_memory
        allocator = {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"} if expandable else {}
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": devices, **allocator}
    return {
        "VLLM_CPU_KVCACHE_SPACE": None,  # it would override --kv-cache-memory-bytes
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        # Bound by itself, each engine would take the same first cores.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(plan.threads),
    }
