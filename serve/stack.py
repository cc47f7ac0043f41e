"""From the configuration to services that are ready to start: everything that can fail early does so here."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve import flags, hardware, ports
from serve.command import command
from serve.errors import ConfigError, EngineDied, RouterDied
from serve.model import locate
from serve.package import bytecode_env, find
from serve.plan import plan
from serve.supervisor import Service
from serve.values import EMBEDDED, Command

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from serve.config import DuetConfig
    from serve.package import Package
    from serve.values import EnginePlan, Hardware, PoolName

ROUTER_START_TIMEOUT_S = 60
ROUTER_GRACE_S = 5  # to end after its requests have


@dataclass(frozen=True, slots=True)
class Stack:
    """What to run, and where clients reach it."""

    services: tuple[Service, ...]
    plans: tuple[EnginePlan, ...]
    ready_url: str | None  # where the router says that it has found an engine for each pool


def prepare(
    config: DuetConfig,
    config_file: Path | None,
    pools: Collection[PoolName],
    cuda_visible_devices: str | None,
    say: Callable[[str], None],
    *,
    with_router: bool,
) -> Stack:
    """Plan the engines and check all that they need, cheapest first. `say` hears of what takes long.

    Raises:
        DuetError: any of its kinds but those of a started process.

    """
    if with_router:
        _check_router(config_file)
    package = find(config.serve.launcher)
    machine = hardware.probe(cuda_visible_devices, with_gpus=package.runs_on_gpu)
    say(_describe(machine, package))
    plans = plan(config, machine, pools)
    ports.check([*(_router_claims(config) if with_router else ()), *map(_claim, plans)])
    _make(config.serve.cache_dir)
    _check_flags(plans, package, config.serve.cache_dir, say)
    plans = tuple(_locate(each, config.serve.cache_dir, say) for each in plans)
    router = [_router(config, config_file, plans)] if with_router else []
    env = bytecode_env(config.serve.cache_dir)
    ready_url = f"{_router_url(config)}/ready" if with_router else None
    return Stack((*router, *(_engine(each, package, env, config, router) for each in plans)), plans, ready_url)


def _check_router(config_file: Path | None) -> None:
    """Let the router look at its part of the configuration, which nobody else knows."""
    done = subprocess.run(_router_argv("check", config_file), capture_output=True, text=True, check=False)
    message = done.stderr.strip().removeprefix("duet: ")
    if done.returncode == ConfigError.exit_code:
        raise ConfigError(message)
    if done.returncode:
        raise RouterDied(f"the router cannot look at its configuration (exit code {done.returncode}):\n{message}")


def _router_argv(verb: str, config_file: Path | None) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "router", verb, *(("--config", str(config_file)) if config_file else ()))


def _describe(machine: Hardware, package: Package) -> str:
    on = ", ".join(f"GPU {gpu.index} ({gpu.name})" for gpu in machine.gpus) or f"{machine.cores} CPU cores, no GPU in use"
    return f"{package.name} {package.version} on {on}"


def _router_claims(config: DuetConfig) -> Sequence[ports.Claim]:
    return [ports.Claim("router.port", "router.host", config.router.host, config.router.port)]


def _claim(plan: EnginePlan) -> ports.Claim:
    return ports.Claim(f"pools.{plan.pool}.replicas", "serve.host", plan.host, plan.port)


def _make(cache_dir: Path) -> None:
    try:
        (cache_dir / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"serve.cache_dir = {str(cache_dir)!r}: {error.strerror}") from error


def _check_flags(plans: Sequence[EnginePlan], package: Package, cache_dir: Path, say: Callable[[str], None]) -> None:
    env = bytecode_env(cache_dir)
    if not flags.is_known(package, cache_dir):
        say("Asking vLLM which flags it knows (once for each version) ...")
    known = flags.known(package, cache_dir, env)
    for each in plans:
        flags.check(each, command(each, package.launcher, env).argv[len(package.launcher) :], known, package)


def _locate(plan: EnginePlan, cache_dir: Path, say: Callable[[str], None]) -> EnginePlan:
    if plan.model == EMBEDDED:
        say(f"{plan.name}: {plan.served_names[0]}, a tiny stand-in with random weights")
    return locate(plan, cache_dir)


def _router_url(config: DuetConfig) -> str:
    return f"http://{ports.reachable(config.router.host)}:{config.router.port}"


def _router(config: DuetConfig, config_file: Path | None, plans: Sequence[EnginePlan]) -> Service:
    names = {f"DUET_POOLS__{plan.pool.upper()}__MODEL": plan.served_names[0] for plan in plans}
    return Service(
        name="router",
        command=Command(_router_argv("router", config_file), names),
        health_url=f"{_router_url(config)}/health",
        log=config.serve.cache_dir / "logs" / f"router-{config.router.port}.log",
        start_timeout_s=ROUTER_START_TIMEOUT_S,
        stop_grace_s=config.router.drain_s + ROUTER_GRACE_S,
        died=RouterDied,
        late=RouterDied,
        turn="router",
    )


def _engine(
    plan: EnginePlan, package: Package, env: dict[str, str | None], config: DuetConfig, before: Sequence[Service]
) -> Service:
    return Service(
        name=plan.name,
        command=command(plan, package.launcher, env),
        health_url=f"http://{ports.reachable(plan.host)}:{plan.port}/health",
        log=config.serve.cache_dir / "logs" / f"{plan.pool}-{plan.port}.log",
        start_timeout_s=config.serve.start_timeout_s,
        stop_grace_s=plan.drain_s + config.serve.shutdown_timeout_s,
        died=EngineDied,
        timeout_key="serve.start_timeout_s",
        turn=f"GPU {plan.gpu.index}" if plan.gpu else plan.name,
        after=(*(service.name for service in before), *([plan.starts_after] if plan.starts_after else [])),
        stop_stage=1,
    )
