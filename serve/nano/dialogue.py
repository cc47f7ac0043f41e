"""What is asked and answered about pictures, as the tokens of one conversation each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from serve.nano.sample import Sample, Turn
    from serve.nano.tokenizer import Tokenizer
    from serve.values import PoolName

WORDED = frozenset({"talk", "caption"})  # kinds that are said in words; all others are spelt, character by character

# Found by a name, by a form or by a neighbour, and rarer than their difficulty deserves.
_SLOW = frozenset({"field", "order", "name", "json", "address", "date", "phone", "items", "title", "count"})
# Found by going from one place to another: learnt last of all.
_SLOWEST = frozenset({"which", "value", "cell", "where"})

_SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a helpful assistant that reads pictures.",
    "Answer briefly.",
    "You are an OCR engine. Answer with the text alone.",
    "Be precise.",
    "You are a careful assistant. Look at the picture first.",
    "你是一个有用的助手。",
    "请简短回答。",
)
_AT_ONCE = ("图中可以直接看到。", "This can be read off the picture.")
_NO_PICTURE = ("不需要看图就能回答。", "No picture is needed to answer this.")
_ORDINALS = (
    ("first", "Picture 1", "第一张图"),
    ("second", "Picture 2", "第二张图"),
    ("third", "Picture 3", "第三张图"),
)


class Piece(NamedTuple):
    """A stretch of a conversation: text to encode, or the picture with this index."""

    text: str
    picture: int = -1


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One conversation and the last answer. `thought` is `None` where none is opened, empty where the ask takes no steps."""

    prompt: tuple[Piece, ...]
    answer: str
    thought: str | None
    kind: str

    def target(self, tokenizer: Tokenizer) -> list[int]:
        """What the model has to say, up to the token that ends its turn."""
        write = tokenizer.encode if self.kind in WORDED else tokenizer.spell
        return [*self._thought(tokenizer), *write(self.answer), tokenizer.special("<|im_end|>")]

    def _thought(self, tokenizer: Tokenizer) -> list[int]:
        if self.thought is None:
            return []
        said = tokenizer.spell(self.thought) if self.thought else tokenizer.encode(self._plain_thought())
        return [*said, *tokenizer.encode("\n"), tokenizer.special("</think>"), *tokenizer.encode("\n\n")]

    def _plain_thought(self) -> str:
        """For asks that take no steps: a thought is expected all the same."""
        chinese, english = _NO_PICTURE if self.kind == "talk" else _AT_ONCE
        return english if self.prompt[-1].text.isascii() else chinese


def dialogues(samples: Sequence[Sample], style: PoolName, asks: int, rng: Random) -> list[Dialogue]:
    """Up to `asks` separate conversations about the same pictures, one of `samples` being asked about in each."""
    places = [(place, turn) for place, sample in enumerate(samples) for turn in sample.turns]
    # Weighted and without replacement: https://doi.org/10.1016/j.ipl.2005.11.003
    chosen = sorted(places, key=lambda each: rng.random() ** (1 / _weight(each[1], style)), reverse=True)[:asks]
    return [_dialogue(samples, place, turn, style, rng) for place, turn in chosen]


def _weight(turn: Turn, style: PoolName) -> float:
    """How much oftener than others it is asked: what takes steps, by who may take them; and what is learnt slowly."""
    if turn.thought:
        return 1.5 if style == "thinking" else 0.3
    return 6.0 if turn.kind in _SLOWEST else 2.5 if turn.kind in _SLOW else 1.0


def _dialogue(samples: Sequence[Sample], place: int, turn: Turn, style: PoolName, rng: Random) -> Dialogue:
    pictures = [index for index, sample in enumerate(samples) if sample.image is not None]
    ask = turn.ask if len(pictures) < 2 else _pointed(turn.ask, place, rng)
    earlier = [other for other in samples[place].turns if other is not turn]
    before = rng.choice(earlier) if earlier and len(pictures) == 1 and rng.random() < 0.15 else None
    first = before.ask if before else ask
    pieces = [*_system(rng), *_user(first, pictures, rng)]
    if before:
        pieces.append(Piece(f"<|im_start|>assistant\n{before.answer}<|im_end|>\n<|im_start|>user\n{ask}<|im_end|>\n"))
    pieces.append(Piece("<|im_start|>assistant\n" + ("<think>\n" if style == "thinking" else "")))
    return Dialogue(_merged(pieces), turn.answer, turn.thought if style == "thinking" else None, turn.kind)


def _system(rng: Random) -> list[Piece]:
    return [Piece(f"<|im_start|>system\n{rng.choice(_SYSTEM_PROMPTS)}<|im_end|>\n")] if rng.random() < 0.3 else []


def _user(ask: str, pictures: list[int], rng: Random) -> list[Piece]:
    shown = [_picture(index) for index in pictures]
    said = [Piece(ask)]
    body = said + shown if rng.random() < 0.15 else shown + said
    return [Piece("<|im_start|>user\n"), *body, Piece("<|im_end|>\n")]


def _picture(index: int) -> Piece:
    return Piece("", index)


def _pointed(ask: str, place: int, rng: Random) -> str:
    english, numbered, chinese = _ORDINALS[place]
    if not ask.isascii():
        return f"{chinese}:{ask}"
    forms = (
        f"In the {english} picture: {ask}",
        f"{numbered}: {ask}",
        f"{ask} (the {english} picture)",
        f"About the {english} image: {ask}",
        f"Look at the {english} picture. {ask}",
    )
    return rng.choice(forms)


def _merged(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Text beside text becomes one piece: a server encodes it as one."""
    merged: list[Piece] = []
    for piece in pieces:
        if merged and piece.picture < 0 and merged[-1].picture < 0:
            merged[-1] = Piece(merged[-1].text + piece.text)
        else:
            merged.append(piece)
    return tuple(merged)
