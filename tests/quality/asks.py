"""Which of the fixed test pictures' questions are put to the stack: always the same ones, in proportion to their kinds."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from serve.nano.drawing.archive import read
from serve.nano.endpoint import data_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PICTURES = Path(__file__).parents[1] / "serve" / "nano" / "data" / "pictures.zip"

READING = frozenset({"transcribe", "line"})
LISTS = frozenset({"items", "headers"})
SCENES = frozenset({"caption", "colour", "count", "shape", "where"})
ABSENT = frozenset({"absent"})
JSON = frozenset({"json"})
STEPS = frozenset({"average", "change", "cheapest", "compare", "dearest", "more", "next", "product", "sum", "words"})


@dataclass(frozen=True, slots=True)
class Ask:
    """A question about a picture (a data URL; its place in the archive), and the right answer."""

    picture: str = field(repr=False)
    number: int
    text: str
    right: str
    kind: str

    @property
    def steps(self) -> bool:
        """It takes several to find the answer."""
        return self.kind in STEPS

    @property
    def group(self) -> str:
        """What kind of work it is."""
        if self.steps:
            return "several steps"
        groups = {"reading": READING, "lists": LISTS, "scenes": SCENES, "absent": ABSENT, "json": JSON}
        return next((name for name, kinds in groups.items() if self.kind in kinds), "fields")

    @property
    def chinese(self) -> bool:
        """The right answer has Chinese in it."""
        return any("\u4e00" <= character <= "\u9fff" for character in self.right)


def every_ask() -> list[Ask]:
    """All that the fixed test set asks."""
    asks = []
    for number, sample in enumerate(read(PICTURES)):
        assert sample.image
        picture = data_url(sample.image)
        asks += [Ask(picture, number, turn.ask, turn.answer, turn.kind) for turn in sample.turns]
    return asks


def chosen(asks: Sequence[Ask], count: int) -> list[Ask]:
    """About `count` of them: of each kind its share, at least one, by the hash of question, answer and place in the archive."""
    kinds: dict[str, list[Ask]] = defaultdict(list)
    for ask in sorted(asks, key=_order):
        kinds[ask.kind].append(ask)
    share = min(1.0, count / len(asks))
    some = (ask for group in kinds.values() for ask in group[: max(1, round(share * len(group)))])
    # Picture by picture: its last tokens fill no block of the prefix cache, and the encoder's own cache holds a few pictures only.
    return sorted(some, key=lambda ask: (ask.number, _order(ask)))


def several_steps(asks: Iterable[Ask]) -> list[Ask]:
    return [ask for ask in asks if ask.steps]


def _order(ask: Ask) -> str:
    return hashlib.sha256(f"{ask.text}\n{ask.right}\n{ask.number}".encode()).hexdigest()
