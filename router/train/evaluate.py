"""Probabilities and labels → what they are worth. All figures are of rows whose group the model had not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.bool_]

BINS = 10
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Share(NamedTuple):
    name: str
    rows: int
    accuracy: float


class Bin(NamedTuple):
    rows: int
    predicted: float
    observed: float


class Point(NamedTuple):
    threshold: float
    to_thinking: float
    accuracy: float
    recall: float


def accuracy(probability: Floats, reasoning: Labels, threshold: float = 0.5) -> float:
    """The share of rows on the right side of the threshold."""
    return float(np.mean((probability >= threshold) == reasoning))


def confusion(probability: Floats, reasoning: Labels) -> tuple[int, int, int, int]:
    """Simple kept, simple sent to think, reasoning missed, reasoning sent to think."""
    thinks = probability >= 0.5
    return tuple(
        int(np.sum(mask)) for mask in (~reasoning & ~thinks, ~reasoning & thinks, reasoning & ~thinks, reasoning & thinks)
    )  # type: ignore[return-value]  # four masks


def recall_at(precision: float, probability: Floats, reasoning: Labels) -> float:
    """The largest share of reasoning found by any threshold whose finds are right this often; 0 if none is."""
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(reasoning[order])
    right = hits / np.arange(1, len(hits) + 1)
    return float(np.max(np.where(right >= precision, hits, 0)) / max(int(reasoning.sum()), 1))


def by(names: Sequence[str], probability: Floats, reasoning: Labels) -> list[Share]:
    """Accuracy within each group of rows, worst first."""
    group = np.array(names)
    right = (probability >= 0.5) == reasoning
    shares = [Share(str(name), int(np.sum(group == name)), float(np.mean(right[group == name]))) for name in np.unique(group)]
    return sorted(shares, key=lambda share: share.accuracy)


def reliability(probability: Floats, reasoning: Labels) -> list[Bin]:
    """Ten bins of equal width: how many rows, what was predicted, what was seen."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    masks = [place == index for index in range(BINS)]
    return [
        Bin(int(mask.sum()), float(probability[mask].mean()), float(reasoning[mask].mean())) for mask in masks if mask.any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean gap between predicted and seen, by rows."""
    return sum(b.rows * abs(b.predicted - b.observed) for b in bins) / max(sum(b.rows for b in bins), 1)


def curve(probability: Floats, reasoning: Labels) -> list[Point]:
    """What each threshold sends to Thinking, and how often that is right."""
    return [
        Point(
            t,
            float(np.mean(probability >= t)),
            accuracy(probability, reasoning, t),
            float(np.mean(probability[reasoning] >= t)),
        )
        for t in THRESHOLDS
    ]
