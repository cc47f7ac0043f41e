"""Thoughts: schoolbook arithmetic, one column after another from the right, so that every step is one look and one small sum.

Amounts are whole numbers of the smallest unit; `places` says how many digits stand behind the point.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def written(amount: int, places: int = 0, digits: int = 1) -> str:
    """`amount` with its point, and zeros in front until it has `digits` digits."""
    padded = f"{amount:0{max(digits, places + 1)}d}"
    return f"{padded[:-places]}.{padded[-places:]}" if places else padded


def add(a: int, b: int, places: int = 0) -> str:
    """`12.50 + 03.75: 0+5=5 5+7=12 1+2+3=6 1+0=1 -> 16.25`; a carried 1 stands first in its column."""
    digits = max(len(str(a)), len(str(b)), places + 1)
    columns, carry = [], 0
    for above, below in _columns(a, b, digits):
        total = carry + above + below
        columns.append(f"{'1+' * carry}{above}+{below}={total}")
        carry = total // 10
    return _line(f"{written(a, places, digits)} + {written(b, places, digits)}", columns, written(a + b, places))


def subtract(a: int, b: int, places: int = 0) -> str:
    """`20.00 - 15.75: 10-5=5 10-7-1=2 10-5-1=4 2-1-1=0 -> 4.25`; a borrowed ten stands before its digit. `a` is not below `b`."""
    digits = max(len(str(a)), places + 1)
    columns, borrowed = [], 0
    for above, below in _columns(a, b, digits):
        short = above < below + borrowed
        left = above + 10 * short - below - borrowed
        columns.append(f"{'1' * short}{above}-{below}{'-1' * borrowed}={left}")
        borrowed = int(short)
    return _line(f"{written(a, places, digits)} - {written(b, places, digits)}", columns, written(a - b, places))


def multiply(times: int, amount: int, places: int = 0) -> str:
    """`4 * 3.75: 4*5=20 2+4*7=30 3+4*3=15 -> 15.00`; `times` has one digit."""
    columns, carry = [], 0
    for digit in reversed(written(amount, 0, places + 1)):
        total = carry + times * int(digit)
        columns.append(f"{f'{carry}+' if carry else ''}{times}*{digit}={total}")
        carry = total // 10
    return _line(f"{times} * {written(amount, places)}", columns, written(times * amount, places))


def _columns(a: int, b: int, digits: int) -> list[tuple[int, int]]:
    above, below = written(a, 0, digits), written(b, 0, digits)
    return [(int(up), int(down)) for up, down in zip(reversed(above), reversed(below), strict=True)]


def _line(sum_: str, columns: list[str], result: str) -> str:
    return f"{sum_}: {' '.join(columns)} -> {result}"


def running_sum(named: Sequence[tuple[str, int]], places: int = 0) -> list[str]:
    """Each value is read off where it is added: what is to be added stands in the line above, and so it is learnt sooner."""
    (name, total), *rest = named
    lines = [f"{name} {written(total, places)}"]
    for other, amount in rest:
        lines += [f"{other} {written(amount, places)}", add(total, amount, places)]
        total += amount
    return lines


def extreme(named: Sequence[tuple[str, int]], places: int = 0, *, greatest: bool) -> tuple[list[str], str]:
    """The steps of a walk along the values that keeps the greatest, or the least, and its name."""
    name, best = named[0]
    lines = [f"{name} {written(best, places)}"]
    for other, value in named[1:]:
        sign = ">" if value > best else "<" if value < best else "="
        lines.append(f"{other} {written(value, places)} {sign} {written(best, places)}")
        if (value > best) if greatest else (value < best):
            name, best = other, value
    return lines, name


def differences(numbers: Sequence[int]) -> str:
    """`7-3=4, 11-7=4`."""
    return ", ".join(f"{after}-{before}={after - before}" for before, after in pairwise(numbers))
