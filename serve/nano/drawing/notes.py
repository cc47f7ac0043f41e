"""Notes with a number sequence or a word problem on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.nano.drawing import problems, sizes
from serve.nano.drawing.alphabet import is_chinese
from serve.nano.drawing.faces import pen
from serve.nano.drawing.sheet import Sheet

if TYPE_CHECKING:
    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.sample import Turn


def sequence(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    rng = vocabulary.rng
    numbers, after, thought = problems.sequence(rng)
    text = ordered(
        numbers,
        rng.choice((", ", ", ", "  ", " ; ", " - ")) if rng.random() < 0.8 else ",  ",
        rng.choice(("?", "?", "__", "...")),
    )
    head = [vocabulary.pick("sequence_heads")] if rng.random() < 0.4 else []
    rows = [*head, text]
    turns = [asker.turn("next", str(after), f"{', '.join(map(str, numbers))}\n{thought}") for _ in range(3)]
    turns.append(asker.turn("caption", asker.say("A number sequence.", "一个数列。")))
    return written(rows, vocabulary), [*turns, asker.turn("transcribe", "\n".join(" ".join(row.split()) for row in rows))]


def ordered(numbers: list[int], between: str, unknown: str) -> str:
    return between.join([*map(str, numbers), unknown])


def word_problem(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    problem = problems.word_problem(vocabulary)
    rows = wrapped(problem.text, vocabulary.rng.randint(9, 16) if vocabulary.chinese else vocabulary.rng.randint(16, 34))
    turns = [asker.turn("words", problem.answer, problem.thought) for _ in range(3)]
    turns.append(asker.turn("caption", asker.say("A word problem.", "一道题。")))
    return written(rows, vocabulary), [*turns, asker.turn("transcribe", "\n".join(rows))]


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters where words allow it."""
    pieces = list(text) if any(is_chinese(char) for char in text) else [f"{word} " for word in text.split(" ")]
    rows = [""]
    for piece in pieces:
        if rows[-1] and len(rows[-1]) + len(piece.rstrip()) > width and piece not in "，。？、":
            rows.append("")
        rows[-1] += piece
    return [row.strip() for row in rows]


def written(rows: list[str], vocabulary: Vocabulary) -> Sheet:
    rng, sheet = vocabulary.rng, Sheet()
    body = pen(vocabulary.split, sizes.fitting(rows, rng, leading=1.7), rng, chinese=vocabulary.chinese)
    leading = body.size * rng.uniform(1.25, 1.9)
    for index, row in enumerate(rows):
        sheet.write(0, index * leading, row, body)
    if rng.random() < 0.25:
        for index in range(len(rows)):
            sheet.rule((0, index * leading + 1.22 * body.size), (sheet.width, index * leading + 1.22 * body.size), 190)
    return sheet
