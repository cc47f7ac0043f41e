"""The benchmark of what a router costs: a short run against the true router, and the arithmetic of its table."""

from __future__ import annotations

import math

import psutil
import pytest
import uvloop

from loadtests import callers, cost_table, endurance, router_cost
from loadtests.callers import Load, Target
from loadtests.cost_table import BEGIN, END, Measurement, Used
from loadtests.endurance import Soak
from loadtests.mock_engine import UNARY, Script, read_script

LOADS = {"text": Load(UNARY, 4), "streams": Load(Script(words=20, every_ms=10), 8)}
COLUMNS = {"text": "per request", "streams": "per event"}


def test_a_short_run_costs_the_router_time_and_nobody_an_error() -> None:
    cores = psutil.Process().cpu_affinity()
    with router_cost.bench(router_cost.chosen(router_cost.parsed(["--alone"]))) as running:
        uvloop.run(router_cost.ready(running))
        measured = uvloop.run(router_cost.compare(running, LOADS, seconds=0.5, rounds=1))
        idle = uvloop.run(endurance.idle_streams(running.routers[0], running.engines, 50))
        soak = uvloop.run(endurance.soak(running.routers[0], 200, 5, picture_every=50, slow_s=1))
        started = [router.root for router in running.routers]
    rows = {row.contender: row for row in cost_table.rows(measured)}
    assert rows.keys() == {"direct", "Duet"}
    assert not rows["Duet"].errors
    assert all(cost > 0 for cost in rows["Duet"].cost_us.values())
    assert all(0 < p50 <= p99 for p50, p99 in rows["Duet"].first_ms.values())
    assert (idle.opened, idle.answered) == (50, 50)
    assert (soak.requests, soak.errors, soak.pictures, soak.still_reading) == (200, 0, 4, 5)
    assert not any(process.is_running() for process in started)
    assert psutil.Process().cpu_affinity() == cores


def test_every_so_many_requests_has_a_picture() -> None:
    target = Target(1, "m", "k")
    sent = callers.requests(target, Load(UNARY, 1, picture_bytes=30_000, picture_every=3), limit=7)
    assert [len(request) > 40_000 for request in sent] == [False, False, True, False, False, True, False]


@pytest.mark.parametrize(("growth", "flat"), [(0.0, True), (0.5, False)])
def test_memory_that_grows_is_not_flat_and_a_peak_is_not_growth(growth: float, flat: bool) -> None:  # noqa: FBT001
    samples = tuple(70 + growth * number + (30 if number % 7 == 0 else 0) for number in range(80))
    soak = Soak(8000, 0, 160, 10, 10, 60, samples, (80, 90), 85)
    assert soak.flat is flat
    assert ("NOT FLAT" in str(soak)) is not flat
    assert soak.largest == max(samples)


def test_a_cell_is_the_median_of_the_rounds_and_a_ratio_to_the_yardstick() -> None:
    def measurement(name: str, cpu_s: float) -> Measurement:
        return Measurement(name, "streams", Used(cpu_s, 10, 1000, (0.001, 0.002, 0.009), 1, 60))

    rounds = [measurement("vllm-router", cpu) for cpu in (0.020, 0.010, 0.900)]
    rows = cost_table.rows([*rounds, measurement("Duet", 0.015)])
    duet = cost_table.markdown(rows, {"streams": "per event"}, {"streams": "streams"}).splitlines()[-1]
    assert duet == "| Duet | 15.0 µs (0.75x) | 2.0 / 9.0 ms | 60 MB | 1 |"


def test_a_load_that_got_no_answer_has_no_cost() -> None:
    assert math.isnan(Used(1.0, 0, 0, (), 5, 60).cost_us())


@pytest.mark.parametrize("script", [UNARY, Script(100, 20), Script(hold=True)])
def test_an_engine_reads_its_script_from_the_prompt(script: Script) -> None:
    assert read_script(b'{"messages":[{"content":"%b"}]}' % script.prompt().encode()) == script


def test_only_the_table_between_the_markers_is_replaced() -> None:
    assert cost_table.replaced(f"a\n{BEGIN}\nold\n{END}\nb\n", "new") == f"a\n{BEGIN}\n\nnew\n\n{END}\nb\n"


@pytest.mark.parametrize("document", ["", f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN}"])
def test_a_document_without_a_place_for_the_table_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="should stand there once"):
        cost_table.replaced(document, "new")


def test_a_peer_that_cannot_be_started_is_named() -> None:
    with pytest.raises(ValueError, match="--peer nginx: known are Duet, vllm-router, smg, litellm"):
        router_cost.chosen(router_cost.parsed(["--peer", "nginx=/usr/sbin/nginx"]))
