"""`duet plan` as a user calls it: readable in 100 columns, complete for programs, and a refusal that helps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.serve.conftest import Duet


@pytest.fixture
def planner(duet: Duet) -> Duet:
    """With nothing but the defaults, and a hub that must not be asked."""
    duet.config.clear()
    duet.environment |= {"HF_HOME": str(duet.folder / "hf"), "HF_HUB_OFFLINE": "1"}
    return duet


def test_both_4b_models_on_a_card_that_is_not_here(planner: Duet) -> None:
    code, out, err = planner.run("plan", "--gpu", "RTX 4090D")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["model", "Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-4B-Thinking"] in rows
    assert ["context,", "tokens", "32,768", "32,768"] in rows
    assert ["A4", "page", "of", "1,000", "px,", "tokens", "684", "684"] in rows
    assert "Stepped down: weights to FP8 (+" in out
    assert "vllm serve Qwen/Qwen3-VL-4B-Thinking" in out
    table = out[: out.index("VLLM_MEDIA")]
    assert max(map(len, table.splitlines())) <= 100
    assert "\x1b" not in out


def test_everything_for_programs(planner: Duet) -> None:
    code, out, _ = planner.run(
        "plan", "--gpu", "A10", "--gpus", "2", "--memory", "20GiB", "--models", "Qwen/Qwen3-VL-8B-Thinking", "--json"
    )
    assert code == 0
    told = json.loads(out)
    assert [gpu["free_bytes"] for gpu in told["gpus"]] == [20 << 30] * 2
    (engine,) = told["engines"]
    assert (engine["name"], engine["model"]) == ("thinking", "Qwen/Qwen3-VL-8B-Thinking")
    parts = ("weights", "context", "encoder", "activations", "graphs", "slack", "kv_cache")
    assert sum(engine["budget"][part] for part in parts) == engine["budget"]["total"] <= told["gpus"][0]["usable"]
    asked = engine["argv"][engine["argv"].index("--kv-cache-memory-bytes") + 1]
    assert int(asked) == engine["budget"]["kv_cache"] == engine["kv_cache_memory_bytes"]
    assert engine["answers"]["requests"]["8192"] == min(64, engine["budget"]["kv_tokens"] // 8192)


def test_wishes_of_the_configuration_count(planner: Duet) -> None:
    planner.config["pools"] = {"instruct": {"engine": {"max_model_len": 131_072}}}
    code, out, _ = planner.run("plan", "--gpu", "H100", "--json")
    assert code == 0
    assert json.loads(out)["engines"][0]["settings"]["max_model_len"] == 131_072


def test_this_machine_without_a_gpu(planner: Duet) -> None:
    code, out, _ = planner.run("plan")
    assert code == 0
    assert "duet/embedded-thinking" in out
    assert "vllm.entrypoints.openai.api_server" in out
    assert not (planner.folder / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--gpu", "GTX 1080"], 4, "no GPU 'GTX 1080' is known; there are V100 16GB"),
        (["--gpu", "T4", "--models", "Qwen/Qwen3-VL-32B-Instruct"], 4, "instruct does not fit GPU 0 (T4):"),
        (
            ["--gpu", "T4", "--models", "someone/Qwen3-VL-5B"],
            5,
            "pools.instruct.model = 'someone/Qwen3-VL-5B': not in the cache",
        ),
        (["--gpu", "T4", "--memory", "much"], 3, "--memory much: a size is a number and a unit, such as 24GiB"),
        (["--models", "a/b", "--models", "c/d"], 3, "--models c/d: the instruct pool has a/b already"),
        (["--gpu", "T4", "--gpu", "L4", "--gpus", "3"], 3, "--gpus 3: there are 2"),
    ],
)
def test_a_refusal_says_why(planner: Duet, arguments: list[str], code: int, said: str) -> None:
    ended, out, err = planner.run("plan", *arguments)
    assert (ended, out) == (code, "")
    assert err.startswith(f"duet: {said}")
