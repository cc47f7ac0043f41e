"""What was measured as Markdown, between two marks of docs/quality.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.quality import figures
from tests.quality.bars import BARS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.quality.figures import Pairs

START, END = "<!-- measured: make quality -->", "<!-- measured -->"


def write(page: Path, text: str) -> None:
    """Put `text` between the marks of `page`. ValueError names a page that has none."""
    before, start, rest = page.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{page}: no {START} … {END}")
    page.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


def markdown(found: Mapping[str, float], instruct: Pairs, thinking: Pairs, note: str) -> str:
    """The gates, the answers by kind, and a word on what differed."""
    return "\n\n".join([_gates(found), _by_kind(instruct), _by_steps(instruct, thinking), note])


def _gates(found: Mapping[str, float]) -> str:
    rows = [
        (bar.what, str(bar), f"{bar.held:g}", f"{found[name]:.1f} {bar.unit}", "" if bar.met(found[name]) else "**missed**")
        if name in found
        else (bar.what, str(bar), f"{bar.held:g}", "not measured", "")
        for name, bar in BARS.items()
    ]
    return _table(("gate", "bar", "held to", "found", ""), rows)


def _by_kind(instruct: Pairs) -> str:
    """Instruct, everything that one look answers; Latin and Chinese answers apart."""
    groups = sorted({(ask.group, ask.kind) for ask, _ in instruct if not ask.steps})
    rows = [(group, kind, *_cells([pair for pair in instruct if pair[0].kind == kind])) for group, kind in groups]
    head = ("Instruct", "kind", "Latin", "exact", "CER", "Chinese", "exact", "CER")
    return _table(head, rows)


def _cells(found: Pairs) -> list[str]:
    cells = []
    for chinese in (False, True):
        these = figures.of(found, lambda ask, chinese=chinese: ask.chinese == chinese)  # type: ignore[misc]
        cells += (
            [str(len(these)), f"{figures.exact(these):.0f} %", f"{figures.error_rate(these):.1f} %"] if these else ["", "", ""]
        )
    return cells


def _by_steps(instruct: Pairs, thinking: Pairs) -> str:
    rows = []
    for kind in sorted({ask.kind for ask, _ in thinking}):
        one, other = ([pair for pair in found if pair[0].kind == kind] for found in (thinking, instruct))
        rows.append((kind, str(len(one)), f"{figures.exact(one):.0f} %", f"{figures.exact(other):.0f} %"))
    return _table(("several steps", "questions", "Thinking, exact", "Instruct, exact"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
