"""Decides what becomes of a process that ended by itself. Pure: its history and the time in, one decision out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.values import Exit

WINDOW_S = 600
OFTEN = 5  # exits in one window; more are worth a word
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again, after a pause in seconds; `often` says how often it ended lately, where that is a trouble of its own."""

    after_s: float
    often: str = ""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not start it again."""

    because: str


def decide(exits: Sequence[Exit], now_s: float) -> Restart | GiveUp:
    """Judge the latest of `exits`, oldest first, at `now_s` on the same clock.

    An engine whose worker died leaves with code 0, so every exit that nobody asked for counts the same. What was ready once
    may be so again, and the other pool serves meanwhile: only what was never ready is given up.
    """
    if not any(end.was_ready for end in exits):
        return GiveUp("it was never ready")
    recent = sum(now_s - end.at_s < WINDOW_S for end in exits)
    pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** max(0, recent - 1))
    return Restart(pause_s, f"{recent} times within {WINDOW_S // 60} minutes" if recent > OFTEN else "")
