"""Judges whether a pool's model can be served: its folder is whole, or the hub has it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from serve.doctor.values import failure, gib, ok

if TYPE_CHECKING:
    from pathlib import Path

    from serve.doctor.values import Check
    from serve.values import PoolName


@dataclass(frozen=True, slots=True)
class Folder:
    """A checkpoint's folder: what it lacks, what is damaged in it, and the bytes of its weights (0: it has none)."""

    path: Path
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    weight_bytes: int

    @property
    def whole(self) -> bool:
        """It can be served as it is."""
        return not self.missing and not self.damaged and self.weight_bytes > 0


@dataclass(frozen=True, slots=True)
class Fetch:
    """What is still to come from the hub; `error` says why it cannot, None for `bytes` where their number is not known."""

    model: str
    bytes: int | None
    error: str = ""


def folder(pool: PoolName, it: Folder, *, dummy: bool) -> Check:
    """Name everything that a folder lacks. With `dummy` weights are made up and their files not needed."""
    wrong = [*(f"it lacks {name}" for name in it.missing), *it.damaged]
    if not it.weight_bytes and not it.damaged and not dummy:
        wrong.append("it holds no *.safetensors")
    if wrong:
        return failure(
            f"{pool} model", f"{it.path}: {'; '.join(wrong)}", "Copy or fetch these files again, all of one revision."
        )
    return ok(f"{pool} model", f"{it.path}, {gib(it.weight_bytes) if it.weight_bytes else 'no'} weights")


def embedded(pool: PoolName, it: Folder) -> Check:
    """A checkpoint that is part of Duet."""
    judged = folder(pool, it, dummy=False)
    if it.whole:
        return replace(judged, found="embedded: a tiny Qwen3-VL of Duet's own that reads text in pictures")
    return replace(judged, fix="It is part of Duet: install Duet again.")


def fetch(pool: PoolName, it: Fetch) -> Check:
    """Tell whether what is not in the cache can come from the hub."""
    if it.error:
        said, _, way = it.error.partition(". ")
        return failure(f"{pool} model", said, way)
    size = f", about {gib(it.bytes)}" if it.bytes else ""
    return ok(f"{pool} model", f"{it.model} is fetched from the hub at the first start{size}")
