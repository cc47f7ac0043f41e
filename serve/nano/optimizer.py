"""Muon for the matrices inside, Adam for everything else.

Muon (https://kellerjordan.github.io/posts/muon/) replaces a matrix's momentum by the nearest orthogonal one. Matrices of one
shape are stacked, so that a model of many small ones takes few kernels.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_MOMENTUM = 0.95
_NOT_INSIDE = ("embed", "lm_head", "place", "reader.3", "where")  # tables and classifiers


class Optimizer:
    """Steps all parameters of some modules. Learning rates are those at a `set_rate` of 1; a step can be captured."""

    def __init__(self, modules: Iterable[nn.Module], *, muon: float = 0.02, adam: float = 3e-3, decay: float = 0.02) -> None:
        named = {id(value): (name, value) for module in modules for name, value in module.named_parameters()}
        inside = [value for name, value in named.values() if value.ndim == 2 and not any(part in name for part in _NOT_INSIDE)]
        known = {id(value) for value in inside}
        rest = [value for _, value in named.values() if id(value) not in known]
        on_gpu = rest[0].is_cuda
        self._rates = {name: (rate, torch.zeros((), device=rest[0].device)) for name, rate in (("muon", muon), ("adam", adam))}
        self._muon = _Muon(inside, self._rates["muon"][1], decay)
        self._adam = torch.optim.AdamW(
            rest, lr=self._rates["adam"][1], betas=(0.9, 0.98), weight_decay=0.0, fused=on_gpu, foreach=False, capturable=on_gpu
        )

    def set_rate(self, scale: float) -> None:
        """What the next steps' learning rates are multiplied by."""
        for full, rate in self._rates.values():
            rate.fill_(full * scale)

    def forget(self) -> None:
        """Clear what is remembered of earlier gradients, where it lies: a captured step goes on using it."""
        adam = [value for state in self._adam.state.values() for value in state.values()]
        for remembered in (*self._muon.momenta, *adam):
            remembered.zero_()

    def clear(self) -> None:
        """Drop all gradients."""
        self._adam.zero_grad(set_to_none=True)
        self._muon.clear()

    def step(self) -> None:
        """Apply the gradients and clear them."""
        self._muon.step()
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)


class _Muon:
    def __init__(self, matrices: list[Tensor], rate: Tensor, decay: float) -> None:
        stacks: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for matrix in matrices:
            stacks[matrix.shape].append(matrix)
        self._stacks = list(stacks.values())
        self.momenta = [torch.zeros_like(torch.stack(stack)) for stack in self._stacks]
        self._rate, self._decay = rate, decay

    def step(self) -> None:
        with torch.no_grad():
            for stack, momentum in zip(self._stacks, self.momenta, strict=True):
                self._move(stack, momentum)

    def clear(self) -> None:
        for matrix in (matrix for stack in self._stacks for matrix in stack):
            matrix.grad = None

    def _move(self, stack: list[Tensor], momentum: Tensor) -> None:
        gradient = torch.stack([matrix.grad for matrix in stack])
        momentum.lerp_(gradient, 1 - _MOMENTUM)
        change = orthogonal(gradient.lerp(momentum, _MOMENTUM)).to(momentum.dtype)
        longer = max(1.0, change.shape[-2] / change.shape[-1]) ** 0.5
        torch._foreach_mul_(stack, 1 - self._rate * self._decay)
        torch._foreach_sub_(stack, list((change * (self._rate * longer)).unbind()))
        for matrix in stack:
            matrix.grad = None


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest (semi-)orthogonal matrix to each of a stack, roughly: singular values end between 0.7 and 1.2."""
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
