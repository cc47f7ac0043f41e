"""What is asked and answered about pictures, as conversations of one exchange or several."""

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
_SLOW = frozenset({"field", "order", "name", "json", "address", "date", "phone", "items", "title", "count", "where"})

_SHORT = 24  # characters: a longer answer could tell those that follow it

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
)


class Asked(NamedTuple):
    """An ask about the sample at this place."""

    place: int
    turn: Turn


class Piece(NamedTuple):
    """A stretch of a conversation: text to encode, or the picture with this index."""

    text: str
    picture: int = -1


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is said up to an answer, and the answer. `thought` is `None` where none is opened, empty where the ask takes no steps."""

    prompt: tuple[Piece, ...]
    answer: str
    thought: str | None
    kind: str
    in_chinese: bool  # the ask

    def answer_ids(self, tokenizer: Tokenizer) -> list[int]:
        """What the model has to say, up to the token that ends its turn."""
        write = tokenizer.encode if self.kind in WORDED else tokenizer.spell
        return [*write(self.answer), tokenizer.special("<|im_end|>")]

    def thought_ids(self, tokenizer: Tokenizer) -> list[int]:
        """What it has to say before."""
        if self.thought is None:
            return []
        said = tokenizer.spell(self.thought) if self.thought else tokenizer.encode(self._plain_thought())
        return [*said, *tokenizer.encode("\n"), tokenizer.special("</think>"), *tokenizer.encode("\n\n")]

    def _plain_thought(self) -> str:
        """For asks that take no steps: a thought is expected all the same."""
        chinese, english = _NO_PICTURE if self.kind == "talk" else _AT_ONCE
        return chinese if self.in_chinese else english


Dialogue = tuple[Exchange, ...]  # one conversation; what comes before an answer is in its exchange and all earlier ones


def dialogues(samples: Sequence[Sample], style: PoolName, asks: int, rng: Random, *, most: int = 1) -> list[Dialogue]:
    """Up to `asks` asks about the same pictures, in conversations of up to `most` exchanges.

    Where answers have thoughts, `most` has to be 1: a server takes the thoughts out of what was said before.
    """
    places = [Asked(place, turn) for place, sample in enumerate(samples) for turn in sample.turns]
    # Weighted and without replacement: https://doi.org/10.1016/j.ipl.2005.11.003
    chosen = sorted(places, key=lambda each: rng.random() ** (1 / _weight(each.turn, style)), reverse=True)[:asks]
    return [_dialogue(samples, group, style, rng) for group in _groups(chosen, most)]


def _groups(chosen: Sequence[Asked], most: int) -> list[list[Asked]]:
    """Asks that follow one another. None comes behind an answer that it could be copied from: the same, or a long one."""
    groups: list[list[Asked]] = []
    for asked in chosen:
        fit = [group for group in groups if len(group) < most and not any(_tells(before, asked) for before in group)]
        if fit:
            fit[0].append(asked)
        else:
            groups.append([asked])
    return groups


def _tells(before: Asked, asked: Asked) -> bool:
    return len(before.turn.answer) > _SHORT or before.turn.answer == asked.turn.answer


def _weight(turn: Turn, style: PoolName) -> float:
    """How much oftener than others it is asked: what takes steps, by who may take them; and what is learnt slowly."""
    if turn.thought:
        return 4.0 if style == "thinking" else 0.3
    return 2.5 if turn.kind in _SLOW else 1.0


def _dialogue(samples: Sequence[Sample], group: Sequence[Asked], style: PoolName, rng: Random) -> Dialogue:
    pictures = [index for index, sample in enumerate(samples) if sample.image is not None]
    asks = [asked.turn.ask if len(pictures) < 2 else _pointed(asked.turn.ask, asked.place, rng) for asked in group]
    opening = _opening(asks[0], pictures, _earlier(samples, group, pictures, rng), rng)
    prompts = [opening, *([Piece(f"\n<|im_start|>user\n{ask}<|im_end|>\n")] for ask in asks[1:])]
    answering = Piece("<|im_start|>assistant\n" + ("<think>\n" if style == "thinking" else ""))
    return tuple(
        Exchange(
            _merged([*said, answering]),
            turn.answer,
            turn.thought if style == "thinking" else None,
            turn.kind,
            in_chinese=not turn.ask.isascii(),
        )
        for said, (_, turn) in zip(prompts, group, strict=True)
    )


def _earlier(samples: Sequence[Sample], group: Sequence[Asked], pictures: list[int], rng: Random) -> Turn | None:
    """What was asked before all that is learnt, now and then: its answer is tokenized as a server does."""
    place = group[0].place
    turns = [asked.turn for asked in group]
    others = [
        other
        for other in samples[place].turns
        if other not in turns and not any(_tells(Asked(place, other), asked) for asked in group)
    ]
    return rng.choice(others) if others and len(pictures) == 1 and rng.random() < 0.15 else None


def _opening(ask: str, pictures: list[int], before: Turn | None, rng: Random) -> list[Piece]:
    pieces = [*_system(rng), *_user(before.ask if before else ask, pictures, rng)]
    if before:
        pieces.append(Piece(f"<|im_start|>assistant\n{before.answer}<|im_end|>\n<|im_start|>user\n{ask}<|im_end|>\n"))
    return pieces


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
