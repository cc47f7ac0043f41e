"""Questions with their right answers, about pictures of the test split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.nano import drawing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Case:
    """A question about a picture, or about none, and the right answer."""

    picture: Image | None
    ask: str
    answer: str
    kind: str


def drawn(count: int, asks: int, first: int = 0) -> Iterator[Case]:
    """Up to `asks` questions about each of `count` pictures of the test split."""
    for seed in range(first, first + count):
        sample = drawing.draw(seed, "test")
        for turn in sample.turns[:asks]:
            yield Case(sample.image, turn.ask, turn.answer, turn.kind)
