"""How an embedded checkpoint is made. Imports torch: run it through `python -m serve.checkpoint`."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from serve.checkpoint import files, weights
from serve.checkpoint.config import config
from serve.checkpoint.embedded import folder_of
from serve.checkpoint.shapes import EMBEDDED
from serve.checkpoint.special_tokens import token_id
from serve.checkpoint.vocabulary import Vocabulary, corpus, learn
from serve.errors import CheckpointError

if TYPE_CHECKING:
    from serve.values import PoolName

_SEED: dict[PoolName, int] = {"instruct": 20_250_923, "thinking": 20_251_015}


def make(kind: PoolName, cache_dir: Path) -> Path:
    """Make the checkpoint beside its place and move it there in one step: whoever looks sees all of it or nothing.

    Of several makers at once, the first to finish wins and the others take its folder. Raises CheckpointError where
    `cache_dir` cannot be written.
    """
    folder = folder_of(kind, cache_dir)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir, prefix=f".{folder.name}-") as scratch:
            draft = Path(scratch) / folder.name
            draft.mkdir()
            _write(kind, draft)
            _publish(draft, folder)
    except OSError as error:
        raise CheckpointError(f"the embedded model cannot be written to {cache_dir}: {error}") from error
    return folder


def _write(kind: PoolName, folder: Path) -> None:
    vocabulary = learn(EMBEDDED.base_tokens)
    files.write(folder, kind, EMBEDDED, vocabulary)
    end_of_thought = token_id("</think>", EMBEDDED.base_tokens) if kind == "thinking" else None
    source = weights.random_weights(_SEED[kind], _sayable(vocabulary), end_of_thought)
    weights.save(config(EMBEDDED), source, folder)


def _publish(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


def _sayable(vocabulary: Vocabulary) -> list[int]:
    """The ids of pieces that read well anywhere: whole English words, Chinese, the full stop and the comma."""
    words = {f" {word.strip('.,:;!?')}" for word in corpus().split() if word.isascii()} | {".", ","}
    texts = enumerate(vocabulary.texts())
    return [index for index, text in texts if text and (text in words or (not text.isascii() and text.isalpha()))]
