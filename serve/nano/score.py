"""How right an answer is."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Answered:
    """A question's kind, the right answer, and the one given."""

    kind: str
    right: str
    given: str


@dataclass(frozen=True, slots=True)
class Score:
    """Of `count` answers: the share that is right to the letter, the character error rate, and how many parse as JSON."""

    count: int
    exact: float
    error_rate: float
    parsed: float


def by_kind(answers: Iterable[Answered]) -> dict[str, Score]:
    """A score for each kind and, under "all", for everything."""
    kinds: dict[str, list[Answered]] = defaultdict(list)
    for answer in answers:
        kinds[answer.kind].append(answer)
        kinds["all"].append(answer)
    return {kind: score(group) for kind, group in sorted(kinds.items())}


def score(answers: list[Answered]) -> Score:
    errors = sum(edits(_even(each.right), _even(each.given)) for each in answers)
    characters = sum(len(_even(each.right)) for each in answers)
    exact = sum(_even(each.right) == _even(each.given) for each in answers)
    parsed = sum(_parses(each.given) for each in answers)
    return Score(len(answers), exact / len(answers), errors / max(1, characters), parsed / len(answers))


def edits(right: str, given: str) -> int:
    """Characters to insert, delete or replace: the Levenshtein distance."""
    row = list(range(len(given) + 1))
    for index, wanted in enumerate(right, 1):
        corner, row[0] = row[0], index
        for place, got in enumerate(given, 1):
            corner, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, corner + (wanted != got))
    return row[-1]


def _even(text: str) -> str:
    """White space at the end of lines and of the text does not count."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _parses(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
