"""Measured numbers behind a budget. Each scales what the shape of the model and the settings of the engine imply.

Bytes unless said otherwise; MiB in the comments. Measured with vLLM 0.32 on an H200 under the worst traffic that the settings allow,
with checkpoints of true shape (2B, 4B, 8B, 30B-A3B; bfloat16 and FP8 weights; 16, 64 and 256 requests; batches of 2,048 and 8,192
tokens; 1.3, 4.2 and 16.8 million pixels; one GPU and two): what the driver counts for the process, and what torch counts of it.
`docs/memory.md` has the table.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Coefficients:
    """How much of a GPU's memory vLLM 0.32 takes where no formula says so."""

    context: int = 760 * MIB  # CUDA context and loaded kernels, outside torch: 753 for every model
    nccl: int = 800 * MIB  # channels and the buffers of all-reduce, outside torch: 1,550 with two GPUs, 753 with one
    flashinfer_workspace: int = 416 * MIB  # 394 by default (vllm: envs.py, VLLM_FLASHINFER_WORKSPACE_BUFFER_SIZE); not measured
    rounding: int = 90 * MIB  # of weights to segments of fixed size: 2B 33, 8B 52, 4B 86; none in expandable ones
    resident: int = 34 * MIB  # inputs and states that stay after the profile run: 33, and a request and a token of a batch:
    resident_request: int = 668 * 1024  # 0.65
    tower: float = 12.85  # states as wide as the vision tower for each patch: 4B 12.8, 8B 12.7
    tower_video: float = 20.1  # of a video, which vLLM's own profile run does not see: 4B 20.0, 8B 19.9
    embedding: float = 0.75  # copies of the embeddings meanwhile
    text_token: float = 1.2  # times the widest step of a layer of the language model, a token of a batch; never the peak so far
    logits: float = 2.0  # copies of the logits in float32 a request, sampling with log probabilities: 1.8
    prompt_logprobs: int = 1024  # tokens whose logits are taken at once where a request asks for them (604 in all)
    graph: float = 0.2 * MIB  # a batch size of CUDA graphs and layer, outside torch: 0.17 (2B) to 0.21 (30B-A3B)
    graph_pool: float = (
        2.0  # times the logits of the largest graph, in the pool that all share: 11 of 32, 72 of 128, 237 of 512
    )
    slack: int = 128 * MIB  # of the allocator with expandable segments: 103 between the most used and the most kept
    holes: int = 128 * MIB  # a prompt's log probabilities are one block that fits no hole of the allocator: 8B 108 more
    holes_fp8: int = 256 * MIB  # weights that are made FP8 while loading leave more of them: 4B 140 beyond that, 2B none
    slack_share: float = 0.05  # and of what comes and goes: FP8 weights add 16 to 470
    slack_share_segments: float = 0.65  # with segments of fixed size, as several GPUs need them: 302 of 473
    host: int = 2816 * MIB  # without a GPU: resident size of an engine with a tiny model, less its KV cache


MEASURED = Coefficients()
