"""The command `duet`: the only place that reads the command line, and the one boundary where an error becomes an exit code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from serve.checkpoint import twin as checkpoint_twin
from serve.config import load
from serve.doctor import visit
from serve.errors import DuetError
from serve.greeting import greeting
from serve.ports import reachable
from serve.progress import Progress, say
from serve.report import COLUMNS, document, show
from serve.stack import prepare, preview
from serve.supervisor import Supervisor
from serve.values import POOLS
from serve.whatif import Imagined, pools_of, size, with_models

if TYPE_CHECKING:
    from collections.abc import Collection

    from serve.config import DuetConfig
    from serve.stack import Stack
    from serve.values import PoolName


class Pool(StrEnum):
    """The values of --pool; the parser of the command line takes no literals in a list."""

    INSTRUCT = "instruct"
    THINKING = "thinking"


DEFAULT_CONFIG = Path("duet.yaml")
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
TwinName = Annotated[str, typer.Argument(help=f"One of {', '.join(checkpoint_twin.NAMES)}.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The configuration file; ./duet.yaml if it is there.")]


def _print_version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"duet {version('duet-vl')}")
        raise typer.Exit


@app.callback()
def duet(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One OpenAI-compatible endpoint for Qwen3-VL, an Instruct and a Thinking pool behind it."""


@app.command()
def up(config: ConfigOption = None) -> None:
    """Start the router and the engines of both pools, and watch over them until Ctrl-C."""
    _run(config, POOLS, with_router=True)


@app.command()
def serve(
    config: ConfigOption = None,
    pool: Annotated[list[Pool] | None, typer.Option("--pool", help="Only this pool's engines; may be given twice.")] = None,
) -> None:
    """Start the engines alone, for a router that runs elsewhere."""
    _run(config, tuple(name for name in POOLS if name in (pool or POOLS)), with_router=False)


@app.command()
def plan(
    *,
    config: ConfigOption = None,
    gpu: Annotated[list[str] | None, typer.Option(help="Plan for this card, such as 'RTX 4090D'; may be repeated.")] = None,
    gpus: Annotated[int | None, typer.Option(min=1, help="So many of that card, or of those here.")] = None,
    memory: Annotated[str | None, typer.Option(help="With at most this much of each free, such as 24GiB.")] = None,
    models: Annotated[list[str] | None, typer.Option(help="A hub id or folder; may be repeated.")] = None,
    instruct: Annotated[str | None, typer.Option(help="The Instruct pool's model.")] = None,
    thinking: Annotated[str | None, typer.Option(help="The Thinking pool's model.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, for programs.")] = False,
) -> None:
    """Print what fits, here or on another card: memory, tokens, what gave way, vLLM's command lines. Starts nothing."""
    named: dict[PoolName, str | None] = {"instruct": instruct, "thinking": thinking}
    asked = with_models(load(_config_file(config)), models or (), named)
    imagined = Imagined(tuple(gpu or ()), gpus, size(memory))
    shown = preview(asked, pools_of(models or (), named), os.environ.get("CUDA_VISIBLE_DEVICES"), imagined)
    if as_json:
        typer.echo(json.dumps(document(shown), indent=2))
    else:
        show(Console(width=COLUMNS), shown)


@app.command()
def twin(name: TwinName, directory: Annotated[Path, typer.Argument(metavar="DIR")]) -> None:
    """Write a checkpoint folder with the true shape of a Qwen3-VL model and no weights, for --load-format dummy."""
    checkpoint_twin.write(name, directory)
    typer.echo(f"{directory}: {name} without weights; serve it with engine.args: [--load-format, dummy]")


@app.command()
def doctor(
    *,
    config: ConfigOption = None,
    log: Annotated[
        Path | None, typer.Option("--log", help="Name what an engine died of, from its log; `-` reads stdin.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this machine and the configuration, or an engine's log, and say how to mend what is wrong."""
    if log:
        visit.read_log(_read(log), Console(), as_json=as_json)
    else:
        visit.examine_machine(_config_file(config), os.environ, Console(), as_json=as_json)


@app.command(context_settings=PASS_THROUGH, add_help_option=False)
def router(context: typer.Context) -> None:
    """Start the router alone, in front of replicas that run elsewhere."""
    _become_router("router", context.args)


@app.command(context_settings=PASS_THROUGH, add_help_option=False)
def route(context: typer.Context) -> None:
    """Print which pool each prompt of a file would go to."""
    _become_router("route", context.args)


def main() -> None:
    """Run the command line; a DuetError becomes one message on stderr and its exit code."""
    try:
        app(prog_name="duet")
    except DuetError as error:
        with suppress(OSError, SystemExit):  # with nobody left to read it, the exit code still tells
            Console(stderr=True).print(f"duet: {error.message}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    finally:
        _let_go_of_output()


def _let_go_of_output() -> None:
    """With its reader gone, what is left of our output would fail once more at exit and turn the exit code into 120.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _read(log: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(log) == "-" else log.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{log}: {error.strerror}", param_hint="--log") from error


def _become_router(verb: str, arguments: list[str]) -> NoReturn:
    os.execv(sys.executable, [sys.executable, "-P", "-m", "router", verb, *arguments])  # noqa: S606 - no shell is wanted


def _config_file(named: Path | None) -> Path | None:
    return named or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None)


def _run(config_file: Path | None, pools: Collection[PoolName], *, with_router: bool) -> None:
    console = Console()
    file = _config_file(config_file)
    config = load(file)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        stack = prepare(config, file, pools, devices, partial(say, console), with_router=with_router)
    except KeyboardInterrupt:
        return  # nothing has been started yet
    asyncio.run(_supervise(console, config, stack, with_router=with_router))


async def _supervise(console: Console, config: DuetConfig, stack: Stack, *, with_router: bool) -> None:
    progress = Progress(console, [service.name for service in stack.services])
    host, port = (config.router.host, config.router.port) if with_router else (stack.plans[0].host, stack.plans[0].port)

    def announce() -> None:
        progress.close()
        progress.say(greeting(f"http://{reachable(host)}:{port}", stack.plans, with_router=with_router))

    try:
        await Supervisor(stack.services, progress).run(announce, stack.ready_url)
    finally:
        progress.close()
