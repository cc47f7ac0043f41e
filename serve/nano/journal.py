"""What training says while it runs: a line every few seconds on stdout, and the same as JSON lines in a file."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from serve.nano.learning import Losses

_EVERY = 5.0  # seconds


@dataclass
class Journal:
    """Counts steps and what they held; `file` collects one JSON object a line."""

    file: Path
    started: float = field(default_factory=time.monotonic)
    steps: int = 0
    _since: int = 0
    _new: int = 0
    _waited: float = 0.0
    _spoke: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def step(self, waited: float, *, new: bool) -> bool:
        """Count one step whose data took `waited` seconds to come; true when it is time for a line."""
        self.steps += 1
        self._since += 1
        self._new += new
        self._waited += waited
        return time.monotonic() - self._spoke > _EVERY

    def tell(self, stage: str, rate: float, losses: Losses) -> None:
        """Steps a second, those among them that were newly drawn, and the share of time that was waited for them."""
        values = {name: round(float(value), 4) for name, value in losses._asdict().items()}
        since = time.monotonic() - self._spoke
        pace = {"steps/s": round(self._since / since, 1), "new/s": round(self._new / since, 1)}
        self.note(stage=stage, rate=round(rate, 3), **values, **pace, waiting=round(self._waited / since, 2))
        self._since, self._new, self._waited, self._spoke = 0, 0, 0.0, time.monotonic()

    def note(self, **values: object) -> None:
        """Write down any values, with step and second."""
        line = {"step": self.steps, "s": round(self.seconds, 1), **values}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(" ".join(f"{name}={value}" for name, value in line.items()), flush=True)  # noqa: T201 the command's own words
