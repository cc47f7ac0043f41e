"""A whole step of training, forward, backward and update: from a CUDA graph on a GPU, since its kernels are many and short."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch

from serve.nano.learning import autocast, on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from serve.nano.learning import Losses
    from serve.nano.optimizer import Optimizer

    Forward = Callable[[Mapping[str, Tensor]], Losses]

_WARM_UP = 3  # steps before the capture: they compile, and make the optimizer's state
COMPILED_AFTER = _WARM_UP + 1  # steps: all that come after them are quick
_AHEAD = 2  # steps that may be queued: more would only pile up pictures


class Stepper:
    """Runs steps of one shape. The first ones are run as they are written; later ones, on a GPU, are replays of a capture.

    A capture holds on to addresses: parameters and the optimizer's state may be changed in place alone.
    """

    def __init__(self, forward: Forward, optimizer: Optimizer, device: torch.device, *, captured: bool = True) -> None:
        self._forward, self._optimizer, self._device, self._captured = forward, optimizer, device, captured
        self._auxiliary = torch.ones((), device=device)
        self._held: dict[str, Tensor] = {}
        self._losses: Losses | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._side: torch.cuda.Stream | None = None
        self._ends: list[torch.cuda.Event] = []
        self._steps = 0

    def step(self, drawn: Mapping[str, Tensor], rate: float, auxiliary: float) -> Losses:
        """Learn from `drawn`, which may lie on either side. The losses are overwritten by the next step."""
        self._optimizer.set_rate(rate)
        self._auxiliary.fill_(auxiliary)
        if self._device.type == "cpu":
            return self._whole(on(self._device, drawn))
        self._hold(drawn)
        self._run()
        self._wait_for_earlier()
        if self._losses is None:
            raise RuntimeError("no step has run")
        return self._losses

    def _hold(self, drawn: Mapping[str, Tensor]) -> None:
        """A graph reads where it read when it was captured."""
        if not self._held:
            self._held = {name: torch.empty_like(tensor, device=self._device) for name, tensor in drawn.items()}
        for name, tensor in drawn.items():
            self._held[name].copy_(tensor, non_blocking=True)

    def _run(self) -> None:
        self._steps += 1
        if self._graph is not None:
            self._graph.replay()
        elif self._steps <= _WARM_UP or not self._captured:
            self._losses = self._aside()
        else:
            self._capture()

    def _capture(self) -> None:
        """From now on steps are replays; or, where this driver or release cannot capture one, they stay as they are."""
        graph = torch.cuda.CUDAGraph()
        try:
            # Another thread pins memory meanwhile: it must not end the capture.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                losses = self._whole(self._held)
            graph.replay()
            torch.cuda.synchronize()
        except RuntimeError as error:
            self._captured = False
            warnings.warn(f"steps are launched one kernel after another, at a third of the speed: {error}", stacklevel=2)
            self._optimizer.clear()
            self._losses = self._aside()
        else:
            self._graph, self._losses = graph, losses

    def _aside(self) -> Losses:
        """On a stream of its own, as what is to be captured must have run before. Always the same: each has memory of its own."""
        self._side = stream = self._side or torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            losses = self._whole(self._held)
        torch.cuda.current_stream().wait_stream(stream)
        return losses

    def _whole(self, step: Mapping[str, Tensor]) -> Losses:
        with autocast(self._device):
            losses = self._forward(step)
        losses.total(self._auxiliary).backward()
        self._optimizer.step()
        return losses.detached()

    def _wait_for_earlier(self) -> None:
        end = torch.cuda.Event()
        end.record()
        self._ends.append(end)
        if len(self._ends) > _AHEAD:
            self._ends.pop(0).synchronize()
