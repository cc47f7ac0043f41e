"""`python -m router router | route`, which is how `duet` runs them: the only place that reads the command line."""

from __future__ import annotations

import gc
import logging
import socket
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import uvicorn
from msgspec import Struct

from router import app as application
from router.classify import classify
from router.config import RouterConfig, load
from router.errors import ConfigError, DuetError, PortInUse
from router.line import RelayProtocol
from router.values import View

log = logging.getLogger("duet.router")
commands = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
# Longer than any usual client keeps an idle connection, so that no request meets one that is just being closed
IDLE_S = 75
DEFAULT_CONFIG = Path("duet.yaml")
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The configuration file; ./duet.yaml if it is there.")]


@commands.command()
def check(config: ConfigOption = None) -> None:
    """Say whether the configuration is right, by exit code and message."""
    _load(config)


@commands.command("router")
def serve(config: ConfigOption = None) -> None:
    """Start the router alone, in front of the replicas that the configuration names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = _load(config)
    listener = _listen(settings)
    replicas = "; ".join(f"{pool}: {', '.join(section.replicas)}" for pool, section in settings.pools.items())
    log.info("http://%s:%d in front of %s", settings.router.host, settings.router.port, replicas)
    server = uvicorn.Server(_server_config(settings))
    gc.collect()
    gc.freeze()  # what is loaded by now stays: the collector need not look at it again between tokens
    gc.set_threshold(50_000, 20, 50)  # a stream makes no cycles; the default would look for them after every few events
    server.run(sockets=[listener])
    if not server.started:
        raise typer.Exit(1)


def _load(config: Path | None) -> RouterConfig:
    return load(config or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None))


def _listen(settings: RouterConfig) -> socket.socket:
    """Binds before anything else starts, so that a port in use is the first thing said and not the last."""
    host, port = settings.router.host, settings.router.port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortInUse(f"router.port: {port}: cannot listen on {host}: {error.strerror}") from error
    return listener


def _server_config(settings: RouterConfig) -> uvicorn.Config:
    return uvicorn.Config(
        application.build(settings),
        loop="uvloop",
        http=RelayProtocol if settings.router.relay == "transport" else "httptools",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=settings.router.drain_s,
    )


class Row(Struct):
    """A prompt to decide on: its text, its count of pictures, and an id that is given back."""

    text: str
    images: int = 0
    id: str | int | None = None


@commands.command()
def route(
    jsonl: Annotated[
        Path,
        typer.Option(
            "--jsonl", help="Rows with `text` and `images` (a count), one JSON object a line; - reads standard input."
        ),
    ],
) -> None:
    """Print what would be decided about each row of a file: pool, reason, score. No server is asked."""
    lines = sys.stdin.buffer if str(jsonl) == "-" else _open(jsonl)
    for number, line in enumerate(lines, 1):
        if line.strip():
            sys.stdout.buffer.write(_decide(line, f"{jsonl}:{number}") + b"\n")


def _open(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"--jsonl: {path}: {error.strerror}") from error


def _decide(line: bytes, where: str) -> bytes:
    try:
        row = msgspec.json.decode(line, type=Row)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{where}: {error}") from error
    decision = classify(View(text=row.text, images=row.images))
    said = {"pool": decision.pool, "reason": decision.reason, "score": decision.score}
    return msgspec.json.encode(({} if row.id is None else {"id": row.id}) | said)


def main() -> None:
    """The one boundary where an error becomes a message and an exit code."""
    try:
        commands(prog_name="duet")
    except DuetError as error:
        typer.secho(f"duet: {error.message}", err=True, fg="red")
        sys.exit(error.exit_code)
