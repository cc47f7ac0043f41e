"""Which layouts there are, and how often each is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.nano.drawing import chart, form, lines, notes, receipt, scene, sign, table, talk, unseen

if TYPE_CHECKING:
    from collections.abc import Callable

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.sheet import Sheet
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.fonts import Split
    from serve.nano.sample import Turn

    Layout = Callable[[Vocabulary, Asker], tuple[Sheet | None, list[Turn]]]

LAYOUTS: dict[Split, dict[Layout, float]] = {
    "train": {
        lines.lines: 15,
        lines.paragraph: 5,
        receipt.receipt: 20,
        receipt.price_line: 4,
        table.table: 10,
        form.form: 11,
        form.address_label: 3,
        chart.chart: 10,
        sign.sign: 7,
        scene.scene: 8,
        notes.sequence: 4,
        notes.word_problem: 4,
        talk.small_talk: 3,
        talk.sums: 7,
        talk.accounts: 9,
    },
    "test": {
        unseen.bullets: 12,
        unseen.headline: 12,
        unseen.invoice: 14,
        unseen.menu: 10,
        unseen.score_board: 9,
        unseen.entry_form: 9,
        unseen.business_card: 5,
        unseen.inner_chart: 9,
        unseen.banner: 8,
        unseen.outlined_scene: 5,
        unseen.slate: 18,
        talk.small_talk: 2,
    },
}
