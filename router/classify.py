"""View → Decision, by rules: a pure function of what is asked. English and Chinese.

Cues speak for thinking (weight > 0) or against it (< 0); their sum through a sigmoid is the score, and the strongest that agrees with
the outcome names the reason. What the client says outright (`reasoning_effort`, a response format) goes before any cue.
"""

from __future__ import annotations

import math

from router.cues import BIAS, CUES
from router.values import Decision, PoolName, View

THRESHOLD = 0.5
ASK_CHARACTERS = 4000
"""Longer texts are judged by their two ends, where people put the ask."""


def classify(view: View) -> Decision:
    """The pool for a request that names no model of its own."""
    if view.effort is not None:
        return _by_effort(view.effort)
    if view.structured:
        return Decision("instruct", "structured_output", 0.1)
    text = _ends(view.text)
    spoken = [cue for cue in CUES if cue.pattern.search(text)]
    score = 1 / (1 + math.exp(-BIAS - sum(cue.weight for cue in spoken)))
    pool: PoolName = "thinking" if score >= THRESHOLD else "instruct"
    agreeing = [cue for cue in spoken if (cue.weight > 0) == (pool == "thinking")]
    strongest = max(agreeing, key=lambda cue: abs(cue.weight), default=None)
    return Decision(pool, strongest.reason if strongest else "default", round(score, 4))


def _by_effort(effort: str) -> Decision:
    thinks = effort not in {"none", "minimal"}
    return Decision("thinking" if thinks else "instruct", "reasoning_effort", float(thinks))


def _ends(text: str) -> str:
    return text if len(text) <= ASK_CHARACTERS else f"{text[: ASK_CHARACTERS // 2]}\n{text[-ASK_CHARACTERS // 2 :]}"
