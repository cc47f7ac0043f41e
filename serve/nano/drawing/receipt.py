"""Receipts of many looks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from serve.nano.drawing import purchase, sizes
from serve.nano.drawing.faces import pen
from serve.nano.drawing.sheet import Sheet

if TYPE_CHECKING:
    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.purchase import Purchase
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.sample import Turn


class Row(NamedTuple):
    """One line: text on the left, or in the middle where there is nothing on the right. `rule` asks for a line above it."""

    left: str
    right: str = ""
    middle: bool = False
    scale: float = 1.0
    rule: bool = False

    @property
    def text(self) -> str:
        return f"{self.left} {self.right}".strip()


def receipt(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    rng = vocabulary.rng
    count = rng.choice((1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8))
    bought = purchase.made_up(vocabulary, count, total=rng.random() < 0.72)
    if bought.total is None and rng.random() < 0.6:  # a bare price list
        bought = replace(bought, address="", phone="", time="", order="", date=rng.choice((bought.date, "")))
    rows = [*_head(bought, vocabulary), *_items(bought, vocabulary), *_foot(bought, vocabulary)]
    return _sheet(rows, vocabulary), purchase.asked(bought, [row.text for row in rows], asker, rng)


def price_line(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """Items and prices one after another, all in one line or two."""
    rng, sheet = vocabulary.rng, Sheet()
    made = purchase.made_up(vocabulary, rng.choice((1, 2, 2, 3, 3, 4)), total=False)
    bought = replace(made, shop="", address="", phone="", date="", time="", order="")
    texts = [f"{name}{rng.choice((' ', ' ', ': '))}{bought.form.write(amount)}" for name, amount in bought.items]
    half = len(texts) if len(texts) < 3 or rng.random() < 0.4 else (len(texts) + 1) // 2
    rows = [texts[:half], texts[half:]] if half < len(texts) else [texts]
    gap = rng.uniform(0.6, 2.5)
    size = sizes.fitting([" ".join(row) for row in rows], rng, gap=gap * half, leading=2)
    body = pen(vocabulary.split, size, rng, chinese=vocabulary.chinese)
    for index, row in enumerate(rows):
        x = 0.0
        for text in row:
            x = sheet.write(x, 1.6 * index * size, text, body) + gap * size
    return sheet, purchase.asked(bought, [" ".join(row) for row in rows], asker, rng)


def _head(bought: Purchase, vocabulary: Vocabulary) -> list[Row]:
    rng = vocabulary.rng
    centred = rng.random() < 0.6
    rows = [Row(bought.shop, middle=centred, scale=rng.choice((1.0, 1.0, 1.3, 1.6)))] if bought.shop else []
    rows += [Row(bought.address, middle=centred)] if bought.address else []
    if bought.phone:
        rows.append(Row(rng.choice((f"{vocabulary.pick('phone_words')} {bought.phone}", bought.phone)), middle=centred))
    return rows + _stamped(bought, vocabulary, centred=centred)


def _stamped(bought: Purchase, vocabulary: Vocabulary, *, centred: bool) -> list[Row]:
    """Date, time and number, each on its own line, side by side, or bare."""
    rng = vocabulary.rng
    labelled = rng.random() < 0.5
    rows = []
    if bought.date and bought.time and rng.random() < 0.6:
        rows.append(rng.choice((Row(f"{bought.date} {bought.time}", middle=centred), Row(bought.date, bought.time))))
    else:
        for value, words in ((bought.date, "date_words"), (bought.time, "time_words")):
            if value:
                label = vocabulary.pick(words)
                rows.append(
                    (Row(label, value) if rng.random() < 0.5 else Row(f"{label} {value}"))
                    if labelled
                    else Row(value, middle=centred)
                )
    if bought.order:
        label = vocabulary.pick("order_words")
        if rng.random() < 0.35:
            rows.append(Row(bought.order, middle=centred))
        else:
            rows.append(Row(label, bought.order) if rng.random() < 0.5 else Row(f"{label} {bought.order}", middle=centred))
    return rows


def _items(bought: Purchase, vocabulary: Vocabulary) -> list[Row]:
    ruled = vocabulary.rng.random() < 0.5
    mark = vocabulary.rng.choice(("{name}",) * 8 + ("{number}. {name}", "{number} {name}", "- {name}"))
    rows = []
    for index, (name, amount) in enumerate(bought.items):
        left = mark.format(number=index + 1, name=name)
        rows.append(Row(left, bought.form.write(amount), rule=ruled and index == 0))
    return rows


def _foot(bought: Purchase, vocabulary: Vocabulary) -> list[Row]:
    rng, rows = vocabulary.rng, []
    if bought.total is not None:
        if rng.random() < 0.15:
            tax = bought.total // 6
            rows.append(Row(vocabulary.pick("tax_words"), bought.form.write(tax)))
        label = vocabulary.pick("total_words") + rng.choice(("", "", ":"))
        rows.append(
            Row(label, bought.form.write(bought.total), scale=rng.choice((1.0, 1.0, 1.2, 1.4)), rule=rng.random() < 0.6)
        )
        rows += [Row(bought.payment)] if bought.payment else []
    if rng.random() < 0.3:
        rows.append(Row(vocabulary.pick("closings"), middle=rng.random() < 0.7))
    return rows


def _sheet(rows: list[Row], vocabulary: Vocabulary) -> Sheet:
    rng, sheet = vocabulary.rng, Sheet()
    gap = rng.choice((1.0, 2.0, 3.0, 5.0))
    size = sizes.fitting([row.text for row in rows], rng, gap=gap + 1, leading=1.6)
    body = pen(vocabulary.split, size, rng, chinese=vocabulary.chinese)
    head = body if rng.random() < 0.6 else pen(vocabulary.split, size, rng, chinese=vocabulary.chinese)
    leading = rng.uniform(1.2, 1.7)
    width = max(body.sized(row.scale).width(row.left) + body.sized(row.scale).width(row.right) + gap * size for row in rows)
    dashed, y = rng.random() < 0.4, 0.0
    led = rng.choice((1, 2, 3)) if rng.random() < 0.25 else 0
    ragged = not led and rng.random() < 0.25  # what stands on the right follows on the left, one blank behind
    for row in rows:
        this = (head if row.middle else body).sized(row.scale)
        if row.rule:
            _rule(sheet, y + 0.25 * size, width, dashed=dashed)
            y += 0.5 * size
        if row.middle:
            sheet.write(max(width, this.width(row.left)) / 2, y, row.left, this, side="middle")
        else:
            end = sheet.write(0, y, row.left, this)
            if row.right and ragged:
                sheet.write(end + this.width(" "), y, row.right, this)
            elif row.right:
                sheet.write(width, y, row.right, this, side="right")
        if row.right and led:
            _leader(sheet, (this.width(row.left), width - this.width(row.right)), y, this.size, led)
        y += leading * this.size
    return sheet


def _rule(sheet: Sheet, y: float, width: float, *, dashed: bool) -> None:
    if not dashed:
        sheet.rule((0, y), (width, y), 60, 2)
        return
    for x in range(0, int(width), 12):
        sheet.rule((x, y), (min(x + 6, width), y), 60, 2)


def _leader(sheet: Sheet, ends: tuple[float, float], top: float, size: int, dot: int) -> None:
    """Dots that lead from an item to its price, `dot` pixels wide; they are no part of the text."""
    step, y = max(4, round(size * (0.3 + 0.1 * dot))), top + 0.86 * size
    for x in range(round(ends[0] + 0.5 * size), round(ends[1] - 0.5 * size), step):
        sheet.draw("ellipse", ((x, y - dot), (x + dot, y)), 50 * dot)
