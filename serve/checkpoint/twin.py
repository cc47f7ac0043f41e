"""Twins: checkpoint folders with the true shape of a published Qwen3-VL and no weights, for `--load-format dummy`.

Memory, speed, tokens of a picture and every id are those of the model; only the words are not.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from serve.checkpoint import files
from serve.checkpoint.shapes import PUBLISHED
from serve.checkpoint.vocabulary import fill, learn
from serve.errors import CheckpointError
from serve.values import POOLS

if TYPE_CHECKING:
    from pathlib import Path

    from serve.values import PoolName

_LEARNT_TOKENS = 2_534


class _Twin(NamedTuple):
    size: str
    kind: PoolName


_TWINS = {f"Qwen3-VL-{size}-{kind.capitalize()}": _Twin(size, kind) for size, kind in product(PUBLISHED, POOLS)}
NAMES = tuple(_TWINS)


def write(name: str, folder: Path) -> None:
    """Write the twin of `name` ("Qwen3-VL-4B-Instruct", also after "Qwen/", in any case) into a new or empty `folder`.

    Raises CheckpointError for a name that is none of NAMES, and for a folder that holds something or cannot be written.
    """
    twin = _find(name)
    shape = PUBLISHED[twin.size]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CheckpointError(f"{folder} is not empty; a twin is written into a new or empty folder")
        files.write(folder, twin.kind, shape, fill(learn(_LEARNT_TOKENS), shape.base_tokens))
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {error}") from error


def _find(name: str) -> _Twin:
    wanted = name.lower().removeprefix("qwen/")
    for valid, twin in _TWINS.items():
        if valid.lower() == wanted:
            return twin
    raise CheckpointError(f"no twin is known for {name!r}; choose one of {', '.join(NAMES)}")
