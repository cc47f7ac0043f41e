"""What is learnt of a conversation, and how much each token of it counts."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serve.nano.dialogue import dialogues
from serve.nano.patches import cut
from serve.nano.reading import Spoken, read
from tests.serve.nano import one_line

if TYPE_CHECKING:
    from serve.nano.dialogue import Dialogue
    from serve.nano.tokenizer import Tokenizer
    from serve.values import PoolName

SAMPLE = one_line.draw(4, "train")
TEXT, COUNT = SAMPLE.turns


def test_answers_are_learnt_with_their_ends_and_the_first_token_of_each_counts_thrice(tokenizer: Tokenizer) -> None:
    (dialogue,), (spoken,) = _read("instruct", tokenizer, most=2)
    end = tokenizer.special("<|im_end|>")
    assert _learnt(spoken) == [[*tokenizer.spell(exchange.answer), end] for exchange in dialogue]
    assert {exchange.answer for exchange in dialogue} == {TEXT.answer, COUNT.answer}
    for weights in _weights(spoken):
        assert weights == pytest.approx([3 * weights[1], *([weights[1]] * (len(weights) - 1))])


def test_thoughts_are_learnt_too_and_count_as_the_rest_of_the_answer(tokenizer: Tokenizer) -> None:
    for (exchange,), spoken in zip(*_read("thinking", tokenizer, most=1), strict=True):
        (ids,), (weights,) = _learnt(spoken), _weights(spoken)
        closed = ids.index(tokenizer.special("</think>"))
        first = closed + 1 + len(tokenizer.encode("\n\n"))
        assert tokenizer.decode(ids[:closed]) == f"{exchange.thought or 'This can be read off the picture.'}\n"
        assert ids[first:] == [*tokenizer.spell(exchange.answer), tokenizer.special("<|im_end|>")]
        assert weights == pytest.approx([weights[0] * (3 if place == first else 1) for place in range(len(ids))])


def _read(style: PoolName, tokenizer: Tokenizer, most: int) -> tuple[list[Dialogue], tuple[Spoken, ...]]:
    assert SAMPLE.image
    asked = dialogues([SAMPLE], style, 2, Random(5), most=most)
    return asked, read([cut(SAMPLE.image, SAMPLE.glyphs)], asked, tokenizer).spoken


def _learnt(spoken: Spoken) -> list[list[int]]:
    """The tokens of each answer."""
    return [spoken.ids[spoken.answers[spoken.owners == owner]].tolist() for owner in np.unique(spoken.owners)]


def _weights(spoken: Spoken) -> list[list[float]]:
    return [spoken.weights[spoken.owners == owner].tolist() for owner in np.unique(spoken.owners)]
