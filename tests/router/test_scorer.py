"""The scorer and the rules on prompts that they were not made from."""
# ruff: noqa: RUF001 - Chinese writes full-width marks

from __future__ import annotations

from pathlib import Path

import pytest

from router.ask import find_ask
from router.classify import judge
from router.rules import RULES, rule_for
from router.scorer import Weights, explain, score, weights
from router.train.prompts import PROMPTS, written

DATA = Path(__file__).parent / "data"
HARD_CASES = {"hard_cases.txt": 0.95, "hard_cases_held_back.txt": 0.88}
"""The least share that is to be right."""


def cases(name: str) -> list[tuple[str, bool, str]]:
    """Kind, whether it wants reasoning, and the text of each line."""
    lines = [line for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    heads = [line.partition(": ") for line in lines]
    return [(head.split()[1], head.startswith("reasoning"), text.replace("\\n", "\n")) for head, _, text in heads]


@pytest.mark.parametrize(("name", "least"), HARD_CASES.items())
def test_hard_cases(name: str, least: float) -> None:
    wrong = [(kind, text) for kind, reasoning, text in cases(name) if (judge(text).pool == "thinking") != reasoning]
    assert 1 - len(wrong) / len(cases(name)) >= least, wrong


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Translate into French: find x so that 2x + 3 = 7.", "translate"),
        ("把这道题翻译成英文：小明有15个苹果，吃了3个，还剩几个？", "translate"),
        ("Prove that the square root of 2 is irrational.", "prove"),
        ("Which of the following, if true, most weakens the argument?", "argument"),
        ("Hello!", "small_talk"),
        ("只排版，不要求解：x+1=2", "not_to_solve"),
    ],
)
def test_rules_say_why(text: str, reason: str) -> None:
    decision = judge(text)
    assert (decision.reason, decision.stage) == (reason, "rules")


@pytest.mark.parametrize(
    "text",
    [
        "Translate the riddle and then solve it.",
        "先翻译这道题，再解出来",
        "Extract the amounts and tell me whether they add up.",
    ],
)
def test_an_ask_for_two_things_is_left_to_the_scorer(text: str) -> None:
    assert rule_for(find_ask(text)) is None


@pytest.mark.parametrize(
    ("text", "pool"),
    [
        ("I don't think my proof is right. Which step fails and how do I repair it?", "thinking"),
        ("Is 4 the only answer to x^2 = 16 with x > 0? Explain your reasoning.", "thinking"),
        ("请分别解释每一步为什么成立，并求出最小值", "thinking"),
        ("根据表格，按类别计算每组的平均值和总和", "thinking"),
        ("My code does not solve the case n = 0. Find the bug.", "thinking"),
        ("Without calculating the integrals, determine which one is larger and justify your answer.", "thinking"),
        ("帮我写一份困难学生的申请证明", "instruct"),
        ("No need to show the work, what time is it?", "instruct"),
        ("Don’t explain. If 3 pens cost $4.50, what do 11 cost?", "instruct"),
        ("No steps. If 3 pens cost $4.50, what do 11 cost?", "instruct"),
        ("If 3 pens cost $4.50, what do 11 cost?\nA. $15\nB. $16.50\nC. $17\nAnswer only, no explanations.", "thinking"),
        ("Hi! Find x if 3x + 5 = 20.", "thinking"),
        ("Answer the question.\n<question>\nA shop sells pens at 3 for $4. How much do 18 pens cost?\n</question>", "thinking"),
        ("Solve the problem in quotes: “甲乙两人相距120公里，相向而行，几小时相遇？”", "thinking"),
        ("Give a title to <document>How much do 18 pens cost at 3 for $4, with a 10% discount?</document>", "instruct"),
    ],
)
def test_words_that_sound_like_a_rule_or_hide_the_ask(text: str, pool: str) -> None:
    assert judge(text).pool == pool


def test_every_hint_is_there_for_what_its_pattern_matches() -> None:
    """A rule whose hints miss a text that its pattern matches would be silent there."""
    texts = [row.text for row in written(PROMPTS, seed=1)] + [text for _, _, text in cases("hard_cases.txt")]
    deaf = [
        (rule.reason, text)
        for text in texts
        for rule in RULES
        if rule.pattern.search(text) and not any(hint in text.lower() for hint in rule.hints)
    ]
    assert deaf == []


@pytest.mark.parametrize(
    ("text", "reason"), [("How many apples are left in total?", "quantity"), ("What colour is the car?", "look")]
)
def test_the_scorer_names_the_words_that_spoke(text: str, reason: str) -> None:
    decision = judge(text)
    assert (decision.reason, decision.stage) == (reason, "scorer")


def test_the_score_is_calibrated() -> None:
    """Log-odds of 1, made twice as steep and shifted by -2, are even odds."""
    assert score(find_ask("Why?"), Weights({}, bias=50, scale=50, slope=2, shift=-2, card={})) == 0.5


def test_what_spoke_can_be_told() -> None:
    spoken = explain(find_ask("How many apples are left in total?"), most=5)
    assert len(spoken) == 5
    assert all(weight for _, weight in spoken)
    assert [abs(weight) for _, weight in spoken] == sorted((abs(weight) for _, weight in spoken), reverse=True)


@pytest.mark.parametrize(
    ("text", "pool"),
    [
        ("Was steht auf dem Schild?", "instruct"),
        ("Прочитай текст на картинке", "instruct"),
        ("この画像の文字を書き起こしてください", "instruct"),
        ("🙂", "instruct"),
        ("Un train part à 9h00 à 80 km/h, un autre à 10h00 à 100 km/h. Quand le second rattrape-t-il le premier ?", "thinking"),
        ("¿Cuántas manzanas quedan si tenía 12 y regalé 5 y compré 8 más?", "thinking"),
    ],
)
def test_other_languages_are_told_by_what_they_share(text: str, pool: str) -> None:
    assert judge(text).pool == pool


def test_the_score_is_on_the_right_side_of_the_threshold() -> None:
    assert score(find_ask("What is the phone number on the sign?")) < 0.2
    assert score(find_ask("How much is left of 50 after 3 notebooks at 4.80 and 2 pens at 1.25?")) > 0.8
    assert score(find_ask("A train leaves at 9:00 at 80 km/h, another at 10:00 at 100 km/h. When does it catch up?")) > 0.5


def test_the_weights_are_small_and_say_what_they_were_made_from() -> None:
    model = weights()
    assert len(model.features) < 100_000
    assert {"prompts", "script", "seed", "written_rows", "other_rows", "other_repositories", "held_out"} <= model.card.keys()
