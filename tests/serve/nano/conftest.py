"""A fresh model, its tokenizer and its checkpoint folder; pictures are single lines in the font that Pillow carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serve.nano import export
from serve.nano.feed import Source
from serve.nano.model import fresh
from serve.nano.packing import Budget
from serve.nano.shape import shape
from serve.nano.tokenizer import Tokenizer, learn
from tests.serve.nano import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import Qwen3VLForConditionalGeneration


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    asks = [turn.ask for seed in range(20) for turn in one_line.draw(seed, "train").turns]
    return Tokenizer(learn(one_line.CHARACTERS, asks, 100))


@pytest.fixture(scope="session")
def source(tokenizer: Tokenizer) -> Source:
    alphabet = {ord(character): index for index, character in enumerate(one_line.CHARACTERS)}
    return Source(one_line.draw, tokenizer, Budget.of(4_096), alphabet)


@pytest.fixture(scope="session")
def model(tokenizer: Tokenizer) -> Qwen3VLForConditionalGeneration:
    return fresh(shape(len(tokenizer.vocabulary.pieces)), seed=1).eval()


@pytest.fixture(scope="session", params=["instruct", "thinking"])
def folder(
    request: pytest.FixtureRequest,
    model: Qwen3VLForConditionalGeneration,
    tokenizer: Tokenizer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The checkpoint folder of the untrained model."""
    written: Path = tmp_path_factory.mktemp("nano") / request.param
    export.write(written, request.param, model, shape(len(tokenizer.vocabulary.pieces)), tokenizer.vocabulary)
    return written
