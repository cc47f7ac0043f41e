"""Typed reading of a model folder's JSON files: what is missing or of the wrong kind is named with file and key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from serve.errors import ModelNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object, or one inside it; `key` is where it stands in `file`."""

    file: Path
    content: Mapping[str, Any]
    key: str = ""

    def __contains__(self, key: str) -> bool:
        return self.content.get(key) is not None

    def section(self, key: str) -> Document:
        """The object under `key`."""
        return Document(self.file, self._typed(key, dict), f"{self.key}{key}.")

    def integer(self, key: str) -> int:
        """A positive number under `key`."""
        value = self._typed(key, int)
        if value <= 0 or isinstance(value, bool):
            raise self.wrong(key, "expected a positive number")
        return value

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers under `key`."""
        values = self._typed(key, list)
        if not all(type(value) is int for value in values):
            raise self.wrong(key, "expected a list of whole numbers")
        return tuple(values)

    def text(self, key: str) -> str:
        """A string under `key`."""
        return self._typed(key, str)

    def wrong(self, key: str, why: str) -> ModelNotFound:
        """The error that says so, with the value."""
        return ModelNotFound(f"{self.file}: {self.key}{key} = {self.content.get(key)!r}: {why}")

    def _typed(self, key: str, kind: type[T]) -> T:
        if key not in self:
            raise ModelNotFound(f"{self.file}: {self.key}{key} is missing")
        value = self.content[key]
        if not isinstance(value, kind):
            raise self.wrong(key, f"expected {_WORDS[kind]}")
        return value


_WORDS: dict[type, str] = {dict: "an object", list: "a list", int: "a whole number", str: "a string"}


def load(file: Path) -> Document:
    """Read a JSON object. ModelNotFound where there is no such file, or something else in it."""
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise ModelNotFound(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelNotFound(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelNotFound(f"{file} holds no JSON object")
    return Document(file, content)
