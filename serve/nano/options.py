"""Values of this package's command lines, refused by name where they cannot be."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Number = TypeVar("_Number", int, float)


def at_least(kind: type[_Number], least: float, *, step: int = 1) -> Callable[[str], _Number]:
    """Read an option's value, a multiple of `step`; argparse says which option it was."""

    def read(text: str) -> _Number:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value < math.inf or (step > 1 and value % step):
            whole = f", a multiple of {step}" if step > 1 else ""
            raise argparse.ArgumentTypeError(f"{text!r}: a number is wanted, at least {least:g}{whole}")
        return value

    return read
