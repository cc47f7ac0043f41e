"""Results as one table in MiB.

    python -m loadtests.memory.calibration_table results > table.md

"Device" is what the driver counted as gone, less what was gone before the engine started; "torch" is the allocator of the engine's own
process (of one rank, when there are several). The rest of the device's count is the CUDA context, libraries and CUDA graphs.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIB = 1 << 20
START = ("loading", "profiling", "capturing")
ORDINARY = ("pictures", "many", "video", "logprobs")
ALL = (*ORDINARY, "prompt_logprobs")
ALLOCATED, RESERVED, PEAK = range(3)
NOTHING = "-"
COLUMNS = (
    "case",
    "ready s",
    "KV tokens",
    "device: loaded",
    "start peak",
    "idle",
    "traffic peak",
    "with prompt_logprobs",
    "torch: loaded",
    "profile peak of torch",
    "idle of torch",
    "traffic peak of torch",
    "slack",
    "not torch",
    "graphs",
    "answers ok / failed / cut",
    "running at most",
    "KV at most %",
    "out of memory",
)


@dataclass(frozen=True, slots=True)
class Parts:
    """Bytes by part of a case; `column` picks a card, or one of the allocator's three counts."""

    by_name: dict[str, dict[str, list[int]]]
    base: int = 0

    def peak(self, names: tuple[str, ...], column: int = 0) -> int | None:
        """In MiB; None when no such part was reached."""
        peaks = [self.by_name[name]["peak"][column] for name in names if name in self.by_name]
        return (max(peaks) - self.base) // MIB if peaks else None

    def most(self) -> int:
        """Bytes, of the first column."""
        return max((part["peak"][0] for part in self.by_name.values()), default=0)

    def last(self, name: str, column: int = 0) -> int | None:
        part = self.by_name.get(name)
        return (part["last"][column] - self.base) // MIB if part else None


def row(result: dict[str, Any], number: int = 0) -> tuple[object, ...]:
    """One engine of a case by COLUMNS; what was not measured is None. The device's columns are of all engines that were up."""
    engine = result["engines"][number]
    device = Parts(result["device"], result["before"][0]) if result["before"] else Parts({})  # a rehearsal without a card
    torch = max((Parts(parts) for parts in engine["torch"].values()), key=Parts.most, default=Parts({}))
    start = tuple(f"{number}.{part}" for part in START)
    started = engine["ready_s"] is not None
    idle, reserved = device.last("idle"), torch.last("idle", RESERVED)
    return (
        result["id"] if len(result["engines"]) == 1 else f"{result['id']} ({number + 1})",
        round(engine["ready_s"]) if started else "died",
        int(engine["cache_config"].get("kv_cache_size_tokens", 0)) or None,
        device.last(start[0]),
        device.peak(start),
        idle if started else None,
        device.peak(ORDINARY),
        device.peak(ALL),
        torch.last(start[0], ALLOCATED),
        torch.peak(start[1:2], PEAK),
        torch.last("idle", ALLOCATED) if started else None,
        torch.peak(ORDINARY, PEAK),
        _less(torch.peak(ORDINARY, RESERVED), torch.peak(ORDINARY, PEAK)),
        _less(idle, reserved) if started else None,
        _whole(engine["figures"].get("graphs_gib"), 1024),
        _answers(engine["traffic"]),
        _whole(engine["most"].get("running"), 1),
        _whole(engine["most"].get("kv_usage"), 100),
        engine["out_of_memory_lines"],
    )


def markdown(results: list[dict[str, Any]]) -> str:
    """A table with a row for each result, in the order given."""
    lines = [
        COLUMNS,
        tuple("---" for _ in COLUMNS),
        *(row(result, number) for result in results for number in range(len(result["engines"]))),
    ]
    return "\n".join(f"| {' | '.join(NOTHING if cell is None else str(cell) for cell in line)} |" for line in lines)


def _answers(traffic: dict[str, dict[str, Any]]) -> str:
    statuses = [(status, count) for phase in traffic.values() for status, count in phase["statuses"].items()]
    good = sum(count for status, count in statuses if status == "200")
    cut = sum(phase["cut"] for phase in traffic.values())
    return f"{good} / {sum(count for _, count in statuses) - good} / {cut}"


def _less(whole: int | None, part: int | None) -> int | None:
    return None if whole is None or part is None else whole - part


def _whole(value: float | None, factor: float) -> int | None:
    return None if value is None else round(value * factor)


def main() -> None:
    parser = argparse.ArgumentParser(prog="calibration_table", description="Results as one table in MiB.")
    parser.add_argument("folder", type=Path)
    files = sorted(parser.parse_args().folder.glob("*.json"))
    print(markdown([json.loads(file.read_text()) for file in files]))


if __name__ == "__main__":
    main()
