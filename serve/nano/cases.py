"""Questions with their right answers, about pictures of the test split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.nano.drawing import draw
from serve.nano.drawing.archive import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Case:
    """A question about a picture, or about none, and the right answer."""

    picture: Image | None
    ask: str
    answer: str
    kind: str


def kept(archive: Path, asks: int) -> Iterator[Case]:
    """Up to `asks` questions about each picture of a fixed test set, evenly taken from all that it holds about it."""
    for sample in read(archive):
        step = max(1, -(-len(sample.turns) // asks))
        for turn in sample.turns[::step]:
            yield Case(sample.image, turn.ask, turn.answer, turn.kind)


def drawn(count: int, asks: int) -> Iterator[Case]:
    """Up to `asks` questions about each of `count` pictures of the test split, talk without a picture among them."""
    for seed in range(count):
        sample = draw(seed, "test")
        for turn in sample.turns[:asks]:
            yield Case(sample.image, turn.ask, turn.answer, turn.kind)
