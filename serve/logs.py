"""The log file of one process: written by the process itself, followed from outside, kept from growing without end."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from itertools import takewhile
from typing import TYPE_CHECKING

from serve.causes import diagnose

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LARGEST_BYTES = 64 << 20
TAIL_BYTES = 64 << 10
LINES_OF_A_START = 2000
LAST_LINES = 200  # the API server adds its own trace below the cause
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# vLLM marks each line with the process it comes from, the level and the place.
PREFIX = re.compile(r"^(\(\w+ pid=\d+\) ?)?((INFO|WARNING|ERROR) [\d-]+ [\d:]+ \[[^\]]+\] ?)?")
RAISED = re.compile(r"^[\w.]*(Error|Exception|Interrupt|Exit)\b(: .*)?$")
REFUSED = re.compile(r"^[^:]+: error: ")  # the parser of a command line, below all that it has to say about usage
SECOND_HAND = "Engine core initialization failed"  # the API server's last words; the cause stands above them


class Log:
    """A file that a process appends to. The file of the run before is kept beside it, as `.1`.

    A file that somebody deletes, or a full disk, costs words and never an error: whoever reads this watches over engines.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_bytes = 0
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                path.replace(self._older)
            path.touch()

    @property
    def _older(self) -> Path:
        return self.path.with_suffix(self.path.suffix + ".1")

    def new_lines(self) -> list[str]:
        """Return the whole lines that were written since the last call."""
        if self._size() < self._read_bytes:
            self._read_bytes = 0  # it was emptied, or another has taken its place
        written, newline, _ = self._content(self._read_bytes).rpartition(b"\n")
        self._read_bytes += len(written) + len(newline)
        return _lines(written)

    def last_lines(self, count: int = LAST_LINES) -> list[str]:
        """Return the end of the log, without empty lines."""
        content = self._content(max(0, self._size() - TAIL_BYTES))
        return [line for line in _lines(content) if line.strip()][-count:]

    def evidence(self) -> str:
        """Quote what explains an end, and say where the rest is."""
        words = "\n".join(f"  {line}" for line in last_words(self.last_lines()))
        found = diagnose(self.last_lines(LINES_OF_A_START))
        cause = f"\n{found.summary}" if found else ""
        return f"Its last words:\n{words}{cause}\nThe whole log: {self.path}"

    def shorten(self) -> None:
        """Move the content aside once it is large; the process appends, so it goes on at the start of the emptied file."""
        if self._size() <= LARGEST_BYTES:
            return
        with suppress(OSError):
            shutil.copyfile(self.path, self._older)
        with suppress(OSError):  # also where the copy found no room: now there is some
            os.truncate(self.path, 0)
            self._read_bytes = 0

    def _size(self) -> int:
        with suppress(OSError):
            return self.path.stat().st_size
        return 0

    def _content(self, start: int) -> bytes:
        with suppress(OSError), self.path.open("rb") as file:
            file.seek(start)
            return file.read()
        return b""


def last_words(lines: Sequence[str], most: int = 12) -> list[str]:
    """Pick what explains an end: the last exception or refusal that is no mere echo of another, else the last lines."""
    plain = [PREFIX.sub("", line) for line in lines]
    causes = [at for at, line in enumerate(plain) if (RAISED.match(line) or REFUSED.match(line)) and SECOND_HAND not in line]
    if not causes:
        return plain[-most:]
    cause = causes[-1]
    rest = takewhile(lambda at: not _opens(lines[at]), range(cause + 1, len(lines)))
    return [plain[at] for at in (cause, *rest)][:most]


def _opens(line: str) -> bool:
    """Tell whether a line begins something else than the message above it."""
    match = PREFIX.match(line)
    return bool(match and match.group()) or line.startswith(("Traceback", "["))


def _lines(written: bytes) -> list[str]:
    return COLOUR.sub("", written.decode("utf-8", errors="replace")).splitlines()
