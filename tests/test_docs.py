"""What the documents say is true: keys and defaults, the snippet that people paste, reason codes, links."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from router.config import RouterConfig
from router.lexicon import CLASSES
from router.rules import RULES
from serve.config import DuetConfig
from tests.quality.bars import BARS

if TYPE_CHECKING:
    from tests.conftest import Stack

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def leaves(section: BaseModel, path: str = "") -> dict[str, Any]:
    """Every key with its default, by dotted path."""
    found: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        found |= leaves(value, f"{path}{name}.") if isinstance(value, BaseModel) else {f"{path}{name}": value}
    return found


def test_the_configuration_table_has_every_key_and_its_default() -> None:
    router, serve = leaves(RouterConfig()), leaves(DuetConfig())
    defaults = {key: value for key, value in (router | serve).items() if key != "serve" and not key.endswith(".engine")}
    rows = re.findall(r"^\| `([a-z_.A-Z]+)` \| (.+?) \|", README, re.MULTILINE)
    told = {key: default for key, default in rows if key.split(".")[0] in {"router", "pools", "serve"}}
    expected = {
        key.replace("pools.instruct.engine", "pools.NAME.engine"): value
        for key, value in defaults.items()
        if ".thinking.engine" not in key
    }
    assert told.keys() == expected.keys()
    for key, value in expected.items():
        assert shown(value) == told[key].strip("`"), key


def shown(value: Any) -> str:
    if value is None:
        return "by rule"
    if isinstance(value, tuple):
        return "none" if not value else ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value).replace(str(Path.home()), "~")


def test_both_processes_have_the_same_defaults_where_both_read_a_key() -> None:
    router, serve = leaves(RouterConfig()), leaves(DuetConfig())
    shared = router.keys() & serve.keys()
    assert {"router.port", "router.drain_s", "pools.instruct.replicas", "pools.thinking.aliases"} <= shared
    assert {key: router[key] for key in shared} == {key: serve[key] for key in shared}


def test_the_readmes_snippet_reads_a_picture_from_each_pool_and_from_auto(stack: Stack) -> None:
    snippet = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    assert "http://127.0.0.1:8000" in snippet
    argv = [sys.executable, "-c", snippet.replace("http://127.0.0.1:8000", stack.url)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers = dict(line.split(": ", 1) for line in re.split(r"\n(?=qwen3-vl-|auto: )", done.stdout.strip()))
    assert answers.keys() == {"qwen3-vl-instruct", "qwen3-vl-thinking", "auto"}
    assert answers["qwen3-vl-instruct"].strip() == "Corner Cafe\n2026-03-14\nCoffee 3.20\nCake 4.50\nTOTAL 7.70"
    assert answers["qwen3-vl-thinking"].strip().endswith("2.30")
    assert answers["auto"].strip() == "7.70"


def test_the_quality_page_shows_the_bars_that_tests_hold_to() -> None:
    page = (ROOT / "docs" / "quality.md").read_text()
    for bar in BARS.values():
        assert f"| {bar.what} | {bar} | {bar.held:g} |" in page, "`make quality` writes it"


def test_every_reason_is_documented() -> None:
    client = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "api.md").read_text()))
    assert {"header", "model", "reasoning_effort", "structured_output", "conversation"} <= client
    assert {"ask_direct", "ask_steps", "ask_failed"} <= client
    decided = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "routing.md").read_text(), re.MULTILINE))
    assert {rule.reason for rule in RULES} | CLASSES.keys() | {"wording"} == decided


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_project_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target
