"""One file, the environment above it, and errors that say where, which key and which value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from serve.config import DuetConfig, load
from serve.errors import ConfigError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DUET_")]:
        monkeypatch.delenv(name)


def parse(tmp_path: Path, text: str) -> DuetConfig:
    file = tmp_path / "duet.yaml"
    file.write_text(text)
    return load(file)


def test_nothing_set_gives_two_local_engines() -> None:
    config = load(None)
    assert config.pools.instruct.local_ports == (8101,)
    assert config.pools.thinking.local_ports == (8102,)
    assert config.serve.cache_dir == Path.home() / ".cache" / "duet"


def test_a_part_keeps_the_defaults_of_the_rest_and_the_routers_keys_pass(tmp_path: Path) -> None:
    text = """
    router: {port: 9000, max_body_mb: 8}
    pools: {thinking: {model: embedded, engine: {kv_cache_memory: 2GiB, args: [--seed, "1"]}}}
    serve:
    """
    config = parse(tmp_path, text)
    assert config.router.port == 9000
    assert config.pools.thinking.aliases == ("qwen3-vl-thinking",)
    assert config.pools.thinking.engine.kv_cache_memory == 2 << 30
    assert config.pools.instruct.model is None


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_POOLS__INSTRUCT__REPLICAS", '["http://127.0.0.1:9101", "http://engine:8000"]')
    monkeypatch.setenv("DUET_SERVE__HOST", "0.0.0.0")
    config = parse(tmp_path, "pools: {instruct: {model: a/b, replicas: ['http://127.0.0.1:1']}}")
    assert config.pools.instruct.local_ports == (9101,)
    assert config.pools.instruct.model == "a/b"
    assert config.serve.host == "0.0.0.0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("router: {port: 70000}", "router.port = 70000: Input should be less than or equal to 65535"),
        ("engines: 3", "engines = 3: no such section; there are router, pools, serve"),
        ("pools: {fast: {}}", "pools.fast = {}: no such key"),
        ("pools: {instruct: {replicas: [8101]}}", "pools.instruct.replicas.0 = 8101: Input should be a valid string"),
        (
            "pools: {instruct: {replicas: ['engine:8000']}}",
            "pools.instruct.replicas.0 = 'engine:8000': a replica is http://HOST:PORT",
        ),
        ("serve: {launcher: vllm serve}", "serve.launcher = 'vllm serve': Input should be a list"),
        (
            "pools: {thinking: {engine: {gpu_memory_utilization: 90}}}",
            "gpu_memory_utilization = 90: Input should be less than or equal to 1",
        ),
        ("pools: {thinking: {engine: {kv_cache_memory: lots}}}", "kv_cache_memory = 'lots': could not parse value and unit"),
        (
            "pools: {thinking: {engine: {min_image_pixels: 65536, max_image_pixels: 2000}}}",
            "max_image_pixels = 2000: is less than min_image_pixels = 65536",
        ),
        ("- router", "['router']: should be a mapping with the sections router, pools, serve"),
        ("router: [", "not YAML"),
        ("router:\n  port: 1\n  port: 2", "port: this key stands twice in the mapping at line 2"),
        ("pools: {instruct: {aliases: [auto]}}", "pools.instruct.aliases: 'auto' leaves the choice of a pool to the router"),
        (
            "pools: {instruct: {model: a/b}, thinking: {aliases: [a/b]}}",
            "pools.thinking.aliases: 'a/b' is a name of pools.instruct already",
        ),
        (
            "pools: {thinking: {replicas: ['http://[::1]:8102']}}",
            "pools.thinking.replicas: http://[::1]:8102: an engine on serve.host = '127.0.0.1' does not listen there",
        ),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(tmp_path, text)
    assert caught.value.message.startswith(f"{tmp_path / 'duet.yaml'}: ")
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DUET_ROUTER__PORT", "http", "DUET_ROUTER__PORT: router.port = 'http': Input should be a valid integer"),
        ("DUET_SERVE__CACHE", "/x", "DUET_SERVE__CACHE: serve.cache = '/x': no such key"),
        ("DUET_ENGINE__MODEL", "x", "DUET_ENGINE__MODEL = 'x': no such section; there are router, pools, serve"),
        ("DUET_ROUTER_PORT", "9000", "variables are DUET_SECTION__KEY; did you mean DUET_ROUTER__PORT?"),
        ("DUET_PORT", "9000", "DUET_PORT = '9000': variables are DUET_SECTION__KEY; did you mean DUET_ROUTER__PORT?"),
        ("DUET_POOLS_INSTRUCT_MODEL", "a/b", "did you mean DUET_POOLS__INSTRUCT__MODEL?"),
        ("DUET_DEBUG", "1", "DUET_DEBUG = '1': variables are DUET_SECTION__KEY"),
        ("DUET_POOLS__THINKING__ALIASES", '["qwen3-vl"]', "DUET_POOLS__THINKING__ALIASES: pools.thinking.aliases: 'qwen3-vl'"),
        ("DUET_POOLS__INSTRUCT__ENGINE__ARGS", "--seed", "DUET_POOLS__INSTRUCT__ENGINE__ARGS: '--seed': should be JSON"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="DUET_") as caught:
        load(None)
    assert said in caught.value.message


def test_nothing_means_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_SERVE__CACHE_DIR", "")
    text = "router:\npools: {instruct: null, thinking: {aliases: , engine: {max_num_seqs: null, args: }}}\nserve: {drain_s: }"
    assert parse(tmp_path, text) == load(None)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^nowhere\.yaml: No such file or directory$"):
        load(Path("nowhere.yaml"))
