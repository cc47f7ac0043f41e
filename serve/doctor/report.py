"""Shows what the doctor has found: as tables for people, as one JSON document for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from serve.doctor.values import State
from serve.logs import last_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.causes import Diagnosis
    from serve.doctor.values import Check

STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILURE: "bold red"}


def table(checks: Sequence[Check]) -> Table:
    """One row for each check; a fix stands under what it mends."""
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(no_wrap=True)
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    for check in checks:
        found = Text(check.found)
        if check.fix:
            found.append(f"\nFix: {check.fix}", style="bold")
        drawn.add_row(Text(check.state, style=STYLES[check.state]), check.name, found)
    return drawn


def as_json(checks: Sequence[Check]) -> str:
    """The same for programs, and how many there are of each state."""
    counts = {state.value: sum(check.state is state for check in checks) for state in State}
    return json.dumps({"checks": [asdict(check) for check in checks], "counts": counts}, indent=2, ensure_ascii=False)


def diagnosis(found: Diagnosis | None, lines: Sequence[str]) -> Text:
    """The cause, the line that shows it and the way out; without a cause, the log's last words."""
    if found is None:
        words = "\n".join(f"  {line}" for line in _last_words(lines))
        return Text(f"No cause that Duet knows. The log's last words:\n{words}")
    return Text.assemble(
        (f"Cause: {found.cause}\n", "bold"), f"Line {found.line_number}: {found.line}\n", (f"Fix: {found.fix}", "green")
    )


def diagnosis_as_json(found: Diagnosis | None, lines: Sequence[str]) -> str:
    """The same for programs: `diagnosis` is null where nothing matched, and `last_words` are there in any case."""
    document = {"diagnosis": asdict(found) if found else None, "last_words": _last_words(lines)}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _last_words(lines: Sequence[str]) -> list[str]:
    return last_words([line for line in lines if line.strip()])
