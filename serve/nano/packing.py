"""Readings laid end to end in arrays of one fixed size: no padding between them, and one shape for every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from serve.nano.patches import PATCH_BYTES, coordinates
from serve.nano.shape import MERGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy.typing as npt

    from serve.nano.reading import Reading, Spoken

    Array = npt.NDArray[Any]

MAX_PICTURE = 4_864  # patches of one picture: 1,216 visual tokens
MAX_SPOKEN = 3_072  # tokens of one conversation


class Budget(NamedTuple):
    """How much of each thing one step holds."""

    patches: int
    tokens: int
    answers: int
    glyphs: int
    pictures: int
    spoken: int

    @classmethod
    def of(cls, patches: int) -> Budget:
        """In the proportions of the drawn data."""
        return cls(patches, patches * 2, patches * 3 // 8, patches // 12, patches // 512, patches // 96)

    def holds(self, used: Budget) -> bool:
        return all(have >= need for have, need in zip(self, used, strict=True))

    def plus(self, other: Budget) -> Budget:
        return Budget(*(mine + its for mine, its in zip(self, other, strict=True)))


NOTHING = Budget(0, 0, 0, 0, 0, 0)


def needed(reading: Reading) -> Budget:
    return Budget(
        sum(len(picture.values) for picture in reading.pictures),
        sum(len(spoken.ids) for spoken in reading.spoken),
        sum(len(spoken.answers) for spoken in reading.spoken),
        sum(len(picture.glyphs) for picture in reading.pictures),
        len(reading.pictures),
        len(reading.spoken),
    )


def fits(reading: Reading, budget: Budget) -> bool:
    """Whether a step can hold it, and no picture and no conversation is longer than attention is set up for."""
    pictures = all(len(picture.values) <= MAX_PICTURE for picture in reading.pictures)
    spoken = all(len(spoken.ids) <= MAX_SPOKEN for spoken in reading.spoken)
    return pictures and spoken and budget.holds(needed(reading))


def packs(readings: Iterable[Reading], budget: Budget, alphabet: Mapping[int, int]) -> Iterator[dict[str, Array]]:
    """Full steps of the readings that fit, in their order. What a step has no room for opens the next; a remainder is packed too."""
    pack = _Pack(budget, alphabet)
    for reading in readings:
        if not fits(reading, budget):
            continue
        need = needed(reading)
        if not budget.holds(pack.used.plus(need)):
            yield pack.arrays()
            pack = _Pack(budget, alphabet)
        pack.add(reading, need)
    if pack.used != NOTHING:
        yield pack.arrays()


@dataclass
class _Pack:
    budget: Budget
    alphabet: Mapping[int, int]  # code point to class of the glyph head
    used: Budget = NOTHING
    parts: dict[str, list[Array]] = field(default_factory=dict)
    owners: int = 0  # answers so far

    def add(self, reading: Reading, need: Budget) -> None:
        patch = self.used.patches
        first_visual = patch // MERGE**2
        for picture in reading.pictures:
            place = coordinates(picture.rows, picture.columns)
            size = np.broadcast_to(np.array([picture.rows, picture.columns], dtype=np.int32), place.shape)
            self._put(values=picture.values, place=np.concatenate([place, size], axis=1).astype(np.int16))
            self._put(picture_lengths=np.array([len(picture.values)], dtype=np.int32))
            known = self._known(picture.glyphs)
            self._put(glyphs=known + np.array([patch, 0, 0], dtype=np.int32))
            patch += len(picture.values)
        token = self.used.tokens
        for spoken in reading.spoken:
            self._say(spoken, token, first_visual)
            token += len(spoken.ids)
            self.owners += len(spoken.kinds)
        self.used = self.used.plus(need)

    def _say(self, spoken: Spoken, token: int, first_visual: int) -> None:
        length = len(spoken.ids)
        self._put(ids=spoken.ids, positions=spoken.positions.T, spoken_lengths=np.array([length], dtype=np.int32))
        self._put(visual=np.where(spoken.visual < 0, self._no_visual, spoken.visual + first_visual).astype(np.int32))
        self._put(answers=spoken.answers + token, weights=spoken.weights, owners=spoken.owners + self.owners)

    @property
    def _no_visual(self) -> int:
        return self.budget.patches // MERGE**2

    def _known(self, glyphs: npt.NDArray[np.int32]) -> Array:
        classes = np.array([self.alphabet.get(int(code), -1) for code in glyphs[:, 2]], dtype=np.int32)
        known: Array = np.concatenate([glyphs[:, :2], classes[:, None]], axis=1)[classes >= 0]
        return known

    def _put(self, **arrays: Array) -> None:
        for name, array in arrays.items():
            self.parts.setdefault(name, []).append(array)

    def arrays(self) -> dict[str, Array]:
        """Every array at its full size. Beyond what is used: zeros, text without a picture, answers of no weight."""
        budget = self.budget
        answers = self._filled("answers", (budget.answers,), np.int32, fill=1)
        ids = self._filled("ids", (budget.tokens,), np.int32)
        return {
            "values": self._filled("values", (budget.patches, PATCH_BYTES), np.uint8),
            "place": self._filled("place", (budget.patches, 4), np.int16, fill=2),
            "picture_ends": self._ends("picture_lengths", budget.patches, budget.pictures, MAX_PICTURE),
            "glyphs": self._filled("glyphs", (budget.glyphs, 3), np.int32, fill=-1),
            "ids": ids,
            "visual": self._filled("visual", (budget.tokens,), np.int32, fill=self._no_visual),
            "positions": self._filled("positions", (budget.tokens, 3), np.int32),
            "spoken_ends": self._ends("spoken_lengths", budget.tokens, budget.spoken, MAX_SPOKEN),
            "before_answers": answers - 1,
            "targets": ids[answers],
            "owners": self._filled("owners", (budget.answers,), np.int32, fill=-1),
            "weights": self._filled("weights", (budget.answers,), np.float32),
        }

    def _filled(self, name: str, shape: tuple[int, ...], dtype: type[np.generic], fill: int = 0) -> Array:
        whole = np.full(shape, fill, dtype=dtype) if fill else np.zeros(shape, dtype=dtype)
        if parts := self.parts.get(name):
            np.concatenate(parts, out=whole[: sum(map(len, parts))], casting="unsafe")
        return whole

    def _ends(self, name: str, total: int, count: int, longest: int) -> Array:
        """Cumulative lengths, from 0: the rest up to `total` is cut into stretches of at most `longest`."""
        used = np.cumsum(np.concatenate([[0], *self.parts.get(name, [])]))
        room = count + total // longest + 2
        rest = np.minimum(used[-1] + longest * np.arange(1, room - len(used) + 1), total)
        ends: Array = np.concatenate([used, rest]).astype(np.int32)
        return ends
