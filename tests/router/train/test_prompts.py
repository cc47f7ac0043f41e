"""Written prompts are read as they say, and the shipped weights were made from these."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from router.scorer import weights
from router.train.prompts import PROMPTS, PromptError, digest, labelled, script_digest, written
from tests.router.test_scorer import HARD_CASES, cases

if TYPE_CHECKING:
    from pathlib import Path


def test_choices_numbers_and_line_breaks(tmp_path: Path) -> None:
    (tmp_path / "en-sums.txt").write_text("# label: reasoning\nAdd [[2..9]] and [[two|three]].\\nThen stop.\nplain | text\n")
    rows = written(tmp_path, seed=1)
    assert {row.text for row in rows} >= {"plain | text"}
    assert all(row.reasoning and row.language == "en" and row.kind == "en-sums" for row in rows)
    added = [row.text for row in rows if row.text.startswith("Add")]
    assert all(text.endswith(("two.\nThen stop.", "three.\nThen stop.")) and text[4] in "23456789" for text in added)
    assert rows == written(tmp_path, seed=1)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "en-bad.txt").write_text("# label: maybe\nx\n")
    with pytest.raises(PromptError, match=r"en-bad\.txt:1: expected"):
        written(tmp_path, seed=1)
    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(PromptError, match=r"rows\.jsonl:1: no row"):
        labelled(tmp_path / "rows.jsonl")


@pytest.mark.parametrize(
    "row",
    [
        {"text": "x", "label": "Reasoning", "lang": "en", "source": "a"},
        {"text": 5, "label": "simple", "lang": "en", "source": "a"},
        {"text": "x", "label": "simple", "lang": "en", "source": None},
        [1],
    ],
)
def test_a_row_that_is_not_one_is_refused(tmp_path: Path, row: object) -> None:
    file = tmp_path / "rows.jsonl"
    good = {"text": "one\u2028line", "label": "simple", "lang": "en", "source": "a/b:c"}
    file.write_text(f"{json.dumps(good, ensure_ascii=False)}\n")
    assert [(each.text, each.source) for each in labelled(file)] == [("one\u2028line", "a/b")]
    file.write_text(f"{json.dumps(good, ensure_ascii=False)}\n\n{json.dumps(row)}\n")
    with pytest.raises(PromptError, match=r"rows\.jsonl:3: no row"):
        labelled(file)


def test_no_mark_is_left_in_a_prompt() -> None:
    torn = re.compile(r"\[\[[^\[\]\n]*\||\|[^\[\]\n]*\]\]|\.\.\d+\]\]")  # code has brackets in brackets as well
    assert [row.text for row in written(PROMPTS, seed=3) if torn.search(row.text)] == []


def bare(text: str) -> str:
    """What is left of a text, or of a line of prompts, where numbers, marks and case do not count; choices keep their brackets."""
    return re.sub(r"[^\w\[\]|]+", "", re.sub(r"\[\[-?\d+\.\.-?\d+\]\]|\d+", "0", text.replace("\\n", " ").lower()))


def all_that(line: str) -> re.Pattern[str]:
    """Matches everything that a line of prompts stands for, as `bare` leaves it."""
    choice, line = re.compile(r"\[\[([^\[\]]*)\]\]"), bare(line)
    while choice.search(line):
        line = choice.sub(lambda found: "(?:" + found[1].replace("|", "\0") + ")", line)
    return re.compile(re.sub(r"[\[\]|]", "", line).replace("\0", "|"))


def test_no_hard_case_is_in_the_prompts() -> None:
    """Not even as one of the many prompts that a line stands for."""
    held_back = {re.sub(r"[\[\]|]", "", bare(text)): text for name in HARD_CASES for _, _, text in cases(name)}
    lines = [
        line for file in PROMPTS.glob("*.txt") for line in file.read_text(encoding="utf-8").split("\n")[1:] if line.strip()
    ]
    patterns = [all_that(line) for line in lines]
    assert [text for stripped, text in held_back.items() for pattern in patterns if pattern.fullmatch(stripped)] == []


def test_the_shipped_weights_belong_to_these_prompts_and_this_code() -> None:
    card = weights().card
    remedy = "the prompts or the code changed: run python -m router.train with the rows that the card names"
    assert (card["prompts"], card["script"]) == (digest(), script_digest()), remedy
