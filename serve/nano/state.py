"""What a run goes on from that was cut off, or went wrong: weights, and how far they had come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn

BASE, LATEST = "base.pt", "state.pt"


@dataclass(frozen=True, slots=True)
class State:
    """Weights when `part` of the stage named `stage` had passed; those of the auxiliary head are among them."""

    stage: str
    part: float
    weights: Mapping[str, Tensor]

    @classmethod
    def of(cls, module: nn.Module, stage: str, part: float) -> State:
        """A copy, where `module` lies."""
        return cls(stage, part, {name: value.detach().clone() for name, value in module.state_dict().items()})

    @property
    def sound(self) -> bool:
        """Whether every weight is a finite number."""
        return bool(torch.stack([value.isfinite().all() for value in self.weights.values()]).all())

    def save(self, file: Path) -> None:
        """As bfloat16, which halves the file; a reader sees the old file or the new one."""
        small = {
            name: value.to("cpu", torch.bfloat16) if value.is_floating_point() else value
            for name, value in self.weights.items()
        }
        unfinished = file.with_suffix(".part")
        torch.save({"stage": self.stage, "part": self.part, "weights": small}, unfinished)
        unfinished.replace(file)


def load(file: Path) -> State:
    """Raises FileNotFoundError, or pickle.UnpicklingError where the file is no saved state."""
    kept = torch.load(file, map_location="cpu", weights_only=True)
    return State(kept["stage"], kept["part"], kept["weights"])
