"""Measurements → the table of what routers cost. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

DIRECT, YARDSTICK = "direct", "vllm-router"
BEGIN, END = "<!-- router_cost: begin -->", "<!-- router_cost: end -->"


@dataclass(frozen=True)
class Used:
    """What a load used and brought. CPU in seconds; first tokens in seconds from the request's first byte."""

    cpu_s: float
    requests: int
    events: int  # zero where nothing is streamed
    first_s: tuple[float, ...]
    errors: int
    rss_mb: float  # of the router's process tree, when it was over

    def cost_us(self) -> float:
        """CPU microseconds for each event of a stream, or for each request where nothing is streamed; NaN after nothing."""
        count = self.events or self.requests
        return self.cpu_s / count * 1e6 if count else math.nan


@dataclass(frozen=True)
class Measurement:
    """One contender under one load in one round."""

    contender: str
    load: str
    used: Used

    def __str__(self) -> str:
        used = self.used
        counts = f"{used.requests} requests, {used.events} events, {used.errors} errors"
        return f"{self.load}: {self.contender}: {used.cost_us():.1f} µs, {counts}"


@dataclass(frozen=True)
class Row:
    """A contender's medians over the rounds."""

    contender: str
    cost_us: dict[str, float]
    first_ms: dict[str, tuple[float, float]]
    rss_mb: float  # the most there was after any load
    errors: int


def percentile(values: tuple[float, ...], share: float) -> float:
    """The smallest value that `share` of the values do not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else math.nan


def rows(measurements: list[Measurement]) -> list[Row]:
    contenders = dict.fromkeys(it.contender for it in measurements)
    return [_row(name, [it for it in measurements if it.contender == name]) for name in contenders]


def _row(contender: str, measurements: list[Measurement]) -> Row:
    loads: dict[str, list[Used]] = {}
    for it in measurements:
        loads.setdefault(it.load, []).append(it.used)
    costs = {load: median(it.cost_us() for it in rounds) for load, rounds in loads.items()}
    first = {load: (_median_first_ms(rounds, 0.5), _median_first_ms(rounds, 0.99)) for load, rounds in loads.items()}
    largest = max(it.used.rss_mb for it in measurements)
    return Row(contender, costs, first, largest, sum(it.used.errors for it in measurements))


def _median_first_ms(rounds: list[Used], share: float) -> float:
    return median(percentile(it.first_s, share) for it in rounds) * 1000


def markdown(table: list[Row], costs: dict[str, str], first: dict[str, str]) -> str:
    """The table. `costs` and `first` are the columns: the load's name → what stands above it."""
    yardstick = next((row for row in table if row.contender == YARDSTICK), None)
    heads = ["router", *costs.values(), *(f"first token, {title}" for title in first.values()), "memory", "errors"]
    lines = [heads, ["---"] * len(heads)]
    for row in table:
        cpu = [_cost(row, load, yardstick) for load in costs]
        tokens = ["{:.1f} / {:.1f} ms".format(*row.first_ms[load]) for load in first]
        memory = "-" if row.contender == DIRECT else f"{row.rss_mb:.0f} MB"
        lines.append([row.contender, *cpu, *tokens, memory, str(row.errors)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cost(row: Row, load: str, yardstick: Row | None) -> str:
    """Microseconds, and how many times the yardstick's they are in this run."""
    if row.contender == DIRECT:
        return "-"
    cost = row.cost_us[load]
    shown = f"{cost:.1f} µs" if cost < 100 else f"{cost:.0f} µs"
    if yardstick is None or row is yardstick:
        return shown
    return f"{shown} ({cost / yardstick.cost_us[load]:.2f}x)"


def replaced(document: str, table: str) -> str:
    """`document` with what stands between its two markers replaced.

    Raises:
        ValueError: the markers are not there, once each and in order.
    """
    if document.count(BEGIN) != 1 or document.count(END) != 1 or document.index(BEGIN) > document.index(END):
        raise ValueError(f"no table can be written: {BEGIN} and {END} should stand there once each, in this order")
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}"
