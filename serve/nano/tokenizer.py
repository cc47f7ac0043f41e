"""The vocabulary of the embedded models: bytes, every drawn character as one token, and the words of asks and fixed answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers

from serve.checkpoint.special_tokens import token_id
from serve.checkpoint.tokenizer import pipeline
from serve.checkpoint.vocabulary import WORD_PATTERN, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable

WORDS = 500  # pieces longer than a character: the words that asks are made of, and not what they ask about


def learn(characters: str, texts: Iterable[str], words: int = WORDS) -> Vocabulary:
    """Bytes, then the merges that make one piece of each of `characters`, then the `words` most useful ASCII pieces of `texts`.

    The merges of a character come first and begin with a byte that only begins characters, so no other merge can cut one.
    """
    pieces = dict.fromkeys(sorted(pre_tokenizers.ByteLevel.alphabet()))
    merges: dict[tuple[str, str], None] = {}
    for character in sorted(set(characters)):
        _join(_in_bytes(character), pieces, merges)
    for left, right in _word_merges(texts, words):
        pieces[left + right] = None
        merges[left, right] = None
    return Vocabulary(tuple(pieces), tuple(merges))


def _join(spelt: str, pieces: dict[str, None], merges: dict[tuple[str, str], None]) -> None:
    for end in range(2, len(spelt) + 1):
        merges[spelt[: end - 1], spelt[end - 1]] = None
        pieces[spelt[:end]] = None


def _in_bytes(text: str) -> str:
    """In the byte-level alphabet: one letter for each byte."""
    pieces: list[tuple[str, tuple[int, int]]] = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    ).pre_tokenize_str(text)
    return "".join(piece for piece, _ in pieces)


def _word_merges(texts: Iterable[str], words: int) -> list[tuple[str, str]]:
    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(WORD_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ],
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=len(alphabet) + words, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator((_ascii(text) for text in texts), trainer)
    return [(left, right) for left, right in json.loads(bpe.to_str())["model"]["merges"]]


def _ascii(text: str) -> str:
    return "".join(character for character in text if character.isascii())


@dataclass(frozen=True)
class Tokenizer:
    """Text to ids, as served (`encode`) or character by character (`spell`): what is read off a picture is spelt."""

    vocabulary: Vocabulary

    @cached_property
    def _whole(self) -> tokenizers.Tokenizer:
        return tokenizers.Tokenizer.from_str(json.dumps(pipeline(self.vocabulary)))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {piece: index for index, piece in enumerate(self.vocabulary.pieces)}

    def special(self, token: str) -> int:
        return token_id(token, len(self.vocabulary.pieces))

    def encode(self, text: str) -> list[int]:
        """The ids that a server makes of `text`, special tokens included."""
        ids: list[int] = self._whole.encode(text, add_special_tokens=False).ids
        return ids

    def spell(self, text: str) -> list[int]:
        """One id for each character; the bytes of a character that has none."""
        return [index for character in text for index in self._spelt(character)]

    def _spelt(self, character: str) -> list[int]:
        if character not in self._spellings:
            whole = _in_bytes(character)
            self._spellings[character] = [self._ids[whole]] if whole in self._ids else [self._ids[byte] for byte in whole]
        return self._spellings[character]

    @cached_property
    def _spellings(self) -> dict[str, list[int]]:
        return {}

    def decode(self, ids: list[int]) -> str:
        """The text, without the tokens that control the conversation."""
        text: str = self._whole.decode(ids)
        return text
