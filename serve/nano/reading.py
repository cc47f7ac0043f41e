"""Pictures and the conversations about them, as arrays: what one step of training is packed from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serve.nano.shape import MERGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from serve.nano.dialogue import Dialogue, Exchange
    from serve.nano.patches import Patches
    from serve.nano.tokenizer import Tokenizer

    Integers = npt.NDArray[np.int32]

_FIRST_COUNTS = 3.0  # times as much as another token of its answer


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
    return Reading(tuple(pictures), tuple(_spoken(pictures, dialogue, tokenizer) for dialogue in dialogues))


def _spoken(pictures: Sequence[Patches], dialogue: Dialogue, tokenizer: Tokenizer) -> Spoken:
    script = _Script(pictures, tokenizer)
    for exchange in dialogue:
        for piece in exchange.prompt:
            if piece.picture < 0:
                script.say(tokenizer.encode(piece.text))
            else:
                script.show(piece.picture)
        script.learn(exchange)
    return script.spoken()


class _Script:
    """A conversation as it is written down."""

    def __init__(self, pictures: Sequence[Patches], tokenizer: Tokenizer) -> None:
        self._pictures, self._tokenizer = pictures, tokenizer
        self._first_visual = np.cumsum([0, *(picture.tokens for picture in pictures)])
        self._parts: dict[str, list[npt.NDArray[Any]]] = defaultdict(list)
        self._kinds: list[str] = []
        self._length = self._position = 0  # a picture takes fewer positions than tokens

    def say(self, ids: list[int]) -> None:
        count = len(ids)
        positions = np.tile(np.arange(self._position, self._position + count), (3, 1))
        self._put(ids=np.array(ids, dtype=np.int32), visual=np.full(count, -1), positions=positions)
        self._length += count
        self._position += count

    def show(self, index: int) -> None:
        picture, special = self._pictures[index], self._tokenizer.special
        self.say([special("<|vision_start|>")])
        visual = np.arange(self._first_visual[index], self._first_visual[index + 1])
        self._put(
            ids=np.full(picture.tokens, special("<|image_pad|>")), visual=visual, positions=_grid(picture) + self._position
        )
        self._length += picture.tokens
        self._position += max(picture.rows, picture.columns) // MERGE
        self.say([special("<|vision_end|>")])

    def learn(self, exchange: Exchange) -> None:
        """Say the thought and the answer: this is what has to be learnt."""
        thought, answer = exchange.thought_ids(self._tokenizer), exchange.answer_ids(self._tokenizer)
        count = len(thought) + len(answer)
        self._put(answers=np.arange(self._length, self._length + count), owners=np.full(count, len(self._kinds)))
        self._put(weights=_weights(len(thought), len(answer)))
        self._kinds.append(exchange.kind)
        self.say([*thought, *answer])

    def _put(self, **arrays: npt.NDArray[Any]) -> None:
        for name, array in arrays.items():
            self._parts[name].append(array)

    def spoken(self) -> Spoken:
        weights = np.concatenate(self._parts.pop("weights"), dtype=np.float32)
        integers = {name: np.concatenate(parts, axis=-1, dtype=np.int32) for name, parts in self._parts.items()}
        return Spoken(**integers, weights=weights, kinds=tuple(self._kinds))


def _weights(thought: int, answer: int) -> npt.NDArray[np.float64]:
    """A long answer counts by the square root of its length. Its first token more: to find that one is to find the place."""
    weights = np.full(thought + answer, (thought + answer) ** -0.5)
    weights[thought] *= _FIRST_COUNTS
    return weights


def _grid(picture: Patches) -> Integers:
    """The positions, (3, tokens), of a picture's visual tokens among themselves."""
    rows, columns = picture.rows // MERGE, picture.columns // MERGE
    row, column = np.divmod(np.arange(rows * columns, dtype=np.int32), columns)
    return np.stack([np.zeros_like(row), row, column])
