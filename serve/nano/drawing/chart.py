"""Small bar charts with labels and values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, NamedTuple

from serve.nano.drawing import colours, steps, table
from serve.nano.drawing.faces import pen
from serve.nano.drawing.sheet import Sheet

if TYPE_CHECKING:
    from random import Random

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.colours import Triple
    from serve.nano.drawing.faces import Pen
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.sample import Turn

    Bars = list[tuple[str, int]]

Where = Literal["outside", "inside", "foot", "tag", "nowhere"]
_SIZES = (14, 15, 16, 17, 18, 20, 22, 24, 26, 28)


class _Look(NamedTuple):
    """How a value is written: `ink` on the paper, `on_fill` on its bar, there at the bar's beginning if `first`."""

    body: Pen
    ink: Triple
    on_fill: Triple
    first: bool = False


def chart(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    rng = vocabulary.rng
    title, bars = contents(vocabulary)
    lies = rng.random() < 0.4
    within: tuple[Where, ...] = ("inside", "foot") if lies else ("foot", "tag")
    values: Where = "nowhere" if rng.random() < 0.1 else "outside" if rng.random() < 0.45 else rng.choice(within)
    sheet = lying(title, bars, vocabulary, values) if lies else standing(title, bars, vocabulary, values)
    return sheet, asked(title, bars, asker, rng, valued=values != "nowhere")


def contents(vocabulary: Vocabulary) -> tuple[str, Bars]:
    """A title or "", and bars whose highest and lowest stand out."""
    rng = vocabulary.rng
    names = vocabulary.labels(
        rng.choice(("categories", "categories", "months", "days")) if not vocabulary.chinese else "categories",
        rng.randint(2, 7),
    )
    top = rng.choice((10, 20, 50, 100, 100, 500, 999))
    amounts = rng.sample(range(max(1, top // 12), top + 1), len(names))
    amounts = [amount + top // 8 if amount == max(amounts) else amount for amount in amounts]
    if vocabulary.split == "train" and rng.random() < 0.3:  # an average that is a whole number
        amounts[amounts.index(max(amounts))] += -sum(amounts) % len(amounts)
    return (vocabulary.title() if rng.random() < 0.6 else ""), list(zip(names, amounts, strict=True))


def _look(vocabulary: Vocabulary) -> tuple[Pen, Triple, Triple]:
    """Pen, paper and ink."""
    rng = vocabulary.rng
    body = pen(vocabulary.split, rng.choice(_SIZES[3:] if vocabulary.chinese else _SIZES), rng, chinese=vocabulary.chinese)
    light, dark = rng.randint(235, 255), rng.randint(10, 60)
    paper, ink = ((light,) * 3, (dark,) * 3) if rng.random() < 0.75 else ((dark,) * 3, (light,) * 3)
    return body, paper, ink


def _fills(count: int, paper: Triple, rng: Random) -> list[Triple]:
    known = [colour for colour in colours.COLOURS if sum(abs(a - b) for a, b in zip(colour.value, paper, strict=True)) > 150]
    return [rng.choice(known).near(rng)] * count if rng.random() < 0.5 else [rng.choice(known).near(rng) for _ in range(count)]


def standing(title: str, bars: Bars, vocabulary: Vocabulary, values: Where) -> Sheet:
    rng = vocabulary.rng
    body, paper, ink = _look(vocabulary)
    sheet = Sheet(paper)
    step = max(max(body.width(name), body.width(str(value))) for name, value in bars) + body.size * rng.uniform(0.6, 1.6)
    tall, top = rng.randint(120, 320), 1.9 * body.size * bool(title) + 1.4 * body.size
    floor, highest = top + tall, max(value for _, value in bars)
    left = rng.randint(0, 12)
    if title:
        centred = rng.random() < 0.7
        sheet.write(left + centred * step * len(bars) / 2, 0, title, body, ink, side="middle" if centred else "left")
    _levels(sheet, (left, left + step * len(bars)), (top, floor), paper, rng)
    for index, ((name, value), fill) in enumerate(zip(bars, _fills(len(bars), paper, rng), strict=True)):
        middle, wide, head = left + step * (index + 0.5), step * rng.uniform(0.55, 0.75), floor - tall * value / highest
        sheet.draw("rectangle", ((middle - wide / 2, head), (middle + wide / 2, floor)), fill)
        sheet.write(middle, floor + 0.25 * body.size, name, body, ink, side="middle")
        if values == "outside" or (values == "inside" and floor - head < 1.6 * body.size):
            sheet.write(middle, head - 1.3 * body.size, str(value), body, ink, side="middle")
        elif values == "tag":
            _tag(sheet, middle, head - 1.45 * body.size, str(value), _Look(body, ink, _on(ink)))
        elif values == "foot":
            _at_foot(sheet, middle, (head, floor), str(value), _Look(body, ink, _on(fill)))
        elif values == "inside":
            sheet.write(middle, head + 0.15 * body.size, str(value), body, _on(fill), side="middle")
    sheet.rule((left, floor), (left + step * len(bars), floor), ink, 2)
    return sheet


def lying(title: str, bars: Bars, vocabulary: Vocabulary, values: Where) -> Sheet:
    rng = vocabulary.rng
    body, paper, ink = _look(vocabulary)
    sheet = Sheet(paper)
    left = max(body.width(name) for name, _ in bars) + 0.6 * body.size
    long, step, y = rng.randint(130, 300), body.size * rng.uniform(1.5, 2.3), 0.0
    highest = max(value for _, value in bars)
    if title:
        sheet.write(0, 0, title, body, ink)
        y = 2.0 * body.size
    for (name, value), fill in zip(bars, _fills(len(bars), paper, rng), strict=True):
        end = left + long * value / highest
        sheet.draw("rectangle", ((left, y + 0.1 * step), (end, y + 0.85 * step)), fill)
        text = y + 0.475 * step - 0.6 * body.size
        sheet.write(left - 0.4 * body.size, text, name, body, ink, side="right")
        if values == "outside":
            sheet.write(end + 0.35 * body.size, text, str(value), body, ink)
        elif values != "nowhere":
            _along(sheet, (left, end), text, str(value), _Look(body, ink, _on(fill), first=values == "foot"))
        y += step
    sheet.rule((left, y - len(bars) * step), (left, y), ink, 2)
    return sheet


def _tag(sheet: Sheet, middle: float, top: float, value: str, look: _Look) -> None:
    """A value on a little plate of the ink's colour."""
    size, half = look.body.size, look.body.width(value) / 2 + 0.2 * look.body.size
    sheet.draw("rectangle", ((middle - half, top), (middle + half, top + 1.3 * size)), look.ink)
    sheet.write(middle, top + 0.02 * size, value, look.body, look.on_fill, side="middle")


def _at_foot(sheet: Sheet, middle: float, ends: tuple[float, float], value: str, look: _Look) -> None:
    """In a standing bar, low; above it where it is too short."""
    (head, floor), size = ends, look.body.size
    low = floor - head < 1.6 * size
    y, ink = (head - 1.3 * size, look.ink) if low else (floor - 1.45 * size, look.on_fill)
    sheet.write(middle, y, value, look.body, ink, side="middle")


def _along(sheet: Sheet, ends: tuple[float, float], y: float, value: str, look: _Look) -> None:
    """In a lying bar, at its beginning or its end; behind it where it is too short."""
    (left, right), gap = ends, 0.35 * look.body.size
    if right - left < look.body.width(value) + 2.3 * gap:
        sheet.write(right + gap, y, value, look.body, look.ink)
    elif look.first:
        sheet.write(left + gap, y, value, look.body, look.on_fill)
    else:
        sheet.write(right - gap, y, value, look.body, look.on_fill, side="right")


def _levels(sheet: Sheet, across: tuple[float, float], down: tuple[float, float], paper: Triple, rng: Random) -> None:
    """Faint lines behind the bars."""
    if rng.random() < 0.3:
        faint = tuple(part - 30 if part > 128 else part + 30 for part in paper)
        for index in range(4):
            y = down[0] + (down[1] - down[0]) * index / 4
            sheet.rule((across[0], y), (across[1], y), (faint[0], faint[1], faint[2]))


def _on(fill: Triple) -> Triple:
    return (255, 255, 255) if sum(fill) < 400 else (0, 0, 0)


def asked(title: str, bars: Bars, asker: Asker, rng: Random, *, valued: bool) -> list[Turn]:
    high, low = max(bars, key=lambda bar: bar[1]), min(bars, key=lambda bar: bar[1])
    turns = [asker.turn("rows", str(len(bars)), ask="bars"), _caption(bars, high, asker, valued=valued)]
    turns += [asker.turn("title", title)] if title else []
    walks = ["\n".join(steps.extreme(bars, greatest=greatest)[0]) if valued else "" for greatest in (True, False)]
    turns += [asker.turn("highest", high[0], walks[0]) for _ in range(2)]
    turns += [asker.turn("lowest", low[0], walks[1]) for _ in range(2)]
    turns.append(asker.turn("absent", asker.say("There is no total.", "图中没有合计。"), ask="absent_total"))
    if not valued:
        return turns
    turns += [asker.turn("value", str(value), label=name) for name, value in bars]
    turns += [asker.turn("json", json.dumps(dict(bars), ensure_ascii=False))]
    turns += [_gap(bars, asker, high, low), *table.reckoned(bars, "", asker, rng)]
    return turns + _average(bars, asker)


def _caption(bars: Bars, high: tuple[str, int], asker: Asker, *, valued: bool) -> Turn:
    with_value = asker.say(f" with {high[1]}", f"，{high[1]}") if valued else ""
    english = f"A bar chart with {len(bars)} bars. The highest is {high[0]}{with_value}."
    return asker.turn("caption", asker.say(english, f"一张柱状图，共{len(bars)}项，最高的是{high[0]}{with_value}。"))


def _gap(bars: Bars, asker: Asker, high: tuple[str, int], low: tuple[str, int]) -> Turn:
    read = [f"{name} {value}" for name, value in bars]
    thought = [*read, f"{high[1]} > {low[1]}", steps.subtract(high[1], low[1])]
    return asker.turn("compare", str(high[1] - low[1]), "\n".join(thought), ask="gap")


def _average(bars: Bars, asker: Asker) -> list[Turn]:
    """Asked only where it is a whole number."""
    numbers = [value for _, value in bars]
    total = sum(numbers)
    if total % len(numbers):
        return []
    mean = total // len(numbers)
    thought = [*steps.running_sum(bars), f"{total} / {len(numbers)} = {mean}", steps.multiply(len(numbers), mean)]
    return [asker.turn("average", str(mean), "\n".join(thought))]
