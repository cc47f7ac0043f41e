"""Finds the model of a plan before anything starts: an embedded checkpoint, a folder, the hub's cache, or the hub itself."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from serve.checkpoint import embedded
from serve.errors import ModelNotFound
from serve.planning.names import is_path
from serve.values import EMBEDDED

if TYPE_CHECKING:
    from serve.values import EnginePlan, PoolName

HUB_TIMEOUT_S = 10
WAY_OUT = "Set it to a local folder, set HF_ENDPOINT to a mirror that this machine reaches, or set it to `embedded`."


def locate(plan: EnginePlan) -> EnginePlan:
    """Put a folder in the place of the plan's model where there is one, and make sure that the hub has it where not.

    Raises:
        ModelNotFound: no such folder, no model in it, or the hub cannot be reached or has no such model.
        CheckpointError: the embedded checkpoint is not whole.

    """
    if plan.model == EMBEDDED:
        return replace(plan, model=str(embedded.ensure(plan.pool)), local=True)
    folder = Path(plan.model).expanduser()
    if is_path(plan.model) or (folder / "config.json").is_file():
        check_folder(plan.pool, folder)
        return replace(plan, model=str(folder.resolve()), local=True)
    check_hub(plan.pool, plan.model)
    return plan


def check_folder(pool: PoolName, folder: Path) -> None:
    """Raise ModelNotFound, with the key, where there is no folder or no model in it."""
    if not folder.is_dir():
        raise ModelNotFound(f"pools.{pool}.model: {folder}: there is no such folder")
    if not (folder / "config.json").is_file():
        raise ModelNotFound(f"pools.{pool}.model: {folder}: the folder holds no config.json, so it is no model")


def check_hub(pool: PoolName, model: str) -> None:
    """Raise ModelNotFound, with the key, where neither the hub's cache nor the hub has this model."""
    if not cached(pool, model, "config.json"):
        ask_hub(pool, model)


def cached(pool: PoolName, model: str, file: str) -> Path | None:
    """Find a file of a hub's model in the local cache. Raises ModelNotFound, with the key, for what is no hub id."""
    # Imported here because it takes half a second that no local folder needs; it is there wherever vLLM is.
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    try:
        found = try_to_load_from_cache(model, file)
    except HFValidationError as error:
        raise ModelNotFound(f"pools.{pool}.model = {model!r}: neither a folder nor a hub id: {error}") from error
    return Path(found) if isinstance(found, str) else None


def ask_hub(pool: PoolName, model: str, timeout_s: float = HUB_TIMEOUT_S) -> None:
    """Raise ModelNotFound, with the key and the hub's answer, where the hub does not give this model to this user."""
    from huggingface_hub import constants, get_token, hf_hub_url  # noqa: PLC0415 - as above

    key = f"pools.{pool}.model = {model!r}"
    try:
        _head(hf_hub_url(model, "config.json"), get_token(), timeout_s, offline=constants.HF_HUB_OFFLINE)
    except HTTPError as error:
        raise ModelNotFound(f"{key}: {constants.ENDPOINT} answered {error.code} {error.reason}. {WAY_OUT}") from error
    except OSError as error:
        where = f"not in the cache {constants.HF_HUB_CACHE}, and {constants.ENDPOINT} cannot be reached"
        raise ModelNotFound(f"{key}: {where} ({getattr(error, 'reason', error)}). {WAY_OUT}") from error


class _Stay(HTTPRedirectHandler):
    """Takes a redirect for an answer, and the user's token nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None


def _head(url: str, token: str | None, timeout_s: float, *, offline: bool) -> None:
    if offline:
        raise OSError("HF_HUB_OFFLINE is set")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        request = Request(url, method="HEAD", headers=headers)  # noqa: S310 - the hub, or the user's own HF_ENDPOINT
        build_opener(_Stay).open(request, timeout=timeout_s).close()
    except HTTPError as error:
        error.close()
        if error.code >= HTTPStatus.BAD_REQUEST:
            raise
