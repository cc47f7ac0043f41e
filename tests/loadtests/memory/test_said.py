"""vLLM's own lines are read as it writes them: from logs of 0.32 on an H200."""

from pathlib import Path

from loadtests.memory import said

LOGS = Path(__file__).parent / "data"


def test_an_engine_with_its_kv_cache_named() -> None:
    figures = said.figures((LOGS / "kv-bytes.log").read_text())
    assert figures["loading_gib"] == 8.44
    assert figures["kv_tokens"] == 87_376
    assert figures["graphs_gib"] == 0.20
    assert figures["encoder_budget_tokens"] == 4096
    assert "available_kv_gib" not in figures


def test_an_engine_that_profiles_itself() -> None:
    figures = said.figures((LOGS / "utilization.log").read_text())
    assert (figures["initial_free_gib"], figures["available_kv_gib"], figures["torch_peak_increase_gib"]) == (
        23.14,
        10.35,
        1.87,
    )
    assert figures["graphs_estimate_gib"] == 0.65
    assert figures["graphs_gib"] == 0.30  # the last capture is the one that stays


def test_an_engine_that_dies_names_its_error_once_and_its_longest_context() -> None:
    log = (LOGS / "too-small.log").read_text()
    assert said.figures(log)["longest_tokens"] == 75_312
    assert [error.partition(":")[0] for error in said.errors(log)] == ["ValueError"]
    assert said.ran_out(log) == 0
    assert said.ran_out("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 594.00 MiB.\n") == 1


def test_parts_of_the_start_and_labels_of_the_cache() -> None:
    lines = (LOGS / "kv-bytes.log").read_text().splitlines()
    assert [part for line in lines if (part := said.mark(line))] == ["profiling", "capturing"]
    metrics = '# HELP x\nvllm:cache_config_info{cache_dtype="fp8",num_gpu_blocks="5461"} 1.0\n'
    assert said.cache_config(metrics) == {"cache_dtype": "fp8", "num_gpu_blocks": "5461"}
    assert said.cache_config("") == {}


def test_gauges_are_summed_over_what_reports_them() -> None:
    metrics = """# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a b"} 40.0
vllm:num_requests_running{engine="1",model_name="a b"} 24.0
vllm:num_requests_running_other 7.0
vllm:kv_cache_usage_perc{engine="0",model_name="a b"} 0.97
"""
    assert said.gauges(metrics) == {"running": 64.0, "kv_usage": 0.97}
    assert said.gauges("") == {}
