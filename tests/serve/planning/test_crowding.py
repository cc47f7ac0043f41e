"""What an engine does without when others have taken memory between the plan and its start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serve.config import DuetConfig
from serve.memory import catalogue
from serve.plan import plan
from serve.planning.crowding import crowded, lacking
from serve.planning.descent import descend
from serve.stack import cards_of
from serve.values import POOLS, EnginePlan, Hardware, Plan

MIB = 1 << 20
GIB = 1 << 30


@pytest.fixture
def both_on_24_gb() -> Plan:
    return planned_for({}, "RTX 4090D")


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


def test_what_is_left_of_a_known_shortage_counts_although_the_reserve_would_hold_it(both_on_24_gb: Plan) -> None:
    (room,), (_, thinking) = both_on_24_gb.rooms, both_on_24_gb.engines
    free = room.free - idle(both_on_24_gb) - 256 * MIB
    lacks = lacking(thinking, both_on_24_gb.engines, room, free)
    assert 0 < lacks < room.reserve
    assert crowded(thinking, both_on_24_gb.engines, room, free) is None
    short = crowded(thinking, both_on_24_gb.engines, room, free, known=True)
    assert short
    assert short.missing == lacks


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
    planned = planned_for({"instruct": {"engine": {"kv_cache_memory": "3GiB"}}}, "RTX 4090D")
    (room,), (instruct, thinking) = planned.rooms, planned.engines
    assert crowded(instruct, planned.engines, room, room.free - GIB) is None
    short = crowded(thinking, planned.engines, room, room.free - idle(planned) - GIB)
    assert short
    assert short.missing >= GIB


def test_where_no_contexts_are_left_for_all_every_engine_steps_down_by_its_part_and_the_reserve_is_whole(
    both_on_24_gb: Plan,
) -> None:
    lowered, _ = after(both_on_24_gb, 6000 * MIB)
    assert [each.settings.max_model_len for each in lowered] == [8_192, 8_192]
    assert all(each.budget and each.budget.kv_tokens >= 8_192 for each in lowered)
    (room,) = both_on_24_gb.rooms
    assert sum(each.budget.total for each in lowered if each.budget) + 6000 * MIB + room.reserve <= room.free


def test_a_step_that_does_not_give_what_is_missing_says_so(both_on_24_gb: Plan) -> None:
    _, said = after(both_on_24_gb, 8000 * MIB)
    assert said == ["context to 16,384 tokens, which may not be enough"] * 2
    _, said = after(both_on_24_gb, 6000 * MIB)
    assert "enough" not in "".join(said)


def test_where_every_kv_cache_was_asked_for_all_is_missing_from_each() -> None:
    wish = {"engine": {"kv_cache_memory": "3GiB"}}
    planned = planned_for({"instruct": wish, "thinking": wish}, "RTX 4090D")
    (room,), (instruct, _) = planned.rooms, planned.engines
    free = room.free - 4 * GIB
    short = crowded(instruct, planned.engines, room, free)
    assert short
    assert short.missing == lacking(instruct, planned.engines, room, free) > 0


def test_engines_on_another_gpu_neither_give_nor_take() -> None:
    planned = planned_for({}, "RTX 4090D", "RTX 4090D")
    assert [[gpu.index for gpu in each.gpus] for each in planned.engines] == [[0], [1]]
    for room, engine in zip(planned.rooms, planned.engines, strict=True):
        assert engine.budget
        fits = engine.budget.total + room.reserve
        assert crowded(engine, planned.engines, room, fits) is None
        short = crowded(engine, planned.engines, room, fits - GIB)
        assert short
        assert short.missing == GIB


def planned_for(pools: dict[str, object], *gpus: str) -> Plan:
    config = DuetConfig(pools=pools)  # type: ignore[arg-type]
    cards = tuple(replace(catalogue.find(name), index=at) for at, name in enumerate(gpus))
    machine = Hardware(cards, 8, 64 * GIB)
    return plan(config, machine, cards_of(config, machine, POOLS), POOLS)


def after(planned: Plan, taken: int) -> tuple[list[EnginePlan], list[str]]:
    """Both engines as they start where so much was taken before the first start, and what is said of them."""
    (room,), engines = planned.rooms, planned.engines
    plans, said, free = [], [], room.free - taken
    for engine, takes in zip(engines, (idle(planned), 0), strict=True):
        short = crowded(engine, engines, room, free, known=True)
        assert short
        step = descend(engine, short)
        assert step
        plans.append(step.plan)
        said.append(step.said)
        free += saved(engine, step.plan) - takes
    return plans, said


def saved(before: EnginePlan, after: EnginePlan) -> int:
    assert before.budget
    assert after.budget
    return before.budget.total - after.budget.total
