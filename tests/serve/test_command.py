"""The command line and environment that vLLM gets, and the flags that it is asked about first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serve.command import command, flag_names
from serve.config import DuetConfig
from serve.flags import parse
from serve.package import bytecode_env
from serve.plan import plan
from serve.stack import cards_of
from serve.values import POOLS, Command, Gpu, Hardware

HELP = (Path(__file__).parent / "data" / "vllm-0.32-help.txt").read_text()
CPU = Hardware((), 2, 32 << 30)
V100 = Hardware((Gpu(1, "Tesla V100", (7, 0), memory_bytes=32 << 30, free_bytes=32 << 30),), 8, 32 << 30)
A10S = Hardware(
    tuple(Gpu(index, "NVIDIA A10", (8, 6), memory_bytes=23028 << 20, free_bytes=22500 << 20) for index in (2, 3)), 8, 32 << 30
)


def commands(hardware: Hardware, **config: object) -> dict[str, Command]:
    asked = DuetConfig(**config)  # type: ignore[arg-type]
    plans = plan(asked, hardware, cards_of(asked, hardware, POOLS), POOLS)
    return {each.name: command(each, ["vllm", "serve"], {}) for each in plans.engines}


def value(of: Command, flag: str) -> str:
    return of.argv[of.argv.index(flag) + 1]


def test_the_whole_line_on_a_cpu() -> None:
    asked = commands(CPU)["thinking"]
    sizes = {
        "images_kwargs": {"size": {"shortest_edge": 409600, "longest_edge": 1310720}},
        "videos_kwargs": {"size": {"shortest_edge": 4096, "longest_edge": 8388608}},
    }
    # fmt: off
    assert asked.argv == (
        "vllm", "serve", "embedded",
        "--served-model-name", "duet/embedded-thinking", "qwen3-vl-thinking", "auto", "qwen3-vl",
        "--host", "127.0.0.1", "--port", "8102",
        "--kv-cache-dtype", "fp8", "--kv-cache-memory-bytes", "1073676288",
        "--max-model-len", "8192", "--max-num-seqs", "32",
        "--enable-chunked-prefill", "--enable-prefix-caching", "--kv-cache-metrics",
        "--enforce-eager", "--distributed-executor-backend", "uni",
        "--mm-processor-kwargs", json.dumps(sizes), "--limit-mm-per-prompt", '{"image": 16, "video": 1}',
        "--allowed-media-domains", "data-urls-only.invalid",
        "--reasoning-parser", "qwen3", "--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--enable-prompt-tokens-details",
        "--enable-request-id-headers", "--disable-fastapi-docs", "--disable-access-log-for-endpoints", "/health,/metrics",
        "--shutdown-timeout", "20",
    )
    # fmt: on
    assert asked.env["VLLM_MEDIA_URL_ALLOW_REDIRECTS"] == "0"
    assert asked.env["OMP_NUM_THREADS"] == "1"


def test_only_thinking_has_a_reasoning_parser() -> None:
    assert [name for name, asked in commands(CPU).items() if "--reasoning-parser" in asked.argv] == ["thinking"]


def test_an_old_gpu() -> None:
    asked = commands(V100)["instruct"]
    assert (value(asked, "--kv-cache-dtype"), value(asked, "--dtype")) == ("auto", "half")
    assert int(value(asked, "--kv-cache-memory-bytes")) > 1 << 30
    assert 0.3 < float(value(asked, "--gpu-memory-utilization")) < 0.5
    assert (asked.env["CUDA_DEVICE_ORDER"], asked.env["CUDA_VISIBLE_DEVICES"]) == ("PCI_BUS_ID", "1")
    assert asked.env["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True"
    assert "--enforce-eager" not in asked.argv
    assert "--tensor-parallel-size" not in asked.argv


def test_one_engine_over_two_gpus_and_the_last_resorts() -> None:
    engine = {
        "tensor_parallel_size": 2,
        "quantization": "fp8",
        "cpu_offload_gb": 1.5,
        "kv_offloading_size": 8,
        "dtype": "bfloat16",
    }
    asked = commands(A10S, pools={"thinking": {"engine": engine}})["thinking"]
    given = [value(asked, f"--{key.replace('_', '-')}") for key in engine]
    assert given == ["2", "fp8", "1.5", "8.0", "bfloat16"]
    assert asked.env["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert "PYTORCH_CUDA_ALLOC_CONF" not in asked.env, "its memory cannot be shared between processes"


def test_fp8_weights_are_the_language_models_alone() -> None:
    asked = commands(
        A10S, pools={"instruct": {"engine": {"quantization": "fp8"}}, "thinking": {"model": "Qwen/Qwen3-VL-4B-Thinking-FP8"}}
    )
    kept = json.loads(value(asked["instruct"], "--quantization-config"))
    assert kept == {"ignore": ["re:visual[.]", "re:.*[.]mlp[.]gate$"]}
    assert not {"--quantization", "--quantization-config"} & set(asked["thinking"].argv), (
        "the checkpoint says how it is quantized"
    )


def test_the_users_flags_come_last() -> None:
    args = ["--max_model_len=512", "--seed", "1"]
    assert commands(CPU, pools={"instruct": {"engine": {"args": args}}})["instruct"].argv[-3:] == tuple(args)


@pytest.mark.parametrize("hardware", [CPU, V100, A10S])
def test_vllm_knows_every_flag_that_duet_sets(hardware: Hardware) -> None:
    known = parse(HELP)
    assert {flag for asked in commands(hardware).values() for flag in flag_names(asked.argv)} - known == set()


def test_flags_are_read_as_vllm_reads_them() -> None:
    line = ["--max_model_len=4", "--compilation-config.mode=3", "--middleware+", "x", "-tp", "2", "--", "-1"]
    assert [flag for flag in flag_names(line) if flag != "--"] == ["--max-model-len", "--compilation-config", "--middleware"]


def test_flags_that_the_help_only_mentions_are_not_known() -> None:
    known = parse(HELP)
    assert len(known) == 406
    assert {"--enable-prefix-caching", "--no-enable-prefix-caching", "--api-server-count", "--served-model-name"} <= known
    assert "--membind" in HELP
    assert not {"--membind", "--swap-space", "--json-arg"} & known


def test_differences_are_applied_to_a_whole_environment(tmp_path: Path) -> None:
    environ = Command((), bytecode_env(tmp_path)).environ({"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/root"})
    assert environ == {"HOME": "/root"}
