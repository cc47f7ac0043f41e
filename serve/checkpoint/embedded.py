"""The models that Duet serves where there is no GPU: two tiny Qwen3-VL checkpoints that really read.

They are part of the package; `serve.nano` is the recipe that they were trained by.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import serve
from serve.errors import CheckpointError

if TYPE_CHECKING:
    from serve.values import PoolName

EMBEDDED_MODEL: dict[PoolName, str] = {"instruct": "duet/embedded-instruct", "thinking": "duet/embedded-thinking"}

_FILES = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.json",
    "model.safetensors",
)

_FOLDER = Path(serve.__file__).parent / "nano" / "checkpoints"


def folder_of(kind: PoolName) -> Path:
    """Where the package holds the checkpoint."""
    return _FOLDER / kind


def ensure(kind: PoolName) -> Path:
    """The checkpoint's folder, with all its files. Raises CheckpointError, which names the first one that is missing."""
    folder = folder_of(kind)
    for name in _FILES:
        if not (folder / name).is_file():
            raise not_whole(kind, f"{folder / name} is missing")
    return folder


def not_whole(kind: PoolName, why: str) -> CheckpointError:
    """The error that says so, with the way out."""
    return CheckpointError(f"the embedded {kind} model is part of Duet and not whole: {why}. Install Duet again.")
