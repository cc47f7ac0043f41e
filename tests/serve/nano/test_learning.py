"""A few steps of learning on a CPU: every part of the model is moved, and what is learnt is kept."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import Qwen3VLForConditionalGeneration

from serve.nano.dialogue import dialogues
from serve.nano.feed import Diet, Feed, Progress, Source
from serve.nano.learning import Learner
from serve.nano.model import fresh
from serve.nano.optimizer import Optimizer, orthogonal
from serve.nano.packed import as_fp8, say, see
from serve.nano.packing import Budget, packs
from serve.nano.reading import read
from serve.nano.shape import MAX_PARAMETERS, shape
from tests.serve.nano import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from serve.nano.fonts import Split
    from serve.nano.sample import Sample


def test_the_losses_fall_and_nothing_is_left_out(source: Source) -> None:
    small = Source(source.draw, source.tokenizer, Budget.of(2_048), source.alphabet)
    learner = Learner(fresh(shape(len(source.tokenizer.vocabulary.pieces)), seed=2), len(source.alphabet))
    before = {name: value.detach().clone() for name, value in learner.named_parameters()}
    optimizer = Optimizer([learner])
    optimizer.set_rate(0.5)
    losses = []
    for step in islice(Feed(small, Diet(0, thinking=0.5)), 4):
        loss = learner(step).total(1.0)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
    still = {name for name, value in learner.named_parameters() if torch.equal(before[name], value)}
    assert still <= {name for name in before if name.endswith("k_proj.bias")}


def test_a_checkpoint_holds_the_trained_weights_in_its_size(model: Qwen3VLForConditionalGeneration, folder: Path) -> None:
    loaded = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.to(torch.bfloat16)), name
    assert (folder / "model.safetensors").stat().st_size <= 2 * MAX_PARAMETERS + 50_000


def test_short_texts_come_first(source: Source) -> None:
    mixed = replace(source, draw=_short_or_long)
    early, late = Progress(), Progress()
    late.set(0.5)
    first, after = (_lengths(Feed(mixed, Diet(0, thinking=0.0), progress)) for progress in (early, late))
    assert first
    assert max(first) <= 8
    assert min(after) <= 8
    assert max(after) >= 40


def _short_or_long(seed: int, split: Split) -> Sample:
    """Every other text is of 40 characters or more, each twentyfold in its place."""
    sample = one_line.draw(seed, split)
    return replace(sample, glyphs=sample.glyphs * 20) if seed % 2 else sample


def _lengths(feed: Feed) -> list[int]:
    """The glyphs of each picture in the first steps."""
    lengths: list[int] = []
    for step in islice(feed, 4):
        patches = step["glyphs"][step["glyphs"][:, 2] >= 0, 0]
        each = torch.bincount(torch.bucketize(patches, step["picture_ends"], right=True))
        lengths += each[each > 0].tolist()
    return lengths


def test_orthogonal_evens_the_singular_values() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 64, 32)))
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_every_other_conversation_is_learnt_from_what_an_fp8_cache_keeps(source: Source) -> None:
    """The same conversation four times in a step: what is learnt from each, taken alone."""
    (asked,) = dialogues([replace(one_line.draw(0, "train"), image=None, glyphs=())], "instruct", 2, Random(1), most=2)
    packed = next(packs([read([], [asked] * 4, source.tokenizer)], Budget.of(512), source.alphabet))
    step = {name: torch.from_numpy(array) for name, array in packed.items()}
    learner = Learner(fresh(shape(len(source.tokenizer.vocabulary.pieces)), seed=2), len(source.alphabet))
    with torch.no_grad():
        alone = [learner({**step, "weights": weights}).answer.item() for weights in _by_conversation(step, len(asked))]
        plain, in_fp8 = (_loss(learner, step, cached) for cached in (torch.clone, as_fp8))
    assert abs(plain - in_fp8) > 1e-4
    assert alone == pytest.approx([plain, in_fp8, plain, in_fp8], abs=1e-5)


def _by_conversation(step: Mapping[str, torch.Tensor], answers: int) -> list[torch.Tensor]:
    """The weights of each conversation's `answers` answers, and none of others."""
    conversation = step["owners"] // answers
    return [torch.where(conversation == each, step["weights"], 0.0) for each in range(4)]


def _loss(learner: Learner, step: Mapping[str, torch.Tensor], cached: Callable[[torch.Tensor], torch.Tensor]) -> float:
    hidden = say(learner.model, see(learner.model, step), step, cached=cached)
    logits = learner.model.lm_head(hidden[step["before_answers"]])
    each = cross_entropy(logits, step["targets"].long(), reduction="none")
    return float((each * step["weights"]).sum() / step["weights"].sum())


def test_a_step_without_pictures_is_learnt_from(source: Source) -> None:
    """Its losses are numbers: one that is not would spoil every weight."""
    said = dialogues([replace(one_line.draw(0, "train"), image=None, glyphs=())], "instruct", 2, Random(1))
    small = Budget.of(512)
    step = next(packs([read([], said, source.tokenizer)], small, source.alphabet))
    learner = Learner(fresh(shape(len(source.tokenizer.vocabulary.pieces)), seed=2), len(source.alphabet))
    losses = learner({name: torch.from_numpy(array) for name, array in step.items()})
    losses.total(1.0).backward()
    assert all(value.isfinite() for value in losses)
    assert all(value.grad is None or value.grad.isfinite().all() for value in learner.parameters())
