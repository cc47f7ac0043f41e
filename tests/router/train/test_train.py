"""Training is repeatable, and what it writes is what the router reads."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="training needs scikit-learn")

from router.ask import find_ask
from router.rules import rule_for
from router.scorer import read, score
from router.train.__main__ import main
from router.train.prompts import PROMPTS, labelled
from router.train.report import END, START

LABELLED = Path(__file__).parents[4] / "shared" / "routing" / "dev.jsonl"
KINDS = (
    "en-text-word_problem.txt",
    "en-vis_caption.txt",
    "en-vis_transcribe.txt",
    "zh-word_problems.txt",
    "zh-caption.txt",
    "zh-transcribe.txt",
)


@pytest.fixture
def few(tmp_path: Path) -> Path:
    folder = tmp_path / "prompts"
    folder.mkdir()
    for kind in KINDS:
        (folder / kind).write_bytes((PROMPTS / kind).read_bytes())
    return folder


def test_the_same_prompts_give_the_same_weights_and_they_tell_sums_from_captions(few: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "one.json", tmp_path / "two.json"]
    for output in outputs:
        assert main(["--prompts", str(few), "--output", str(output)]) == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    model = read(outputs[0].read_text(encoding="utf-8"))
    problem = find_ask("Tom has 12 pens and buys 3 boxes of 8. How many pens does he have in total?")
    assert score(problem, model) > score(find_ask("Describe this photo in one sentence."), model)
    assert model.card["written_rows"]


def test_rows_from_elsewhere_are_left_out_by_repository_and_named(few: Path, tmp_path: Path) -> None:
    rows = [
        {"text": text, "label": label, "lang": "en", "source": f"{repository}:x"}
        for repository in ("a/one", "b/two")
        for text, label in (("How many are left in total?", "reasoning"), ("Read the sign.", "simple"))
    ]
    other, output = tmp_path / "rows.jsonl", tmp_path / "weights.json"
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["--prompts", str(few), "--also", str(other), "--output", str(output)]) == 0
    card = read(output.read_text(encoding="utf-8")).card
    assert (card["other_rows"], card["other_repositories"]) == (4, ["a/one", "b/two"])


@pytest.mark.skipif(not LABELLED.is_file(), reason="the labelled prompts are not part of the project")
def test_our_own_prompts_alone_are_enough_for_prompts_that_were_never_seen(tmp_path: Path) -> None:
    """The shipped weights know the labelled prompts; weights that were fitted on the project's own do not."""
    output = tmp_path / "weights.json"
    assert main(["--output", str(output)]) == 0
    model, right = read(output.read_text(encoding="utf-8")), defaultdict[str, list[bool]](list)
    for row in labelled(LABELLED):
        ask = find_ask(row.text)
        rule = rule_for(ask)
        thinks = rule.side == "thinking" if rule else score(ask, model) >= 0.5
        right[row.language].append(thinks == row.reasoning)
    share = {language: sum(answers) / len(answers) for language, answers in right.items()}
    assert share["en"] >= 0.93, share
    assert share["zh"] >= 0.95, share


def test_figures_go_between_the_markers_of_a_page(few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"above\n{START}\nstale\n{END}\nbelow\n")
    assert main(["--prompts", str(few), "--evaluate", "--page", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "stale" not in text
    assert all(head in text for head in ("| accuracy |", "to Thinking", "| observed |", "threshold"))
    assert "accuracy" in capsys.readouterr().out


def test_a_folder_without_prompts_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--prompts", str(tmp_path), "--evaluate"]) == 2
    assert "no prompts" in capsys.readouterr().err
