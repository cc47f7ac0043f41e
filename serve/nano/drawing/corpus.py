"""The text files of this package: sections of lines, under a name in brackets; "#" begins a comment line."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["english", "chinese"]
Folder = Literal["words", "asks"]

_HERE = Path(__file__).parent


@cache
def sections(folder: Folder, name: str) -> dict[str, tuple[str, ...]]:
    """Section name to its lines, in the file's order."""
    found: dict[str, list[str]] = {}
    for line in (_HERE / folder / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            found[line[1:-1]] = []
        elif line and not line.startswith("#"):
            found[next(reversed(found))].append(line)
    return {section: tuple(lines) for section, lines in found.items()}


@cache
def words(language: Language, name: str) -> tuple[str, ...]:
    """A list of words; `name` may end in `.test`."""
    return tuple(word for line in sections("words", language)[name] for word in line.split("; "))


def has(language: Language, name: str) -> bool:
    return name in sections("words", language)


def phrasings(language: Language, kind: str) -> tuple[str, ...]:
    return sections("asks", language)[kind]
