"""The vocabulary: words for asks, single characters for what is read, nothing that cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from transformers import AutoTokenizer

from serve.nano.tokenizer import Tokenizer, learn

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", ["What does it say?", "总额是多少 12,50 €", "naïve 😀 \n\t<think>", ""])
def test_both_ways_of_writing_say_the_same(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.spell(text)) == text


def test_digits_and_chinese_characters_are_single_tokens(tokenizer: Tokenizer) -> None:
    text = "2025总额是"
    assert len(tokenizer.encode(text)) == len(tokenizer.spell(text)) == len(text)


def test_words_of_asks_are_whole_where_they_are_asked_and_spelt_where_they_are_read(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode("What does it say?")) < 8
    assert len(tokenizer.spell("What does it say?")) == 17


def test_transformers_reads_the_written_files_alike(tokenizer: Tokenizer, folder: Path) -> None:
    theirs = AutoTokenizer.from_pretrained(folder)
    text = "<|im_start|>user\nWhat does it say? 总额 12<|im_end|>\n"
    assert theirs(text)["input_ids"] == tokenizer.encode(text)


def test_learning_is_repeatable() -> None:
    assert learn("é总€", ["one two two", "two three"], 20) == learn("€总é", ["one two two", "two three"], 20)
