"""A result becomes one row an engine, in MiB; what was not measured is a dash."""

from typing import Any

from loadtests.memory.calibration_table import COLUMNS, markdown, row

MIB = 1 << 20


def part(*mib: int) -> dict[str, list[int]]:
    return {"peak": [value * MIB for value in mib], "last": [value * MIB for value in mib]}


def engine(**more: Any) -> dict[str, Any]:
    return {
        "ready_s": 61.4,
        "figures": {"graphs_gib": 0.2},
        "cache_config": {"kv_cache_size_tokens": "87376"},
        "most": {"running": 64.0, "kv_usage": 0.974},
        "out_of_memory_lines": 0,
        **more,
    }


RESULT: dict[str, Any] = {
    "id": "4b",
    "before": [615 * MIB],
    "device": {"0.loading": part(9_997), "0.profiling": part(17_091), "idle": part(16_557), "pictures": part(17_121)},
    "engines": [
        engine(
            torch={
                "torch-1": {"idle": part(0, 0, 0)},
                "torch-2": {"idle": part(14_947, 15_068, 15_014), "pictures": part(15_022, 15_630, 15_290)},
            },
            traffic={"pictures": {"statuses": {"200": 90, "503": 2}, "cut": 4}},
        )
    ],
}


def test_a_row_says_what_was_measured() -> None:
    cells = dict(zip(COLUMNS, row(RESULT), strict=True))
    assert (cells["case"], cells["ready s"], cells["KV tokens"]) == ("4b", 61, 87_376)
    assert (cells["device: loaded"], cells["start peak"], cells["traffic peak of torch"]) == (9_382, 16_476, 15_290)
    assert (cells["slack"], cells["not torch"], cells["graphs"]) == (340, 874, 205)
    assert (cells["running at most"], cells["KV at most %"]) == (64, 97)
    assert cells["answers ok / failed / cut"] == "90 / 2 / 4"


def test_an_engine_that_died_leaves_dashes() -> None:
    died = {**RESULT, "engines": [engine(ready_s=None, figures={}, cache_config={}, most={}, torch={}, traffic={})]}
    assert "| died | - | 9382 | 16476 | - |" in markdown([died])


def test_two_engines_are_two_rows() -> None:
    twice = {**RESULT, "engines": RESULT["engines"] * 2}
    assert [line.split(" | ")[0] for line in markdown([twice]).splitlines()[2:]] == ["| 4b (1)", "| 4b (2)"]
