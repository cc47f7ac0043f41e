"""What `duet doctor` does: examines the machine or reads a log, shows it, and fails where Duet would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.causes import diagnose
from serve.doctor import report
from serve.doctor.examination import examine
from serve.doctor.values import State
from serve.errors import Unhealthy
from serve.logs import COLOUR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

PIPED_WIDTH = 120  # where there is no terminal to ask


def examine_machine(config_file: Path | None, environ: Mapping[str, str], console: Console, *, as_json: bool) -> None:
    """Show every check.

    Raises:
        Unhealthy: names those that failed.

    """
    checks = examine(config_file, environ)
    if as_json:
        console.out(report.as_json(checks), highlight=False)
    else:
        console.width = console.width if console.is_terminal else max(console.width, PIPED_WIDTH)
        console.print(report.table(checks))
    if failed := [check.name for check in checks if check.state is State.FAILURE]:
        raise Unhealthy(f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}")


def read_log(content: bytes, console: Console, *, as_json: bool) -> None:
    """Show what an engine died of, or its last words where that is not known."""
    # Lines as editors count them: a progress bar that draws over itself is one.
    lines = [line.rstrip("\r") for line in COLOUR.sub("", content.decode("utf-8", errors="replace")).split("\n")]
    found = diagnose(lines)
    if as_json:
        console.out(report.diagnosis_as_json(found, lines), highlight=False)
    else:
        console.print(report.diagnosis(found, lines), soft_wrap=True)
