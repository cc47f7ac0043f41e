"""`python -m router.train`: fit the scorer on the written prompts, or measure it, with fixed seeds.

    python -m router.train                          fit, calibrate, write router/weights.json
    python -m router.train --also FILE              fit on FILE's rows as well (JSONL: text, label, lang, source)
    python -m router.train --evaluate [--also FILE] measure on groups left out whole; print, and with --page write the table

The rows of `--also` are read where they lie and not kept; the weights say that they were used.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from router.ask import find_ask
from router.rules import rule_for
from router.scorer import WEIGHTS, Weights
from router.train import report as reports
from router.train.fit import SCALE, Calibration, calibrate, fit, groups_of, held_out, tabulate
from router.train.prompts import PROMPTS, PromptError, Row, digest, labelled, script_digest, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.train.fit import Floats, Table

SEED = 7
ROUTER = Path(__file__).parents[1]


class Unseen(NamedTuple):
    """Rows and what a model said of them that had not seen their group."""

    rows: list[Row]
    log_odds: Floats
    calibration: Calibration


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit code is 2 for input that cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        if options.page:
            reports.check(options.page)
        rows = written(options.prompts, SEED) + [row for path in options.also for row in labelled(path)]
        table = tabulate(rows)
        unseen = _unseen(table, rows)
        model = _model(table, rows, unseen, options)
        found = _report(unseen, model)
        if options.evaluate:
            _show(reports.markdown(found), options.page)
        else:
            _save(model, reports.headline(found), options.output)
    except (PromptError, OSError, ValueError) as error:
        print(f"router.train: {error}", file=sys.stderr)  # noqa: T201 - this is the command's own output
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m router.train", description="Fit or measure the routing scorer.")
    parser.add_argument("--also", type=Path, action="append", default=[], metavar="FILE", help="JSONL rows to use as well")
    parser.add_argument("--prompts", type=Path, default=PROMPTS, metavar="FOLDER", help="written prompts")
    parser.add_argument("--output", type=Path, default=ROUTER / WEIGHTS, metavar="FILE", help="where the weights go")
    parser.add_argument("--evaluate", action="store_true", help="measure and print; write no weights")
    parser.add_argument("--page", type=Path, metavar="FILE", help="with --evaluate: put the tables between this page's markers")
    return parser


def _unseen(table: Table, rows: list[Row]) -> Unseen:
    groups, tested = groups_of(rows)
    indices, log_odds = held_out(table, groups, tested)
    return Unseen([rows[index] for index in indices], log_odds, calibrate(log_odds, table.reasoning[indices]))


def _model(table: Table, rows: list[Row], unseen: Unseen, options: argparse.Namespace) -> Weights:
    coefficients, intercept = fit(table, np.arange(len(rows)))
    whole = np.rint(coefficients * SCALE).astype(int)
    kept = {name: int(weight) for name, weight in zip(table.names, whole, strict=True) if weight}
    return Weights(
        kept,
        round(intercept * SCALE),
        SCALE,
        round(unseen.calibration.slope, 6),
        round(unseen.calibration.shift, 6),
        _card(rows, options),
    )


def _card(rows: list[Row], options: argparse.Namespace) -> dict[str, object]:
    others = sorted({row.source for row in rows} - {"written"})
    return {
        "prompts": digest(options.prompts),
        "script": script_digest(),
        "seed": SEED,
        "written_rows": sum(row.source == "written" for row in rows),
        "other_rows": sum(row.source != "written" for row in rows),
        "other_repositories": others,
    }


def _report(unseen: Unseen, model: Weights) -> reports.Report:
    """Rules first, as `classify` does, then the calibrated score of a model that had not seen the row's group."""
    slope, shift = unseen.calibration
    probability = 1 / (1 + np.exp(-(slope * unseen.log_odds + shift)))
    spoken = [rule_for(find_ask(row.text)) for row in unseen.rows]
    for index, rule in enumerate(spoken):
        if rule is not None:
            probability[index] = float(rule.side == "thinking")
    names = [rule.reason if rule else "" for rule in spoken]
    reasoning = np.array([row.reasoning for row in unseen.rows])
    return reports.Report(unseen.rows, probability, reasoning, names, reports.timing(unseen.rows, model))


def _save(model: Weights, metrics: dict[str, float], output: Path) -> None:
    card = model._replace(card={**model.card, "held_out": metrics})
    output.write_text(
        json.dumps(card._asdict(), ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8"
    )
    print(f"{output}: {len(model.features)} features, {output.stat().st_size / 1e6:.2f} MB, {json.dumps(metrics)}")  # noqa: T201 - output


def _show(text: str, page: Path | None) -> None:
    print(text)  # noqa: T201 - output
    if page is not None:
        reports.write(page, text)


if __name__ == "__main__":
    sys.exit(main())
