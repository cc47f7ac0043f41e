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
from serve.values import POOLS, EnginePlan, Hardware, Plan

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from serve.service import Service

MIB, GIB = 1 << 20, 1 << 30


def on_24_gb(folder: Path, **instruct: object) -> tuple[Plan, Service, Service]:
    """The plan of both models on an RTX 4090D, Instruct with these wishes; and the services that are about to start."""
    config = DuetConfig(serve={"cache_dir": folder}, pools={"instruct": {"engine": instruct}})  # type: ignore[arg-type]
    machine = Hardware((catalogue.find("RTX 4090D"),), 8, 64 * GIB)
    planned = plan(config, machine, cards_of(config, machine, POOLS), POOLS)
    starter = Starter(config, Package("vllm", "0.32.0", ("vllm", "serve")), (), planned.engines, planned.rooms)
    instruct_service, thinking = map(starter.service, planned.engines)
    return planned, instruct_service, thinking


def idle(engine: EnginePlan) -> int:
    """What it takes before its first request: its plan without pictures and the allocator's slack."""
    assert engine.budget
    return engine.budget.total - engine.budget.encoder - engine.budget.slack


def test_engines_share_what_a_neighbour_took_and_both_keep_their_contexts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The 24 GB card on which 2,060 MiB are taken before the first start, as it was once on a GPU."""
    planned, instruct, thinking = on_24_gb(tmp_path)
    free = planned.rooms[0].free - 2060 * MIB
    monkeypatch.setattr(hardware, "free_bytes", lambda _: free)
    first = instruct.look()
    assert first
    assert first.said.startswith("finds less memory than was planned: 21.")
    assert "It starts with a KV cache of " in first.said
    assert first.service.look() is None, "its share is given once"
    free -= idle(planned.engines[0]) - 1500 * MIB
    second = thinking.look()
    assert second, "the rest is noticed, though it is less than the reserve"
    assert "It starts with a KV cache of " in second.said
    for service in (first.service, second.service):
        assert service.command.argv[service.command.argv.index("--max-model-len") + 1] == "32768"


def test_a_shortage_that_the_first_engine_can_do_nothing_about_is_remembered_for_the_second(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned, instruct, thinking = on_24_gb(tmp_path, kv_cache_memory="3GiB")
    free = planned.rooms[0].free - GIB
    monkeypatch.setattr(hardware, "free_bytes", lambda _: free)
    assert instruct.look() is None, "a wish is kept"
    free -= idle(planned.engines[0]) - 500 * MIB
    second = thinking.look()
    assert second, "what is missing now is less than the reserve"
    assert "It starts with a KV cache of " in second.said


def test_a_change_that_the_reserve_is_for_is_no_reason_to_start_with_less(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned, instruct, thinking = on_24_gb(tmp_path)
    free = planned.rooms[0].free - 500 * MIB
    monkeypatch.setattr(hardware, "free_bytes", lambda _: free)
    assert instruct.look() is None
    free -= idle(planned.engines[0])
    assert thinking.look() is None
