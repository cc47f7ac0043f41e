"""What the embedded models must reach through the whole stack. One table: the tests hold to it, and docs/quality.md shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure's limit. All are percentages or, as differences of two, points.

    `kept` is what `make test` holds the weights in the package to, where they do not reach `limit` yet, or only just do.
    """

    what: str
    sense: Literal["at least", "at most"]
    limit: float
    unit: Literal["%", "points"] = "%"
    kept: float | None = None

    def met(self, value: float) -> bool:
        return self._within(value, self.limit)

    @property
    def held(self) -> float:
        return self.limit if self.kept is None else self.kept

    def holds(self, value: float) -> bool:
        return self._within(value, self.held)

    def _within(self, value: float, limit: float) -> bool:
        return value >= limit if self.sense == "at least" else value <= limit

    def __str__(self) -> str:
        return f"{self.sense} {self.limit:g} {self.unit}"


BARS = {
    "latin": Bar("Instruct, transcribed: character error rate, Latin letters and digits", "at most", 2),
    "chinese": Bar("Instruct, transcribed: character error rate, answers with Chinese", "at most", 5),
    "fields": Bar("Instruct, fields: right to the letter", "at least", 95),
    "json": Bar("Instruct, JSON: parses", "at least", 99),
    "steps": Bar("Thinking, several steps: right to the letter", "at least", 90),
    "lead": Bar("Thinking, several steps: lead over Instruct on the same questions", "at least", 20, "points"),
    "fp8": Bar("What FP8 KV costs: right to the letter with BF16 KV, less that with FP8", "at most", 0.5, "points"),
    "cached": Bar("Answers from the prefix cache that differ from cold ones", "at most", 0),
    "batch": Bar("What company costs: right to the letter alone, less that at 32 at once", "at most", 1, "points"),
    "pictures": Bar(
        "What a second picture costs: right to the letter with one, less that with two", "at most", 5, "points", kept=7
    ),
    # Training shows two pictures at most.
    "many": Bar("What three further pictures cost: right to the letter with one, less that with four", "at most", 30, "points"),
}
