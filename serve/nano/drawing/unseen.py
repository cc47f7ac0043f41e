"""Layouts for test alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serve.nano.drawing import chart, colours, form, lines, notes, problems, purchase, scene, sign, sizes, table, values
from serve.nano.drawing.faces import pen
from serve.nano.drawing.sheet import Sheet

if TYPE_CHECKING:
    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.faces import Pen
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.sample import Turn


def bullets(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """Lines with marks before them, at least one of them moved in: training has marks, and moves nothing."""
    rng, sheet = vocabulary.rng, Sheet()
    mark = rng.choice(("- ", "* ", "> ", "+ "))
    most = 10 if vocabulary.chinese else 24
    texts = [mark + vocabulary.phrase(rng.randint(3, most)) for _ in range(rng.randint(2, 6))]
    body = pen(vocabulary.split, sizes.fitting(texts, rng, gap=2), rng, chinese=vocabulary.chinese)
    moved = rng.randrange(1, len(texts))
    for index, text in enumerate(texts):
        inner = index == moved or (index > 0 and rng.random() < 0.3)
        sheet.write(body.size * 1.5 * inner, index * 1.45 * body.size, text, body)
    return sheet, lines.asked(texts, asker)


def headline(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """A large line above small ones, a rule between them."""
    rng, sheet = vocabulary.rng, Sheet()
    small = [vocabulary.phrase(12 if vocabulary.chinese else 28) for _ in range(rng.randint(1, 4))]
    texts = [vocabulary.phrase(8 if vocabulary.chinese else 16), *small]
    body = pen(
        vocabulary.split,
        sizes.fitting([text * 2 if index == 0 else text for index, text in enumerate(texts)], rng, leading=1.8),
        rng,
        chinese=vocabulary.chinese,
    )
    head = body.sized(1.7)
    sheet.write(0, 0, texts[0], head)
    y = 1.4 * head.size
    sheet.rule((0, y), (max(body.width(text) for text in texts), y), 40, 3)
    for text in small:
        y += 1.5 * body.size
        sheet.write(0, y - body.size, text, body)
    return sheet, lines.asked(texts, asker)


def invoice(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """Number, item and amount in three ruled columns; the total below on the right."""
    rng, sheet = vocabulary.rng, Sheet()
    bought = replace(purchase.made_up(vocabulary, rng.randint(2, 6), total=True), payment="", time="")
    head = [text for text in (bought.shop, bought.address, bought.phone, bought.order, bought.date) if text]
    cells = [(str(index + 1), name, bought.form.write(amount)) for index, (name, amount) in enumerate(bought.items)]
    total = (vocabulary.pick("total_words"), bought.form.write(bought.sum))
    rows = [*head, *(" ".join(row) for row in cells), " ".join(total)]
    body = pen(vocabulary.split, sizes.fitting(rows, rng, gap=6, leading=1.9), rng, chinese=vocabulary.chinese)
    y = 0.0
    for text in head:
        sheet.write(0, y, text, body)
        y += 1.4 * body.size
    _invoice_lines(sheet, cells, total, body, y + 0.4 * body.size)
    return sheet, purchase.asked(bought, rows, asker, rng)


def _invoice_lines(sheet: Sheet, cells: list[tuple[str, str, str]], total: tuple[str, str], body: Pen, top: float) -> None:
    size, leading = body.size, 1.6 * body.size
    first = 1.6 * size
    second = first + max(body.width(name) for _, name, _ in cells) + 1.5 * size
    right = second + max(body.width(cell) for cell in (*(amount for *_, amount in cells), *total)) + 0.6 * size
    for index, (number, name, amount) in enumerate(cells):
        y = top + index * leading
        sheet.rule((0, y), (right, y), 130)
        sheet.write(0.3 * size, y + 0.2 * size, number, body)
        sheet.write(first, y + 0.2 * size, name, body)
        sheet.write(right - 0.3 * size, y + 0.2 * size, amount, body, side="right")
    y = top + len(cells) * leading
    sheet.rule((0, y), (right, y), 60, 3)
    sheet.write(second - 0.8 * size, y + 0.4 * size, total[0], body, side="right")
    sheet.write(right - 0.3 * size, y + 0.4 * size, total[1], body, side="right")


def menu(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """A framed price list with dots that lead to the prices."""
    rng, sheet = vocabulary.rng, Sheet()
    shown = purchase.made_up(vocabulary, rng.randint(2, 6), total=False)
    bought = replace(shown, address="", phone="", date="", time="", order="")
    prices = [(name, bought.form.write(amount)) for name, amount in bought.items]
    rows = [bought.shop] * bool(bought.shop) + [f"{name} {amount}" for name, amount in prices]
    body = pen(vocabulary.split, sizes.fitting(rows, rng, gap=5, leading=2), rng, chinese=vocabulary.chinese)
    width, y = max(body.width(row) for row in rows) + 3 * body.size, 0.0
    if bought.shop:
        sheet.write(width / 2, 0, bought.shop, body, side="middle")
        y = 2.0 * body.size
    for name, amount in prices:
        end = sheet.write(0, y, name, body)
        sheet.write(width, y, amount, body, side="right")
        for x in range(round(end + 0.5 * body.size), round(width - body.width(amount) - 0.5 * body.size), 9):
            sheet.draw("ellipse", ((x, y + 0.85 * body.size), (x + 1, y + 0.85 * body.size + 1)), 110)
        y += 1.7 * body.size
    sheet.draw(
        "rectangle", ((-0.7 * body.size, -0.5 * body.size), (width + 0.7 * body.size, y + 0.2 * body.size)), None, 70, width=3
    )
    return sheet, purchase.asked(bought, rows, asker, rng)


def score_board(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """A table whose columns are filled like boxes."""
    rng, sheet = vocabulary.rng, Sheet()
    header, rows = table.contents(vocabulary)
    every = [header, *rows]
    body = pen(
        vocabulary.split,
        sizes.fitting([" ".join(row) for row in every], rng, gap=2 * len(header), leading=2),
        rng,
        chinese=vocabulary.chinese,
    )
    x = 0.0
    for index, column in enumerate(zip(*every, strict=True)):
        wide = max(body.width(cell) for cell in column) + 1.2 * body.size
        sheet.draw("rectangle", ((x, 0), (x + wide, 1.7 * body.size * len(every))), (235, 205)[index % 2])
        for place, cell in enumerate(column):
            sheet.write(x + 0.6 * body.size, 1.7 * body.size * place + 0.2 * body.size, cell, body)
        x += wide + 4
    return sheet, table.asked(header, rows, asker, rng)


def entry_form(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """Labels on grey at the right of their column, values beside them."""
    rng, sheet = vocabulary.rng, Sheet()
    fields = form.filled(vocabulary, rng.randint(2, 6))
    rows = [f"{field.label} {field.value}" for field in fields]
    body = pen(vocabulary.split, sizes.fitting(rows, rng, gap=4, leading=2), rng, chinese=vocabulary.chinese)
    edge = max(body.width(field.label) for field in fields) + 0.8 * body.size
    sheet.draw("rectangle", ((0, 0), (edge, 1.8 * body.size * len(fields))), 210)
    for index, field in enumerate(fields):
        y = (index * 1.8 + 0.3) * body.size
        sheet.write(edge - 0.4 * body.size, y, field.label, body, side="right")
        sheet.write(edge + 0.5 * body.size, y, field.value, body)
    return sheet, form.asked(fields, rows, asker, rng)


def business_card(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """A large name, what the person is, and how to reach them, beside a bar."""
    rng, sheet = vocabulary.rng, Sheet()
    person = vocabulary.person()
    known = [("name", person), ("", vocabulary.pick("job_titles")), ("phone", values.phone(rng, chinese=vocabulary.chinese))]
    known += [("email", values.email(rng, person))] if rng.random() < 0.7 else []
    known += [("address", vocabulary.street())] if rng.random() < 0.7 else []
    body = pen(
        vocabulary.split, sizes.fitting([text for _, text in known], rng, gap=8, leading=2), rng, chinese=vocabulary.chinese
    )
    y = 0.0
    for index, (_, text) in enumerate(known):
        this = body.sized(1.5) if index == 0 else body
        sheet.write(1.2 * body.size, y, text, this)
        y += 1.5 * this.size + body.size * (index == 1)
    sheet.draw("rectangle", ((0, 0), (0.4 * body.size, y)), 120)
    return sheet, form.contact_asked(known, asker)


def inner_chart(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """Values stand inside the bars."""
    title, bars = chart.contents(vocabulary)
    return chart.standing(title, bars, vocabulary, "inside"), chart.asked(title, bars, asker, vocabulary.rng, valued=True)


def banner(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """A sign with a coloured band on its left and words beside it."""
    rng = vocabulary.rng
    rows, ground = sign.worded(vocabulary), rng.choice(colours.COLOURS)
    ink, band = rng.choice(colours.legible(ground)), rng.choice(colours.COLOURS)
    sheet = Sheet((170, 185, 200))
    body = pen(vocabulary.split, max(17, sizes.fitting(rows, rng, gap=5, leading=2)), rng, chinese=vocabulary.chinese)
    size, wide = body.size, max(body.width(row) for row in rows)
    high, paint = (1.4 * len(rows) + 1.0) * size, ground.near(rng)
    sheet.draw("rectangle", ((0, 0), (wide + 3 * size, high)), paint)
    sheet.draw("rectangle", ((0, 0), (1.2 * size, high)), band.near(rng))
    for index, row in enumerate(rows):
        sheet.write(2 * size, (0.5 + 1.4 * index) * size, row, body, ink.near(rng))
    return sheet, sign.asked(rows, ground, asker)


def outlined_scene(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """Shapes with black edges on a light ground."""
    rng = vocabulary.rng
    ground = rng.choice([colour for colour in colours.COLOURS if colour.english in {"white", "yellow", "pink", "grey"}])
    things = scene.placed(rng, ground, rng.randint(1, 4))
    return scene.sheet_of(things, ground, rng, outlined=True), scene.asked(things, ground, asker, rng)


def slate(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """A word problem or a sequence on a green board with a wooden frame."""
    rng = vocabulary.rng
    if rng.random() < 0.5:
        problem = problems.word_problem(vocabulary)
        rows, kind, answer, thought = (
            notes.wrapped(problem.text, 11 if vocabulary.chinese else 24),
            "words",
            problem.answer,
            problem.thought,
        )
    else:
        numbers, after, found = problems.sequence(rng)
        rows, kind, answer = [notes.ordered(numbers, ", ", "?")], "next", str(after)
        thought = f"{', '.join(map(str, numbers))}\n{found}"
    sheet = Sheet((rng.randint(20, 50), rng.randint(60, 90), rng.randint(45, 70)))
    body = pen(vocabulary.split, sizes.fitting(rows, rng, gap=3, leading=2), rng, chinese=vocabulary.chinese)
    for index, row in enumerate(rows):
        sheet.write(body.size, (0.8 + 1.6 * index) * body.size, row, body, (240, 240, 235))
    sheet.draw("rectangle", ((0, 0), (sheet.width + body.size, sheet.height + 0.6 * body.size)), None, (150, 100, 60), width=6)
    return sheet, [*(asker.turn(kind, answer, thought) for _ in range(2)), asker.turn("transcribe", "\n".join(rows))]
