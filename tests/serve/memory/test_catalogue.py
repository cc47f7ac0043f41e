"""GPUs by the names that people and drivers give them."""

from __future__ import annotations

import pytest

from serve.errors import PlanError
from serve.memory.catalogue import CATALOGUE, find

MIB = 1 << 20


@pytest.mark.parametrize(
    ("said", "name", "mib", "capability"),
    [
        ("RTX 4090D", "RTX 4090 D", 24_564, (8, 9)),
        ("4090d", "RTX 4090 D", 24_564, (8, 9)),
        ("NVIDIA GeForce RTX 4090 D", "RTX 4090 D", 24_564, (8, 9)),
        ("4090", "RTX 4090", 24_564, (8, 9)),
        ("A100 80GB", "A100 80GB", 81_920, (8, 0)),
        ("NVIDIA A100-SXM4-40GB", "A100 40GB", 40_960, (8, 0)),
        ("Tesla V100-SXM2-32GB", "V100 32GB", 32_768, (7, 0)),
        ("Tesla T4", "T4", 15_360, (7, 5)),
        ("NVIDIA H100 80GB HBM3", "H100", 81_559, (9, 0)),
        ("H200", "H200", 143_771, (9, 0)),
        ("B200 192GB", "B200", 183_359, (10, 0)),
        ("RTX 6000 Pro", "RTX PRO 6000", 97_887, (12, 0)),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "RTX PRO 6000", 97_887, (12, 0)),
    ],
)
def test_a_name_is_found_as_it_is_said(said: str, name: str, mib: int, capability: tuple[int, int]) -> None:
    gpu = find(said)
    assert (gpu.name, gpu.memory_bytes, gpu.compute_capability) == (name, mib * MIB, capability)
    assert (gpu.index, gpu.free_bytes, gpu.holders) == (0, gpu.memory_bytes, ())


def test_every_gpu_answers_to_its_own_name_alone() -> None:
    assert [find(gpu.name).name for gpu in CATALOGUE] == [gpu.name for gpu in CATALOGUE]


@pytest.mark.parametrize("said", ["A10G", "RTX 3080", "4090 48GB", "RTX", ""])
def test_an_unknown_gpu_is_refused_with_those_that_are_known(said: str) -> None:
    with pytest.raises(PlanError, match=r"RTX 4090, RTX 4090 D, H100") as caught:
        find(said)
    assert repr(said) in caught.value.message


def test_a_gpu_of_two_sizes_needs_its_size() -> None:
    with pytest.raises(PlanError, match="GPU 'A100' may be one of A100 40GB, A100 80GB"):
        find("A100")
