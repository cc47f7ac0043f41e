"""Frozen nouns that flow through `router`: what was asked, what was decided, who can answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PoolName = Literal["instruct", "thinking"]
POOLS: tuple[PoolName, ...] = ("instruct", "thinking")

Endpoint = Literal["chat_completions", "completions", "responses", "messages"]
PATHS: dict[str, Endpoint] = {
    "/v1/chat/completions": "chat_completions",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}

AUTO_NAMES = ("auto", "qwen3-vl")
"""Model names that leave the choice of the pool to the router."""


EARLIER_TURNS = 32


@dataclass(frozen=True, slots=True)
class View:
    """What decisions need of a request body; the body itself travels on as the client's bytes.

    `text` is what the user asks: the text parts of the last user turn. `images` counts pictures of that turn. `effort` is
    `reasoning_effort` (chat), `reasoning.effort` (responses) or `thinking.type` (messages: `none` or `high`). `earlier` holds the
    user's turns before, oldest first, at most `EARLIER_TURNS`; `thought` says that the last answer came with its reasoning.
    """

    model: str | None = None
    stream: bool = False
    text: str = ""
    images: int = 0
    effort: str | None = None
    structured: bool = False
    earlier: tuple[str, ...] = ()
    thought: bool = False


Stage = Literal["client", "rules", "scorer", "conversation", "engine"]
"""Who decided: what the client said, a rule, the learned scorer, the conversation so far, or an engine that was asked."""

Doubt = Literal["instruct", "thinking", "ask"]


@dataclass(frozen=True, slots=True)
class Policy:
    """How scores become pools. Scores nearer than `doubt_band` to `threshold` are in doubt, and then `doubt` decides."""

    threshold: float = 0.5
    doubt_band: float = 0.05
    doubt: Doubt = "thinking"


@dataclass(frozen=True, slots=True)
class Decision:
    """The pool, a short code that says why, how likely (0 to 1) it is that the request needs thinking, and who decided."""

    pool: PoolName
    reason: str
    score: float
    stage: Stage = "rules"
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """What a replica says of itself: the ids it accepts, its context in tokens, and its KV cache in tokens."""

    ids: tuple[str, ...]
    max_model_len: int | None = None
    kv_cache_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Replica:
    """One vLLM server as the router sees it at one moment. What it serves is known while it is ready, and None while it is not."""

    url: str
    pool: PoolName
    served: Served | None
    in_flight: int

    @property
    def ready(self) -> bool:
        return self.served is not None
