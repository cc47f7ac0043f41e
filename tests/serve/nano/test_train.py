"""Training from end to end, in its least size: every stage leaves a checkpoint, and what was cut off goes on where it was."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file

from serve.nano import train
from serve.nano.state import LATEST, State, load
from serve.nano.train import Training, Wish
from tests.serve.nano import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from serve.nano.tokenizer import Tokenizer


def stages_of(folder: Path) -> list[str]:
    notes = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return list(dict.fromkeys(note["stage"] for note in notes))


def test_all_stages_run_and_a_run_that_was_cut_off_goes_on(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "COMPILED_AFTER", 0)  # nothing is compiled or captured on a CPU
    wish = Wish(0.0001, tmp_path, 0, 1_024, seed=1, rate=1.0, held_out=2, compiled=False, captured=False, resume=False)
    Training(wish, one_line.draw, one_line.CHARACTERS, tokenizer).run()
    assert stages_of(tmp_path) == ["base", "instruct", "thinking"]
    ends = {kind: load_file(tmp_path / kind / "model.safetensors") for kind in ("base", "instruct", "thinking")}
    embedding = "model.language_model.embed_tokens.weight"
    assert not torch.equal(ends["base"][embedding], ends["instruct"][embedding])

    base = load(tmp_path / "base.pt")
    (tmp_path / "journal.jsonl").unlink()
    State("thinking", 0.9, base.weights).save(tmp_path / LATEST)
    again = replace(wish, seed=2, rate=0.0, resume=True)
    Training(again, one_line.draw, one_line.CHARACTERS, tokenizer).run()
    assert stages_of(tmp_path) == ["thinking"]
    went_on = load_file(tmp_path / "thinking" / "model.safetensors")
    assert torch.equal(went_on[embedding], ends["base"][embedding]), "from what was saved, not anew"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--patches", "100"), ("--patches", "65537"), ("--minutes", "nan"), ("--workers", "-1"), ("--rate", "fast")],
)
def test_a_number_that_cannot_be_is_refused_by_name(
    option: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "--out", str(tmp_path / "out"), option, value])
    with pytest.raises(SystemExit):
        train.main()
    assert f"argument {option}: '{value}': a number is wanted" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_will_not_do_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / LATEST).touch()
    for arguments, said in (
        (["--out", str(tmp_path / "file")], "that is no folder"),
        (["--out", str(tmp_path / "new"), "--resume"], "nothing was saved in --out"),
        (["--out", str(tmp_path / "earlier")], "holds an earlier run; --resume goes on with it"),
    ):
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        with pytest.raises(SystemExit):
            train.main()
        assert said in capsys.readouterr().err
