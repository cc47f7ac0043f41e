"""One program in a session of its own: started, waited for, and stopped with everything that it has started itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from serve.values import Command

INTERVAL_S = 0.1
LAST_GRACE_S = 0.5  # for the children of a program that has left by itself


class Process:
    """A started program; its id is also the id of its session and process group."""

    def __init__(self, command: Command, log: Path) -> None:
        with _output(log) as output:
            self._popen = subprocess.Popen(
                command.argv,
                env=command.environ(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def exit_code(self) -> int | None:
        """Tell how the program ended (negative = signal), or None while it runs."""
        return self._popen.poll()

    async def ended(self) -> int:
        """Wait until the program has ended and nothing of its group is left; what it leaves behind is killed."""
        while (code := self.exit_code()) is None:  # noqa: ASYNC110 - a child process has no event to wait for
            await asyncio.sleep(INTERVAL_S)
        if not await self._emptied(LAST_GRACE_S):
            self.kill()
            await self._emptied(LAST_GRACE_S)
        return code

    async def stop(self, grace_s: float) -> int:
        """Ask the program to end; after `grace_s` kill the whole group."""
        if self.exit_code() is None:
            self._popen.terminate()  # the program alone: vLLM's server drains before it ends its own children
        try:
            async with asyncio.timeout(grace_s):
                return await self.ended()
        except TimeoutError:
            self.kill()
            return await self.ended()

    def kill(self) -> None:
        """End the whole group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _emptied(self, within_s: float) -> bool:
        deadline = asyncio.get_running_loop().time() + within_s
        while members(self.pid):
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(INTERVAL_S)
        return True


def _output(log: Path) -> IO[bytes]:
    try:
        return log.open("ab")
    except OSError:  # a full disk: better no words than no engine
        return Path(os.devnull).open("ab")


def members(group: int) -> list[int]:
    """List the live processes of a group. A zombie is over: it waits only for its parent to notice."""
    return [process.pid for process in psutil.process_iter() if _belongs(process, group)]


def _belongs(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, PermissionError, psutil.Error):
        return False
