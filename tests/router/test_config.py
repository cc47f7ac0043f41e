"""duet.yaml as the router reads it: what is wrong is named with its place, its key and its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.config import load
from router.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "duet.yaml"
    file.write_text(text)
    return file


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_ROUTER__PORT", "9000")
    monkeypatch.setenv("DUET_POOLS__THINKING__REPLICAS", '["http://gpu2:8000"]')
    config = load(
        written(
            tmp_path,
            "router: {host: 0.0.0.0, port: 8500}\npools: {instruct: {engine: {max_model_len: 1}}}\nserve: {cache_dir: /x}",
        )
    )
    assert (config.router.host, config.router.port, config.router.drain_s) == ("0.0.0.0", 9000, 30)
    assert config.pools.thinking.replicas == ("http://gpu2:8000",)
    assert config.pools.instruct.aliases == ("qwen3-vl-instruct",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("router: {prot: 1}", ["router.prot", "1"]),
        ("router: {port: 70000}", ["router.port", "70000"]),
        ("router: {workers: 0}", ["router.workers", "0"]),
        ("pools: {instruct: {replicas: []}}", ["pools.instruct.replicas"]),
        ("pools: {instruct: {replicas: [ftp://x]}}", ["pools.instruct.replicas.0", "ftp://x"]),
        ("pools: {instrcut: {}}", ["pools.instrcut"]),
        ("roter: {}", ["roter"]),
        ("router: {host: ''}", ["router.host"]),
        ("router: {max_body_mb: .inf}", ["router.max_body_mb", "inf"]),
        ("pools: {instruct: {replicas: ['dns://engines']}}", ["pools.instruct.replicas.0", "port"]),
        ("pools: {instruct: {replicas: ['http://h:99999']}}", ["pools.instruct.replicas.0", "99999"]),
        ("pools: {instruct: {aliases: [auto]}}", ["pools", "'auto'"]),
        ("pools: {instruct: {aliases: [a]}, thinking: {aliases: [a]}}", ["pools", "'a'"]),
        ("router: [", ["line 1"]),
        ("- 1", []),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(file)
    assert all(word in raised.value.message for word in [str(file), *words]), raised.value.message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DUET_ROUTER__PORT", "high"),
        ("DUET_ROUTR__PORT", "1"),
        ("DUET_ROUTER_PORT", "1"),
        ("DUET_PORT", "1"),
        ("DUET_ROUTER__PROT", "1"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=variable):
        load(None)


def test_a_key_with_nothing_after_it_means_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_ROUTER__HOST", "")
    assert load(written(tmp_path, "router:\npools:\n  instruct:\n    aliases:\nserve:\n")) == load(None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")
