"""From answers to figures, all in per cent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.nano.score import Answered, score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from serve.nano.endpoint import Said
    from serve.nano.score import Score
    from tests.quality.asks import Ask

Pairs = list[tuple["Ask", "Said"]]


def pairs(asks: Sequence[Ask], answers: Sequence[Said]) -> Pairs:
    return list(zip(asks, answers, strict=True))


def of(found: Pairs, wanted: Callable[[Ask], bool]) -> Pairs:
    return [(ask, answer) for ask, answer in found if wanted(ask)]


def scored(found: Iterable[tuple[Ask, Said]]) -> Score:
    return score([Answered(ask.kind, ask.right, answer.text) for ask, answer in found])


def exact(found: Iterable[tuple[Ask, Said]]) -> float:
    """Right to the letter."""
    return 100 * scored(found).exact


def error_rate(found: Iterable[tuple[Ask, Said]]) -> float:
    """Wrong characters of a hundred."""
    return 100 * scored(found).error_rate


def parsed(found: Iterable[tuple[Ask, Said]]) -> float:
    """Answers that are JSON."""
    return 100 * scored(found).parsed


def differing(one: Sequence[Said], other: Sequence[Said]) -> float:
    """Answers that are not the same text."""
    return 100 * sum(a.text != b.text for a, b in zip(one, other, strict=True)) / len(one)
