"""The errors that engines die of: the words that show each, its cause, and the way out. `serve.causes` reads logs by them.

Words are vLLM 0.32's, torch 2.13's, transformers 5's and the C library's. A group that a pattern names may be quoted in its texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of failure. Of those that a log shows, the last one counts; an echo only where nothing else does."""

    code: str
    sign: re.Pattern[str]
    cause: str
    fix: str
    echo: bool = False


def _pattern(code: str, sign: str, cause: str, fix: str, *, echo: bool = False) -> Pattern:
    return Pattern(code, re.compile(sign), cause, fix, echo=echo)


PATTERNS = (
    _pattern(
        "memory-taken",
        r"Free memory on device [^(]*\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than (?:desired|the engine's budget)",
        "only {free} of {total} GiB of the GPU are free: something else holds the rest",
        "End what holds it (`duet doctor` lists the processes), or lower pools.NAME.engine.gpu_memory_utilization to what is free.",
    ),
    _pattern(
        "kv-cache-too-small",
        r"max seq len \((?P<wanted>\d+)\).*available KV cache memory \((?P<have>[\d.]+ GiB)\)"
        r"(?:.*estimated maximum model length is (?P<fits>\d+))?",
        "the KV cache of {have} does not hold one request of {wanted} tokens{fits}",
        "Set pools.NAME.engine.max_model_len to no more than that, or raise kv_cache_memory or gpu_memory_utilization; "
        "kv_cache_dtype: fp8 doubles the tokens from compute capability 8.0.",
    ),
    _pattern(
        "no-memory-for-kv-cache",
        r"Available memory on node \d+ \((?P<free>[\d.]+)/[\d.]+ GiB\) on kv cache allocation is less than requested memory for kv "
        r"\((?P<wanted>-?[\d.]+)/",
        "RAM: {free} GiB are free, and the engine's KV cache would get {wanted} GiB of its share",
        "Set pools.NAME.engine.kv_cache_memory (1GiB is the default without a GPU) and take gpu_memory_utilization out; or free RAM.",
    ),
    _pattern(
        "no-kv-cache",
        r"No available memory for the cache blocks",
        "weights and activations fill the engine's whole share: nothing is left for the KV cache",
        "Raise pools.NAME.engine.gpu_memory_utilization (or free the GPU), or lower max_image_pixels; else serve a smaller checkpoint.",
    ),
    _pattern(
        "launch-resources",
        r"too many resources requested for launch",
        "a GPU kernel wants more registers than this GPU has for it: known of bfloat16 on GPUs before compute capability 8.0",
        "Set pools.NAME.engine.dtype: half (Duet does so by itself on such GPUs), and lower max_image_pixels.",
    ),
    _pattern(
        "size-mismatch",
        r"The size of tensor a \(\d+\) must match the size of tensor b \(\d+\)|size mismatch for |Attempted to load weight \([^)]*\) into"
        r"|assert param_data\.shape == loaded_weight\.shape",
        "tensors have other shapes than the model expects: weights and config.json of different models, or an error in vLLM",
        "Fetch the whole checkpoint again, all files of one revision; if it is whole, leave out quantization flags in engine.args.",
    ),
    _pattern(
        "no-kernel-image",
        r"no kernel image is available for execution on the device",
        "this vLLM or torch was not built for this GPU",
        "Compute capability below 7.5 needs the cu129 wheels (CUDA 13 dropped it); a newer GPU than the wheel needs a newer vLLM.",
    ),
    _pattern(
        "no-bfloat16",
        r"Bfloat16 is only supported on GPUs with compute capability of at least 8\.0\.(?: Your (?P<gpu>.*?) GPU)?",
        "this GPU{gpu} has no bfloat16",
        "Set pools.NAME.engine.dtype: half.",
    ),
    _pattern(
        "no-fp8-kv",
        r"(?:FP8|bfloat16) KV cache is not supported|fp8e4nv (?:data type is )?not supported|with FP8 KV cache not supported",
        "this GPU, or the attention backend that vLLM has chosen on it, cannot keep the KV cache in this type",
        "Set pools.NAME.engine.kv_cache_dtype: auto; from compute capability 8.0, --attention-backend FLASHINFER in engine.args keeps fp8.",
    ),
    _pattern(
        "deepstack-buffer",
        r"Requested more deepstack tokens than available in buffer",
        "a bug of vLLM before 0.32 with chunked prefill of pictures (vllm-project/vllm#41485)",
        "Install vLLM 0.32 or later; until then put --no-enable-prefix-caching in pools.NAME.engine.args.",
    ),
    _pattern(
        "mm-cache-miss",
        r"Expected a cached item for mm_hash",
        "vLLM's cache of pictures lost one that it counted on (vllm-project/vllm#46354)",
        "Install vLLM 0.32 or later; if it comes back, put --mm-processor-cache-gb 0 in pools.NAME.engine.args.",
    ),
    _pattern(
        "port-in-use",
        r"Address already in use|address already in use|EADDRINUSE",
        "another process listens on the engine's port",
        "End it (`duet doctor` names it), or change pools.NAME.replicas.",
    ),
    _pattern(
        "unknown-flag",
        r"error: unrecognized arguments: (?P<flags>.+)",
        "this vLLM has no {flags}",
        "Take it out of pools.NAME.engine.args; `vllm serve --help=all` lists what there is.",
    ),
    _pattern(
        "bad-flag",
        r": error: argument (?P<flag>\S+): (?P<why>.+)",
        "vLLM does not take this value of {flag}: {why}",
        "Correct it in pools.NAME.engine.args, or the key of pools.NAME.engine that it comes from.",
    ),
    _pattern(
        "cuda-runtime",
        r"libcudart\.so\.(?P<major>\d+): cannot open shared object file",
        "vLLM was built for CUDA {major}, and that CUDA's libraries are not installed beside it",
        "Install vLLM and torch for one CUDA: those of the default index are for CUDA 13; a driver before 580 needs both as cu129.",
    ),
    _pattern(
        "driver",
        r"CUDA driver version is insufficient|driver on your system is too old|unsupported display driver / cuda driver combination",
        "the NVIDIA driver is older than the CUDA that torch was built for",
        "Install driver 580 or later for CUDA 13, or the cu129 wheels of vLLM and torch; in a container, see LD_LIBRARY_PATH too.",
    ),
    _pattern(
        "gated-model",
        r"(?:access|is) a gated repo|Cannot access gated repo|Access to model .* is restricted",
        "the hub gives this model only to accounts that have accepted its terms",
        "Accept them on the model's page, then set HF_TOKEN, or fetch the model and set pools.NAME.model to its folder.",
    ),
    _pattern(
        "missing-model",
        r"is not a local folder and is not a valid model identifier|RepositoryNotFoundError|Repo id must be in the form",
        "there is no such model on the hub, nor such a folder here",
        "Check pools.NAME.model: a hub id such as Qwen/Qwen3-VL-4B-Instruct, or a folder that exists.",
    ),
    _pattern(
        "hub-unreachable",
        r"We couldn't connect to '(?P<hub>[^']*)'|LocalEntryNotFoundError|OfflineModeIsEnabled|Cannot reach .*offline mode is enabled",
        "the model is not in the cache, and the hub{hub} cannot be reached",
        "Set HF_ENDPOINT to a mirror that this machine reaches, or pools.NAME.model to a local folder.",
    ),
    _pattern(
        "broken-weights",
        r"SafetensorError|Error while deserializing header",
        "a weight file is cut short or damaged",
        "Fetch it again; `duet doctor` names the file.",
    ),
    _pattern(
        "no-weights",
        r"Cannot find any model weights with",
        "the model's folder holds no weights",
        "Fetch *.safetensors into it, or put --load-format dummy in pools.NAME.engine.args for a trial without weights.",
    ),
    _pattern(
        "incomplete-model",
        r"Can't load (?P<what>image processor|video processor|feature extractor|tokenizer|processor|the configuration)",
        "the model's folder lacks the files of its {what}",
        "Copy the whole checkpoint, not only weights and config.json; `duet doctor` names what is missing.",
    ),
    _pattern(
        "shared-memory",
        r"Insufficient space in /dev/shm|/dev/shm/\S+.*No space left on device|shared memory segment.*No space left on device"
        r"|posix_fallocate failed ?: No space left on device|failed to extend /dev/shm",
        "shared memory (/dev/shm) is full or too small for what the GPU processes share",
        "Start the container with --shm-size=1g or more (or --ipc=host); remove stale files from /dev/shm.",
    ),
    _pattern(
        "disk-full",
        r"\[Errno 28\] No space left on device|No space left on device \(os error 28\)",
        "a disk is full",
        "Make room where the model and the caches go (serve.cache_dir, HF_HOME, ~/.cache/vllm); `duet doctor` shows each disk.",
    ),
    _pattern(
        "illegal-access",
        r"an illegal memory access was encountered",
        "a GPU kernel read or wrote where it may not: a bug in vLLM, or a failing GPU",
        "Update vLLM; try --enforce-eager, then kv_cache_dtype: auto. `nvidia-smi -q -d ECC` counts the errors of a failing GPU.",
    ),
    _pattern(
        "no-compiler",
        r"Failed to find C compiler|Python\.h: No such file or directory",
        "Triton builds its launcher with a C compiler and Python's headers, and one of them is missing",
        "Install them: `apt-get install gcc python3-dev` for the Python that runs vLLM.",
    ),
    _pattern(
        "nccl",
        r"NCCL error|ncclSystemError|ncclUnhandledCudaError|ncclInternalError",
        "the GPUs of one engine cannot talk to each other",
        "Set NCCL_DEBUG=INFO and start again: the line with WARN tells why. In a container: --shm-size=1g --ulimit memlock=-1.",
        echo=True,
    ),
    _pattern(
        "killed",
        r"Engine core proc \S+ died unexpectedly|Worker proc \S+ died unexpectedly|EngineDeadError|EngineCore encountered an issue",
        "the engine's core process ended without a word of its own: killed from outside, most often by the kernel for lack of RAM",
        '`dmesg` shows whether it was the kernel ("Out of memory: Killed process"). More RAM, or --mm-processor-cache-gb 1 in engine.args.',
        echo=True,
    ),
)
