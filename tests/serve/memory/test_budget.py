"""The sums of one engine, held to what real vLLM 0.32 took on an H200 under the worst traffic its settings allow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serve.memory import catalogue
from serve.memory.budget import expandable_segments, fixed, graph_sizes, with_kv_cache
from serve.memory.card import ModelCard, published
from serve.values import Budget, PixelLimits, Settings

MIB = 1 << 20
H200 = catalogue.find("H200")
PLAIN = Settings(
    dtype=None,
    quantization=None,
    kv_cache_dtype="fp8",
    max_model_len=32_768,
    max_num_seqs=64,
    max_num_batched_tokens=2_048,
    image_pixels=PixelLimits(65_536, 1_310_720),
    video_pixels=PixelLimits(4_096, 8_388_608),
    images_per_request=8,
    videos_per_request=1,
)
FP8 = replace(PLAIN, quantization="fp8")


def card(size: str) -> ModelCard:
    found = published(f"Qwen/Qwen3-VL-{size}-Instruct")
    assert found
    return found


def pictures(settings: Settings, most: int) -> Settings:
    return replace(settings, image_pixels=PixelLimits(65_536, most))


@pytest.mark.parametrize(
    ("size", "settings", "gpus", "needed_mib"),
    [
        ("2B", PLAIN, 1, 5_869),
        ("4B", PLAIN, 1, 10_377),
        ("4B", replace(PLAIN, kv_cache_dtype="auto"), 1, 10_372),
        ("4B", replace(PLAIN, max_num_seqs=16), 1, 10_242),
        ("4B", replace(PLAIN, max_num_seqs=256), 1, 10_747),
        ("4B", pictures(PLAIN, 4_194_304), 1, 10_289),
        ("4B", PLAIN, 2, 6_743),
        ("8B", PLAIN, 1, 18_734),
    ],
)
def test_what_was_measured_fits_and_little_is_given_away(size: str, settings: Settings, gpus: int, needed_mib: int) -> None:
    """All but the KV cache: what torch used at the most and what the driver counts beside it."""
    planned_mib = fixed(card(size), settings, H200, gpus).fixed / MIB
    over = 900 if gpus > 1 else 450
    assert needed_mib < planned_mib < needed_mib + over


@pytest.mark.parametrize(
    ("size", "settings", "engines", "taken_mib"),
    [
        ("4B", PLAIN, 1, 23_293 - 12_866),
        ("4B", FP8, 2, 23_245 - 3_469 - 5_204),
        ("2B", FP8, 2, 14_651 - 2_240 - 2_982),
        ("8B", PLAIN, 1, 23_433 - 4_462),
        ("8B", PLAIN, 2, 44_271 - 2_881 - 3_425),
    ],
)
def test_what_the_driver_counted_of_planned_engines_fits(size: str, settings: Settings, engines: int, taken_mib: int) -> None:
    """Without their KV caches, with prompt log probabilities, two sharing a card (`loadtests/results/memory/proof.json`)."""
    planned_mib = engines * fixed(card(size), pictures(settings, 4_194_304), H200).fixed / MIB
    assert taken_mib < planned_mib < taken_mib + engines * 400


@pytest.mark.parametrize(
    ("settings", "needed_mib"),
    [(replace(PLAIN, max_num_batched_tokens=8_192), 10_697), (pictures(PLAIN, 16_777_216), 11_558)],
)
def test_several_videos_in_one_batch_are_planned_for_though_none_was_measured(settings: Settings, needed_mib: int) -> None:
    without = fixed(card("4B"), replace(settings, videos_per_request=0), H200).fixed / MIB
    assert needed_mib - 50 < without < needed_mib + 450
    assert fixed(card("4B"), settings, H200).fixed / MIB > without + 400


def test_the_parts_are_what_was_seen_of_each() -> None:
    found = fixed(card("4B"), pictures(PLAIN, 4_194_304), H200)
    assert found.weights / MIB == pytest.approx(8_559, abs=3)  # torch: allocated after loading, expandable segments
    assert found.encoder / MIB == pytest.approx(699, rel=0.02)
    assert found.graphs / MIB == pytest.approx(205, rel=0.1)
    assert found.kv_bytes_per_token == 72 * 1024


@pytest.mark.parametrize(("size", "loaded_mib"), [("2B", 2_802), ("4B", 5_094)])
def test_fp8_weights_are_those_that_torch_counted_after_loading(size: str, loaded_mib: int) -> None:
    assert fixed(card(size), FP8, H200).weights / MIB == pytest.approx(loaded_mib, abs=2)


@pytest.mark.parametrize(
    ("size", "needed_mib", "loaded_mib"), [("4B", 6_515, 4_817), ("8B", 11_569, 9_753), ("30B-A3B", 32_297, 30_339)]
)
def test_what_fp8_weights_need_beside_them_fits(size: str, needed_mib: int, loaded_mib: int) -> None:
    """Measured with a vision tower that was FP8 too, which is in both numbers."""
    found = fixed(card(size), FP8, H200)
    beside_mib = (found.fixed - found.weights) / MIB
    assert needed_mib - loaded_mib < beside_mib < needed_mib - loaded_mib + 700


@pytest.mark.parametrize(
    ("kv_bytes", "size", "dtype", "tokens"), [(6 << 30, "4B", "fp8", 87_376), (6 << 30, "2B", "fp8", 112_336)]
)
def test_the_tokens_are_those_that_vllm_reports(kv_bytes: int, size: str, dtype: str, tokens: int) -> None:
    found = with_kv_cache(fixed(card(size), replace(PLAIN, kv_cache_dtype=dtype), H200), kv_bytes)
    assert found.kv_tokens == tokens
    assert found.kv_cache <= kv_bytes


def test_requests_take_whole_blocks() -> None:
    found = Budget(0, 0, 0, 0, 0, 0, kv_cache=160, kv_bytes_per_token=1, block_tokens=16)
    assert [found.requests(tokens) for tokens in (16, 17, 160, 161)] == [10, 5, 1, 0]


def test_weights_that_are_kept_in_ram_are_not_on_the_gpu() -> None:
    plain, offloaded = (fixed(card("8B"), replace(PLAIN, cpu_offload_gb=gb), H200).weights for gb in (0, 4))
    assert plain - offloaded == 4 << 30


def test_the_batch_sizes_of_cuda_graphs_are_vllms() -> None:
    assert graph_sizes(16, 2_048, (9, 0)) == (1, 2, 4, 8, 16, 24, 32)
    assert [len(graph_sizes(requests, 2_048, (9, 0))) for requests in (64, 256)] == [19, 51]
    assert (graph_sizes(1_024, 8_192, (9, 0))[-1], graph_sizes(1_024, 8_192, (10, 0))[-1]) == (512, 1_024)
    assert graph_sizes(100, 100, (8, 9))[-3:] == (88, 96, 100)


def test_memory_that_others_must_see_is_not_expandable() -> None:
    assert expandable_segments(PLAIN, 1)
    assert not expandable_segments(PLAIN, 2)
    assert not expandable_segments(replace(PLAIN, kv_offloading_size=8), 1)
