"""Steps drawn on the fly by worker processes, each with seeds of its own."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from serve.nano.dialogue import dialogues
from serve.nano.packing import packs
from serve.nano.patches import cut
from serve.nano.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor

    from serve.nano.fonts import Split
    from serve.nano.packing import Budget
    from serve.nano.reading import Reading
    from serve.nano.sample import Sample
    from serve.nano.tokenizer import Tokenizer
    from serve.values import PoolName

    Draw = Callable[[int, Split], Sample]

_SEEDS = 2**40  # of one stage: more than can be drawn
_STAGES = 8
_BOTH_PICTURES = 0.06  # share of readings that show two
# About a picture, and in one conversation: servers take thoughts out of what was said before, so those who think are asked once.
_ASKS: dict[PoolName, tuple[int, int]] = {"instruct": (16, 8), "thinking": (6, 1)}
_FIRST_GLYPHS = 24  # on the longest picture at the very beginning
_LAST_GLYPHS = 600


@dataclass(frozen=True)
class Diet:
    """What a stage of training is fed: the share of conversations with thoughts."""

    stage: int
    thinking: float


@dataclass(frozen=True)
class Source:
    """What samples are drawn by, and what becomes of them: tokens, steps of one size, classes of characters."""

    draw: Draw
    tokenizer: Tokenizer
    budget: Budget
    alphabet: Mapping[int, int]


class Progress:
    """How far the stage is, from 0 to 1, known to all workers."""

    def __init__(self) -> None:
        self._shared = multiprocessing.get_context("fork").Value("d", 0.0)

    def set(self, part: float) -> None:
        self._shared.value = part

    def get(self) -> float:
        return float(self._shared.value)


class Feed(IterableDataset[dict[str, torch.Tensor]]):  # type: ignore[misc]  # torch is untyped here
    """Endless steps of training data; in each worker those of its own seeds."""

    def __init__(self, source: Source, diet: Diet, progress: Progress | None = None, seed: int = 0) -> None:
        self._source, self._diet, self._progress, self._seed = source, diet, progress, seed

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = get_worker_info()
        index, count = (worker.id, worker.num_workers) if worker else (0, 1)
        first = (self._seed * _STAGES + self._diet.stage) * _SEEDS
        seeds = range(first + index, first + _SEEDS, count)
        for arrays in packs(self._readings(iter(seeds)), self._source.budget, self._source.alphabet):
            yield {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _readings(self, seeds: Iterator[int]) -> Iterator[Reading]:
        for seed in seeds:
            rng = Random(seed)  # noqa: S311 data, no secret
            samples = [self._source.draw(seed, "train")]
            if samples[0].image is not None and rng.random() < _BOTH_PICTURES:
                other = self._source.draw(next(seeds), "train")
                samples += [other] if other.image is not None else []
            if self._easy_enough(samples):
                yield self._reading(samples, rng)

    def _easy_enough(self, samples: list[Sample]) -> bool:
        """Short texts first: the tower learns letters from them before it is shown whole receipts."""
        part = self._progress.get() if self._progress else 1.0
        most = _FIRST_GLYPHS * (_LAST_GLYPHS / _FIRST_GLYPHS) ** min(1.0, part / 0.1)
        return part >= 0.1 or max(len(sample.glyphs) for sample in samples) <= most

    def _reading(self, samples: list[Sample], rng: Random) -> Reading:
        style: PoolName = "thinking" if rng.random() < self._diet.thinking else "instruct"
        asks, exchanges = _ASKS[style]
        asked = dialogues(samples, style, asks, rng, most=exchanges)
        return read([cut(sample.image, sample.glyphs) for sample in samples if sample.image], asked, self._source.tokenizer)


def loader(feed: Feed, workers: int) -> DataLoader[dict[str, Tensor]]:
    """Without workers this process draws."""
    ahead = {"prefetch_factor": 2, "multiprocessing_context": "fork", "in_order": False} if workers else {}
    return DataLoader(feed, batch_size=None, num_workers=workers, pin_memory=torch.cuda.is_available(), **ahead)
