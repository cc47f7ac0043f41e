"""From a running stack to a model card, as whoever trained the models anew does it."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from serve.nano import card, evaluate
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Stack

EMBEDDED = ROOT / "serve" / "nano" / "checkpoints"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def call(main: Callable[[], int], *arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["-m", *map(str, arguments)])
        try:
            return main()
        except SystemExit as end:
            return int(end.code or 0)

    return call


def test_a_stack_is_scored_and_the_scores_become_the_card(
    stack: Stack, tmp_path: Path, called: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    at, scores = f"{stack.url}/v1", tmp_path / "scores.json"
    assert (
        called(evaluate.main, "--endpoint", at, "--name", "qwen3-vl-thinking", "--pictures", 6, "--asks", 2, "--out", scores)
        == 0
    )
    answers = json.loads(scores.read_text())["answers"]
    assert len(answers) > 6
    assert sum(answer["right"] == answer["given"] for answer in answers) > len(answers) / 2

    for kind in ("instruct", "thinking"):
        shutil.copytree(EMBEDDED / kind, tmp_path / kind)
    assert called(card.main, tmp_path / "thinking", scores) == 0
    assert f"{len(answers)} questions" in (tmp_path / "thinking" / "README.md").read_text()
    capsys.readouterr()
    assert called(card.main, tmp_path / "instruct", scores) == 2
    assert "the scores of qwen3-vl-thinking, not of" in capsys.readouterr().err

    assert called(evaluate.main, "--endpoint", at, "--name", "qwen9", "--pictures", 1) == 1
    assert "404" in (said := capsys.readouterr().err)
    assert "qwen9" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--endpoint", "http://127.0.0.1:9/v1", "--name", "x", "--pictures", "1"], "http://127.0.0.1:9/v1: "),
        (["--endpoint", "nowhere", "--name", "x", "--pictures", "1"], "nowhere: "),
        (["--endpoint", "http://127.0.0.1:9/v1"], "--endpoint needs --name"),
        (["--model", "no/such/folder"], "--model no/such/folder: no folder of a checkpoint"),
        (["--model", str(EMBEDDED / "instruct"), "--archive", "README.md"], "--archive README.md: there is no such zip file"),
        (
            ["--model", str(EMBEDDED / "instruct"), "--out", "no/such/scores.json"],
            "--out no/such/scores.json: there is no folder no/such",
        ),
        (["--model", str(EMBEDDED / "instruct"), "--batch", "0"], "argument --batch: '0': a number is wanted, at least 1"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    called: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert called(evaluate.main, *arguments) in {1, 2}
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": "instruct", "scores": {}}'])
def test_a_card_needs_scores(tmp_path: Path, called: Callable[..., int], capsys: pytest.CaptureFixture[str], text: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    assert called(card.main, EMBEDDED / "instruct", tmp_path / "scores.json") == 2
    assert f"{tmp_path / 'scores.json'}: not a checkpoint's folder and its scores" in capsys.readouterr().err
