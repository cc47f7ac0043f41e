"""What the model gets right on pictures of the test split, while it trains.

The right answer is fed in and every next token looked at: if all of them come first, greedy decoding says exactly that
answer. So whole answers are counted without decoding one.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random
from typing import TYPE_CHECKING

import torch

from serve.nano.dialogue import dialogues
from serve.nano.learning import autocast, on
from serve.nano.packed import say, see
from serve.nano.packing import fits, packs
from serve.nano.patches import cut
from serve.nano.reading import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from transformers import Qwen3VLForConditionalGeneration

    from serve.nano.feed import Source
    from serve.nano.packing import Array
    from serve.nano.reading import Reading
    from serve.values import PoolName


_ASKS = 6  # about each picture


class HeldOut:
    """Readings of `count` test pictures with some asks about each, in one style."""

    def __init__(self, source: Source, count: int, style: PoolName, workers: int) -> None:
        readings = [reading for reading in _drawn(_Reader(source, style), count, workers) if fits(reading, source.budget)]
        self._kinds = [kind for reading in readings for spoken in reading.spoken for kind in spoken.kinds]
        self._steps = list(packs(readings, source.budget, {}))

    def exact(self, model: Qwen3VLForConditionalGeneration, device: torch.device) -> dict[str, float]:
        """The share of answers that are right to the letter, by kind; and under "characters" that of single tokens."""
        right: dict[str, list[bool]] = defaultdict(list)
        kinds = iter(self._kinds)
        for step in self._steps:
            hits, owners = _hits(model, step, device)
            right["characters"] += hits.tolist()
            whole = torch.ones(int(owners.max()) + 1, dtype=torch.int32).scatter_reduce(0, owners, hits.int(), "amin")
            for all_right, kind in zip(whole.tolist(), kinds, strict=False):  # the kinds go on in the next step
                right[kind].append(bool(all_right))
        return {kind: sum(each) / len(each) for kind, each in sorted(right.items())}


def _hits(
    model: Qwen3VLForConditionalGeneration, arrays: Mapping[str, Array], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    step = on(device, {name: torch.from_numpy(array) for name, array in arrays.items()})
    with torch.no_grad(), autocast(device):
        hidden = say(model, see(model, step), step)
        said = model.lm_head(hidden[step["before_answers"]]).argmax(-1)
    real = step["weights"] > 0
    return (said == step["targets"])[real].cpu(), step["owners"][real].long().cpu()


class _Reader:
    def __init__(self, source: Source, style: PoolName) -> None:
        self._source, self._style = source, style

    def __call__(self, seed: int) -> Reading:
        sample = self._source.draw(seed, "test")
        pictures = [cut(sample.image, sample.glyphs)] if sample.image else []
        rng = Random(seed)  # noqa: S311 data, no secret
        asked = dialogues([sample], self._style, _ASKS, rng)
        return read(pictures, asked, self._source.tokenizer)


def _drawn(reader: _Reader, count: int, workers: int) -> Iterator[Reading]:
    if not workers:
        yield from map(reader, range(count))
        return
    with ProcessPoolExecutor(workers, get_context("fork")) as pool:
        yield from pool.map(reader, range(count), chunksize=8)
