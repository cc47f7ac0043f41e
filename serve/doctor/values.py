"""What the doctor finds: a check has a name, a state, what was found, and a fix where something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is: only a failure keeps Duet from running."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the doctor's table."""

    name: str
    state: State
    found: str
    fix: str = ""


def ok(name: str, found: str) -> Check:
    """Nothing to do."""
    return Check(name, State.OK, found)


def warning(name: str, found: str, fix: str) -> Check:
    """It runs, and may disappoint."""
    return Check(name, State.WARNING, found, fix)


def failure(name: str, found: str, fix: str) -> Check:
    """It will not run."""
    return Check(name, State.FAILURE, found, fix)


def gib(count: float) -> str:
    """Bytes in words."""
    return f"{count / 2**30:.1f} GiB"
