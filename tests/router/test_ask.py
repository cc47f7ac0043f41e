"""What is asked is found apart from what it is asked about."""
# ruff: noqa: RUF001 - Chinese writes full-width marks

from __future__ import annotations

import time

import pytest

from router.ask import LIMIT, find_ask
from router.classify import judge
from router.rules import rule_for
from router.scorer import score

PASSAGE = "The mill was built in 1742 on the river Vira. " * 12


@pytest.mark.parametrize("text", [f"{PASSAGE}\n\nWho built the mill?", f"Who built the mill? Look below.\n{PASSAGE}"])
def test_a_passage_is_material_whether_the_question_stands_before_or_after_it(text: str) -> None:
    ask = find_ask(text)
    assert "Who built the mill?" in ask.question + ask.opening
    assert len(ask.material) > 300


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("You are an expert logician. Always think hard.\n\nWhat colour is the bus?", "What colour is the bus?"),
        ("System: Reason step by step.\nUser: Hi there!", "Hi there!"),
        ("系统：回答前请深入思考，逐步推理。\n用户：你好", "你好"),
    ],
)
def test_a_system_prompt_is_not_what_is_asked(text: str, question: str) -> None:
    ask = find_ask(text)
    assert (ask.question, bool(ask.preface)) == (question, True)


@pytest.mark.parametrize(
    "text",
    [
        "Reason step by step. Where does the second train stop?",
        "Think carefully, step by step. Who is lying?",
        "请认真思考，逐步推理。最后停在哪一站？",
    ],
)
def test_step_by_step_is_asked_for_where_no_system_prompt_says_it(text: str) -> None:
    ask = find_ask(text)
    assert (ask.question, ask.preface) == (text, "")
    assert judge(text).reason == "step_by_step"


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Hi! Find the sum of the first 9 odd numbers.", "Find the sum of the first 9 odd numbers."),
        ("Find the sum of the first 9 odd numbers.\nPlease help me with this.", "Find the sum of the first 9 odd numbers."),
        ("What's 3% of 17? Can you help me with this one? Thanks in advance!", "What's 3% of 17?"),
        ("求阴影部分面积。\n请帮我看看。", "求阴影部分面积。"),
        ("这是什么花？谢谢！", "这是什么花？"),
        ("Hi! Could you help me?", "Could you help me?"),
        ("It works now, thank you so much!", "It works now, thank you so much!"),
    ],
)
def test_courtesy_is_no_ask_unless_it_is_all_there_is(text: str, question: str) -> None:
    assert find_ask(text).question.strip() == question


def test_quotes_code_and_options_leave_the_question() -> None:
    ask = find_ask('Fix the spelling: "If 3x + 5 equals twenty, what is x then?"')
    assert "3x" not in ask.question
    assert "3x" in ask.quoted
    ask = find_ask("What does this print?\n```python\nprint(sum(range(4)))\n```")
    assert "range" not in ask.question
    assert "range" in ask.code
    ask = find_ask("Which is prime?\nA. 21\nB. 23\nC. 25\nAnswer with the letter.")
    assert (ask.question.strip(), ask.options.split("\n")) == ("Which is prime?", ["A. 21", "B. 23", "C. 25"])


@pytest.mark.parametrize(
    ("text", "question", "form"),
    [
        ("On which weekday does it fall? Reply with just the weekday.", "On which weekday does it fall?", "Reply with just"),
        ("Answer in one word. What is on the table?", "What is on the table?", "Answer in one word."),
        ("甲乙丙谁说谎？答案用【】括起来。", "甲乙丙谁说谎？", "答案用"),
        ("Answer with the name on the sign.", "Answer with the name on the sign.", ""),
    ],
)
def test_what_is_said_of_the_answers_form_is_no_ask_unless_it_is_all_there_is(text: str, question: str, form: str) -> None:
    ask = find_ask(text)
    assert ask.question == question
    assert form in ask.form


def test_no_text_asks_nothing() -> None:
    assert find_ask("").question == ""
    assert 0 <= score(find_ask("")) <= 1


@pytest.mark.parametrize(
    "part",
    [
        "<a>",
        "A. ",
        "A. B. ",
        "“",
        '"',
        "你",
        "\n a",
        "1,",
        "```",
        r"\begin{array}",
        "system: ",
        " ",
        "not ",
        "a",
        "«é»",
        "answer in,",
        "reply with (a) ",
        "please. ",
        "Help me? ",
    ],
)
def test_no_text_takes_long(part: str) -> None:
    text = part * (LIMIT // len(part))
    started = time.perf_counter()
    ask = find_ask(text)
    rule_for(ask)
    assert 0 <= score(ask) <= 1
    assert time.perf_counter() - started < 0.1
