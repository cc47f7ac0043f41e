"""Keeps training from being lost: saves it every few minutes, and takes it back to sound weights when a loss is no number."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from serve.nano.state import LATEST, State

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from serve.nano.journal import Journal
    from serve.nano.learning import Losses
    from serve.nano.optimizer import Optimizer

_KEEP_EVERY = 20.0  # seconds, in memory
_SAVE_EVERY = 120.0  # seconds, in a file
_SLOWER = 0.5  # what learning rates are multiplied by each time


class Watch:
    """Looks at losses now and then. `scale` is what learning rates are to be multiplied by."""

    def __init__(self, learner: nn.Module, optimizer: Optimizer, journal: Journal, folder: Path) -> None:
        self._learner, self._optimizer, self._journal, self._folder = learner, optimizer, journal, folder
        self._kept: State | None = None
        self._kept_at = self._saved_at = time.monotonic()
        self.scale = 1.0

    def begin(self, stage: str, part: float) -> None:
        """A stage begins with the learner's weights."""
        self._keep(State.of(self._learner, stage, part))
        self.scale = 1.0

    def look(self, losses: Losses, stage: str, part: float) -> None:
        """Call it as often as losses are written down: reading them waits for the GPU."""
        if not math.isfinite(float(losses.answer + losses.patch + losses.token)):
            self._take_back()
        elif time.monotonic() - self._kept_at > _KEEP_EVERY and (state := State.of(self._learner, stage, part)).sound:
            self._keep(state)

    def _keep(self, state: State) -> None:
        self._kept, self._kept_at = state, time.monotonic()
        if self._kept_at - self._saved_at > _SAVE_EVERY:
            state.save(self._folder / LATEST)
            self._saved_at = self._kept_at

    def _take_back(self) -> None:
        """In place: a captured step goes on with the same memory."""
        if self._kept is None:
            raise RuntimeError("a loss is no number before any weights were kept")
        self._learner.load_state_dict(self._kept.weights)
        self._optimizer.forget()
        self.scale *= _SLOWER
        self._journal.note(taken_back_to=self._kept.stage, part=round(self._kept.part, 3), scale=self.scale)
