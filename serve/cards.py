"""Finds the card of a pool's model before anything starts: an embedded checkpoint, a folder, the hub's cache, Duet's table, or the hub."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from serve.checkpoint import embedded
from serve.checkpoint.embedded import EMBEDDED_MODEL
from serve.errors import ModelNotFound
from serve.memory import card
from serve.model import check_folder, check_hub
from serve.planning.names import is_path
from serve.values import EMBEDDED

if TYPE_CHECKING:
    from serve.memory.card import ModelCard
    from serve.values import PoolName

# All that a card is read from but the weights, which the shape in config.json gives as well.
FILES = ("config.json", "preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json")


def find(pool: PoolName, model: str) -> ModelCard:
    """Read the card of a model; for a hub id from the hub's cache, else Duet's own table, else the hub.

    Raises:
        ModelNotFound: no such folder, no Qwen3-VL in it, or a hub id that nobody here knows and the hub cannot be asked for.
        CheckpointError: an embedded checkpoint is not whole.

    """
    if model == EMBEDDED:
        return _embedded(pool)
    folder = Path(model).expanduser()
    if is_path(model) or (folder / "config.json").is_file():
        check_folder(pool, folder)
        return _read(pool, folder.resolve(), folder.name)
    return _downloaded(model) or card.published(model) or _read(pool, _fetched(pool, model), model)


def _embedded(pool: PoolName) -> ModelCard:
    """Its files are Duet's own, so what is wrong with them is no matter of configuration."""
    folder = embedded.ensure(pool)
    try:
        return card.read(folder, EMBEDDED_MODEL[pool])
    except ModelNotFound as error:
        raise embedded.not_whole(pool, error.message) from error


def _read(pool: PoolName, folder: Path, name: str) -> ModelCard:
    try:
        return card.read(folder, name)
    except ModelNotFound as error:
        raise ModelNotFound(f"pools.{pool}.model: {error.message}") from error


def _downloaded(model: str) -> ModelCard | None:
    """From the hub's cache, where the model is there; half of it is no worse than none, for vLLM fetches the rest."""
    folder = _cached(model)
    if folder is None:
        return None
    with suppress(ModelNotFound):
        return card.read(folder, model)
    return None


def _cached(model: str) -> Path | None:
    """The hub's own folder of a model whose configuration was downloaded."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - half a second that no local folder needs
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    try:
        found = [try_to_load_from_cache(model, file) for file in FILES[:2]]
    except HFValidationError:
        return None
    return Path(found[0]).parent if all(isinstance(file, str) for file in found) and isinstance(found[0], str) else None


def _fetched(pool: PoolName, model: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - as above

    check_hub(pool, model)
    try:
        return Path(snapshot_download(model, allow_patterns=list(FILES)))
    except OSError as error:  # the library's own errors are of this kind
        first = str(error).strip().splitlines()[0]
        raise ModelNotFound(f"pools.{pool}.model = {model!r}: the hub does not give its configuration: {first}") from error
