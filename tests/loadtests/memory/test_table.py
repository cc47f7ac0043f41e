"""What is kept of a proof is what was measured, and the page's tables are those of the kept file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtests.memory.record import main, record
from loadtests.memory.table import RECORDS, written

ROOT = Path(__file__).parents[3]
MIB = 1 << 20


def part(mib: int) -> dict[str, list[int]]:
    return {"peak": [mib * MIB], "last": [mib * MIB]}


RESULT: dict[str, Any] = {
    "id": "24gb-4b",
    "free_bytes": 24_217 * MIB,
    "before": [119_000 * MIB],
    "device": {"0.loading": part(129_000), "idle": part(141_000), "pictures": part(142_000), "prompt_logprobs": part(142_500)},
    "engines": [
        {
            "model": "Qwen3-VL-4B-Instruct",
            "ready_s": 61.4,
            "figures": {"loading_gib": 8.36},
            "cache_config": {"kv_cache_size_tokens": "92400"},
            "most": {"running": 64.0, "kv_usage": 0.974},
            "out_of_memory_lines": 0,
            "errors": [],
            "traffic": {"pictures": {"statuses": {"200": 90, "503": 2}, "cut": 4}},
        }
    ],
}


def test_memory_is_counted_from_what_was_gone_before() -> None:
    found = record(RESULT, None)
    assert (found["start_peak_mib"], found["peak_mib"], found["peak_with_prompt_logprobs_mib"]) == (22_000, 23_000, 23_500)
    engine = found["engines"][0]
    assert (engine["answered"], engine["failed"], engine["cut"], engine["reported_kv_tokens"]) == (90, 2, 4, 92_400)


def test_a_case_without_a_new_result_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, results = tmp_path / "proof.json", tmp_path / "results"
    out.write_text(json.dumps([{"id": "80gb"}, {"id": "24gb-4b", "steps": ["an older one"]}]))
    results.mkdir()
    (results / "24gb-4b.json").write_text(json.dumps(RESULT))
    (tmp_path / "plans.json").write_text("{}")
    argv = ["record", "--plans", str(tmp_path / "plans.json"), "--results", str(results), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", argv)
    main()
    newer, kept = json.loads(out.read_text())
    assert (newer["id"], newer["steps"], kept) == ("24gb-4b", [], {"id": "80gb"})


def test_the_page_has_the_tables_of_the_kept_file() -> None:
    page = (ROOT / "docs" / "memory.md").read_text()
    assert written(page, json.loads((ROOT / RECORDS).read_text())) == page


def test_every_plan_kept_its_word() -> None:
    plans = [each for each in json.loads((ROOT / RECORDS).read_text()) if each["planned_mib"]]
    engines = [engine for plan in plans for engine in plan["engines"]]
    assert len(plans) >= 8
    assert all(engine["reported_kv_tokens"] == engine["planned_kv_tokens"] for engine in engines)
    assert not any(engine["failed"] or engine["out_of_memory_lines"] or not engine["ready_s"] for engine in engines)
