"""Pictures and the conversations about them, as arrays: what one step of training is packed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serve.nano.shape import MERGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from serve.nano.dialogue import Dialogue
    from serve.nano.patches import Patches
    from serve.nano.tokenizer import Tokenizer

    Integers = npt.NDArray[np.int32]


_FIRST = 3.0  # times as much as another token


@dataclass(frozen=True, slots=True)
class Spoken:
    """One conversation of n tokens, k of them to be learnt.

    `visual` (n) says which of the reading's visual tokens stands at a place, -1 for text. `positions` (3, n) are those of
    M-RoPE: time, row, column. `answers` (k) are the places of what is learnt, `weights` (k) how much each counts, `owners` (k)
    which of the conversation's answers it belongs to; `kinds` names these.
    """

    ids: Integers
    visual: Integers
    positions: Integers
    answers: Integers
    weights: npt.NDArray[np.float32]
    owners: Integers
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """Some pictures and conversations about them."""

    pictures: tuple[Patches, ...]
    spoken: tuple[Spoken, ...]


def read(pictures: Sequence[Patches], dialogues: Sequence[Dialogue], tokenizer: Tokenizer) -> Reading:
    return Reading(tuple(pictures), tuple(_sequence(pictures, dialogue, tokenizer) for dialogue in dialogues))


def _sequence(pictures: Sequence[Patches], dialogue: Dialogue, tokenizer: Tokenizer) -> Spoken:
    first_token = np.cumsum([0, *(picture.tokens for picture in pictures)])
    ids: list[Integers] = []
    visual: list[Integers] = []
    positions: list[Integers] = []
    learnt: list[range] = []
    weights: list[list[float]] = []
    position = 0

    def say(said: list[int]) -> None:
        nonlocal position
        ids.append(np.array(said, dtype=np.int32))
        visual.append(np.full(len(said), -1, dtype=np.int32))
        positions.append(np.tile(np.arange(position, position + len(said), dtype=np.int32), (3, 1)))
        position += len(said)

    def show(index: int) -> None:
        nonlocal position
        picture = pictures[index]
        say([tokenizer.special("<|vision_start|>")])
        ids.append(np.full(picture.tokens, tokenizer.special("<|image_pad|>"), dtype=np.int32))
        visual.append(np.arange(first_token[index], first_token[index + 1], dtype=np.int32))
        positions.append(_grid(picture) + position)
        position += max(picture.rows, picture.columns) // MERGE
        say([tokenizer.special("<|vision_end|>")])

    for exchange in dialogue:
        for piece in exchange.prompt:
            if piece.picture < 0:
                say(tokenizer.encode(piece.text))
            else:
                show(piece.picture)
        thought, answer = exchange.thought_ids(tokenizer), exchange.answer_ids(tokenizer)
        start = sum(map(len, ids))
        learnt.append(range(start, start + len(thought) + len(answer)))
        weights.append(_weights(len(thought), len(answer)))
        say([*thought, *answer])
    return Spoken(
        np.concatenate(ids),
        np.concatenate(visual),
        np.concatenate(positions, axis=1),
        np.concatenate([np.array(places, dtype=np.int32) for places in learnt]),
        np.concatenate([np.array(each, dtype=np.float32) for each in weights]),
        np.repeat(np.arange(len(learnt), dtype=np.int32), [len(places) for places in learnt]),
        tuple(exchange.kind for exchange in dialogue),
    )


def _weights(thought: int, answer: int) -> list[float]:
    """A long answer counts by the square root of its length. Its first token more: to find that one is to find the place."""
    each: float = (thought + answer) ** -0.5
    return [each] * thought + [_FIRST * each] + [each] * (answer - 1)


def _grid(picture: Patches) -> Integers:
    rows, columns = picture.rows // MERGE, picture.columns // MERGE
    row, column = np.divmod(np.arange(rows * columns, dtype=np.int32), columns)
    return np.stack([np.zeros_like(row), row, column])
