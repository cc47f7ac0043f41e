"""Real logs of vLLM 0.32: how far it is, and why it died."""

from __future__ import annotations

import shutil
from itertools import groupby
from pathlib import Path

import pytest

from serve import logs
from serve.logs import Log, last_words
from serve.phases import phase_of
from serve.values import Phase

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("log", ["start-cpu.log", "start-gpu.log"])
def test_the_phases_of_a_real_start(log: str) -> None:
    said = [phase for line in (DATA / log).read_text().splitlines() if (phase := phase_of(line))]
    assert [phase for phase, _ in groupby(said)] == [Phase.LOADING, Phase.PROFILING]


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        (
            "(EngineCore pid=7) INFO 11-21 08:19:32 [gpu_model_runner.py:5040] Starting to load model Qwen/Qwen3-VL-4B...",
            Phase.LOADING,
        ),
        (
            "(EngineCore pid=7) INFO 11-21 08:19:32 [gpu_model_runner.py:5150] Model loading took 8.3 GiB memory",
            Phase.PROFILING,
        ),
        ("Capturing CUDA graphs (decode, FULL): 12%|█▏        | 4/35 [00:00<00:03,  9.0it/s]", Phase.PROFILING),
        (
            "(APIServer pid=6) WARNING 11-21 08:19:20 [vllm.py:1703] Enforce eager set, disabling torch.compile, CUDAGraphs",
            None,
        ),
    ],
)
def test_the_phases_of_single_lines(line: str, phase: Phase | None) -> None:
    assert phase_of(line) == phase


def test_the_cause_is_quoted_and_not_its_echo() -> None:
    words = last_words((DATA / "died-kv-too-small.log").read_text().splitlines())
    assert len(words) == 1
    assert words[0].startswith("ValueError: To serve at least one request with the model's max seq len (8192)")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["duet: duet.yaml: router.port = 0: too small"], ["duet: duet.yaml: router.port = 0: too small"]),
        (
            ["Traceback (most recent call last):", "torch.OutOfMemoryError: CUDA", "  more of it"],
            ["torch.OutOfMemoryError: CUDA", "  more of it"],
        ),
        (
            ["api_server.py: error: unrecognized arguments: --swap-space"],
            ["api_server.py: error: unrecognized arguments: --swap-space"],
        ),
        (
            [
                "usage: api_server.py [-h] [--kv-cache-dtype {auto,fp8}]",
                *["                     [--more OF_IT]"] * 20,
                "api_server.py: error: argument --kv-cache-dtype: invalid choice: 'fp7'",
                "  (choose from auto, fp8)",
                *["(APIServer pid=1) INFO 11-21 08:19:10 [x.py:1] bye"] * 12,
            ],
            ["api_server.py: error: argument --kv-cache-dtype: invalid choice: 'fp7'", "  (choose from auto, fp8)"],
        ),
        ([], []),
    ],
)
def test_other_last_words(lines: list[str], words: list[str]) -> None:
    assert last_words(lines) == words


def test_a_log_is_followed_line_by_line_and_the_run_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "engine.log"
    Log(path).path.write_text("the run before\n")
    log = Log(path)
    with path.open("a") as file:
        file.write("one\n\x1b[32mtwo\x1b[0m\nhal")
        file.flush()
        assert log.new_lines() == ["one", "two"]
        file.write("f\n")
    assert log.new_lines() == ["half"]
    assert log.last_lines() == ["one", "two", "half"]
    assert (tmp_path / "logs" / "engine.log.1").read_text() == "the run before\n"


def test_a_log_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST_BYTES", 10)
    log = Log(tmp_path / "engine.log")
    with log.path.open("a") as file:
        file.write("more than ten bytes\n")
        file.flush()
        assert log.new_lines() == ["more than ten bytes"]
        log.shorten()
        file.write("after\n")
    assert log.new_lines() == ["after"]
    assert log.path.read_text() == "after\n"


def test_a_log_that_was_deleted_says_nothing_until_there_is_another(tmp_path: Path) -> None:
    log = Log(tmp_path / "logs" / "engine.log")
    log.path.write_text("a line of the first file\n")
    assert log.new_lines() == ["a line of the first file"]
    shutil.rmtree(tmp_path / "logs")
    log.shorten()
    assert (log.new_lines(), log.last_lines()) == ([], [])
    log.path.parent.mkdir()
    log.path.write_text("another\n")
    assert log.new_lines() == ["another"]


def test_a_disk_without_room_for_the_copy_gets_the_room_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST_BYTES", 10)
    log = Log(tmp_path / "engine.log")
    log.path.write_text("more than ten bytes\n")
    (tmp_path / "engine.log.1").symlink_to("/dev/full")
    log.shorten()
    assert log.path.read_text() == ""
