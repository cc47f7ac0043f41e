"""What an engine died of, read from real logs: made here by starting vLLM so that it fails, or quoted from the issues that they name."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from serve.causes import diagnose
from serve.causes.memory import FRAMES, TEXTS, phase_of
from serve.causes.patterns import PATTERNS

DATA = Path(__file__).parent / "data"
LOGS = sorted(DATA.glob("*.log"))
DOCUMENT = Path(__file__).parents[3] / "docs" / "troubleshooting.md"
ENGINES = Path(__file__).parents[1] / "data"


def lines(file: Path) -> list[str]:
    return file.read_text().split("\n")


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_a_real_log_names_its_cause(log: Path) -> None:
    """The name of the file is the code of the cause."""
    found = diagnose(lines(log))
    assert found, "no cause"
    assert (found.code, found.line) == (log.stem, lines(log)[found.line_number - 1].strip())
    assert "{" not in found.summary
    assert found.summary == f"Cause: {found.cause}. Fix: {found.fix}"


def test_every_pattern_has_a_real_log() -> None:
    """`disk-full` and `kv-cache-too-small` have theirs in the tests below."""
    codes = {pattern.code for pattern in PATTERNS} | {f"out-of-memory-{phase}" for phase in TEXTS}
    assert codes - {log.stem for log in LOGS} == {"disk-full", "kv-cache-too-small"}


def test_a_context_too_long_for_the_kv_cache() -> None:
    found = diagnose(lines(ENGINES / "died-kv-too-small.log"))
    assert found
    assert found.code == "kv-cache-too-small"
    assert "does not hold one request of 8192 tokens" in found.cause


def test_the_length_that_vllm_estimates_is_handed_on() -> None:
    """The words of v1/core/kv_cache_utils.py."""
    said = (
        "ValueError: To serve at least one request with the model's max seq len (32768), (2.25 GiB KV cache is needed, which is "
        "larger than the available KV cache memory (1.5 GiB). Based on the available memory, the estimated maximum model length is 21840. "
    )
    found = diagnose([said])
    assert found
    assert found.cause == "the KV cache of 1.5 GiB does not hold one request of 32768 tokens; 21840 would fit"


def test_every_cause_is_documented() -> None:
    causes = [(f"out-of-memory-{phase}", *texts) for phase, texts in TEXTS.items()]
    causes += [(pattern.code, pattern.cause, pattern.fix) for pattern in PATTERNS]
    rows = (DOCUMENT.read_text().split("## What an engine died of")[1]).splitlines()
    for code, cause, fix in causes:
        said = re.sub(r"\{\w+\}", "…", cause)
        assert [row for row in rows if row.startswith(f"| `{code}` |") and f"{said} |" in row and row.endswith(f"| {fix} |")], (
            code
        )


@pytest.mark.parametrize("log", ["start-cpu.log", "start-gpu.log"])
def test_a_start_that_went_well_has_no_cause(log: str) -> None:
    assert diagnose(lines(ENGINES / log)) is None
    assert diagnose([]) is None


def test_a_full_disk(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as raised:
        full.write_text("anything")
    found = diagnose([f"(EngineCore pid=1) ERROR 11-21 08:30:00 [core.py:1510] OSError: {raised.value}"])
    assert found
    assert found.code == "disk-full"


def test_what_killed_an_engine_counts_and_not_what_it_survived() -> None:
    """One log after the other: an engine that lived through a lost picture, then ran out of memory, and whose server said so."""
    parts = ("mm-cache-miss", "out-of-memory-running", "killed")
    found = diagnose([line for part in parts for line in lines(DATA / f"{part}.log")])
    assert found
    assert found.code == "out-of-memory-running"


def test_the_words_of_a_request_are_no_error() -> None:
    said = "(APIServer pid=1) INFO 11-21 08:30:00 [logger.py:1] Received request: prompt: 'What does CUDA out of memory mean?'"
    assert diagnose([said]) is None


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        (["Starting to load model /m"], "loading"),
        (["Starting to load model /m", "Model loading took 8.3 GiB memory and 2 seconds"], "profiling"),
        (["Model loading took 8.3 GiB memory and 2 seconds", "GPU KV cache size: 1,000 tokens"], "capturing"),
        (["GPU KV cache size: 1,000 tokens", "INFO:     Application startup complete."], "running"),
        (["GPU KV cache size: 1,000 tokens", '  File "gpu_worker.py", line 1, in execute_model'], "running"),
        (["Application startup complete.", '  File "gpu_worker.py", line 587, in load_model'], "loading"),
        ([], "unknown"),
    ],
)
def test_out_of_memory_is_told_apart_by_what_came_before(said: list[str], phase: str) -> None:
    assert phase_of([*said, "torch.OutOfMemoryError: CUDA out of memory."]) == phase


def test_the_functions_that_tell_phases_apart_are_vllms() -> None:
    """They are read off tracebacks, so a vLLM that renames them would make the doctor vague."""
    spec = find_spec("vllm")
    if not spec or not spec.submodule_search_locations:
        pytest.skip("vLLM is not installed")
    folder = Path(spec.submodule_search_locations[0])
    files = [
        "v1/worker/gpu_worker.py",
        "v1/worker/gpu_model_runner.py",
        "v1/engine/core.py",
        "model_executor/model_loader/utils.py",
    ]
    source = "".join((folder / file).read_text() for file in files)
    for name in ("_dummy_sampler_run", "capture_model", "_capture_cudagraphs", "initialize_kv_cache_tensors", "profile_run"):
        assert f"def {name}(" in source, name
        assert any(sign.search(f'File "x.py", line 1, in {name}') for _, sign in FRAMES)
    for name in ("determine_available_memory", "load_model", "execute_model", "run_busy_loop", "_process_engine_step"):
        assert f"def {name}(" in source, name
        assert any(sign.search(f'File "x.py", line 1, in {name}') for _, sign in FRAMES)
