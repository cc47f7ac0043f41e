"""Decisions on prompts whose kind nobody would dispute, and on a labelled set where it lies beside the checkout."""

from __future__ import annotations

import pytest

from router.classify import classify
from router.values import View

SIMPLE = [
    "Read the text in this picture.",
    "Transcribe all the text in the image, including the numbers 12, 15 and 1998.",
    "Describe this image in one sentence.",
    "What is the invoice number?",
    "Translate this into French: solve the equation 2x + 3 = 7 for x.",
    "Extract the date, the total and the tax as JSON.",
    "Hello, who are you?",
    "识别图片中的文字",
    "请描述这张图片",
    "这张发票的金额是多少?",
    "把下面的题目翻译成英文:求函数的最大值",
    "提取身份证号码",
]
REASONING = [
    "Solve 3x + 5 = 20 and show your work step by step.",
    "Prove that the sum of the angles of a triangle is 180 degrees.",
    "If a train travels 60 km in 45 minutes, how far does it go in 2 hours?",
    "Which of the following must be true?\nA. x > 2\nB. x < 2\nC. x = 2\nD. none",
    "Why does this function return the wrong result? Find the bug.",
    "小明有12个苹果,给了小红3个,又买了5个,现在一共有多少个?",
    "证明:若 n 是偶数,则 n^2 也是偶数。",
    "已知 f(x)=x^2-2x,求 f(x) 的最小值。",
    "一步一步推理:下列哪项正确?",
]


@pytest.mark.parametrize("text", SIMPLE)
def test_simple_asks_go_to_instruct(text: str) -> None:
    decision = classify(View(text=text, images=1))
    assert (decision.pool, decision.score < 0.5) == ("instruct", True), decision


@pytest.mark.parametrize("text", REASONING)
def test_asks_of_several_steps_go_to_thinking(text: str) -> None:
    decision = classify(View(text=text))
    assert (decision.pool, decision.score >= 0.5) == ("thinking", True), decision


@pytest.mark.parametrize(
    ("effort", "pool"), [("none", "instruct"), ("minimal", "instruct"), ("low", "thinking"), ("high", "thinking")]
)
def test_what_the_client_says_wins(effort: str, pool: str) -> None:
    for text in ("Read the text.", "Prove it."):
        decision = classify(View(text=text, effort=effort))
        assert (decision.pool, decision.reason) == (pool, "reasoning_effort")


def test_a_document_is_judged_by_its_ends() -> None:
    page = "Lorem ipsum dolor sit amet. " * 400
    assert classify(View(text=f"{page}\nTranslate this into German.")).pool == "instruct"
    assert classify(View(text=f"Prove the theorem step by step.\n{page}")).pool == "thinking"
