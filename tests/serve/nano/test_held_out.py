"""The figures of a run are those of the kind that they are told under."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from serve.nano.held_out import HeldOut
from serve.nano.packing import Budget
from tests.serve.nano import one_line

if TYPE_CHECKING:
    from transformers import Qwen3VLForConditionalGeneration

    from serve.nano.feed import Source
    from serve.nano.fonts import Split
    from serve.nano.sample import Sample


def test_a_picture_larger_than_a_step_takes_no_kind_from_the_others(
    model: Qwen3VLForConditionalGeneration, source: Source
) -> None:
    small = replace(source, draw=_named_by_width, budget=Budget.of(1_024))
    right = HeldOut(small, 4, "instruct", workers=0).exact(model, torch.device("cpu"))
    assert set(right) == {"characters", "narrow"}


def _named_by_width(seed: int, split: Split) -> Sample:
    """Pictures that are wider than high are enlarged to more than 1,024 patches."""
    sample = one_line.draw(seed, split)
    assert sample.image
    kind = "wide" if sample.image.width > sample.image.height else "narrow"
    return replace(sample, turns=tuple(replace(turn, kind=kind) for turn in sample.turns))
