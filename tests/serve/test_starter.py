"""Engines that find less memory than was planned: what each starts with, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve import hardware
from serve.config import DuetConfig
from serve.memory import catalogue
from serve.package import Package
from serve.plan import plan
from serve.stack import cards_of
from serve.starter import Starter
from serve.values import POOLS, Hardware

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MIB, GIB = 1 << 20, 1 << 30


def test_engines_share_what_a_neighbour_took_and_both_keep_their_contexts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The 24 GB card on which 2,060 MiB are taken before the first start, as it was once on a GPU."""
    config, machine = DuetConfig(serve={"cache_dir": tmp_path}), Hardware((catalogue.find("RTX 4090D"),), 8, 64 * GIB)  # type: ignore[arg-type]
    planned = plan(config, machine, cards_of(config, machine, POOLS), POOLS)
    starter = Starter(config, Package("vllm", "0.32.0", ("vllm", "serve")), (), planned.engines, planned.rooms)
    instruct, thinking = (starter.service(each) for each in planned.engines)
    free = planned.rooms[0].free - 2060 * MIB
    monkeypatch.setattr(hardware, "free_bytes", lambda _: free)
    first = instruct.look()
    assert first
    assert first.said.startswith("finds less memory than was planned: 21.")
    assert "It starts with a KV cache of " in first.said
    assert first.service.look() is None, "its share is given once"
    budget = planned.engines[0].budget
    assert budget
    free -= budget.total - budget.encoder - budget.slack - 800 * MIB
    second = thinking.look()
    assert second, "the rest is noticed, though it is less than the reserve"
    assert "It starts with a KV cache of " in second.said
    for service in (first.service, second.service):
        assert service.command.argv[service.command.argv.index("--max-model-len") + 1] == "32768"
