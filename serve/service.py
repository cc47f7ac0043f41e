"""What the supervisor keeps running: a command, how to tell that it is ready, and what becomes of it when it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.errors import EngineTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from serve.errors import DuetError
    from serve.values import Command


@dataclass(frozen=True, slots=True)
class Service:
    """Something to keep running: the router, or one engine."""

    name: str
    command: Command
    health_url: str
    log: Path
    start_timeout_s: float
    stop_grace_s: float
    died: type[DuetError]
    turn: str  # of services that share one, one at a time starts: vLLM takes what others allocate meanwhile for its own
    after: tuple[str, ...] = ()  # services that must be ready before this one starts
    stop_stage: int = 0  # lower ones stop first
    late: type[DuetError] = EngineTimeout  # what it is when the first start takes longer than start_timeout_s
    timeout_key: str = ""  # the key of duet.yaml that sets start_timeout_s, where one does
    look: Callable[[], Lowered | None] = lambda: None  # asked right before each start until it has been ready once
    lower: Callable[[Sequence[str]], Lowered | str] = lambda _: ""  # asked once it has ended unready, with the lines of its log


@dataclass(frozen=True, slots=True)
class Lowered:
    """A service that asks for less, to be started in the place of one that lacks memory, and what is different about it."""

    service: Service
    said: str
