"""The models that Duet serves where there is no GPU: tiny Qwen3-VL checkpoints that it makes itself, once.

Architecture, processor, tokenizer form and chat template are the true ones; the weights are random, and so is what they say.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from serve.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from serve.values import PoolName

EMBEDDED_MODEL: dict[PoolName, str] = {"instruct": "duet/embedded-instruct", "thinking": "duet/embedded-thinking"}

_LAST_WORDS = 10


def ensure(kind: PoolName, cache_dir: Path) -> Path:
    """The checkpoint folder of `kind` in `cache_dir`, made first where it is missing (some 15 s, in a process of its own).

    Raises CheckpointError, with the maker's last words, when it cannot be made.
    """
    folder = folder_of(kind, cache_dir)
    if not folder.is_dir():
        _run_maker(kind, cache_dir)
    return folder


def folder_of(kind: PoolName, cache_dir: Path) -> Path:
    """Where the checkpoint belongs; a changed recipe has another place, so an old checkpoint is never taken for a new one."""
    return cache_dir / f"embedded-{kind}-{_recipe()}"


@cache
def _recipe() -> str:
    """A fingerprint of everything that decides what a checkpoint holds: the files of this package."""
    digest = hashlib.sha256()
    for file in sorted(resources.files(__package__).iterdir(), key=lambda file: file.name):
        if file.name.endswith((".py", ".txt", ".jinja")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _run_maker(kind: PoolName, cache_dir: Path) -> None:
    argv = [sys.executable, "-P", "-m", "serve.checkpoint", "embedded", kind, str(cache_dir)]
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode:
        last_words = "\n".join(ended.stderr.splitlines()[-_LAST_WORDS:])
        raise CheckpointError(f"the embedded {kind} model could not be made (exit code {ended.returncode}):\n{last_words}")
