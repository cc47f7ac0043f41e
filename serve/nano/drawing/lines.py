"""Text lines and paragraphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.nano.drawing import sizes
from serve.nano.drawing.faces import pen
from serve.nano.drawing.sheet import Sheet

if TYPE_CHECKING:
    from random import Random

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.sheet import Side
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.sample import Turn

_MARKS = ("- ", "- ", "* ", "> ", "+ ", "• ", "– ", "· ", "# ", "{}. ", "{}. ", "{}) ", "({}) ")  # "{}" counts the lines


def lines(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """One to eight lines, each of a length of its own."""
    rng = vocabulary.rng
    count = rng.choice((1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8))
    longest = (
        rng.randint(2, 12 if vocabulary.chinese else 30) if count > 1 else rng.randint(1, 14 if vocabulary.chinese else 36)
    )
    texts = [vocabulary.phrase(rng.randint(max(1, longest // 2), longest)) for _ in range(count)]
    return _written(_marked(texts, rng), vocabulary, asker)


def _marked(texts: list[str], rng: Random) -> list[str]:
    """Now and then as a list: every line, or all below the first, has a mark before it."""
    if rng.random() > 0.3:
        return texts
    mark, first = rng.choice(_MARKS), rng.choice((0, 0, 1)) if len(texts) > 1 else 0
    return [*texts[:first], *(mark.format(number) + text for number, text in enumerate(texts[first:], 1))]


def paragraph(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """Running text, three to ten full lines."""
    rng = vocabulary.rng
    width = rng.randint(8, 16) if vocabulary.chinese else rng.randint(18, 44)
    texts = [vocabulary.phrase(width) for _ in range(rng.randint(3, 10) if rng.random() < 0.75 else rng.randint(8, 18))]
    return _written(texts, vocabulary, asker)


def _written(texts: list[str], vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    return _page(texts, vocabulary), asked(texts, asker)


def _page(texts: list[str], vocabulary: Vocabulary) -> Sheet:
    rng, sheet = vocabulary.rng, Sheet()
    body = pen(vocabulary.split, sizes.fitting(texts, rng), rng, chinese=vocabulary.chinese)
    leading = body.size * rng.uniform(1.2, 1.9)
    sides: tuple[Side, ...] = ("left", "left", "left", "middle", "right")
    side = rng.choice(sides)
    width = max(body.width(text) for text in texts)
    x = {"left": 0.0, "middle": width / 2, "right": width}[side]
    grey = rng.choice((0, 0, 0, 40, 80))
    for index, text in enumerate(texts):
        sheet.write(x, index * leading, text, body, grey, side=side)
    if rng.random() < 0.15:
        _decorate(sheet, rng.choice(("frame", "rule", "margin")), body.size)
    return sheet


def _decorate(sheet: Sheet, kind: str, size: int) -> None:
    width, height, gap = sheet.width, sheet.height, size // 3
    if kind == "frame":
        sheet.draw("rectangle", ((-gap, -gap), (width + gap, height + gap)), None, 100, width=2)
    elif kind == "rule":
        sheet.rule((0, height + gap), (width, height + gap), 100, 2)
    else:
        sheet.rule((-gap, 0), (-gap, height), 120, 3)


def asked(texts: list[str], asker: Asker) -> list[Turn]:
    turns = [asker.turn("transcribe", "\n".join(texts)) for _ in range(2)]
    count = len(texts)
    english = f"{count} lines of text. The first line is: {texts[0]}" if count > 1 else f"A picture with the text: {texts[0]}"
    chinese = f"{count}行文字，第一行是：{texts[0]}" if count > 1 else f"图中的文字是：{texts[0]}"
    turns.append(asker.turn("caption", asker.say(english, chinese)))
    if len(texts) > 1:
        turns += [asker.turn("line", texts[0], ask="first_line"), asker.turn("line", texts[-1], ask="last_line")]
        turns.append(asker.turn("rows", str(len(texts)), ask="lines"))
    return turns
