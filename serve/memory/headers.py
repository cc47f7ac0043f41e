"""What the weight files of a model folder hold, from their headers: names, types and sizes, and not one weight.

The format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serve.errors import ModelNotFound
from serve.memory.document import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INDEX = "model.safetensors.index.json"
LARGEST_HEADER = 100_000_000  # bytes; the format's own limit
_LENGTH = 8  # bytes before the header, which say how long it is


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as stored: how many numbers, and how many bytes."""

    name: str
    numbers: int
    stored_bytes: int


def tensors(folder: Path) -> tuple[Tensor, ...]:
    """Every tensor of the folder's safetensors files; none where the folder holds no weights.

    Raises ModelNotFound for a file that the index names and the folder lacks, that is cut short, or that is no safetensors.
    """
    return tuple(tensor for file in _files(folder) for tensor in _tensors(file))


def _files(folder: Path) -> list[Path]:
    index = folder / INDEX
    if not index.is_file():
        single = folder / "model.safetensors"
        return [single] if single.is_file() else sorted(folder.glob("*.safetensors"))
    weight_map = load(index).section("weight_map")
    files = [folder / str(name) for name in sorted({str(name) for name in weight_map.content.values()})]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelNotFound(f"{folder}: {len(missing)} of {len(files)} weight files are missing: {', '.join(missing)}")
    return files


def _tensors(file: Path) -> Iterator[Tensor]:
    header, data_bytes = _header(file)
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            start, end = entry["data_offsets"]
            tensor = Tensor(name, math.prod(entry["shape"]), end - start)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelNotFound(f"{file} is no safetensors file: {name} = {entry!r}") from error
        if end > data_bytes:
            raise ModelNotFound(f"{file} is cut short: {name} ends at byte {end} of {data_bytes} bytes of weights")
        yield tensor


def _header(file: Path) -> tuple[dict[str, Any], int]:
    """The header, and the bytes that follow it."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(_LENGTH), "little")
            header = json.loads(stream.read(length)) if length <= LARGEST_HEADER else None
        data_bytes = file.stat().st_size - _LENGTH - length
    except OSError as error:
        raise ModelNotFound(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelNotFound(f"{file} is no safetensors file: {error}") from error
    if not isinstance(header, dict):
        raise ModelNotFound(f"{file} is no safetensors file: it begins with no header")
    return header, data_bytes
