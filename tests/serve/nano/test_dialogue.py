"""Asks about a picture, put into conversations."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

from PIL import Image

from serve.nano.dialogue import Dialogue, Exchange, dialogues
from serve.nano.sample import Sample, Turn
from serve.nano.tokenizer import Tokenizer

PAGE = "A page of text, from its first line to its last"
ANSWERS = ["12.50", "12.50", "12.50", PAGE, PAGE, PAGE.lower(), *(str(number) for number in range(20))]
TURNS = tuple(Turn(f"Question {index}?", answer, kind="field") for index, answer in enumerate(ANSWERS))
SAMPLE = Sample(Image.new("RGB", (64, 64)), (), TURNS, "form")


def test_everything_is_asked_once_and_nothing_behind_an_answer_that_tells_it() -> None:
    openings = 0
    for seed in range(50):
        asked = dialogues([SAMPLE], "instruct", len(TURNS), Random(seed), most=8)
        assert sorted(_asks(asked)) == sorted((turn.ask, turn.answer) for turn in TURNS)
        for dialogue in asked:
            told = _told(dialogue[0])
            openings += len(told)
            *earlier, last = [*told, *(exchange.answer for exchange in dialogue)]
            assert not {PAGE, PAGE.lower()} & set(earlier)
            assert len({*earlier, last}) == len(told) + len(dialogue)
        assert max(map(len, asked)) == 8
    assert openings > 10


def test_no_more_is_asked_than_wanted() -> None:
    asked = _asks(dialogues([SAMPLE], "instruct", 10, Random(3), most=8))
    assert len(asked) == len(set(asked)) == 10


def test_what_takes_no_steps_gets_a_thought_in_the_language_of_the_ask(tokenizer: Tokenizer) -> None:
    for ask in ("What is the date?", "日期是什么"):
        sample = replace(
            SAMPLE, turns=(Turn(ask, "12", kind="date"), Turn("Read.", "x", kind="line"), Turn("读", "y", kind="line"))
        )
        asked = [dialogue[0] for seed in range(40) for dialogue in dialogues([sample], "thinking", 3, Random(seed))]
        thoughts = {tokenizer.decode(exchange.thought_ids(tokenizer)) for exchange in asked if exchange.kind == "date"}
        assert [thought.isascii() for thought in thoughts] == [ask.isascii()]


def _told(opening: Exchange) -> list[str]:
    """What the model said before all that is learnt."""
    text = "".join(piece.text for piece in opening.prompt)
    return re.findall(r"<\|im_start\|>assistant\n(.*?)<\|im_end\|>", text, re.DOTALL)


def _asks(asked: list[Dialogue]) -> list[tuple[str, str]]:
    return [(_ask(exchange), exchange.answer) for dialogue in asked for exchange in dialogue]


def _ask(exchange: Exchange) -> str:
    """What the user said last."""
    text = "".join(piece.text for piece in exchange.prompt)
    return str(re.findall(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", text, re.DOTALL)[-1])
