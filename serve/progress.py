"""Shows how far each process has come: a live table on a terminal, one line for each change elsewhere."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from serve.values import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

WORDS = {
    Phase.WAITING: "waiting for its turn",
    Phase.IMPORTING: "importing",
    Phase.LOADING: "loading the model",
    Phase.PROFILING: "profiling memory, warming up",
    Phase.READY: "ready",
}


def say(console: Console, text: str) -> None:
    """Print, if anybody is there to read: a terminal that was closed or a pipe that was cut is no reason to stop serving."""
    with suppress(OSError, SystemExit):  # rich makes the latter of a broken pipe
        console.print(text, markup=False, highlight=False, soft_wrap=True)


class Progress:
    """An observer of the supervisor that prints; `close` leaves the terminal as a plain one."""

    def __init__(self, console: Console, names: Sequence[str]) -> None:
        self._console = console
        self._started_s = time.monotonic()
        self._phases = dict.fromkeys(names, Phase.WAITING)
        self._began_s = dict.fromkeys(names, 0.0)
        self._since_s = dict.fromkeys(names, 0.0)
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=8) if console.is_terminal else None
        if self._live:
            self._live.start()

    def phase(self, name: str, phase: Phase) -> None:
        """Take note; a change is shown."""
        if self._phases[name] == phase:
            return
        if self._phases[name] is Phase.WAITING:
            self._began_s[name] = self._elapsed_s()
        self._phases[name], self._since_s[name] = phase, self._elapsed_s() - self._began_s[name]
        if not (self._live and self._live.is_started):
            self.say(f"{name}: {WORDS[phase]} ({self._since_s[name]:.1f} s)")

    def restarting(self, name: str, how: str, after_s: float, evidence: str) -> None:
        """Say it above the table, or after it. From here on its time counts anew."""
        self._phases[name] = Phase.WAITING
        self.say("\n".join(filter(None, [f"{name} {how}; it starts again in {after_s:g} s", evidence])))

    def lowered(self, name: str, said: str) -> None:
        """Say it, and count its time anew."""
        self._phases[name] = Phase.WAITING
        self.say(f"{name} {said}")

    def waiting(self, pools: Sequence[str]) -> None:
        """Name the pools, and the key that says where their replicas are."""
        keys = " and ".join(f"pools.{pool}.replicas" for pool in pools)
        self.say(f"Every engine here is ready, but the router reaches no ready replica of {keys}. Waiting for one.")

    def stopping(self, drain_s: float) -> None:
        """Freeze the table: what follows is text."""
        self.close()
        wait = f": waiting up to {drain_s:g} s for requests in flight" if drain_s else ""
        self.say(f"Stopping{wait} (Ctrl-C again to stop at once)")

    def say(self, text: str) -> None:
        """Print text as it is, however long its lines: they are there to be copied."""
        say(self._console, text)

    def close(self) -> None:
        """End the live table, if there is one; it stays on the screen as it is."""
        if self._live:
            with suppress(OSError, SystemExit):
                self._live.stop()

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, phase in self._phases.items():
            ready = phase is Phase.READY
            seconds = self._since_s[name] if ready else self._elapsed_s() - self._began_s[name]
            mark = "[green]✓[/]" if ready else Spinner("dots") if phase else " "
            table.add_row(mark, name, WORDS[phase], f"[dim]{seconds:.0f} s[/]")
        return table
