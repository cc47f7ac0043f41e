"""Cases: which engines share a card, how much of the card they may see, and what is asked of them. Read from JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class BadCase(Exception):
    """A case that cannot be run; the message names the case and the key."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The worst that may be asked of an engine. `pixels` is the cap on a picture's area, `context` the engine's limit in tokens.

    `largest` pictures of a full batch are as large as the cap allows, None: all. One API server makes ready two such pictures a
    second, and small ones as fast as the batch takes them. `kv_tokens` is what phase `full` fills.
    """

    seqs: int
    pixels: int
    video_pixels: int = 0
    images_per_request: int = 8
    output_tokens: int = 48
    context: int = 32_768
    long_texts: int = 1
    largest: int | None = None
    kv_tokens: int = 0
    phases: tuple[str, ...] = ("pictures", "many", "video", "logprobs", "prompt_logprobs")
    seconds: float = 11.0


@dataclass(frozen=True, slots=True)
class EngineCase:
    """One engine: the model's folder name and vLLM's flags, all but model, host and port."""

    model: str
    argv: tuple[str, ...]
    traffic: Traffic | None = None
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """Engines that are started one after another on the same `gpus` cards; `free_bytes` is what a card has left for them, None: all.

    `situations` are asked for before the worst-case traffic, one by one: of the first engine, or the last where Thinking answers.
    """

    id: str
    engines: tuple[EngineCase, ...]
    gpus: int = 1
    free_bytes: int | None = None
    situations: tuple[str, ...] = ()
    images_per_request: int = 999  # vLLM's own default; more pictures of a document go in parts


def dumps(cases: Iterable[Case]) -> str:
    """The JSON that `loads` reads."""
    return json.dumps([asdict(case) for case in cases], indent=1)


def loads(text: str) -> list[Case]:
    """Raises BadCase for a key that is missing or unknown, and for an id that comes twice."""
    cases = [_case(raw) for raw in json.loads(text)]
    ids = [case.id for case in cases]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise BadCase(f"id {min(twice)!r} stands for two cases")
    return cases


def _case(raw: dict[str, Any]) -> Case:
    try:
        engines = tuple(_engine(engine) for engine in raw["engines"])
        return Case(**{**raw, "engines": engines, "situations": tuple(raw.get("situations", ()))})
    except (TypeError, KeyError) as error:
        raise BadCase(f"case {raw.get('id', raw)!r}: {error}") from error


def _engine(raw: dict[str, Any]) -> EngineCase:
    traffic = raw.get("traffic")
    return EngineCase(**{**raw, "argv": tuple(raw["argv"]), "traffic": _traffic(traffic) if traffic else None})


def _traffic(raw: dict[str, Any]) -> Traffic:
    phases = {"phases": tuple(raw["phases"])} if "phases" in raw else {}
    return Traffic(**{**raw, **phases})
