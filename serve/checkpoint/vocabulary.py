"""Byte-level BPE vocabularies: learnt from the text that ships here, and filled up to any size. No weights, no files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING

from serve.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

# How Qwen2 and later cut text into words before any merge (transformers/models/qwen2/tokenization_qwen2.py).
WORD_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pieces in the order of their ids, and the pairs that are merged, most urgent first. Both in the byte-level alphabet."""

    pieces: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]

    def texts(self) -> tuple[str | None, ...]:
        """What each piece says by itself; `None` for a piece that is not whole UTF-8."""
        return tuple(_text(piece) for piece in self.pieces)


def learn(size: int) -> Vocabulary:
    """Learn `size` pieces from corpus.txt: always the same ones. CheckpointError where no engine package is installed."""
    try:  # here and not above: a machine that only routes has no engine package, and starts without one
        import tokenizers  # noqa: PLC0415
        from tokenizers import models, normalizers, pre_tokenizers, trainers  # noqa: PLC0415
    except ImportError as error:
        raise CheckpointError(f"a vocabulary cannot be learnt: {error}; the extras cpu and cuda bring that package") from error

    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(WORD_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ],
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=1, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(corpus().splitlines(), trainer)
    model = json.loads(bpe.to_str())["model"]
    ids: dict[str, int] = model["vocab"]
    return Vocabulary(tuple(sorted(ids, key=ids.__getitem__)), tuple((left, right) for left, right in model["merges"]))


def fill(vocabulary: Vocabulary, size: int) -> Vocabulary:
    """Add merges of two readable pieces until there are `size` pieces: a stand-in for a vocabulary that cannot be shipped."""
    added = dict(islice(_new_pairs(vocabulary), size - len(vocabulary.pieces)))
    return Vocabulary((*vocabulary.pieces, *added), (*vocabulary.merges, *added.values()))


def _new_pairs(vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[str, str]]]:
    known = set(vocabulary.pieces)
    readable = [piece for piece, text in zip(vocabulary.pieces, vocabulary.texts(), strict=True) if text]
    for right in readable:
        for left in readable:
            if left + right not in known:
                known.add(left + right)
                yield left + right, (left, right)


def corpus() -> str:
    """The English and Chinese text that vocabularies are learnt from."""
    return resources.files(__package__).joinpath("corpus.txt").read_text(encoding="utf-8")


def _text(piece: str) -> str | None:
    try:
        return bytes(_byte_of()[character] for character in piece).decode()
    except UnicodeDecodeError:
        return None


@cache
def _byte_of() -> dict[str, int]:
    """The byte-level alphabet: printable Latin-1 stands for itself, other bytes for the characters from 256 up, in order."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(plain))
    return {chr(byte): byte for byte in plain} | {chr(256 + index): byte for index, byte in enumerate(others)}
