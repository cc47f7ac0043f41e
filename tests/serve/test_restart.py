"""Histories of exits, and what becomes of the process."""

from __future__ import annotations

import pytest

from serve.restart import GiveUp, Restart, decide
from serve.values import Exit


def history(*at_s: float, ready: bool = True) -> list[Exit]:
    return [Exit(at, 0, ready) for at in at_s]


@pytest.mark.parametrize(
    ("exits", "now_s", "decision"),
    [
        (history(5, ready=False), 5, GiveUp("it was never ready")),
        (history(100), 100, Restart(1)),  # exit code 0 is a crash too
        ([*history(100), *history(110, ready=False)], 110, Restart(2)),  # it was ready once, so it may be again
        (history(0, 10, 20, 30), 30, Restart(8)),
        (history(0, 10, 20, 30, 40), 40, Restart(16)),
        (history(0, 10, 20, 30, 40, 50), 50, Restart(30, "6 times within 10 minutes")),  # the other pool serves meanwhile
        (history(0, 10, 20, 30, 40, 5000), 5000, Restart(1)),  # long ago is forgotten
    ],
)
def test_decisions(exits: list[Exit], now_s: float, decision: Restart | GiveUp) -> None:
    assert decide(exits, now_s) == decision
