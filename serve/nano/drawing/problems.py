"""Number sequences and two-step word problems, as text, with their steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.nano.drawing import steps
from serve.nano.drawing.corpus import sections

if TYPE_CHECKING:
    from random import Random

    from serve.nano.drawing.corpus import Language
    from serve.nano.drawing.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Problem:
    """`text` says it; `thought` are the steps to `answer`."""

    text: str
    answer: str
    thought: str


def word_problem(vocabulary: Vocabulary) -> Problem:
    rng = vocabulary.rng
    name = rng.choice(("buy", "gain", "boxes", "lose", "share"))
    numbers, lines, answer = {"buy": _buy, "gain": _gain, "boxes": _boxes, "lose": _lose, "share": _share}[name](rng)
    text = rng.choice(_listed(vocabulary.language, name))
    for slot, number in numbers.items():
        text = text.replace(f"{{{slot}}}", str(number))
    return Problem(
        text.replace("{thing}", _thing(vocabulary)).replace("{who}", _who(vocabulary)), str(answer), "\n".join(lines)
    )


def _listed(language: Language, name: str) -> tuple[str, ...]:
    return sections("asks", "problems")[f"{language} {name}"]


def _thing(vocabulary: Vocabulary) -> str:
    return _of_split(vocabulary, "things")


def _who(vocabulary: Vocabulary) -> str:
    return _of_split(vocabulary, "who") if vocabulary.chinese else vocabulary.pick("given")


def _of_split(vocabulary: Vocabulary, name: str) -> str:
    end = ".test" if vocabulary.split == "test" else ""
    return vocabulary.rng.choice(_listed(vocabulary.language, f"{name}{end}")[0].split("; "))


def _buy(rng: Random) -> tuple[dict[str, int], list[str], int]:
    count, cost = rng.randint(2, 9), rng.randint(2, 25)
    paid = rng.choice([note for note in (10, 20, 50, 100, 200, 500) if note > count * cost][:2])
    return (
        {"a": count, "p": cost, "n": paid},
        [steps.multiply(count, cost), steps.subtract(paid, count * cost)],
        paid - count * cost,
    )


def _gain(rng: Random) -> tuple[dict[str, int], list[str], int]:
    had, more = rng.randint(3, 80), rng.randint(2, 60)
    less = rng.randint(1, had + more - 1)
    return {"a": had, "b": more, "c": less}, [steps.add(had, more), steps.subtract(had + more, less)], had + more - less


def _boxes(rng: Random) -> tuple[dict[str, int], list[str], int]:
    boxes, each, more = rng.randint(2, 9), rng.randint(2, 30), rng.randint(1, 40)
    total = boxes * each + more
    return {"a": boxes, "b": each, "c": more}, [steps.multiply(boxes, each), steps.add(boxes * each, more)], total


def _lose(rng: Random) -> tuple[dict[str, int], list[str], int]:
    had = rng.randint(10, 150)
    first = rng.randint(1, had - 5)
    second = rng.randint(1, had - first)
    left = had - first - second
    return {"a": had, "b": first, "c": second}, [steps.subtract(had, first), steps.subtract(had - first, second)], left


def _share(rng: Random) -> tuple[dict[str, int], list[str], int]:
    friends, each = rng.randint(2, 9), rng.randint(2, 15)
    total = friends * each
    had = rng.randint(1, total - 1)
    lines = [steps.add(had, total - had), f"{total} / {friends} = {each}", steps.multiply(friends, each)]
    return {"a": had, "b": total - had, "c": friends}, lines, each


def sequence(rng: Random) -> tuple[list[int], int, str]:
    """Numbers, the next one, and the steps."""
    kind, count = rng.random(), rng.randint(4, 6)
    if kind < 0.45:
        return _arithmetic(rng.randint(0, 40), rng.randint(1, 15), count)
    if kind < 0.65:
        step = rng.randint(1, 12)
        return _arithmetic(rng.randint(step * count, step * count + 60), -step, count)
    return _geometric(rng, count) if kind < 0.82 else _growing(rng, count)


def _arithmetic(start: int, step: int, count: int) -> tuple[list[int], int, str]:
    numbers = [start + step * index for index in range(count)]
    last, after = numbers[-1], start + step * count
    found = steps.differences(numbers) if step > 0 else steps.differences(numbers[::-1])
    return numbers, after, f"{found}\n{steps.add(last, step) if step > 0 else steps.subtract(last, -step)}"


def _geometric(rng: Random, count: int) -> tuple[list[int], int, str]:
    ratio, start = rng.choice(((2, rng.randint(1, 12)), (3, rng.randint(1, 5))))
    numbers = [start * ratio**index for index in range(count - (ratio == 3))]
    found = ", ".join(f"{ratio}*{number}={number * ratio}" for number in numbers[:-1])
    return numbers, numbers[-1] * ratio, f"{found}\n{steps.multiply(ratio, numbers[-1])}"


def _growing(rng: Random, count: int) -> tuple[list[int], int, str]:
    """Differences that grow by the same each time."""
    start, step, more = rng.randint(0, 10), rng.randint(1, 4), rng.randint(1, 3)
    numbers = [start]
    for index in range(count - 1):
        numbers.append(numbers[-1] + step + more * index)
    last, rise = numbers[-1], step + more * (count - 1)
    return numbers, last + rise, f"{steps.differences(numbers)}\n{rise - more}+{more}={rise}\n{steps.add(last, rise)}"
