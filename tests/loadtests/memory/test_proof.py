"""A row becomes what `duet plan` says of it, and a case that starts exactly that."""

from __future__ import annotations

import pytest

from loadtests.memory.proof import ROWS, PlanFailed, Row, case, planned, stock

MIB = 1 << 20


def test_a_case_is_the_plan_but_for_port_card_and_weights() -> None:
    row = ROWS[0]
    plan = planned(row)
    made = case(row, plan)
    assert made.free_bytes == plan["gpus"][0]["free"] == 24_217 * MIB
    assert [engine.model for engine in made.engines] == ["Qwen3-VL-4B-Instruct", "Qwen3-VL-4B-Thinking"]
    for engine, wanted in zip(made.engines, plan["engines"], strict=True):
        at = engine.argv.index("--kv-cache-memory-bytes")
        assert int(engine.argv[at + 1]) == wanted["budget"]["kv_cache"]
        missing = [word for word in wanted["argv"] if word not in engine.argv]
        assert missing[:5] == ["vllm", "serve", "--host", "127.0.0.1", "--port"]
        assert missing[5].isdigit()
        assert engine.argv[-2:] == ("--load-format", "dummy")
        assert engine.env["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True"
        assert "CUDA_VISIBLE_DEVICES" not in engine.env


def test_a_wish_that_does_not_fit_is_told_in_duets_words() -> None:
    with pytest.raises(PlanFailed, match=r"big: duet: .*"):
        planned(Row("big", 16, "32B"))


def test_stock_sees_its_share_of_the_small_card() -> None:
    halves = next(case for case in stock() if case.id == "stock-24gb-two-halves")
    shares = [engine.argv[engine.argv.index("--gpu-memory-utilization") + 1] for engine in halves.engines]
    assert shares == ["0.0778", "0.0778"]
