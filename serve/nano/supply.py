"""Steps for the trainer: new ones as they are drawn, and earlier ones again where drawing is slower than learning."""

from __future__ import annotations

import time
from collections import deque
from random import Random
from typing import TYPE_CHECKING

from serve.nano.learning import on

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

_SLOW = 0.01  # seconds of waiting after which the next step is an earlier one
_KEPT = 192  # steps in the GPU's memory, 55 MB each at 65,536 patches


class Supply:
    """Hands out steps. `waited` is how long the last one took to come, `new` whether it was drawn for this time."""

    def __init__(self, drawn: Iterator[dict[str, Tensor]], device: torch.device, seed: int) -> None:
        self._drawn, self._device = drawn, device
        self._kept: deque[dict[str, Tensor]] = deque(maxlen=_KEPT if device.type == "cuda" else 1)
        self._rng = Random(seed)  # noqa: S311 data, no secret
        self.waited, self.new = 0.0, False

    def next(self) -> dict[str, Tensor]:
        """A new step, or after one that was waited for, any that is kept."""
        if self.waited > _SLOW and len(self._kept) == self._kept.maxlen and self._device.type == "cuda":
            self.waited, self.new = 0.0, False
            return self._rng.choice(self._kept)
        asked = time.monotonic()
        step = on(self._device, next(self._drawn))
        self.waited, self.new = time.monotonic() - asked, True
        self._kept.append(step)
        return step
