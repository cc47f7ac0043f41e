"""What counts as right, and as how wrong."""

from __future__ import annotations

import pytest

from serve.nano.score import Answered, by_kind, edits


@pytest.mark.parametrize(
    ("right", "given", "expected"),
    [("", "", 0), ("total", "total", 0), ("total", "", 5), ("", "ab", 2), ("12.50", "12,50", 1), ("kitten", "sitting", 3)],
)
def test_edits(right: str, given: str, expected: int) -> None:
    assert edits(right, given) == edits(given, right) == expected


def test_scores_are_kept_by_kind() -> None:
    scores = by_kind(
        [
            Answered("transcribe", "a line \nanother", "a line\nanother\n"),
            Answered("transcribe", "12345", "12945"),
            Answered("json", '{"total": 1}', '{"total": 1'),
        ]
    )
    assert scores["transcribe"].exact == 0.5
    assert scores["transcribe"].error_rate == pytest.approx(1 / 19)
    assert scores["json"].parsed == 0
    assert scores["all"].count == 3
