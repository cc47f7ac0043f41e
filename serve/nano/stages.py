"""What is learnt when, and how fast."""

from __future__ import annotations

from dataclasses import dataclass

from serve.nano.feed import Diet

_WARM_UP = 0.01


@dataclass(frozen=True, slots=True)
class Stage:
    """`share` of the whole time. Learning rates run at `high` until `flat` of the stage is over, then fall to `low`.

    `auxiliary` is the weight of the glyph head's losses at the beginning and at the end.
    """

    name: str
    diet: Diet
    share: float
    high: float
    low: float
    flat: float
    auxiliary: tuple[float, float]

    def rate(self, part: float) -> float:
        """The scale of learning rates when `part` of the stage has passed."""
        if part < _WARM_UP:
            return self.high * part / _WARM_UP
        falling = max(0.0, (part - self.flat) / (1 - self.flat))
        return self.high + (self.low - self.high) * min(1.0, falling)

    def auxiliary_weight(self, part: float) -> float:
        begin, end = self.auxiliary
        return begin + (end - begin) * min(1.0, part)


BASE = Stage("base", Diet(0, thinking=0.5), share=0.60, high=1.0, low=0.3, flat=0.35, auxiliary=(1.0, 0.2))
INSTRUCT = Stage("instruct", Diet(1, thinking=0.0), share=0.20, high=0.3, low=0.0, flat=0.0, auxiliary=(0.2, 0.05))
THINKING = Stage("thinking", Diet(2, thinking=1.0), share=0.20, high=0.3, low=0.0, flat=0.0, auxiliary=(0.2, 0.05))
STAGES = (BASE, INSTRUCT, THINKING)
