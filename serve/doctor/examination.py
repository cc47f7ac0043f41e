"""The whole examination: every look at the machine, and the judgement on it. One that fails is a row of the table, and not its end."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from serve import hardware, ports
from serve.checkpoint import embedded
from serve.config import DuetConfig, load
from serve.doctor import checkpoints, facts, gpus, limits, models, software
from serve.doctor.values import failure, ok
from serve.errors import DuetError
from serve.package import find
from serve.planning.names import is_path, model_of
from serve.stack import check_router
from serve.values import EMBEDDED, POOLS, Hardware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from serve.doctor.values import Check
    from serve.package import Package
    from serve.values import Gpu, PoolName

    Look = tuple[str, Callable[[], Check]]  # the name of a row, and what fills it

CPU_KV_BYTES = 1 << 30  # of an engine without a GPU, where the configuration names no other size
SAME_AGAIN = "Correct what this names."


def examine(config_file: Path | None, environ: Mapping[str, str]) -> tuple[Check, ...]:
    """Look at everything that keeps Duet from running, at once; the rows come in a fixed order. Takes a few seconds at most."""
    config, checked = _configuration(config_file)
    machine, no_hardware = _hardware(environ.get("CUDA_VISIBLE_DEVICES"))
    package, no_package = _package(config)
    looks: list[Look] = []
    if package:
        looks.extend(_software(package, machine, environ.get("CC")))
    looks.extend(_gpus(machine, config))
    looks.extend(_system(machine, config, package, environ))
    looks.extend(_ports(config))
    looks.extend(_models(machine if package is None or package.runs_on_gpu else _without_gpus(machine), config))
    with ThreadPoolExecutor() as pool:
        return (*checked, *no_package, *no_hardware, *pool.map(_filled, looks))


def _filled(look: Look) -> Check:
    name, judge = look
    try:
        return judge()
    except DuetError as error:
        return failure(name, error.message, SAME_AGAIN)
    except (OSError, psutil.Error) as error:
        return failure(name, f"cannot be looked at: {error}", "Run the doctor as the user who runs Duet.")


def _configuration(file: Path | None) -> tuple[DuetConfig, list[Check]]:
    """Read it; where it is wrong the other checks go on with the defaults."""
    name, source = "configuration", str(file or "no duet.yaml, so the defaults")
    try:
        config = load(file)
        check_router(file)
    except DuetError as error:
        fix = "Correct these keys; the README lists all. The checks below use the defaults."
        return DuetConfig.model_construct(), [failure(name, error.message, fix)]
    return config, [ok(name, source)]


def _hardware(devices: str | None) -> tuple[Hardware, list[Check]]:
    try:
        return hardware.probe(devices, with_gpus=True), []
    except DuetError as error:
        machine = hardware.probe(None, with_gpus=False)
        return machine, [
            failure("GPUs", error.message, "Correct CUDA_VISIBLE_DEVICES, or restart the driver: `nvidia-smi` should answer.")
        ]


def _without_gpus(machine: Hardware) -> Hardware:
    return Hardware((), machine.cores, machine.memory_bytes, fp8_on_cpu=machine.fp8_on_cpu)


def _package(config: DuetConfig) -> tuple[Package | None, list[Check]]:
    try:
        return find(config.serve.launcher), []
    except DuetError as error:
        return None, [failure("vLLM", error.message, "`make install` installs the build that fits this machine.")]


def _software(package: Package, machine: Hardware, named_compiler: str | None) -> Iterator[Look]:
    yield "vLLM", lambda: software.python(sys.version_info[:2], package)
    yield "versions", lambda: software.versions(facts.unmet(package), facts.installed())
    yield "driver", lambda: software.driver(machine, package, facts.libraries(package))
    yield "C compiler", partial(_compiler, package, named_compiler)


def _compiler(package: Package, named: str | None) -> Check:
    path, has_headers = facts.compiler(named)
    return software.compiler(path, has_headers=has_headers, package=package)


def _gpus(machine: Hardware, config: DuetConfig) -> Iterator[Look]:
    for gpu in machine.gpus:
        yield f"GPU {gpu.index}", partial(_types, gpu, config)
        yield f"GPU {gpu.index} memory", partial(gpus.memory, gpu)
    yield "orphans", lambda: gpus.orphans(facts.orphans(), machine)


def _types(gpu: Gpu, config: DuetConfig) -> Check:
    return gpus.types(gpu, facts.torch_cuda(), config)


def _system(machine: Hardware, config: DuetConfig, package: Package | None, environ: Mapping[str, str]) -> Iterator[Look]:
    on_gpu = bool(machine.gpus) and (package is None or package.runs_on_gpu)
    yield "RAM", lambda: _ram(config, on_gpu=on_gpu)
    yield limits.SHM, lambda: limits.shared_memory(facts.shared_memory(), len(machine.gpus), config)
    yield "open files", lambda: limits.open_files(facts.open_files())
    yield "allocator", lambda: limits.allocator(environ, config)
    yield "disk of the cache", lambda: limits.disk(facts.disk(config.serve.cache_dir, 0, "the cache"))


def _ram(config: DuetConfig, *, on_gpu: bool) -> Check:
    memory = psutil.virtual_memory()
    pools = [config.pools.named(pool) for pool in POOLS]
    engines = sum(len(pool.local_ports) for pool in pools)
    kv_bytes = 0 if on_gpu else sum(len(it.local_ports) * (it.engine.kv_cache_memory or CPU_KV_BYTES) for it in pools)
    return limits.ram(memory.available, memory.total, engines, kv_bytes)


def _ports(config: DuetConfig) -> Iterator[Look]:
    claims = [ports.Claim("router.port", "router.host", config.router.host, config.router.port)]
    for pool in POOLS:
        own = config.pools.named(pool).local_ports
        claims += [ports.Claim(f"pools.{pool}.replicas", "serve.host", config.serve.host, port) for port in own]
    for claim in claims:
        yield f"port {claim.port}", partial(_port, claim, [other for other in claims if other is not claim])


def _port(claim: ports.Claim, others: list[ports.Claim]) -> Check:
    name = f"port {claim.port}"
    if twice := [other.key for other in others if other.port == claim.port]:
        return failure(name, f"{claim.key} and {twice[0]} both want it", f"Change {claim.key}.")
    try:
        ports.check([claim])
    except DuetError as error:
        return failure(name, error.message, f"If that is Duet, it is up already; else end it, or change {claim.key}.")
    return ok(name, f"free for {claim.key}")


def _models(machine: Hardware, config: DuetConfig) -> Iterator[Look]:
    chosen = {pool: model_of(pool, config.pools.named(pool), machine) for pool in POOLS if config.pools.named(pool).local_ports}
    for pool, model in chosen.items():
        yield f"{pool} model", partial(_model, pool, model, config)
    if any(_is_hub_id(model) for model in chosen.values()):
        yield "disk of the hub's cache", partial(_hub_disk, chosen)


def _is_hub_id(model: str) -> bool:
    return model != EMBEDDED and not is_path(model) and not (Path(model) / "config.json").is_file()


def _model(pool: PoolName, model: str, config: DuetConfig) -> Check:
    if model == EMBEDDED:
        return models.embedded(pool, checkpoints.look(embedded.folder_of(pool)))
    if not _is_hub_id(model):
        return _folder(pool, Path(model).expanduser(), config.pools.named(pool).engine.args)
    found = checkpoints.from_hub(pool, model)
    return models.fetch(pool, found) if isinstance(found, models.Fetch) else models.folder(pool, found, dummy=False)


def _folder(pool: PoolName, folder: Path, args: tuple[str, ...]) -> Check:
    if not folder.is_dir():
        return failure(
            f"{pool} model", f"pools.{pool}.model: {folder}: there is no such folder", "Correct the path, or name a hub id."
        )
    return models.folder(pool, checkpoints.look(folder), dummy="--load-format dummy" in " ".join(args).replace("=", " "))


def _hub_disk(chosen: Mapping[PoolName, str]) -> Check:
    return limits.disk(checkpoints.hub_disk({pool: model for pool, model in chosen.items() if _is_hub_id(model)}))
