"""The embedded checkpoints and one twin, made once for all tests here."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from serve.checkpoint import embedded, recipe, twin

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def printed_by_two_makers(cache_dir: Path) -> list[str]:
    """The last lines of two processes that were asked for the same checkpoint at the same time."""
    argv = [sys.executable, "-m", "serve.checkpoint", "embedded", "instruct", str(cache_dir)]

    def last_line(_: int) -> str:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[-1]

    with ThreadPoolExecutor(2) as makers:
        return list(makers.map(last_line, range(2)))


@pytest.fixture(scope="session")
def instruct(cache_dir: Path, printed_by_two_makers: list[str]) -> Path:  # noqa: ARG001 they made it
    return embedded.folder_of("instruct", cache_dir)


@pytest.fixture(scope="session")
def thinking(cache_dir: Path) -> Path:
    return recipe.make("thinking", cache_dir)


@pytest.fixture(scope="session")
def twin_4b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twins") / "4b"
    twin.write("Qwen3-VL-4B-Thinking", folder)
    return folder
