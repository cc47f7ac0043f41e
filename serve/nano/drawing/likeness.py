"""Which of two is more: asked as a choice, or to be said yes or no to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.nano.drawing.steps import written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.nano.drawing.asking import Asker
    from serve.nano.sample import Turn


def asked(pair: Sequence[tuple[str, int]], asker: Asker, places: int = 0, yes_no: str = "is_more") -> list[Turn]:
    """`yes_no` names the phrasings of the second turn."""
    (a, first), (b, second) = pair
    if first == second:
        return []
    sign = ">" if first > second else "<"
    thought = f"{a} {written(first, places)}\n{b} {written(second, places)}\n{written(first, places)} {sign} {written(second, places)}"
    more = a if first > second else b
    answer = asker.say("Yes", "是") if first > second else asker.say("No", "不是")
    return [asker.turn("more", more, thought, a=a, b=b), asker.turn("more", answer, thought, ask=yes_no, a=a, b=b)]
