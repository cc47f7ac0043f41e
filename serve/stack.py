"""From the configuration to services that are ready to start: everything that can fail early does so here."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve import cards, flags, hardware, ports, whatif
from serve.command import command
from serve.errors import ConfigError, ModelNotFound, RouterDied
from serve.model import locate
from serve.package import Package, bytecode_env, find
from serve.plan import plan
from serve.planning.names import model_of
from serve.planning.slots import slots
from serve.report import Preview
from serve.service import Service
from serve.starter import Starter
from serve.values import EMBEDDED, Command
from serve.wording import engine_line, step_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from serve.config import DuetConfig
    from serve.memory.card import ModelCard
    from serve.values import EnginePlan, Hardware, Plan, PoolName

ROUTER_START_TIMEOUT_S = 60
ELSEWHERE = ("vllm", "serve")  # how vLLM is started where it is installed as its makers mean it
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
        check_router(config_file)
    package = find(config.serve.launcher)
    machine = hardware.probe(cuda_visible_devices, with_gpus=package.runs_on_gpu)
    say(_describe(machine, package))
    _check_ports(config, pools, with_router=with_router)
    _make(config.serve.cache_dir)
    planned = plan(config, machine, cards_of(config, machine, pools), pools)
    _tell(planned, say)
    _check_flags(planned.engines, package, config.serve.cache_dir, say)
    plans = tuple(_locate(each, say) for each in planned.engines)
    router = [_router(config, config_file, plans)] if with_router else []
    starter = Starter(config, package, tuple(service.name for service in router), plans, planned.rooms)
    ready_url = f"{_router_url(config)}/ready" if with_router else None
    return Stack((*router, *map(starter.service, plans)), plans, ready_url)


def preview(
    config: DuetConfig, pools: Collection[PoolName], cuda_visible_devices: str | None, imagined: whatif.Imagined
) -> Preview:
    """Plan for this machine, or for what is imagined in its place; nothing is started, made or asked beyond that.

    Raises:
        DuetError: there is no such GPU or model, or the plan does not fit.

    """
    package = Package("vllm", "", config.serve.launcher or ELSEWHERE) if imagined.gpus else find(config.serve.launcher)
    here = hardware.probe(cuda_visible_devices, with_gpus=package.runs_on_gpu and not imagined.gpus)
    machine = whatif.instead(here, imagined)
    known = cards_of(config, machine, pools)
    planned = plan(config, machine, known, pools)
    return Preview(planned, known, {each.name: command(each, package.launcher, {}) for each in planned.engines})


def cards_of(config: DuetConfig, machine: Hardware, pools: Collection[PoolName]) -> dict[PoolName, ModelCard | None]:
    """Read what the plan must know of each pool's model.

    Without a GPU the KV cache has a given size, so a model whose files say too little is left to vLLM to judge.

    Raises:
        ModelNotFound: there is no such model, or with a GPU nobody can tell how large it is.

    """
    found: dict[PoolName, ModelCard | None] = {}
    for pool in pools:
        try:
            found[pool] = cards.find(pool, model_of(pool, config.pools.named(pool), machine))
        except ModelNotFound:
            if machine.gpus:
                raise
            found[pool] = None
    return found


def _tell(planned: Plan, say: Callable[[str], None]) -> None:
    for line in [*map(step_line, planned.steps), *map(engine_line, planned.engines), *planned.notes]:
        say(line)


def check_router(config_file: Path | None) -> None:
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


def _check_ports(config: DuetConfig, pools: Collection[PoolName], *, with_router: bool) -> None:
    engines = [
        ports.Claim(f"pools.{slot.pool}.replicas", "serve.host", config.serve.host, slot.port) for slot in slots(config, pools)
    ]
    ports.check([*(_router_claims(config) if with_router else ()), *engines])


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


def _locate(plan: EnginePlan, say: Callable[[str], None]) -> EnginePlan:
    if plan.model == EMBEDDED:
        say(f"{plan.name}: {plan.served_names[0]}, a tiny Qwen3-VL of Duet's own that reads text in pictures")
    return locate(plan)


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
