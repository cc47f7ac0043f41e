"""What an engine does without when others have taken memory between the plan and its start."""

from __future__ import annotations

import pytest

from serve.config import DuetConfig
from serve.memory import catalogue
from serve.plan import plan
from serve.planning.crowding import crowded
from serve.planning.descent import descend
from serve.stack import cards_of
from serve.values import POOLS, EnginePlan, Hardware, Plan

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


@pytest.mark.parametrize("taken", [800 * MIB, GIB, 2060 * MIB, 5 * GIB // 2])
def test_what_was_taken_before_the_first_start_is_shared_and_no_context_gives_way_that_another_has_room_for(
    both_on_24_gb: Plan, taken: int
) -> None:
    (room,), engines = both_on_24_gb.rooms, both_on_24_gb.engines
    instruct, thinking = engines
    first = crowded(instruct, engines, room, room.free - taken)
    assert first
    lower_instruct = descend(instruct, first)
    assert lower_instruct
    assert crowded(lower_instruct.plan, engines, room, room.free - taken, known=True) is None, "its share is given once"
    left = room.free - taken - idle(both_on_24_gb) + saved(instruct, lower_instruct.plan)
    second = crowded(thinking, engines, room, left, known=True)
    assert second
    lower_thinking = descend(thinking, second)
    assert lower_thinking
    plans = [lower_instruct.plan, lower_thinking.plan]
    assert [each.settings.max_model_len for each in plans] == [32_768, 32_768]
    assert all(each.budget and each.budget.kv_tokens > 32_768 for each in plans)
    assert sum(each.budget.total for each in plans if each.budget) + taken + room.reserve <= room.free
    assert crowded(lower_thinking.plan, engines, room, left, known=True) is None


def test_an_engine_whose_kv_cache_was_asked_for_leaves_the_rest_to_the_next() -> None:
    config = DuetConfig(pools={"instruct": {"engine": {"kv_cache_memory": "3GiB"}}})  # type: ignore[arg-type]
    machine = Hardware((catalogue.find("RTX 4090D"),), 8, 64 * GIB)
    planned = plan(config, machine, cards_of(config, machine, POOLS), POOLS)
    (room,), (instruct, thinking) = planned.rooms, planned.engines
    assert crowded(instruct, planned.engines, room, room.free - GIB) is None
    short = crowded(thinking, planned.engines, room, room.free - idle(planned) - GIB)
    assert short
    assert short.missing >= GIB


def saved(before: EnginePlan, after: EnginePlan) -> int:
    assert before.budget
    assert after.budget
    return before.budget.total - after.budget.total
