"""Reads an engine's log and names what it died of. Pure; what the words mean stands in `memory.py` and `patterns.py`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.causes.memory import OUT_OF_MEMORY, SHORTFALL, TEXTS, phase_of
from serve.causes.patterns import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.causes.patterns import Pattern

NO_ERROR = re.compile(r"^(\(\w+ pid=\d+\) ?)?(INFO|DEBUG)[ :]")
# Words around a value that a log may lack; where it does, they are left out with it.
AROUND = {"fits": "; {} would fit", "gpu": ", {},", "hub": " {}"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What an engine died of: a short code, the cause in words, the way out, and the line that shows it (counted from 1)."""

    code: str
    cause: str
    fix: str
    line: str
    line_number: int

    @property
    def summary(self) -> str:
        """One line, for the end of a message about a dead engine."""
        return f"Cause: {self.cause}. Fix: {self.fix}"


def diagnose(lines: Sequence[str]) -> Diagnosis | None:
    """Name the cause that shows last in a log; what only echoes another counts where there is no other.

    The last one, because vLLM warns of much that it survives, and what kills it it reports at the end.
    """
    echo: Diagnosis | None = None
    for at in reversed(range(len(lines))):
        found, is_echo = _shown_by(lines, at)
        if found and not is_echo:
            return found
        echo = echo or found
    return echo


def _shown_by(lines: Sequence[str], at: int) -> tuple[Diagnosis | None, bool]:
    """What one line shows, and whether it is a mere echo."""
    if NO_ERROR.match(lines[at]):
        return None, False
    if OUT_OF_MEMORY.search(lines[at]):
        return _out_of_memory(lines, at), False
    for pattern in PATTERNS:
        if match := pattern.sign.search(lines[at]):
            return _diagnosis(pattern, match, at), pattern.echo
    return None, False


def _diagnosis(pattern: Pattern, match: re.Match[str], at: int) -> Diagnosis:
    quoted = {name: AROUND.get(name, "{}").format(value.strip()) if value else "" for name, value in match.groupdict().items()}
    return Diagnosis(pattern.code, pattern.cause.format(**quoted), pattern.fix, match.string.strip(), at + 1)


def _out_of_memory(lines: Sequence[str], at: int) -> Diagnosis:
    phase = phase_of(lines[: at + 1])
    cause, fix = TEXTS[phase]
    sums = SHORTFALL.search(lines[at])
    amount = f" ({sums['asked']} asked for, {sums['free']} free)" if sums else ""
    return Diagnosis(f"out-of-memory-{phase}", f"{cause}{amount}", fix, lines[at].strip(), at + 1)
