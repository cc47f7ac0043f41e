"""GPUs by name, for planning without the card.

Totals are what NVML and `nvidia-smi` report with drivers since R510, in MiB: T4, A10, L4, A100, L40S and H100 from
https://github.com/modal-labs/modal-client/pull/2797, the 5090 from https://github.com/noonghunna/club-3090/issues/617, the
4090 from https://github.com/RLinf/RLinf/issues/255, the others from public `nvidia-smi` listings. CUDA hands out less: the
driver keeps some hundred MiB. Compute capabilities: https://developer.nvidia.com/cuda-gpus
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from serve.errors import PlanError
from serve.values import Gpu

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class CatalogueGpu:
    """A GPU model, under the name that NVML gives it or the shortest one that tells it from its siblings."""

    name: str
    memory_bytes: int
    compute_capability: tuple[int, int]


def _gpu(name: str, memory_mib: int, compute_capability: tuple[int, int]) -> CatalogueGpu:
    return CatalogueGpu(name, memory_mib * _MIB, compute_capability)


CATALOGUE = (
    _gpu("V100 16GB", 16_384, (7, 0)),
    _gpu("V100 32GB", 32_768, (7, 0)),
    _gpu("T4", 15_360, (7, 5)),
    _gpu("A100 40GB", 40_960, (8, 0)),
    _gpu("A100 80GB", 81_920, (8, 0)),
    _gpu("A10", 23_028, (8, 6)),
    _gpu("RTX 3090", 24_576, (8, 6)),
    _gpu("L4", 23_034, (8, 9)),
    _gpu("L40S", 46_068, (8, 9)),
    _gpu("RTX 4090", 24_564, (8, 9)),
    _gpu("RTX 4090 D", 24_564, (8, 9)),
    _gpu("H100", 81_559, (9, 0)),
    _gpu("H200", 143_771, (9, 0)),
    _gpu("B200", 183_359, (10, 0)),
    _gpu("RTX 5090", 32_607, (12, 0)),
    _gpu("RTX PRO 6000", 97_887, (12, 0)),
)

# What is said around a model's name and tells no two of them apart.
_NOISE = re.compile(r"nvidia|geforce|tesla|blackwell|serveredition|workstationedition|maxq|sxm\d?|pcie|hbm\de?|^rtx")
_MEMORY = re.compile(r"\b(\d+) ?(?:gb|gib|g)\b")
_GIB = 1 << 30
_SHORT = 0.9  # of the memory on the box is at least what NVML reports


def find(name: str) -> Gpu:
    """The GPU of that name, as it is when nobody uses it: "RTX 4090D", "4090d", "A100 80GB", "NVIDIA H100 80GB HBM3".

    Raises PlanError, with the known names, for a name that is none of them or more than one.
    """
    found = [gpu for gpu in CATALOGUE if _answers(gpu, name)]
    if not found:
        raise PlanError(f"no GPU {name!r} is known; there are {_names(CATALOGUE)}")
    if len(found) > 1:
        raise PlanError(f"GPU {name!r} may be one of {_names(found)}; name one")
    (gpu,) = found
    return Gpu(0, gpu.name, gpu.compute_capability, memory_bytes=gpu.memory_bytes, free_bytes=gpu.memory_bytes)


def _answers(gpu: CatalogueGpu, name: str) -> bool:
    """Whether the model is the same, and the memory too where it is said."""
    said = _MEMORY.search(name.lower())
    return _model(gpu.name) == _model(name) and (said is None or _holds(gpu, int(said[1])))


def _model(name: str) -> str:
    """A name without memory, spaces, dashes and noise."""
    plain = re.sub(r"[^a-z0-9]", "", _MEMORY.sub("", name.lower()))
    for _ in range(2):  # "rtx" comes to the front when what stands before it has gone
        plain = _NOISE.sub("", plain)
    return "pro6000" if plain == "6000pro" else plain


def _holds(gpu: CatalogueGpu, gib: int) -> bool:
    return gib * _SHORT * _GIB <= gpu.memory_bytes <= gib / _SHORT * _GIB


def _names(gpus: tuple[CatalogueGpu, ...] | list[CatalogueGpu]) -> str:
    return ", ".join(gpu.name for gpu in gpus)
