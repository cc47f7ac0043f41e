"""What each engine gets, by hardware: the decisions that a user would notice."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pynvml
import pytest

from serve.config import DuetConfig, EngineConfig
from serve.errors import PlanError
from serve.hardware import probe, visible
from serve.memory import card, catalogue
from serve.plan import plan
from serve.planning.names import HUB_MODEL
from serve.planning.settings import settings
from serve.stack import cards_of
from serve.values import POOLS, EnginePlan, Gpu, Hardware, PixelLimits, Plan

MIB, GIB = 1 << 20, 1 << 30


def gpu(index: int = 0, capability: tuple[int, int] = (9, 0), gib: float = 48) -> Gpu:
    return Gpu(index, "a GPU", capability, f"GPU-{index:08x}-5a2e", memory_bytes=int(gib * GIB), free_bytes=int(gib * GIB))


def machine(*gpus: Gpu, cores: int = 8, memory_bytes: int = 64 * GIB) -> Hardware:
    return Hardware(gpus, cores, memory_bytes)


def whole(hardware: Hardware, **pools: dict[str, Any]) -> Plan:
    config = DuetConfig(pools=pools)  # type: ignore[arg-type]
    return plan(config, hardware, cards_of(config, hardware, POOLS), POOLS)


def planned(hardware: Hardware, **pools: dict[str, Any]) -> dict[str, EnginePlan]:
    return {each.name: each for each in whole(hardware, **pools).engines}


def tokens(each: EnginePlan) -> int:
    assert each.budget
    return each.budget.kv_tokens


def test_without_a_gpu_the_embedded_models_share_the_cores() -> None:
    plans = planned(machine(cores=6))
    assert [each.model for each in plans.values()] == ["embedded", "embedded"]
    assert plans["thinking"].served_names == ("duet/embedded-thinking", "qwen3-vl-thinking", "auto", "qwen3-vl")
    assert {each.threads for each in plans.values()} == {2}
    got = {(each.settings.kv_cache_dtype, each.settings.dtype, each.kv_cache_memory_bytes) for each in plans.values()}
    block = 128 * 6 * 2 * 2 * 64  # bytes: tokens, layers, keys and values, heads, head size
    assert got == {("fp8", None, 5_461 * block)}, "the whole blocks of 1 GiB"
    assert tokens(plans["instruct"]) == 5_461 * 128


def test_a_cpu_that_keeps_no_fp8_cache_is_served_all_the_same() -> None:
    old = replace(machine(), fp8_on_cpu=False)
    assert {each.settings.kv_cache_dtype for each in planned(old).values()} == {"auto"}
    with pytest.raises(PlanError, match=r"kv_cache_dtype = 'fp8': a CPU has no FP8 KV cache; that needs .* AVX-512 or AMX"):
        planned(old, thinking={"engine": {"kv_cache_dtype": "fp8"}})


def test_both_4b_models_share_a_24_gb_card() -> None:
    found = whole(machine(catalogue.find("RTX 4090D")))
    instruct, thinking = found.engines
    assert [each.served_names[0] for each in found.engines] == list(HUB_MODEL.values())
    assert [step.what for step in found.steps] == ["weights to FP8"]
    for each in found.engines:
        assert each.settings.max_model_len == 32_768
        assert each.settings.image_pixels.most == 4_194_304
        assert each.budget
        assert each.budget.requests(8_192) >= 5
    assert tokens(thinking) == pytest.approx(1.5 * tokens(instruct), rel=0.01), "long thoughts need more"
    assert [each.starts_after for each in found.engines] == [None, "instruct"]
    shares = [each.gpu_memory_utilization or 1 for each in found.engines]
    assert sum(shares) < 0.9, "vLLM must find so much free after its own context and the first engine have taken theirs"


def test_engines_take_turns_over_several_gpus() -> None:
    replicas = [f"http://127.0.0.1:{port}" for port in (8101, 8103)]
    plans = planned(machine(gpu(0), gpu(3)), instruct={"replicas": replicas})
    where = {name: ([gpu.index for gpu in each.gpus], each.starts_after) for name, each in plans.items()}
    assert where == {"instruct-8101": ([0], None), "instruct-8103": ([3], None), "thinking": ([0], "instruct-8101")}
    assert tokens(plans["instruct-8103"]) > 2 * tokens(plans["instruct-8101"])


def test_what_is_free_counts_and_not_what_the_card_has() -> None:
    busy = Gpu(0, "a GPU", (9, 0), memory_bytes=80 * GIB, free_bytes=24 * GIB)
    found = whole(machine(busy))
    assert sum(each.budget.total for each in found.engines if each.budget) < 24 * GIB
    assert [step.what for step in found.steps] == ["weights to FP8"]


@pytest.mark.parametrize(
    ("capability", "kv_cache_dtype", "dtype"),
    [((7, 0), "auto", "half"), ((7, 5), "auto", "half"), ((8, 0), "fp8", None), ((8, 6), "fp8", None), ((12, 0), "fp8", None)],
)
def test_what_each_generation_of_gpu_can(capability: tuple[int, int], kv_cache_dtype: str, dtype: str | None) -> None:
    chosen = planned(machine(gpu(capability=capability)))["instruct"].settings
    assert (chosen.kv_cache_dtype, chosen.dtype) == (kv_cache_dtype, dtype)


def test_fp8_weights_are_no_way_out_where_there_is_no_kernel_for_them() -> None:
    steps = {
        capability: [step.what for step in whole(machine(gpu(0, capability, 26))).steps] for capability in [(7, 0), (7, 5)]
    }
    assert "weights to FP8" not in steps[7, 0]
    assert steps[7, 5][0] == "weights to FP8"


def test_a_model_that_no_gpu_holds_goes_over_several() -> None:
    gpus = [gpu(index, (8, 6), 24) for index in range(4)]
    plans = planned(
        machine(*gpus), instruct={"model": "Qwen/Qwen3-VL-32B-Instruct"}, thinking={"model": "Qwen/Qwen3-VL-32B-Thinking"}
    )
    assert [[gpu.index for gpu in each.gpus] for each in plans.values()] == [[0, 1], [2, 3]]
    assert {each.settings.quantization for each in plans.values()} == {"fp8"}


def test_a_card_with_plenty_of_memory_gets_larger_batches() -> None:
    sizes = {gib: planned(machine(gpu(gib=gib)))["thinking"].settings for gib in (48, 141)}
    assert [(each.max_num_seqs, each.max_num_batched_tokens) for each in sizes.values()] == [(64, 2_048), (256, 8_192)]


def test_what_is_asked_for_wins_over_every_rule() -> None:
    engine = {
        "max_model_len": 1024,
        "max_num_seqs": 3,
        "kv_cache_dtype": "auto",
        "kv_cache_memory": "3GiB",
        "max_image_pixels": 100_000,
    }
    chosen = planned(machine(), instruct={"engine": engine})["instruct"]
    settings = chosen.settings
    assert (settings.max_model_len, settings.max_num_seqs, settings.kv_cache_dtype) == (1024, 3, "auto")
    assert (chosen.kv_cache_memory_bytes, settings.image_pixels.most) == (3 * GIB, 100_000)


def test_small_pictures_are_enlarged_as_the_model_was_trained() -> None:
    known = card.published("Qwen/Qwen3-VL-4B-Instruct")
    assert known
    trained_large = replace(known, image_pixels=PixelLimits(262_144, 16_777_216))
    for asked, least in [({}, 262_144), ({"max_image_pixels": 100_000}, 100_000), ({"min_image_pixels": 4_096}, 4_096)]:
        chosen = settings("instruct", EngineConfig.model_validate(asked), trained_large, None)
        assert chosen.image_pixels.least == least
    assert settings("instruct", EngineConfig(), None, None).image_pixels.least == 65_536


def test_a_wish_is_kept_while_the_rest_gives_way() -> None:
    found = whole(machine(gpu(gib=22, capability=(8, 9))), instruct={"engine": {"max_model_len": 40_960}})
    instruct, thinking = found.engines
    assert (instruct.settings.max_model_len, thinking.settings.max_model_len) == (40_960, 16_384)
    assert tokens(instruct) > 40_960
    assert [step.what for step in found.steps] == ["weights to FP8", "context to 16,384 tokens"]


def test_a_plan_that_only_just_fits_says_so() -> None:
    found = whole(machine(gpu(gib=24, capability=(8, 9))), instruct={"engine": {"max_model_len": 106_496}})
    assert found.notes[0].startswith("This is tight")
    assert found.engines[0].settings.max_model_len == 106_496


@pytest.mark.parametrize(
    ("capability", "engine", "said"),
    [
        ((8, 9), {"kv_cache_dtype": "fp8_e5m2"}, "kv_cache_dtype = 'fp8_e5m2': corrupts the answers of Qwen-VL"),
        ((7, 5), {"kv_cache_dtype": "fp8"}, r"kv_cache_dtype = 'fp8': a GPU \(compute capability 7.5\) has no FP8 KV cache"),
        ((7, 5), {"dtype": "bfloat16"}, "has no bfloat16; that needs 8.0. Set it to half"),
        ((7, 0), {"quantization": "fp8"}, "quantization = 'fp8': .* has no kernel for FP8 weights; that needs 7.5"),
        ((8, 9), {"quantization": "awq"}, "quantization = 'awq': vLLM makes fp8 of a plain checkpoint"),
        ((8, 9), {"kv_cache_dtype": "nvfp4"}, "kv_cache_dtype = 'nvfp4': .*Duet plans with"),
        ((8, 9), {"tensor_parallel_size": 3}, "tensor_parallel_size = 3: the 8 KV heads of .* cannot be divided by it"),
        (
            (8, 9),
            {"tensor_parallel_size": 2},
            "tensor_parallel_size = 2: there are not so many GPUs that are alike; there are 1",
        ),
        (
            (8, 9),
            {"max_num_seqs": 64, "max_num_batched_tokens": 32},
            "max_num_batched_tokens = 32: is less than max_num_seqs = 64",
        ),
    ],
)
def test_a_wish_that_cannot_be_is_refused_by_name(capability: tuple[int, int], engine: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        whole(machine(gpu(capability=capability)), instruct={"engine": engine})


def test_a_wish_for_more_than_there_is_is_refused_with_the_sum_and_the_nearest_plan() -> None:
    with pytest.raises(PlanError) as caught:
        whole(machine(catalogue.find("RTX 4090D")), thinking={"engine": {"max_model_len": 262_144}})
    said = caught.value.message
    assert said.startswith(
        "instruct and thinking do not fit GPU 0 (RTX 4090 D):\n  23.5 GiB are free of 24.0 GiB, less 0.7 GiB"
    )
    terms = r"weights 5\.\d GiB \+ libraries 1\.\d GiB \+ encoder .* \+ KV cache 18\.0 GiB \(262,160 tokens\) = 2\d\.\d GiB"
    assert re.search(rf"\n  thinking \(Qwen/Qwen3-VL-4B-Thinking\): {terms}\n  together ", said)
    assert "GiB too few" in said
    assert "The nearest plan that fits leaves pools.thinking.engine.max_model_len to Duet" in said
    assert "thinking with a context of 32,768 tokens" in said


def test_a_model_that_fits_no_way_is_refused_with_what_is_left_to_the_user() -> None:
    with pytest.raises(PlanError) as caught:
        whole(machine(catalogue.find("T4")))
    assert "although these were lowered: weights to FP8, context to 16,384 tokens" in caught.value.message
    assert "a smaller model: Qwen/Qwen3-VL-2B-Instruct and Qwen/Qwen3-VL-2B-Thinking" in caught.value.message
    assert "cpu_offload_gb" in caught.value.message


def test_a_folder_is_served_by_its_name_and_by_its_path() -> None:
    chosen = planned(machine(), instruct={"model": "/models/Qwen3-VL-8B-Instruct", "aliases": ["reader"]})["instruct"]
    assert chosen.served_names == ("Qwen3-VL-8B-Instruct", "reader", "auto", "qwen3-vl", "/models/Qwen3-VL-8B-Instruct")


def test_replicas_elsewhere_are_not_started_here() -> None:
    plans = planned(machine(), instruct={"replicas": ["http://10.0.0.7:8101", "dns://engines:8000", "http://localhost:8109"]})
    assert [(each.name, each.port) for each in plans.values()] == [("instruct", 8109), ("thinking", 8102)]


@pytest.mark.parametrize(
    ("pools", "said"),
    [
        ({"thinking": {"replicas": ["http://127.0.0.1:8101"]}}, "port 8101 is given to more than one engine"),
        (
            {"thinking": {"engine": {"kv_cache_memory": "64GiB"}}},
            r"together 7\d\.\d GiB; there are 64\.0 GiB: \d\.\d GiB too few",
        ),
        ({"instruct": {"model": "/a/reader"}, "thinking": {"model": "/b/reader"}}, "both would serve 'reader'"),
    ],
)
def test_what_cannot_be_is_refused(pools: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        planned(machine(), **pools)


@pytest.mark.parametrize(
    ("variable", "left"),
    [
        (None, [0, 1, 2]),
        ("2,0", [2, 0]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        (" 1 ", [1]),
        ("GPU-00000001-5a2e", [1]),
        ("GPU-00000002", [2]),
        ("1,-1,0", [1]),
        ("2,,0", [2]),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(variable: str | None, left: list[int]) -> None:
    assert [each.index for each in visible([gpu(0), gpu(1), gpu(2)], variable)] == left


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("0,7", "no GPU 7; there are 0, 1"),
        ("GPU-7", "no GPU GPU-7; there are 0, 1"),
        ("GPU-0000", "GPU-0000 is the beginning of 2 GPUs' UUIDs"),
        ("MIG-0d1c", "MIG-0d1c: Duet gives an engine a whole GPU, not a MIG device"),
    ],
)
def test_a_gpu_that_is_not_there_is_named(variable: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        visible([gpu(0), gpu(1)], variable)
    assert caught.value.message == f"CUDA_VISIBLE_DEVICES = {variable!r}: {said}"


def shares(**asked: float) -> dict[str, float | None]:
    engines = {pool: {"engine": {"gpu_memory_utilization": share}} for pool, share in asked.items()}
    return {name: each.gpu_memory_utilization for name, each in planned(machine(gpu()), **engines).items()}


def test_a_share_of_the_gpu_is_a_wish_and_the_other_engine_gets_what_it_leaves() -> None:
    plans = planned(machine(gpu()), instruct={"engine": {"gpu_memory_utilization": 0.3}})
    assert plans["instruct"].gpu_memory_utilization == 0.3
    assert plans["instruct"].budget
    assert plans["instruct"].budget.total == pytest.approx(0.3 * 48 * GIB, rel=0.001)
    assert tokens(plans["thinking"]) > 4 * tokens(plans["instruct"])


def test_shares_of_a_gpu_that_do_not_fit_it_are_refused_with_their_sum() -> None:
    with pytest.raises(PlanError, match=r"together 52\.8 GiB; there are 46\.2 GiB: 6\.6 GiB too few"):
        shares(instruct=0.6, thinking=0.5)


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex", "nvmlDeviceGetUUID"])
def test_a_driver_that_does_not_answer_is_no_machine_without_gpus(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def refuse(*_: object) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)

    answers: dict[str, object] = {
        "nvmlInit": None,
        "nvmlShutdown": None,
        "nvmlDeviceGetCount": 1,
        "nvmlDeviceGetHandleByIndex": None,
    }
    answers |= {"nvmlDeviceGetCudaComputeCapability": (9, 0), "nvmlDeviceGetName": "a GPU", "nvmlDeviceGetUUID": "GPU-1"}
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, lambda *_, answer=answer: answer)
    assert probe(None, with_gpus=True).gpus == (Gpu(0, "a GPU", (9, 0), "GPU-1"),)
    monkeypatch.setattr(pynvml, call, refuse)
    with pytest.raises(PlanError, match=r"the NVIDIA driver .*: Insufficient Permissions"):
        probe(None, with_gpus=True)
    assert probe(None, with_gpus=False).gpus == ()


def test_a_gpu_without_memory_of_its_own_has_the_machines() -> None:
    unified = Gpu(0, "NVIDIA GB10", (12, 1))
    found = whole(machine(unified, memory_bytes=120 * GIB))
    assert found.rooms[0].gpu.memory_bytes == 120 * GIB
    assert found.engines[0].settings.max_num_batched_tokens == 8_192
