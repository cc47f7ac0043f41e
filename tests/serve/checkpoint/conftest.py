"""The embedded checkpoints, and one twin, written once for all tests here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serve.checkpoint import embedded, twin

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def instruct() -> Path:
    return embedded.ensure("instruct")


@pytest.fixture(scope="session")
def thinking() -> Path:
    return embedded.ensure("thinking")


@pytest.fixture(scope="session")
def twin_4b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twins") / "4b"
    twin.write("Qwen3-VL-4B-Thinking", folder)
    return folder
