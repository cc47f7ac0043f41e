"""What can go wrong in `serve`, drawn as a tree. Each class owns the exit code of the `duet` command.

DuetError            1  never raised itself
├── ConfigError      3
├── PlanError        4
├── ModelNotFound    5
├── CheckpointError  6
├── FlagError        7
├── PortInUse        8
├── EngineDied       9
├── EngineTimeout   10
├── RouterDied      11
├── Unhealthy       12
└── ForcedStop     130  as a shell reports a program that Ctrl-C ended

2 is the command line parser's.
"""

from __future__ import annotations

from typing import ClassVar


class DuetError(Exception):
    """A failure that the user can act on: one message, one exit code."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigError(DuetError):
    """A key or value of duet.yaml, or of a DUET_ variable, is wrong."""

    exit_code = 3


class PlanError(DuetError):
    """The engines that the configuration asks for do not fit this hardware."""

    exit_code = 4


class ModelNotFound(DuetError):
    """The model folder is missing or holds no model, or the hub cannot be asked for it."""

    exit_code = 5


class CheckpointError(DuetError):
    """An embedded checkpoint is not whole, or a twin cannot be made."""

    exit_code = 6


class FlagError(DuetError):
    """The installed vLLM lacks a flag that an engine would be given, or vLLM itself is missing."""

    exit_code = 7


class PortInUse(DuetError):
    """Somebody listens where an engine or the router should."""

    exit_code = 8


class EngineDied(DuetError):
    """An engine ended before it was ever ready."""

    exit_code = 9


class EngineTimeout(DuetError):
    """An engine was not ready in time, the first time."""

    exit_code = 10


class RouterDied(DuetError):
    """The router ended before it was ever ready, was not ready in time, or could not look at its configuration."""

    exit_code = 11


class Unhealthy(DuetError):
    """The doctor has found something that keeps Duet from running."""

    exit_code = 12


class ForcedStop(DuetError):
    """A second Ctrl-C cut the orderly stop short."""

    exit_code = 130
