"""Cases run from start to end: what started, what died and why; and nothing is left running, also when it is interrupted."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from loadtests.memory.cases import Case, EngineCase, dumps
from tests.processes import running, wait_for

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from subprocess import Popen

LAUNCHER = f"{sys.executable} {Path(__file__).parents[2] / 'serve' / 'pretend_vllm.py'}"


def case(*models: str) -> Case:
    return Case("-".join(models), tuple(EngineCase(model, ()) for model in models))


def measuring(folder: Path, *cases: Case) -> AbstractContextManager[Popen[bytes]]:
    for wanted in cases:
        for engine in wanted.engines:
            (folder / engine.model).mkdir(exist_ok=True)
    (folder / "cases.json").write_text(dumps(cases))
    options = ["--cases", str(folder / "cases.json"), "--out", str(folder / "out"), "--models", str(folder)]
    argv = [sys.executable, "-m", "loadtests.memory.measure", *options, "--gpus", "none", "--launcher", LAUNCHER]
    return running(argv, folder / "measure.log")


def results(folder: Path) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text()) for file in (folder / "out").glob("*.json")}


def family(root: psutil.Process) -> list[psutil.Process]:
    return root.children(recursive=True)


def test_every_case_has_its_result(tmp_path: Path) -> None:
    with measuring(tmp_path, case("good-orphan"), case("dies"), case("first", "dies", "never")) as program:
        assert program.wait(60) == 0
    said = results(tmp_path)
    good, dead = said["good-orphan"]["engines"][0], said["dies"]["engines"][0]
    assert good["ready_s"] > 0
    assert (good["exit_code"], good["errors"], good["log_tail"]) == (None, [], [])
    assert (dead["ready_s"], dead["exit_code"]) == (None, 1)
    assert any("KV cache" in error for error in dead["errors"])
    assert [engine["ready_s"] is not None for engine in said["first-dies-never"]["engines"]] == [True, False]


def test_a_result_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dies.json").write_text('"kept"')
    with measuring(tmp_path, case("dies")) as program:
        assert program.wait(60) == 0
    assert results(tmp_path) == {"dies": "kept"}


def test_an_interrupt_ends_engines_that_do_not_listen(tmp_path: Path) -> None:
    with measuring(tmp_path, case("deaf-hangs-orphan"), case("never")) as program:
        root = psutil.Process(program.pid)
        wait_for("the engine and its child", lambda: len(family(root)) >= 2)
        engines = family(root)
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 1
    assert not [engine for engine in engines if engine.is_running() and engine.status() != psutil.STATUS_ZOMBIE]
    assert results(tmp_path) == {}


def test_bad_cases_are_named(tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_text('[{"id": "a", "engines": [{"model": "m", "argv": [], "speed": 1}]}]')
    argv = [sys.executable, "-m", "loadtests.memory.measure", "--cases", str(tmp_path / "cases.json"), "--out", str(tmp_path)]
    with running(argv, tmp_path / "log") as program:
        assert program.wait(30) == 1
    assert "case 'a'" in (tmp_path / "log").read_text()
    assert "speed" in (tmp_path / "log").read_text()
