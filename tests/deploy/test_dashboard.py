"""The committed dashboard is what its script writes, and a page that Grafana can lay out and a reader can understand."""

import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
BUILT_IN = {"__rate_interval", "__range"}

Json = dict[str, Any]


@pytest.fixture(scope="module")
def dashboard() -> Json:
    page: Json = json.loads((GRAFANA / "dashboards" / "kv-pressure.json").read_text())
    return page


@pytest.fixture(scope="module")
def charts(dashboard: Json) -> list[Json]:
    return [panel for panel in dashboard["panels"] if panel["type"] not in {"row", "text"}]


def test_the_file_is_what_the_script_writes() -> None:
    done = subprocess.run([sys.executable, GRAFANA / "kv_pressure.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_panels_have_ids_of_their_own_and_do_not_overlap(dashboard: Json) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for one, other in combinations((panel["gridPos"] for panel in dashboard["panels"]), 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y, (one, other)
        assert one["x"] + one["w"] <= 24


def test_every_chart_says_its_unit_its_metric_and_what_to_do(charts: list[Json]) -> None:
    for panel in charts:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert re.search(r"vllm:\w+|duet_router_\w+", panel["description"]), panel["title"]
        assert len(panel["description"]) > 80, panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
    titles = [panel["title"] for panel in charts]
    assert len(set(titles)) == len(titles)


def test_only_declared_variables_are_used(dashboard: Json) -> None:
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", json.dumps(dashboard["panels"])))
    assert used <= declared | BUILT_IN
    assert declared <= used


def test_rates_follow_the_scrape_interval(charts: list[Json]) -> None:
    text = "".join(target["expr"] for panel in charts for target in panel["targets"])
    for function, window in re.findall(r"(\w+)\([^\[\]()]*\[([^\]]+)\]", text):
        assert window in {"rate": {"$__rate_interval"}, "increase": {"$__range"}}.get(function, {"1m"}), function
