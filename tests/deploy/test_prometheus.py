"""Every expression of the dashboard, run by a real Prometheus that scrapes the running stack as deploy/ tells it to."""

from __future__ import annotations

import base64
import io
import json
import math
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from PIL import Image

from tests.deploy.programs import program
from tests.processes import answers, free_port, running, wait_for

if TYPE_CHECKING:
    from tests.conftest import Stack

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "kv-pressure.json").read_text())
QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']}/{target['refId']}")
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", ())
]
POOLS = {"instruct", "thinking"}
# No value is right here: a Thinking answer of a few tokens is all reasoning, so that pool has no first answer to time.
ONE_POOL_WILL_DO = ("duet_router_time_to_first_answer_seconds",)
VARIABLES = {"$__rate_interval": "20s", "$__range": "1m", "$pool": ".*", "$instance": ".*"}


def test_the_configuration_is_valid() -> None:
    config = DEPLOY / "prometheus" / "prometheus.yml"
    done = subprocess.run([program("promtool"), "check", "config", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("router.yml", "engines.yml"):
        assert f"targets/{name}" in config.read_text()
        assert (DEPLOY / "prometheus" / "targets" / name).is_file()


@pytest.mark.parametrize("expr", QUERIES)
def test_a_panel_shows_numbers_for_its_pools(prometheus: httpx.Client, expr: str) -> None:
    wanted = {"instruct"} if any(metric in expr for metric in ONE_POOL_WILL_DO) else POOLS
    wait_for(f"numbers for {wanted}: {expr}", lambda: pools_with_numbers(prometheus, expr) >= wanted, 10)


@pytest.mark.parametrize("name", ["pool", "instance"])
def test_a_variable_offers_choices(prometheus: httpx.Client, name: str) -> None:
    (variable,) = (item for item in DASHBOARD["templating"]["list"] if item["name"] == name)
    selector, label = filled(variable["definition"]).removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
    series = prometheus.get("/api/v1/series", params={"match[]": selector}).json()["data"]
    assert len({one[label] for one in series}) == len(POOLS)


def test_capacity_is_what_the_engines_say_themselves(prometheus: httpx.Client, stack: Stack) -> None:
    (capacity,) = (
        target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
        if target["legendFormat"] == "{{pool}} {{instance}} capacity"
    )
    shown = {one["metric"]["pool"]: float(one["value"][1]) for one in query(prometheus, capacity)}
    for pool, url in stack.engines.items():
        info = next(line for line in httpx.get(f"{url}/metrics").text.splitlines() if line.startswith("vllm:cache_config_info"))
        assert f'kv_cache_size_tokens="{shown[pool]:.0f}"' in info


def test_repeated_pictures_show_as_hits(prometheus: httpx.Client) -> None:
    for kind in ("prefix_cache", "mm_cache"):
        hits = query(prometheus, f"sum by (pool) (vllm:{kind}_hits_total)")
        assert {one["metric"]["pool"] for one in hits if float(one["value"][1]) > 0} == POOLS


def filled(text: str) -> str:
    """The text as Grafana would send it with every variable on All."""
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    return text


def query(prometheus: httpx.Client, expr: str) -> list[dict[str, Any]]:
    answer = prometheus.get("/api/v1/query", params={"query": filled(expr)})
    assert answer.status_code == 200, answer.text
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return result


def pools_with_numbers(prometheus: httpx.Client, expr: str) -> set[str]:
    numbers = [one["metric"] for one in query(prometheus, expr) if not math.isnan(float(one["value"][1]))]
    return {metric["pool"] for metric in numbers}


@pytest.fixture(scope="module")
def prometheus(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A Prometheus with the project's configuration, scraping the stack each second while both pools have traffic."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    files = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data")
    argv = [program("prometheus"), *files, f"--web.listen-address=127.0.0.1:{port}"]
    write_configuration(folder, stack)
    send_traffic(stack.url)  # a labelled series begins at its first event, and a rate needs the value before the one it shows
    with running(argv, folder / "log"), httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        wait_for("Prometheus to start", lambda: answers(f"http://127.0.0.1:{port}/-/ready"))
        wait_for("a scrape of every target", lambda: len(query(client, "up == 1")) == 1 + len(stack.engines))
        send_traffic(stack.url)
        yield client


def write_configuration(folder: Path, stack: Stack) -> None:
    """The project's own file with another interval, and the stack's addresses where the project keeps the targets."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "targets").mkdir()
    engines = [{"targets": [urlsplit(url).netloc], "labels": {"pool": pool}} for pool, url in stack.engines.items()]
    (folder / "targets" / "router.yml").write_text(yaml.safe_dump([{"targets": [urlsplit(stack.url).netloc]}]))
    (folder / "targets" / "engines.yml").write_text(yaml.safe_dump(engines))


def send_traffic(url: str) -> None:
    """The same picture, twice to each pool, and a question for each that the router decides on."""
    file = io.BytesIO()
    Image.effect_mandelbrot((320, 320), (-2, -1.5, 1, 1.5), 60).save(file, "PNG")
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"}}
    what, prove = (
        "What is this? " + "Say it in a few plain words. " * 20,
        "How many apples does each of 7 children get of 84, in total and on average?",
    )
    asked = [("qwen3-vl-instruct", what), ("qwen3-vl-thinking", what)] * 2 + [("auto", what), ("auto", prove)]
    for model, text in asked:
        content = [picture, {"type": "text", "text": text}]
        body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 16, "stream": True}
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=120)
        assert answer.status_code == 200, answer.text
