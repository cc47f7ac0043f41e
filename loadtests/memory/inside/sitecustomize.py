"""Python runs this in every process of an engine: it notes what torch's allocator holds, next to what the driver says is gone.

One file a process, `torch-PID.csv` in the folder MEMORY_PROBE: seconds since the epoch, device, bytes allocated, reserved, peak
allocated; how often an allocation was tried again with the cache given back, and how often it failed for good.
While the engine starts, the peak is torch's own and only read: vLLM resets and reads the same counter. Once a file `serving` lies in
the folder the peak is reset at every look, so each line has the peak since the line before.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

EVERY_S = 0.02
LONG_S = 0.3
COUNTS = (
    "allocated_bytes.all.current",
    "reserved_bytes.all.current",
    "allocated_bytes.all.peak",
    "num_alloc_retries",
    "num_ooms",
)


def _cuda() -> Any:
    """torch.cuda once somebody else has imported and started it."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    started = getattr(cuda, "is_initialized", None)
    return cuda if started and started() else None


def _watch(folder: Path) -> None:
    while not (cuda := _cuda()):
        time.sleep(LONG_S)
    last: dict[int, tuple[int, ...]] = {}
    with (folder / f"torch-{os.getpid()}.csv").open("a", buffering=1) as file:
        while True:
            serving = (folder / "serving").exists()
            for device in range(cuda.device_count()):
                seen = _look(cuda, device, serving)
                if seen[1] and seen != last.get(device):
                    file.write(",".join(map(str, (f"{time.time():.3f}", device, *seen))) + "\n")
                    last[device] = seen
            time.sleep(EVERY_S)


def _look(cuda: Any, device: int, reset: bool) -> tuple[int, ...]:  # noqa: FBT001 one caller, a line above
    stats = cuda.memory_stats(device)
    if reset and stats:
        cuda.reset_peak_memory_stats(device)
    return tuple(stats.get(name, 0) for name in COUNTS)


def _start() -> None:
    threading.Thread(target=_watch, args=(Path(os.environ["MEMORY_PROBE"]),), daemon=True, name="memory-probe").start()


if "MEMORY_PROBE" in os.environ:
    _start()
    os.register_at_fork(after_in_child=_start)
