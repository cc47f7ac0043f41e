"""What one engine takes of a GPU, before it starts: physics from the model's shape and the engine's settings, times measured numbers.

Each part names the place in vLLM 0.32 that allocates it. All sizes are bytes on one GPU; without a GPU they are bytes of RAM.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serve.memory import tokens
from serve.memory.coefficients import MEASURED
from serve.values import Budget

if TYPE_CHECKING:
    from serve.checkpoint.shapes import Shape
    from serve.memory.card import ModelCard
    from serve.memory.coefficients import Coefficients
    from serve.values import Gpu, Settings

GPU_BLOCK, CPU_BLOCK = 16, 128  # tokens in a block of the KV cache (vllm: platforms/{cuda,cpu}.py)
CPU_BATCH = 2048  # tokens in a batch where vLLM chooses on a CPU (vllm: engine/arg_utils.py)
HALF = 2  # bytes of bfloat16 and float16
FLOAT = 4
PATCHES_PER_TOKEN = 4  # the merger joins 2 x 2 of them
FLASH_ATTENTION_FP8 = (9, 0)  # elsewhere an FP8 KV cache goes through FlashInfer (vllm: v1/attention/backends/fa_utils.py)
BLACKWELL = 10
GRAPH_SIZES, GRAPH_SIZES_BLACKWELL = 512, 1024  # largest batch captured (vllm: config/vllm.py, _set_cudagraph_sizes)
GIB = 1 << 30


def fixed(card: ModelCard, settings: Settings, gpu: Gpu | None, gpus: int = 1, measured: Coefficients = MEASURED) -> Budget:
    """Add up all but the KV cache of one engine on `gpus` GPUs like `gpu`, or on the CPU where that is None."""
    shape, batch = card.shape, settings.max_num_batched_tokens or CPU_BATCH
    requests = min(settings.max_num_seqs, batch)
    encoder, embeddings = _encoder(shape, settings, batch, measured)
    layer = _layer(shape, batch, gpus, measured)
    text = max(layer, _logits(shape, requests, measured), _prompt_logits(shape, batch, measured))
    peak = max(encoder, embeddings + text)  # one after the other; the embeddings stay until they are read
    expandable = expandable_segments(settings, gpus)
    return Budget(
        weights=_weights(card, settings, gpus) + _tables(shape, batch) + (0 if expandable else measured.rounding),
        context=_context(settings, gpu, gpus, measured) if gpu else measured.host,
        encoder=encoder,
        activations=peak - encoder + _resident(shape, requests, batch, layer, measured),
        graphs=_graphs(shape, settings, batch, gpu, measured) if gpu else 0,
        slack=_slack(peak, measured, expandable=expandable, online=_is_online(card, settings)) if gpu else 0,
        kv_cache=0,
        kv_bytes_per_token=-(-card.kv_bytes_per_token(settings.kv_cache_dtype) // gpus),
        block_tokens=GPU_BLOCK if gpu else CPU_BLOCK,
    )


def expandable_segments(settings: Settings, gpus: int) -> bool:
    """Whether torch's allocator may map memory as it needs it, which keeps it from holding a GiB that fits no request.

    The handles of such memory cannot be given to another process, as all-reduce over several GPUs wants, and vLLM refuses it
    beside a KV cache that is copied elsewhere (vllm: config/vllm.py).
    """
    return gpus == 1 and not settings.kv_offloading_size


def with_kv_cache(budget: Budget, kv_cache: int) -> Budget:
    """Give a budget a KV cache of at most this many bytes: whole blocks of it, or a shortage as it is."""
    block = budget.kv_bytes_per_token * budget.block_tokens
    return replace(budget, kv_cache=kv_cache // block * block if kv_cache > 0 else kv_cache)


def visual_tokens(settings: Settings, batch: int) -> tuple[int, int]:
    """How many tokens of pictures, and of videos, the encoder works on at once: a batch of them, or one item where that is larger.

    vllm: v1/core/encoder_cache_manager.py, compute_mm_encoder_budget
    """
    image = tokens.largest_image_tokens(settings.image_pixels) if settings.images_per_request else 0
    video = tokens.largest_video_tokens(settings.video_pixels) if settings.videos_per_request else 0
    budget = max(batch, image, video)
    return budget if image else 0, max(video, budget // video * video) if video else 0


def _weights(card: ModelCard, settings: Settings, gpus: int) -> int:
    weights = card.weight_bytes(settings.quantization)
    return max(0, -(-weights // gpus) - int(settings.cpu_offload_gb * GIB))


def _tables(shape: Shape, batch: int) -> int:
    """Bytes of what is loaded with the weights: the angles of every position, and a buffer for each DeepStack level.

    vllm: model_executor/layers/rotary_embedding/base.py, model_executor/models/qwen3_vl.py
    """
    text = shape.text
    return shape.positions * text.head_dim * HALF + len(shape.vision.deepstack) * batch * text.hidden * HALF


def _context(settings: Settings, gpu: Gpu, gpus: int, measured: Coefficients) -> int:
    fp8 = settings.kv_cache_dtype.startswith("fp8")
    workspace = measured.flashinfer_workspace if fp8 and gpu.compute_capability != FLASH_ATTENTION_FP8 else 0
    return measured.context + workspace + (measured.nccl if gpus > 1 else 0)


def _encoder(shape: Shape, settings: Settings, batch: int, measured: Coefficients) -> tuple[int, int]:
    """Bytes of the vision tower at work, and of the embeddings that it makes (vllm: gpu_model_runner.py, encoder_cache)."""
    vision = shape.vision
    embedding = shape.text.hidden * (1 + len(vision.deepstack)) * HALF
    images, videos = visual_tokens(settings, batch)
    state = PATCHES_PER_TOKEN * vision.hidden * HALF
    image = images * (measured.tower * state + measured.embedding * embedding)
    video = videos * (measured.tower_video * state + measured.embedding * embedding)
    return int(max(image, video)), max(images, videos) * embedding


def _layer(shape: Shape, batch: int, gpus: int, measured: Coefficients) -> int:
    """Bytes of one layer of the language model at work on a batch."""
    text, experts = shape.text, shape.text.experts
    wide = 3 * (experts.per_token * experts.intermediate if experts else text.intermediate) // gpus
    wide += experts.per_token * text.hidden if experts else 0  # what each expert answers, before it is summed
    attention = 2 * (text.heads + text.kv_heads) * text.head_dim // gpus
    return int(measured.text_token * (2 * text.hidden + max(wide, attention)) * HALF * batch)


def _resident(shape: Shape, requests: int, batch: int, layer: int, measured: Coefficients) -> int:
    """Bytes that stay after the first batch: inputs, a state for each request, and the workspace of experts (127 MiB of 30B-A3B)."""
    inputs = shape.text.hidden * HALF * batch
    return measured.resident + measured.resident_request * requests + inputs + (layer if shape.text.experts else 0)


def _logits(shape: Shape, requests: int, measured: Coefficients) -> int:
    """Bytes of sampling for every request at once. vllm: v1/sample/sampler.py, v1/sample/ops/topk_topp_sampler.py."""
    return int(requests * shape.vocabulary * (HALF + measured.logits * FLOAT))


def _prompt_logits(shape: Shape, batch: int, measured: Coefficients) -> int:
    """Bytes of the logits of a prompt, for a request with `prompt_logprobs`. vllm: v1/worker/gpu/sample/prompt_logprob.py."""
    return min(batch, measured.prompt_logprobs) * shape.vocabulary * FLOAT + batch * shape.text.hidden * HALF


def _graphs(shape: Shape, settings: Settings, batch: int, gpu: Gpu, measured: Coefficients) -> int:
    sizes = graph_sizes(settings.max_num_seqs, batch, gpu.compute_capability)
    pool = measured.graph_pool * sizes[-1] * shape.vocabulary * HALF
    return int(measured.graph * len(sizes) * shape.text.layers + pool)


def _is_online(card: ModelCard, settings: Settings) -> bool:
    """Whether vLLM makes FP8 weights of a plain checkpoint while it loads."""
    return settings.quantization == "fp8" and card.quantization is None


def _slack(peak: int, measured: Coefficients, *, expandable: bool, online: bool) -> int:
    if not expandable:
        return int(measured.slack + measured.slack_share_segments * peak)
    return int(measured.slack + measured.holes + (measured.holes_fp8 if online else 0) + measured.slack_share * peak)


def graph_sizes(requests: int, batch: int, capability: tuple[int, int]) -> tuple[int, ...]:
    """List the batch sizes that vLLM captures a CUDA graph of. vllm: config/vllm.py, _set_cudagraph_sizes."""
    ceiling = GRAPH_SIZES_BLACKWELL if capability[0] == BLACKWELL else GRAPH_SIZES
    largest = min(2 * requests, ceiling, batch)
    sizes = {1, 2, 4, *range(8, min(largest + 1, 256), 8), *range(256, largest + 1, 16)}
    sizes |= {size for size in (batch, requests) if size <= largest}
    return tuple(sorted(size for size in sizes if size <= largest))
