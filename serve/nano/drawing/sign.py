"""Signs as they are cut out of photographs: a coloured panel with a few words, before some ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.nano.drawing import colours, sizes
from serve.nano.drawing.faces import pen
from serve.nano.drawing.sheet import Sheet

if TYPE_CHECKING:
    from random import Random

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.colours import Triple
    from serve.nano.drawing.faces import Pen
    from serve.nano.drawing.sheet import Form
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.sample import Turn


def sign(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    rng = vocabulary.rng
    rows = worded(vocabulary)
    ground = rng.choice(colours.COLOURS)
    ink = rng.choice(colours.legible(ground))
    sheet = Sheet(_surroundings(rng))
    size = sizes.fitting(rows, rng, gap=3, leading=2)
    body = pen(vocabulary.split, max(size, 17), rng, chinese=vocabulary.chinese)
    _panel(sheet, rows, body, (ground.near(rng), ink.near(rng)), rng)
    return sheet, asked(rows, ground, asker)


def worded(vocabulary: Vocabulary) -> list[str]:
    """One to three short lines, broken as on a sign."""
    rng, kind = vocabulary.rng, vocabulary.rng.random()
    if kind < 0.35:
        text = vocabulary.pick("signs")
        return text.split(" ") if " " in text and rng.random() < 0.3 else [text if rng.random() < 0.7 else text.title()]
    if kind < 0.6:
        return [vocabulary.street()]
    if kind < 0.75:
        distance = f"{rng.randint(1, 99)} km" if not vocabulary.chinese else f"{rng.randint(1, 99)}公里"
        return [vocabulary.pick("cities"), distance] if rng.random() < 0.5 else [f"{vocabulary.pick('cities')} {distance}"]
    if kind < 0.9:
        return [vocabulary.shop(), *([vocabulary.pick("signs")] if rng.random() < 0.4 else [])]
    return [vocabulary.word().upper() for _ in range(rng.randint(1, 3))]


def _surroundings(rng: Random) -> Triple:
    grey = rng.randint(90, 230)
    return rng.choice(((grey, grey, min(255, grey + 15)), (150, 190, 230), (120, 150, 110), (200, 190, 170), (60, 60, 70)))


def _panel(sheet: Sheet, rows: list[str], body: Pen, paint: tuple[Triple, Triple], rng: Random) -> None:
    ground, ink = paint
    pad, leading = body.size * rng.uniform(0.4, 1.2), body.size * rng.uniform(1.25, 1.6)
    wide, high = max(body.width(row) for row in rows) + 2 * pad, leading * len(rows) + 2 * pad
    edge = rng.randint(0, 40)
    form: Form = "rectangle" if rng.random() < 0.35 else "rounded"
    if rng.random() < 0.35:
        post = wide / 2 + edge
        sheet.draw("rectangle", ((post - 6, edge + high), (post + 6, edge + high + rng.randint(20, 120))), (100, 100, 105))
    border = max(2, body.size // 10) if rng.random() < 0.5 else 1
    sheet.draw(form, ((edge, edge), (edge + wide, edge + high)), ground, ink if border > 1 else None, width=border)
    for index, row in enumerate(rows):
        sheet.write(edge + wide / 2, edge + pad + index * leading, row, body, ink, side="middle")
    sheet.reach(wide + 2 * edge, high + 2 * edge)


def asked(rows: list[str], ground: colours.Colour, asker: Asker) -> list[Turn]:
    said = " ".join(rows)
    turns = [asker.turn("transcribe", "\n".join(rows)) for _ in range(3)]
    article = "An" if ground.english[0] in "aeiou" else "A"
    turns.append(
        asker.turn(
            "caption",
            asker.say(f"{article} {ground.english} sign that says: {said}", f"一块{ground.chinese}的牌子，写着：{said}"),
        )
    )
    if len(rows) > 1:
        turns += [asker.turn("line", rows[0], ask="first_line"), asker.turn("line", rows[-1], ask="last_line")]
    return turns
