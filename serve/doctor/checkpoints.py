"""Looks at models: a folder's files, the hub's cache, and whether the hub answers. Decides nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serve.doctor import facts
from serve.doctor.models import Fetch, Folder
from serve.errors import DuetError, ModelNotFound
from serve.memory import card, headers
from serve.model import ask_hub, cached

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serve.doctor.limits import Disk
    from serve.values import PoolName

HUB_TIMEOUT_S = 3
# Each entry: names of which one must be there. Newer transformers write both processors into processor_config.json.
FILES = (
    ("config.json",),
    ("tokenizer.json", "vocab.json"),
    ("tokenizer_config.json",),
    ("preprocessor_config.json", "processor_config.json"),
    ("video_preprocessor_config.json", "processor_config.json"),
)
TEMPLATES = ("chat_template.json", "chat_template.jinja")


def look(folder: Path) -> Folder:
    """List what a checkpoint's folder lacks and what is damaged in it; of weights only the headers are read."""
    missing = [" or ".join(names) for names in FILES if not any((folder / name).is_file() for name in names)]
    damaged = [f"{file.name} is not JSON: {error}" for file in sorted(folder.glob("*.json")) if (error := _json_error(file))]
    if not _has_template(folder):
        missing.append("a chat template")
    size = 0
    try:
        size = sum(tensor.stored_bytes for tensor in headers.tensors(folder))
    except DuetError as error:
        damaged.append(error.message.replace(f"{folder}/", "").removeprefix(f"{folder}: "))
    return Folder(folder, tuple(missing), tuple(damaged), size)


def from_hub(pool: PoolName, model: str) -> Folder | Fetch:
    """Find a hub's model in the local cache, whole, else ask the hub whether it has it."""
    file = cached(pool, model, "config.json")
    if file and (found := look(file.parent)).whole:
        return found
    known = card.published(model)
    size = known.weight_bytes() if known else None
    try:
        ask_hub(pool, model, HUB_TIMEOUT_S)
    except ModelNotFound as error:
        return Fetch(model, size, error.message)
    return Fetch(model, size)


def hub_disk(models: Mapping[PoolName, str]) -> Disk:
    """The disk of the hub's cache, and what is still to be fetched to it, as far as Duet knows the models' sizes."""
    from huggingface_hub import constants  # noqa: PLC0415 - it takes half a second, and is there wherever vLLM is

    missing = {model for pool, model in models.items() if not _is_whole(pool, model)}
    known = [card.published(model) for model in missing]
    return facts.disk(Path(constants.HF_HUB_CACHE), sum(it.weight_bytes() for it in known if it), "the hub's cache")


def _is_whole(pool: PoolName, model: str) -> bool:
    file = cached(pool, model, "config.json")
    return file is not None and look(file.parent).whole


def _has_template(folder: Path) -> bool:
    if any((folder / name).is_file() for name in TEMPLATES):
        return True
    content: Any = None
    with suppress(OSError, ValueError):
        content = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return isinstance(content, dict) and "chat_template" in content


def _json_error(file: Path) -> str:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return str(error)
    return ""
