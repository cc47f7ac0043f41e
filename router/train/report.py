"""Figures → Markdown, written between two markers of a page."""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

from router.ask import find_ask
from router.rules import rule_for
from router.scorer import score
from router.train import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from router.scorer import Weights
    from router.train.evaluate import Floats, Labels
    from router.train.prompts import Row

START = "<!-- eval-routing: start -->"
END = "<!-- eval-routing: end -->"
WORST_KINDS = 15
LONGEST = 4000
"""Characters of the longest prompts that are timed."""


class Timing(NamedTuple):
    median_ms: float
    p99_ms: float


class Report(NamedTuple):
    rows: Sequence[Row]
    probability: Floats
    reasoning: Labels
    spoken: Sequence[str]
    """The reason of the rule that spoke on each row, or nothing."""
    timing: Timing


def timing(rows: Sequence[Row], model: Weights) -> Timing:
    """Milliseconds for one decision (ask, rules, score), in this process on this machine."""
    spent = []
    gc.collect()
    gc.freeze()  # the rows of the evaluation are not what a router keeps in memory
    for row in rows:
        if len(row.text) > LONGEST:
            continue
        started = time.perf_counter_ns()
        ask = find_ask(row.text)
        if rule_for(ask) is None:
            score(ask, model)
        spent.append((time.perf_counter_ns() - started) / 1e6)
    gc.unfreeze()
    return Timing(statistics.median(spent), statistics.quantiles(spent, n=100)[98])


def markdown(report: Report) -> str:
    """The whole report."""
    parts = [_headline(report), _confusion(report), _sources(report), _rules(report), _reliability(report), _curve(report)]
    return "\n\n".join(parts)


def headline(report: Report) -> dict[str, float]:
    """The figures that the weights carry with them."""
    found = {"accuracy": evaluate.accuracy(report.probability, report.reasoning)}
    languages = evaluate.by([row.language for row in report.rows], report.probability, report.reasoning)
    found |= {f"accuracy_{share.name}": share.accuracy for share in languages}
    found["recall_at_precision_95"] = evaluate.recall_at(0.95, report.probability, report.reasoning)
    found["calibration_error"] = evaluate.calibration_error(evaluate.reliability(report.probability, report.reasoning))
    return {name: round(value, 4) for name, value in found.items()}


def check(page: Path) -> None:
    """Raise `ValueError` for a page that has no markers."""
    _, start, rest = page.read_text(encoding="utf-8").partition(START)
    if not start or END not in rest:
        message = f"{page}: no {START} … {END}"
        raise ValueError(message)


def write(page: Path, text: str) -> None:
    """Put `text` between the markers of `page`; `ValueError` names a page that has none."""
    check(page)
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


def _table(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    cells = [head, ["---"] * len(head), *lines]
    return "\n".join(
        "| " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in line) + " |" for line in cells
    )


def _headline(report: Report) -> str:
    lines: list[Sequence[object]] = [
        ("rows", len(report.rows)),
        *((name.replace("_", " "), value) for name, value in headline(report).items()),
    ]
    lines += [("decision, median (ms)", report.timing.median_ms), ("decision, p99 (ms)", report.timing.p99_ms)]
    return _table(("figure", "value"), lines)


def _confusion(report: Report) -> str:
    kept, wasted, missed, found = evaluate.confusion(report.probability, report.reasoning)
    return _table(("", "to Instruct", "to Thinking"), [("simple", kept, wasted), ("reasoning", missed, found)])


def _sources(report: Report) -> str:
    labels = ["reasoning" if row.reasoning else "simple" for row in report.rows]
    names = [f"{row.kind}, {label}" for row, label in zip(report.rows, labels, strict=True)]
    shares = evaluate.by(names, report.probability, report.reasoning)
    shown = shares if len(shares) <= WORST_KINDS * 2 else shares[:WORST_KINDS]
    return _table(("source or kind, worst first", "rows", "accuracy"), shown)


def _rules(report: Report) -> str:
    chosen = [index for index, name in enumerate(report.spoken) if name]
    names = [report.spoken[index] for index in chosen]
    return _table(
        ("rule", "rows it spoke on", "right"),
        evaluate.by(names, report.probability[chosen], report.reasoning[chosen]) if chosen else [],
    )


def _reliability(report: Report) -> str:
    bins = evaluate.reliability(report.probability, report.reasoning)
    predicted, observed = (", ".join(f"{value:.2f}" for value in values) for values in zip(*(b[1:] for b in bins), strict=True))
    chart = f"""```mermaid
xychart-beta
    title "Reliability: share of reasoning seen (bars) for each score (line)"
    x-axis "score" [{predicted}]
    y-axis "share of reasoning" 0 --> 1
    bar [{observed}]
    line [{predicted}]
```"""
    return f"{chart}\n\n{_table(('rows', 'predicted', 'observed'), bins)}"


def _curve(report: Report) -> str:
    return _table(
        ("threshold", "share to Thinking", "accuracy", "recall of reasoning"),
        evaluate.curve(report.probability, report.reasoning),
    )
