"""What an engine does without when others have taken memory between the plan and its start."""

from __future__ import annotations

import pytest

from serve.config import DuetConfig
from serve.memory import catalogue
from serve.plan import plan
from serve.planning.crowding import crowded
from serve.planning.descent import descend
from serve.stack import cards_of
from serve.values import POOLS, Hardware, Plan

MIB = 1 << 20
GIB = 1 << 30


@pytest.fixture
def both_on_24_gb() -> Plan:
    config, machine = DuetConfig(), Hardware((catalogue.find("RTX 4090D"),), 8, 64 * GIB)
    return plan(config, machine, cards_of(config, machine, POOLS), POOLS)


def idle(planned: Plan) -> int:
    """What Instruct takes before its first request: on an H200 285 MiB more than its plan without pictures and the allocator's slack."""
    budget = planned.engines[0].budget
    assert budget
    return budget.total - budget.encoder - budget.slack + 285 * MIB


def test_a_plan_holds_while_nobody_takes_more_than_the_reserve_leaves(both_on_24_gb: Plan) -> None:
    (room,), (instruct, thinking) = both_on_24_gb.rooms, both_on_24_gb.engines
    assert crowded(instruct, both_on_24_gb.engines, room, room.free) is None
    assert crowded(instruct, both_on_24_gb.engines, room, room.free - room.reserve) is None
    assert crowded(thinking, both_on_24_gb.engines, room, room.free - idle(both_on_24_gb)) is None
    assert crowded(thinking, both_on_24_gb.engines, room, room.free - idle(both_on_24_gb) - 256 * MIB) is None


@pytest.mark.parametrize("taken", [GIB, 3 * GIB // 2, 2 * GIB])
def test_what_others_took_since_is_taken_from_the_kv_cache_and_the_reserve_is_whole_again(
    both_on_24_gb: Plan, taken: int
) -> None:
    (room,), (instruct, thinking) = both_on_24_gb.rooms, both_on_24_gb.engines
    short = crowded(thinking, both_on_24_gb.engines, room, room.free - idle(both_on_24_gb) - taken)
    assert short
    assert "GiB of GPU 0 are free, and the plan counts on" in short.said
    lowered = descend(thinking, short)
    assert lowered
    assert instruct.budget
    assert lowered.plan.budget
    assert lowered.plan.budget.kv_tokens >= lowered.plan.settings.max_model_len
    assert instruct.budget.total + lowered.plan.budget.total + taken + room.reserve <= room.free
    again = crowded(lowered.plan, both_on_24_gb.engines, room, room.free - idle(both_on_24_gb) - taken)
    assert again is None, "what was lowered once fits, and is not lowered again when it has to start again"
