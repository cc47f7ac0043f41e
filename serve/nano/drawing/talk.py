"""What is asked without a picture: small talk with fixed answers, sums, and asks about a picture that was forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serve.nano.drawing import chart, problems, purchase, steps
from serve.nano.drawing.corpus import sections
from serve.nano.sample import Turn

if TYPE_CHECKING:
    from random import Random

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.corpus import Language
    from serve.nano.drawing.vocabulary import Vocabulary

_TURNS = 6
_ABOUT_PICTURES = (  # asks that need no name of what is in the picture
    ("transcribe", "first_line", "last_line", "caption", "json", "title", "count_all", "ground"),
    ("total", "date", "time", "shop", "rows", "items", "order", "phone", "name"),
    ("highest", "lowest", "sum_all", "next", "words"),
)


def small_talk(vocabulary: Vocabulary, asker: Asker) -> tuple[None, list[Turn]]:
    return None, [_chat(asker, vocabulary.rng) for _ in range(_TURNS)]


def _chat(asker: Asker, rng: Random) -> Turn:
    sets = _sets(asker.language)
    name = rng.choice(list(sets))
    if name == "no_picture" or rng.random() < 0.2:
        kind = rng.choice(rng.choice(_ABOUT_PICTURES))
        return asker.turn("talk", sets["no_picture"][0], ask=kind)
    answer, *asks = sets[name]
    return Turn(_typed(rng.choice(asks), rng), answer, "", "talk")


def _sets(language: Language) -> dict[str, tuple[str, ...]]:
    """Of each set the answer first, then the asks."""
    start = language[:2].replace("ch", "zh")
    found = {
        name.removeprefix(f"{start} "): lines for name, lines in sections("asks", "talk").items() if name.startswith(start)
    }
    return {name: (lines[0].removeprefix("> "), *lines[1:]) for name, lines in found.items()}


def _typed(ask: str, rng: Random) -> str:
    style = rng.random()
    if style < 0.15:
        return ask.lower()
    if style < 0.3:
        return ask.rstrip(".?!？！")
    return f"{ask.rstrip('.?!')}{rng.choice('!.?')}" if style < 0.35 and ask.isascii() else ask


def sums(vocabulary: Vocabulary, asker: Asker) -> tuple[None, list[Turn]]:
    """Sums, sequences and word problems that are typed, not shown."""
    return None, [_typed_problem(vocabulary, asker) for _ in range(_TURNS)]


def accounts(vocabulary: Vocabulary, asker: Asker) -> tuple[None, list[Turn]]:
    """A typed list of prices or of numbers, and what is to be reckoned from it."""
    rng = vocabulary.rng
    if rng.random() < 0.6:
        bought = purchase.made_up(vocabulary, rng.randint(2, 6), total=False)
        rows = [f"{name} {bought.form.write(amount)}" for name, amount in bought.items]
        turns = purchase.reckoned(bought, asker, rng)
    else:
        _, bars = chart.contents(vocabulary)
        rows = [f"{name} {value}" for name, value in bars]
        turns = [turn for turn in chart.asked("", bars, asker, rng, valued=True) if turn.thought]
    said = rng.choice(("\n", "\n", ", ", "; ")).join(rows)
    asks = (replace(turn, ask=rng.choice((f"{said}\n{turn.ask}", f"{turn.ask}\n{said}"))) for turn in turns)
    return None, rng.sample(list(asks), min(_TURNS, len(turns)))


def _typed_problem(vocabulary: Vocabulary, asker: Asker) -> Turn:
    rng, kind = vocabulary.rng, vocabulary.rng.random()
    if kind < 0.3:
        problem = problems.word_problem(vocabulary)
        return Turn(problem.text, problem.answer, problem.thought, "words")
    if kind < 0.5:
        numbers, after, thought = problems.sequence(rng)
        asked = rng.choice(sections("asks", "problems")[f"{asker.language} sequence"]).format(
            numbers=", ".join(map(str, numbers))
        )
        return Turn(asked, str(after), thought, "next")
    return _direct(asker.language, rng)


def _direct(language: Language, rng: Random) -> Turn:
    a, b = rng.randint(0, 10 ** rng.randint(1, 4)), rng.randint(0, 10 ** rng.randint(1, 4))
    name, kind = rng.choice((("direct", "sum"), ("direct minus", "compare"), ("direct times", "product")))
    if kind == "product":
        a, b = rng.randint(2, 9), rng.randint(2, 999)
        answer, thought = a * b, steps.multiply(a, b)
        a, b = rng.choice(((a, b), (b, a)))
    elif kind == "compare":
        a, b = max(a, b), min(a, b)
        answer, thought = a - b, steps.subtract(a, b)
    else:
        answer, thought = a + b, steps.add(a, b)
    return Turn(rng.choice(sections("asks", "problems")[f"{language} {name}"]).format(a=a, b=b), str(answer), thought, kind)
