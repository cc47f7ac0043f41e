"""`python -m router router | route`, which is how `duet` runs them: the only place that reads the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from router import server
from router.classify import classify
from router.config import RouterConfig, load
from router.decide import policy_of
from router.errors import ConfigError, DuetError
from router.explanation import explanation
from router.values import Policy, View

commands = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
DEFAULT_CONFIG = Path("duet.yaml")
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The configuration file; ./duet.yaml if it is there.")]


@commands.command()
def check(config: ConfigOption = None) -> None:
    """Say whether the configuration is right, by exit code and message."""
    _load(config)


@commands.command("router")
def serve(config: ConfigOption = None) -> None:
    """Start the router alone, in front of the replicas that the configuration names."""
    if not server.run(_load(config)):
        raise typer.Exit(1)


def _load(config: Path | None) -> RouterConfig:
    return load(config or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None))


class Row(Struct):
    """A prompt to decide on: its text, its count of pictures, and an id that is given back."""

    text: str
    images: int = 0
    id: str | int | None = None


@commands.command()
def route(
    text: Annotated[str | None, typer.Argument(help="A prompt to explain the decision on; - reads standard input.")] = None,
    jsonl: Annotated[
        Path | None,
        typer.Option(
            "--jsonl", help="Rows with `text` and `images` (a count), one JSON object a line; - reads standard input."
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print what would be decided: about a prompt, and which features spoke, or about each row of a file. No server is asked."""
    if (text is None) == (jsonl is None):
        raise ConfigError("route takes a prompt, or --jsonl FILE: one of the two")
    policy = policy_of(_load(config).router.routing)
    if jsonl is None:
        typer.echo(explanation(sys.stdin.read() if text == "-" else str(text), policy))
    else:
        _route_rows(jsonl, policy)


def _route_rows(jsonl: Path, policy: Policy) -> None:
    lines = sys.stdin.buffer if str(jsonl) == "-" else _open(jsonl)
    for number, line in enumerate(lines, 1):
        if line.strip():
            sys.stdout.buffer.write(_decide(line, f"{jsonl}:{number}", policy) + b"\n")


def _open(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"--jsonl: {path}: {error.strerror}") from error


def _decide(line: bytes, where: str, policy: Policy) -> bytes:
    try:
        row = msgspec.json.decode(line, type=Row)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {error}") from error
    decision = classify(View(text=row.text, images=row.images), policy)
    said = {"pool": decision.pool, "reason": decision.reason, "score": decision.score}
    return msgspec.json.encode(({} if row.id is None else {"id": row.id}) | said)


def main() -> None:
    """The one boundary where an error becomes a message and an exit code."""
    try:
        commands(prog_name="duet")
    except DuetError as error:
        typer.secho(f"duet: {error.message}", err=True, fg="red")
        sys.exit(error.exit_code)
