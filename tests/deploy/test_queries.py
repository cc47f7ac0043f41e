"""What the panels say in states that a healthy stack never shows, worked out by promtool from series written by hand."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.programs import program

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards" / "kv-pressure.json"
VARIABLES = {"$__rate_interval": "5m", "$__range": "5m", "$pool": ".*", "$instance": ".*"}

Series = dict[str, str]
Samples = dict[str, float]


def engine(instance: str, use: float | str, waiting: int | str, pool: str = "instruct") -> Series:
    labels = f'pool="{pool}", instance="{instance}", job="duet-engine", engine="0", model_name="m"'
    return {
        f"vllm:kv_cache_usage_perc{{{labels}}}": steady(use),
        f'vllm:num_requests_waiting_by_reason{{{labels}, reason="capacity"}}': steady(waiting),
        f'vllm:num_requests_waiting_by_reason{{{labels}, reason="deferred"}}': "9x40",
    }


def steady(value: float | str) -> str:
    """Ten minutes of one value; a text is taken as promtool's own notation, four samples a minute."""
    return value if isinstance(value, str) else f"{value}x40"


def router(metric: str, values: str, **labels: str) -> Series:
    text = ", ".join(f'{name}="{value}"' for name, value in {"instance": "router:8000", "pool": "instruct", **labels}.items())
    return {f"duet_router_{metric}{{{text}}}": values}


CASES = {
    "full and waiting is pressure": ("Pressure", engine("a:1", 0.95, 2), {'{pool="instruct"}': 1}),
    "use that swings while the queue stays is pressure": (
        "Pressure",
        engine("a:1", "0.4x37 1 0.4x2", "3x40"),
        {'{pool="instruct"}': 1},
    ),
    "a queue that empties is not": ("Pressure", engine("a:1", 0.95, "3x38 0 3"), {'{pool="instruct"}': 0}),
    "full alone is not": ("Pressure", engine("a:1", 0.99, 0), {'{pool="instruct"}': 0}),
    "waiting alone is not": ("Pressure", engine("a:1", 0.5, 7), {'{pool="instruct"}': 0}),
    "full and waiting on two replicas is not": (
        "Pressure",
        engine("a:1", 0.99, 0) | engine("b:1", 0.1, 4),
        {'{pool="instruct"}': 0},
    ),
    "one pool's pressure is not the other's": (
        "Pressure",
        engine("a:1", 0.95, 2) | engine("b:1", 0.95, 0, pool="thinking"),
        {'{pool="instruct"}': 1, '{pool="thinking"}': 0},
    ),
    "held tokens are use times capacity, by replica": (
        "KV tokens held and capacity",
        engine("a:1", 0.5, 0)
        | engine("b:1", 0.25, 0)
        | router("replica_kv_cache_tokens", "1000x40", replica="http://a:1")
        | router("replica_kv_cache_tokens", "2000x40", replica="https://b:1"),
        {'{pool="instruct", instance="a:1"}': 500, '{pool="instruct", instance="b:1"}': 500},
    ),
    "no share of hits while nothing is looked up": (
        "Prefix-cache hits",
        {
            'vllm:prefix_cache_hits_total{pool="instruct", instance="a:1"}': "50x40",
            'vllm:prefix_cache_queries_total{pool="instruct", instance="a:1"}': "80x40",
        },
        {},
    ),
    "three of four look-ups hit": (
        "Prefix-cache hits",
        {
            'vllm:prefix_cache_hits_total{pool="instruct", instance="a:1"}': "0+3x40",
            'vllm:prefix_cache_queries_total{pool="instruct", instance="a:1"}': "0+4x40",
        },
        {'{pool="instruct"}': 0.75},
    ),
    "a pool without disconnects shows 0 beside one that has some": (
        "Clients that left",
        router("replica_up", "1x40", replica="http://a:1")
        | router("replica_up", "1x40", replica="http://b:1", pool="thinking")
        | router("client_disconnects_total", "0+15x40", phase="streaming"),
        {'{pool="instruct", phase="streaming"}': 1, '{pool="thinking"}': 0},
    ),
}


@pytest.mark.parametrize(("title", "series", "expected"), CASES.values(), ids=CASES.keys())
def test_a_panel_in_a_given_state(tmp_path: Path, title: str, series: Series, expected: Samples) -> None:
    samples = [{"labels": labels, "value": value} for labels, value in expected.items()]
    case = {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": first_query(title), "eval_time": "10m", "exp_samples": samples}],
    }
    file = tmp_path / "case.yml"
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": [case]}))
    done = subprocess.run([program("promtool"), "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def first_query(title: str) -> str:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    expr: str = next(panel["targets"][0]["expr"] for panel in panels if panel["title"] == title)
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr
