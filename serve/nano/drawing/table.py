"""Tables of numbers with a header row."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from serve.nano.drawing import likeness, sizes, steps
from serve.nano.drawing.faces import pen
from serve.nano.drawing.sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.faces import Pen
    from serve.nano.drawing.sheet import Side
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.sample import Turn


def table(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    header, rows = contents(vocabulary)
    return _sheet([header, *rows], vocabulary), asked(header, rows, asker, vocabulary.rng)


def contents(vocabulary: Vocabulary) -> tuple[list[str], list[list[str]]]:
    rng = vocabulary.rng
    columns = vocabulary.labels("columns", rng.randint(1, 3))
    names = _names(vocabulary, rng.randint(2, 7))
    tops = [rng.choice((9, 30, 99, 99, 300, 999)) for _ in columns]
    rows = [[name, *(str(rng.randint(0 if top < 10 else 1, top)) for top in tops)] for name in names]
    return [vocabulary.pick("first_columns"), *columns], rows


def _names(vocabulary: Vocabulary, count: int) -> list[str]:
    kind = vocabulary.rng.random()
    if kind < 0.35:
        return vocabulary.labels("categories", count)
    if kind < 0.7:
        return vocabulary.items(count)
    return (
        list(dict.fromkeys(vocabulary.person() for _ in range(count)))
        if kind < 0.85 or vocabulary.chinese
        else vocabulary.several("given", count)
    )


def _sheet(rows: Sequence[Sequence[str]], vocabulary: Vocabulary) -> Sheet:
    rng, sheet = vocabulary.rng, Sheet()
    gap = rng.uniform(0.8, 2.5)
    size = sizes.fitting([" ".join(row) for row in rows], rng, gap=gap * len(rows[0]) + 1, leading=1.7)
    body = pen(vocabulary.split, size, rng, chinese=vocabulary.chinese)
    widths = [max(body.width(cell) for cell in column) + gap * size for column in zip(*rows, strict=True)]
    edges = [sum(widths[:index]) for index in range(len(widths) + 1)]
    leading = size * rng.uniform(1.3, 2.0)
    sides: tuple[Side, ...] = ("left", "right", "middle")
    places = _places(edges, rng.choice(sides), gap * size / 2)
    kind = rng.choice(("none", "head", "rows", "all", "all", "zebra", "dark head", "cells", "cells"))
    for index, row in enumerate(rows):
        top = index * leading + (leading - 1.2 * size) / 2
        _row(sheet, zip(places, row, strict=True), top, body, 250 if kind == "dark head" and index == 0 else 0)
    if kind == "cells":
        _cells(sheet, edges, len(rows), leading, rng)
    else:
        _grid(sheet, kind, edges, len(rows), leading)
    return sheet


def _row(sheet: Sheet, placed: Iterable[tuple[tuple[float, Side], str]], top: float, body: Pen, ink: int) -> None:
    for (x, side), cell in placed:
        sheet.write(x, top, cell, body, ink, side=side)


def _cells(sheet: Sheet, edges: Sequence[float], count: int, leading: float, rng: Random) -> None:
    """Each cell a plate of its own; those of the first row or of the first column may be darker."""
    light, dark, gap = rng.randint(200, 240), rng.randint(165, 225), rng.choice((1, 2, 3))
    of_row = rng.random() < 0.5
    for index in range(count):
        for column, (left, right) in enumerate(pairwise(edges)):
            fill = dark if (index == 0 if of_row else column == 0) else light
            corners = ((left + gap, index * leading + gap), (right - gap, (index + 1) * leading - gap))
            sheet.draw("rectangle", corners, fill)


def _places(edges: Sequence[float], side: Side, gap: float) -> list[tuple[float, Side]]:
    """Where each column's cells stand; the first column is flush left."""
    left: list[tuple[float, Side]] = [(edge + gap, "left") for edge in edges[:-1]]
    right: list[tuple[float, Side]] = [(edge - gap, "right") for edge in edges[1:]]
    middle: list[tuple[float, Side]] = [((before + after) / 2, "middle") for before, after in pairwise(edges)]
    chosen: dict[Side, list[tuple[float, Side]]] = {"left": left, "right": right, "middle": middle}
    return [*left[:1], *chosen[side][1:]]


def _grid(sheet: Sheet, kind: str, edges: list[float], count: int, leading: float) -> None:
    width, height = edges[-1], count * leading
    if kind == "zebra":
        for index in range(0, count, 2):
            sheet.draw("rectangle", ((0, index * leading), (width, (index + 1) * leading)), 215)
    if kind in {"rows", "all"}:
        for index in range(count + 1):
            sheet.rule((0, index * leading), (width, index * leading), 90)
    if kind == "all":
        for edge in edges:
            sheet.rule((edge, 0), (edge, height), 90)
    if kind == "dark head":
        sheet.draw("rectangle", ((0, 0), (width, leading)), 60)
    if kind == "head":
        sheet.rule((0, leading), (width, leading), 60, 2)
    sheet.reach(width, height)


def asked(header: list[str], rows: list[list[str]], asker: Asker, rng: Random) -> list[Turn]:
    text = "\n".join(" ".join(row) for row in [header, *rows])
    column = rng.randrange(1, len(header))
    turns = [
        *(asker.turn("transcribe", text) for _ in range(2)),
        asker.turn("rows", str(len(rows))),
        asker.turn("columns", str(len(header))),
        asker.turn("headers", "\n".join(header)),
        *_cells_asked(header, rows, asker, rng),
        asker.turn("caption", _caption(header, rows, asker)),
        asker.turn("absent", asker.say("There is no chart with bars.", "图中没有柱状图。"), ask="absent_bar"),
    ]
    return turns + reckoned([(row[0], int(row[column])) for row in rows], header[column], asker, rng)


def _cells_asked(header: list[str], rows: list[list[str]], asker: Asker, rng: Random) -> list[Turn]:
    cells = [(row, column) for row in rows for column in range(1, len(header))]
    chosen = rng.sample(cells, min(8, len(cells)))
    return [asker.turn("cell", row[column], row=row[0], column=header[column]) for row, column in chosen]


def _caption(header: list[str], rows: list[list[str]], asker: Asker) -> str:
    return asker.say(
        f"A table with {len(rows)} rows and {len(header)} columns: {', '.join(header)}.",
        f"一张表，{len(rows)}行{len(header)}列：{'、'.join(header)}。",
    )


def reckoned(named: list[tuple[str, int]], column: str, asker: Asker, rng: Random) -> list[Turn]:
    """Sums and differences along one column of values."""
    numbers = [value for _, value in named]
    total = "\n".join(steps.running_sum(named))
    ask = {"ask": "sum_column", "column": column} if column else {"ask": "sum_all"}
    turns = [asker.turn("sum", str(sum(numbers)), total, **ask)] if len(named) > 1 else []
    if len(named) > 1:
        high, low = sorted(rng.sample(named, 2), key=lambda pair: -pair[1])
        thought = f"{high[0]} {high[1]}\n{low[0]} {low[1]}"
        turns.append(
            asker.turn("compare", str(high[1] - low[1]), f"{thought}\n{steps.subtract(high[1], low[1])}", a=high[0], b=low[0])
        )
        turns += likeness.asked(rng.sample((high, low), 2), asker)
        added = f"{thought}\n{steps.add(high[1], low[1])}"
        turns.append(asker.turn("sum", str(high[1] + low[1]), added, a=high[0], b=low[0]))
    return turns
