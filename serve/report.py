"""What `duet plan` prints: tables that are readable in 100 columns and in a file, and the same for programs."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from serve.answers import REQUESTS, answers
from serve.wording import gib, step_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from serve.memory.card import ModelCard
    from serve.values import Budget, Command, EnginePlan, Plan, PoolName, Room

COLUMNS = 100
PARTS = {
    "weights": "weights",
    "context": "CUDA and libraries",
    "encoder": "encoder and its cache",
    "activations": "activations",
    "graphs": "CUDA graphs",
    "slack": "allocator",
    "kv_cache": "KV cache",
    "total": "together",
}
ON_CPU = {"context": "libraries"}
RUNS_ON = "runs on"
SOURCES = {"files": "its own files", "published": "Duet's own table"}


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan with all that is shown of it: each pool's model, and each engine's command line."""

    plan: Plan
    cards: Mapping[PoolName, ModelCard | None]
    commands: Mapping[str, Command]


def show(console: Console, shown: Preview) -> None:
    """Print the tables, the steps, and the command lines."""
    plan = shown.plan
    console.print(_engines(plan.engines, shown.cards))
    if plan.rooms:
        console.print(_gpus(plan))
    for line in [*map(step_line, plan.steps), *plan.notes]:
        console.print(line, markup=False, highlight=False)
    for name, command in shown.commands.items():
        console.print(f"\n{name}:", markup=False, highlight=False)
        console.print(_copyable(command), markup=False, highlight=False, soft_wrap=True)


def document(shown: Preview) -> dict[str, Any]:
    """Put everything that `show` prints, and the sums behind it, into one mapping; sizes are bytes."""
    plan = shown.plan
    return {
        "gpus": [_gpu(plan, room) for room in plan.rooms],
        "engines": [_engine(each, shown.cards[each.pool], shown.commands[each.name]) for each in plan.engines],
        "steps": [asdict(step) for step in plan.steps],
        "notes": list(plan.notes),
    }


def _gpu(plan: Plan, room: Room) -> dict[str, Any]:
    sums = {"free": room.free, "reserve": room.reserve, "usable": room.usable, "left": _left(plan, room)}
    return {**asdict(room.gpu), **sums}


def _engine(plan: EnginePlan, card: ModelCard | None, command: Command) -> dict[str, Any]:
    budget = plan.budget
    sums = {**asdict(budget), "total": budget.total, "kv_tokens": budget.kv_tokens} if budget else None
    return {
        "name": plan.name,
        "pool": plan.pool,
        "model": plan.model,
        "card": {"parameters": card.parameters, "source": card.source} if card else None,
        "gpus": [gpu.index for gpu in plan.gpus],
        "settings": asdict(plan.settings),
        "gpu_memory_utilization": plan.gpu_memory_utilization,
        "kv_cache_memory_bytes": plan.kv_cache_memory_bytes,
        "budget": sums,
        "answers": asdict(answers(plan)),
        "argv": list(command.argv),
        "env": dict(command.env),
    }


def _engines(plans: Sequence[EnginePlan], cards: Mapping[PoolName, ModelCard | None]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, width=COLUMNS)
    table.add_column("", no_wrap=True)
    for plan in plans:
        table.add_column(plan.name, justify="right")
    rows = [dict(_rows(plan, cards[plan.pool])) for plan in plans]
    for label in rows[0]:
        table.add_row(label, *(row.get(label, "") for row in rows), end_section=label in {RUNS_ON, PARTS["total"]})
    return table


def _rows(plan: EnginePlan, card: ModelCard | None) -> Iterator[tuple[str, str]]:
    settings, budget, good_for = plan.settings, plan.budget, answers(plan)
    yield "model", plan.served_names[0]
    yield "its shape from", SOURCES[card.source] if card else "unknown"
    yield RUNS_ON, f"GPU {', '.join(str(gpu.index) for gpu in plan.gpus)}" if plan.gpus else f"CPU, {plan.threads} threads"
    if budget:
        yield from _sums(budget, on_gpu=bool(plan.gpus))
        yield "weights are", settings.quantization or (card.quantization if card else None) or settings.dtype or "bfloat16"
        yield "KV cache is", settings.kv_cache_dtype
        yield "KV cache, tokens", f"{budget.kv_tokens:,}"
    yield "context, tokens", f"{settings.max_model_len:,}"
    for tokens in REQUESTS:
        fits = tokens <= settings.max_model_len and budget
        yield f"requests of {tokens // 1024}K at once", f"{good_for.requests[tokens]:,}" if fits else "-"
    yield "requests at most", f"{settings.max_num_seqs:,}"
    if settings.max_num_batched_tokens:
        yield "batch, tokens", f"{settings.max_num_batched_tokens:,}"
    yield "largest picture, pixels", f"{good_for.picture_pixels:,}"
    yield "largest picture, tokens", f"{good_for.picture_tokens:,}"
    yield "A4 page of 1,000 px, tokens", f"{good_for.page_tokens:,}"
    yield "such pages in one context", f"{good_for.pages:,}"
    yield "pictures in one request", f"{settings.images_per_request:,}"


def _sums(budget: Budget, *, on_gpu: bool) -> Iterator[tuple[str, str]]:
    names = PARTS if on_gpu else PARTS | ON_CPU
    for part, label in names.items():
        if size := getattr(budget, part):
            yield label, gib(size)


def _gpus(plan: Plan) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, width=COLUMNS)
    for column in ("GPU", "memory", "free now", "reserve", "engines", "left"):
        table.add_column(column, justify="left" if column == "GPU" else "right")
    for room in plan.rooms:
        left = _left(plan, room)
        sizes = (room.gpu.memory_bytes, room.free, room.reserve, room.usable - left, left)
        table.add_row(f"{room.gpu.index} {room.gpu.name}", *map(gib, sizes))
    return table


def _left(plan: Plan, room: Room) -> int:
    """What the engines on a GPU leave of it, beside the reserve."""
    here = [each.budget for each in plan.engines if each.budget and room.gpu in each.gpus]
    return room.usable - sum(budget.total for budget in here)


def _copyable(command: Command) -> str:
    """Write a command as a shell takes it, in lines that end before the last column where they can."""
    settings = [f"{name}={shlex.quote(value)}" for name, value in command.env.items() if value is not None]
    starts = [at for at, word in enumerate(command.argv) if word.startswith("--")]
    flags = [shlex.join(command.argv[at:end]) for at, end in pairwise([*starts, len(command.argv)])]
    lines = [""]
    for words in [*settings, shlex.join(command.argv[: starts[0]]), *flags]:
        if lines[-1].strip() and len(lines[-1]) + len(words) > COLUMNS - 4:
            lines.append("   ")
        lines[-1] += f" {words}" if lines[-1] else words
    return " \\\n".join(lines)
