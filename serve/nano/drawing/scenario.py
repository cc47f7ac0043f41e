"""Which layouts there are, and how often each is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.nano.drawing import lines, receipt, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.sheet import Sheet
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.fonts import Split
    from serve.nano.sample import Turn

    Layout = Callable[[Vocabulary, Asker], tuple[Sheet | None, list[Turn]]]

LAYOUTS: dict[Split, dict[Layout, float]] = {
    "train": {lines.lines: 30, lines.paragraph: 8, receipt.receipt: 25, table.table: 12},
    "test": {lines.lines: 30, lines.paragraph: 8, receipt.receipt: 25, table.table: 12},
}
