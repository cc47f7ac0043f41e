"""A long run is not lost: it is saved, goes on from there, and recovers from a loss that is no number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from serve.nano import watch
from serve.nano.journal import Journal
from serve.nano.learning import Losses
from serve.nano.optimizer import Optimizer
from serve.nano.state import LATEST, State, load
from serve.nano.watch import Watch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def learner() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8))


@pytest.fixture
def watched(learner: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(watch, "_KEEP_EVERY", -1.0)
    monkeypatch.setattr(watch, "_SAVE_EVERY", -1.0)
    return Watch(learner, Optimizer([learner]), Journal(tmp_path / "journal.jsonl"), tmp_path)


def _losses(answer: float) -> Losses:
    return Losses(*(torch.tensor(answer) for _ in Losses._fields))


def test_weights_are_taken_back_when_a_loss_is_no_number(learner: nn.Module, watched: Watch) -> None:
    good = [value.detach().clone() for value in learner.parameters()]
    watched.begin("base", 0.0)
    with torch.no_grad():
        for value in learner.parameters():
            value.fill_(float("nan"))
    watched.look(_losses(1.0), "base", 0.1)  # the loss is still of the step before: what is unsound is not kept
    watched.look(_losses(float("nan")), "base", 0.1)
    assert all(torch.equal(value, other) for value, other in zip(learner.parameters(), good, strict=True))
    assert watched.scale == 0.5


def test_what_is_saved_is_what_was_learnt(learner: nn.Module, watched: Watch, tmp_path: Path) -> None:
    watched.begin("base", 0.0)
    with torch.no_grad():
        learner[0].bias.fill_(3.0)
    watched.look(_losses(1.0), "instruct", 0.25)
    saved = load(tmp_path / LATEST)
    assert (saved.stage, saved.part) == ("instruct", 0.25)
    assert saved.weights["0.bias"].tolist() == [3.0] * 8
    assert State(saved.stage, saved.part, saved.weights).sound
