"""The container files agree with each other and with the schema that `docker compose` checks."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

import router.config
import serve.config

DEPLOY = Path(__file__).parents[2] / "deploy"
ENGINES = {"engine-instruct": "instruct", "engine-thinking": "thinking"}

Json = dict[str, Any]


def load(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.fixture(scope="module")
def services() -> Json:
    found: Json = load("compose.yaml")["services"]
    return found


def mounts(service: Json) -> dict[str, Path]:
    """Container path → file or folder of the repository; named volumes are left out."""
    pairs = (volume.split(":")[:2] for volume in service.get("volumes", ()))
    return {inside: (DEPLOY / source).resolve() for source, inside in pairs if source.startswith(".")}


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_the_file_fits_the_compose_schema() -> None:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_is_pinned_checked_and_confined(services: Json) -> None:
    assert set(services) == {"router", *ENGINES, "prometheus", "grafana"}
    for name, service in services.items():
        assert re.fullmatch(r"\S+:v?\d+\.\d+\.\d+", service["image"]), name
        assert {"test", "start_period", "start_interval"} <= set(service["healthcheck"]), name
        assert service["cap_drop"] == ["ALL"], name


def test_versions_are_those_of_the_project(services: Json) -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    (vllm,) = project["optional-dependencies"]["cuda"]
    assert f"FROM vllm/vllm-openai:v{vllm.removeprefix('vllm==')}\n" in (DEPLOY / "Dockerfile").read_text()
    assert {services[name]["image"] for name in ("router", *ENGINES)} == {f"duet:{project['version']}"}


def test_only_the_router_and_grafana_are_published_and_only_here(services: Json) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"router", "grafana"}
    assert all(port.startswith("${PUBLISH_ADDRESS:-127.0.0.1}:") for ports in published.values() for port in ports)


def test_mounted_files_exist(services: Json) -> None:
    found = [(name, path) for name, service in services.items() for path in mounts(service).values()]
    assert len(found) >= 8
    assert [pair for pair in found if not pair[1].exists()] == []


def test_the_router_reads_the_configuration() -> None:
    config = router.config.load(DEPLOY / "duet.compose.yaml")
    assert config.router.host == "0.0.0.0"
    assert [url for _, pool in config.pools.items() for url in pool.replicas] == [
        "http://engine-instruct:8101",
        "http://engine-thinking:8102",
    ]


@pytest.mark.parametrize(("service", "pool"), ENGINES.items())
def test_an_engine_container_starts_its_own_engine_alone(
    services: Json, service: str, pool: Literal["instruct", "thinking"], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services[service]["environment"].items():
        if value is not None:
            monkeypatch.setenv(name, value)
    config = serve.config.load(DEPLOY / "duet.compose.yaml")
    ports = {name: config.pools.named(name).local_ports for name in ("instruct", "thinking")}
    assert {name for name, started in ports.items() if started} == {pool}
    assert config.serve.host == "0.0.0.0"


@pytest.mark.parametrize(("service", "pool"), ENGINES.items())
def test_an_engine_listens_where_the_router_and_its_health_check_look(services: Json, service: str, pool: str) -> None:
    engine, config = services[service], load("duet.compose.yaml")
    (replica,) = config["pools"][pool]["replicas"]
    host, port = re.fullmatch(r"http://(\S+):(\d+)", replica).groups()  # type: ignore[union-attr]
    assert host == service
    assert engine["environment"][f"DUET_POOLS__{pool.upper()}__REPLICAS"] == f'["http://127.0.0.1:{port}"]'
    assert f"http://127.0.0.1:{port}/health" in " ".join(engine["healthcheck"]["test"])
    assert engine["command"] == ["serve", "--config", "/etc/duet/duet.yaml", "--pool", pool]
    assert mounts(engine)["/etc/duet/duet.yaml"] == DEPLOY / "duet.compose.yaml"


def test_engines_have_gpus_of_their_own(services: Json) -> None:
    devices = [services[name]["deploy"]["resources"]["reservations"]["devices"][0] for name in ENGINES]
    assert all(device["driver"] == "nvidia" and device["capabilities"] == ["gpu"] for device in devices)
    assert len({tuple(device["device_ids"]) for device in devices}) == len(ENGINES)


def test_containers_get_the_time_to_drain(services: Json) -> None:
    config = load("duet.compose.yaml")
    assert seconds(services["router"]["stop_grace_period"]) > config["router"]["drain_s"]
    for name in ENGINES:
        assert seconds(services[name]["stop_grace_period"]) > config["serve"]["drain_s"] + 10


def test_prometheus_scrapes_the_services_of_the_file(services: Json) -> None:
    assert mounts(services["prometheus"])["/etc/prometheus/targets"] == DEPLOY / "prometheus" / "targets" / "compose"
    config = load("duet.compose.yaml")
    engines = {
        target: group["labels"]["pool"]
        for group in load("prometheus/targets/compose/engines.yml")
        for target in group["targets"]
    }
    assert engines == {
        url.removeprefix("http://"): pool for pool in ENGINES.values() for url in config["pools"][pool]["replicas"]
    }
    assert load("prometheus/targets/compose/router.yml") == [{"targets": [f"router:{config['router']['port']}"]}]
    for target in (*engines, "router:8000"):
        networks = [set(services[name]["networks"]) for name in (target.split(":")[0], "prometheus")]
        assert networks[0] & networks[1], target


def test_grafana_finds_its_files_and_its_source(services: Json) -> None:
    grafana = mounts(services["grafana"])
    (provider,) = load("grafana/provisioning/dashboards/duet.yaml")["providers"]
    dashboards = grafana[provider["options"]["path"]]
    assert dashboards == DEPLOY / "grafana" / "dashboards"
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (grafana[str(home.parent)] / home.name).is_file()
    (source,) = load("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == load("prometheus/prometheus.yml")["global"]["scrape_interval"]
    for kind in ("datasources", "dashboards"):
        assert grafana[f"/etc/grafana/provisioning/{kind}"] == DEPLOY / "grafana" / "provisioning" / kind


def test_the_password_is_asked_for_and_not_written_down(services: Json) -> None:
    assert services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_ADMIN_PASSWORD:?")
