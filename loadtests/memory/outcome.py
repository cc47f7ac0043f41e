"""What is known of a case when it is over: from the watch on its cards, the engines' logs and the allocator's notes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from loadtests.memory import said, watch

if TYPE_CHECKING:
    from pathlib import Path

    from loadtests.memory.cases import Case
    from loadtests.memory.watch import Mark, Watch

LOG_LINES = 40
LINE_LENGTH = 400
ERRORS = 12


@dataclass
class Outcome:
    """One engine. `ready_s` is None when it never was; `exit_code` is None while it lives; `most` are the highest
    gauges under traffic; `torch` has one entry a process."""

    model: str
    argv: tuple[str, ...]
    ready_s: float | None = None
    exit_code: int | None = None
    cache_config: dict[str, str] = field(default_factory=dict)
    traffic: dict[str, Any] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    out_of_memory_lines: int = 0
    errors: list[str] = field(default_factory=list)
    log_tail: list[str] = field(default_factory=list)
    torch: dict[str, Any] = field(default_factory=dict)

    def read_gauges(self, metrics: str) -> None:
        now = said.gauges(metrics)
        self.most = {name: max(value, self.most.get(name, value)) for name, value in now.items()} or self.most

    def read_log(self, log: str) -> None:
        """What vLLM said while it was wanted; the end of it only when something went wrong."""
        self.figures = said.figures(log)
        self.out_of_memory_lines = said.ran_out(log)
        self.errors = said.errors(log)[:ERRORS]
        if self.ready_s is None or self.exit_code is not None or self.out_of_memory_lines:
            told = [line[:LINE_LENGTH] for line in log.splitlines() if " DEBUG " not in line]
            self.log_tail = told[-LOG_LINES:]

    def read_torch(self, folder: Path, marks: list[Mark], ended: float) -> None:
        self.torch = {file.stem: torch_parts(file.read_text(), marks, ended) for file in sorted(folder.glob("torch-*.csv"))}


def torch_parts(rows: str, marks: list[Mark], ended: float) -> dict[str, Any]:
    """For each part of the case: bytes allocated, reserved, peak allocated; allocations tried again, and failed (`inside/`)."""
    cells = [line.split(",") for line in rows.splitlines()]
    samples = [(float(row[0]), tuple(map(int, row[2:]))) for row in cells if len(row) == len(cells[0])]
    return dict(watch.parts(samples, marks, ended))


def result(case: Case, outcomes: list[Outcome], watched: Watch, before: tuple[int, ...], ended: float) -> dict[str, Any]:
    """Ready for JSON; bytes, and seconds since the case began."""
    began = watched.marks[0][0]
    return {
        "id": case.id,
        "gpus": case.gpus,
        "free_bytes": case.free_bytes,
        "before": before,
        "device": watch.parts(watched.samples, watched.marks, ended),
        "marks": [(round(moment - began, 2), name) for moment, name in watched.marks],
        "engines": [asdict(outcome) for outcome in outcomes],
    }
