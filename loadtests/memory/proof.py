"""The planner put to the proof: plans for smaller cards than the one that is here, as cases; and stock vLLM on a card of 24 GB.

    python -m loadtests.memory.proof --out FOLDER

Writes `cases.json` for `measure` and `plans.json`, what `duet plan --json` says of each row. A ballast makes a small card of the large
one, so a plan is made for the large one with so much memory free. Compute capability and kernels stay the large card's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtests.memory.cases import Case, EngineCase, Traffic, dumps
from loadtests.memory.situations import SITUATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

DUET = (sys.executable, "-c", "from serve.cli import main; main()")
HERE = "H200"  # the card that the ballast makes smaller
HERE_MIB = 143_155  # what CUDA calls its memory
MIB = 1 << 20
# What is free on a card that nobody uses: 24 GB as CUDA counts it on an RTX 4090; the others NVML's total less what Duet's planner
# takes the driver to keep: RTX 4080 16,376, L40S 46,068, H100 81,559.
FREE_MIB = {16: 15_926, 24: 24_217, 48: 45_500, 80: 80_848}
LARGEST_PICTURES = 8  # of a full batch: one API server makes ready about two a second
PICTURES_S = 22.0  # for all of them to be made ready, while another engine's are too
BF16_KV = {"kv_cache_dtype": "auto"}
NOT_OURS = frozenset({"--host", "--port"})  # of the command line, for the harness takes ports that are free


class PlanFailed(Exception):
    """`duet plan` did not end well; the message names the row and has its words."""


@dataclass(frozen=True, slots=True)
class Row:
    """One plan: models by pool, the memory of the card in GB, what the user asks of every engine."""

    id: str
    card_gb: int
    instruct: str | None
    thinking: str | None = None
    wishes: Mapping[str, object] = field(default_factory=dict)
    gpus: int = 1
    situations: tuple[str, ...] = ()

    @property
    def models(self) -> dict[str, str]:
        sizes = {"instruct": self.instruct, "thinking": self.thinking}
        return {pool: f"Qwen/Qwen3-VL-{size}-{pool.capitalize()}" for pool, size in sizes.items() if size}


ROWS = (
    Row("24gb-4b-4b", 24, "4B", "4B", situations=tuple(SITUATIONS)),
    Row("16gb-2b-2b", 16, "2B", "2B"),
    Row("48gb-8b-8b", 48, "8B", "8B"),
    Row("48gb-4b-4b-bf16kv", 48, "4B", "4B", BF16_KV),
    Row("80gb-8b-8b-bf16kv", 80, "8B", "8B", BF16_KV),
    Row("24gb-8b", 24, "8B"),
    Row("24gb-4b", 24, "4B"),
    Row("24gb-4b-bf16kv", 24, "4B", None, BF16_KV),
    Row("16gb-4b", 16, "4B"),
    Row("80gb-4b-4b", 80, "4B", "4B"),
    Row("24gb-2b-2b", 24, "2B", "2B"),
    Row("48gb-30b-a3b", 48, "30B-A3B"),
    Row("80gb-32b-fp8w", 80, "32B", None, {"quantization": "fp8"}),
    Row("24gb-4b-tp2", 24, "4B", None, {"tensor_parallel_size": 2}, gpus=2),
)


def planned(row: Row) -> dict[str, Any]:
    """What `duet plan --json` says of a row. Raises PlanFailed."""
    pools = {pool: {"model": model, "engine": row.wishes} for pool, model in row.models.items()}
    models = [word for pool, model in row.models.items() for word in (f"--{pool}", model)]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "duet.yaml"
        config.write_text(json.dumps({"pools": pools}))
        argv = [*DUET, "plan", "--json", "--config", str(config), *models]
        argv += ["--gpu", HERE, "--gpus", str(row.gpus), "--memory", f"{FREE_MIB[row.card_gb]}MiB"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PlanFailed(f"{row.id}: {done.stderr.strip()}")
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


def case(row: Row, plan: dict[str, Any]) -> Case:
    """The planned engines as they are, but for weights that are made up, the port, and which card it is."""
    return Case(
        row.id,
        tuple(_engine(engine, _twin(row, engine["model"])) for engine in plan["engines"]),
        gpus=row.gpus,
        free_bytes=FREE_MIB[row.card_gb] * MIB,
        situations=row.situations,
        images_per_request=plan["engines"][0]["settings"]["images_per_request"],
    )


def _twin(row: Row, model: str) -> str:
    """The folder of a model. Thinking has Instruct's shape, and vLLM compiles anew for every folder: where nobody asks Thinking for
    anything of its own, Instruct's stands for both.
    """
    name = model.partition("/")[2]
    return name if row.situations else name.replace("-Thinking", "-Instruct")


def _engine(engine: dict[str, Any], folder: str) -> EngineCase:
    settings = engine["settings"]
    argv = engine["argv"][engine["argv"].index(engine["model"]) + 1 :]
    ours = [word for at, word in enumerate(argv) if not NOT_OURS & {word, *argv[max(0, at - 1) : at]}]
    asked = Traffic(
        seqs=settings["max_num_seqs"],
        pixels=settings["image_pixels"]["most"],
        video_pixels=settings["video_pixels"]["most"] if settings["videos_per_request"] else 0,
        images_per_request=settings["images_per_request"],
        context=settings["max_model_len"],
        largest=LARGEST_PICTURES,
        kv_tokens=engine["budget"]["kv_tokens"],
        seconds=PICTURES_S,
        phases=("pictures", "many", "video", "full", "logprobs", "prompt_logprobs"),
    )
    env = {name: value for name, value in engine["env"].items() if value is not None and name != "CUDA_VISIBLE_DEVICES"}
    return EngineCase(folder, (*ours, "--load-format", "dummy"), asked, env)


def stock() -> tuple[Case, ...]:
    """What people type on a card of 24 GB. `--gpu-memory-utilization` is of that card, written as a share of the one that is here."""
    context = ("--max-model-len", "32768")
    full, half = _share(0.92), _share(0.46)
    return (
        _stock("stock-24gb-32k", ("picture", "turns", "turns_thinking", "document"), _vllm(full, *context)),
        _stock("stock-24gb-32k-fp8kv", ("turns_fp8",), _vllm(full, *context, "--kv-cache-dtype", "fp8")),
        _stock("stock-24gb-two", (), _vllm(full, *context), _vllm(full, *context)),
        _stock("stock-24gb-two-halves", (), _vllm(half, *context), _vllm(half, *context)),
        _stock("stock-24gb", (), _vllm(full)),
    )


def _share(of_small_card: float) -> tuple[str, str]:
    return "--gpu-memory-utilization", f"{of_small_card * FREE_MIB[24] / HERE_MIB:.4f}"


def _vllm(*flags: str | tuple[str, str]) -> EngineCase:
    """4B with the batch that vLLM takes by itself on a card of that size (vllm: engine/arg_utils.py)."""
    argv = [word for flag in flags for word in ((flag,) if isinstance(flag, str) else flag)]
    defaults = ("--max-num-seqs", "256", "--max-num-batched-tokens", "2048")
    asked = Traffic(seqs=64, pixels=16_777_216, video_pixels=25_165_824, largest=2)
    return EngineCase("Qwen3-VL-4B-Instruct", (*argv, *defaults, "--load-format", "dummy"), asked)


def _stock(name: str, situations: tuple[str, ...], *engines: EngineCase) -> Case:
    return Case(name, engines, free_bytes=FREE_MIB[24] * MIB, situations=situations)


def main() -> None:
    parser = argparse.ArgumentParser(prog="proof", description="Writes the planner's plans for smaller cards as cases.")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    try:
        plans = {row.id: planned(row) for row in ROWS}
    except PlanFailed as error:
        sys.exit(f"proof: {error}")
    (out / "plans.json").write_text(json.dumps(plans, indent=1))
    (out / "cases.json").write_text(dumps([*(case(row, plans[row.id]) for row in ROWS), *stock()]))


if __name__ == "__main__":
    main()
