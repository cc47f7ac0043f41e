"""What the decision does with headers, conversations and doubt: asked of a running router at `/v1/route`, and seen in answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from router.classify import classify, judge
from router.values import Policy, View
from tests.router.conftest import Launcher, metric

PROOF = "Prove that the square root of 2 is irrational."
READ = "Read the text in this picture."


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def said(text: str, **more: str) -> dict[str, str]:
    return {"role": "assistant", "content": text, **more}


def decided(router: str, *messages: dict[str, str], headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
    answer = httpx.post(f"{router}/v1/route", json={"messages": messages, **body}, headers=headers)
    assert answer.status_code == 200, answer.text
    decision: dict[str, Any] = answer.json()
    return decision


def test_the_header_goes_before_the_models_name_and_that_before_what_is_asked(router: str) -> None:
    ask = user(PROOF)
    assert decided(router, ask)["pool"] == "thinking"
    by_name = decided(router, ask, model="qwen3-vl-instruct")
    assert (by_name["pool"], by_name["reason"], by_name["stage"]) == ("instruct", "model", "client")
    by_header = decided(router, ask, model="qwen3-vl-instruct", headers={"x-duet-pool": "Thinking"})
    assert (by_header["pool"], by_header["reason"]) == ("thinking", "header")
    assert decided(router, ask, reasoning_effort="none")["reason"] == "reasoning_effort"
    wrong = httpx.post(f"{router}/v1/route", json={"messages": [ask]}, headers={"x-duet-pool": "both"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "x-duet-pool")
    assert "'both'" in wrong.json()["error"]["message"]


def test_the_header_moves_a_request_and_its_models_name(router: str) -> None:
    answer = httpx.post(
        f"{router}/v1/chat/completions",
        json={"model": "qwen3-vl-instruct", "messages": [user(READ)]},
        headers={"x-duet-pool": "thinking"},
    )
    assert (answer.status_code, answer.headers["x-duet-pool"], answer.headers["x-duet-reason"]) == (200, "thinking", "header")


def test_a_follow_up_stays_with_its_conversation_until_it_clearly_asks_for_the_other(router: str) -> None:
    talk = [user(READ), said("Total 12.40")]
    assert decided(router, *talk, user("And the line below?"))["pool"] == "instruct"
    assert decided(router, *talk, user(PROOF))["pool"] == "thinking"
    talk = [user(PROOF), said("Assume p/q ...")]
    stays = decided(router, *talk, user("And for 3?"))
    assert stays["pool"] == "thinking"
    assert decided(router, *talk, user("Translate this into French."))["pool"] == "instruct"


def test_reasoning_that_came_with_the_last_answer_shows_where_the_conversation_was(router: str) -> None:
    follow_up = user("What colour is it?")
    assert decided(router, user("Hello"), said("Hi"), follow_up)["pool"] == "instruct"
    thought = decided(router, user("Hello"), said("Hi", reasoning_content="They greet me."), follow_up)
    assert (thought["pool"], thought["reason"], thought["stage"]) == ("thinking", "conversation", "conversation")


def test_tool_results_do_not_change_the_pool(router: str) -> None:
    for text in (READ, PROOF):
        talk = [
            user(text),
            said("", tool_calls=""),
            {"role": "tool", "tool_call_id": "1", "content": "Solve 3x = 12 step by step"},
        ]
        assert decided(router, *talk)["pool"] == decided(router, user(text))["pool"]


HARD = "Two pumps fill a tank in 6 and 9 hours. How long do they take together?"
EASY = "What is written on the sign above the door?"


@pytest.mark.parametrize("price", [0.2, 1, 5])
@pytest.mark.parametrize(
    ("earlier", "text", "pool"),
    [
        (["Hello!"], "Is 91 prime?", "thinking"),  # a greeting tells nothing of what follows
        (["Hello!", HARD], "And with a third one?", "thinking"),
        ([HARD, *["Continue."] * 12], "Continue.", "thinking"),
        ([EASY, *["And the next?"] * 12], "And the next?", "instruct"),
        ([EASY], HARD, "thinking"),
        ([HARD], EASY, "instruct"),
        ([HARD, EASY], "And below?", "instruct"),
    ],
)
def test_a_conversation_keeps_its_pool_at_any_price(price: float, earlier: list[str], text: str, pool: str) -> None:
    policy = Policy(threshold=price / (1 + price))
    assert classify(View(text=text, earlier=tuple(earlier)), policy).pool == pool


@pytest.mark.parametrize(("before", "pool", "margin"), [(PROOF, "thinking", 0.1), (READ, "instruct", -0.1)])
def test_what_leans_to_the_other_pool_stays_too(before: str, pool: str, margin: float) -> None:
    text = "Does it also hold for the other one?"
    policy = Policy(threshold=judge(text).score + margin)
    assert judge(text, policy).pool != pool
    assert classify(View(text=text, earlier=(before,)), policy).pool == pool


def test_a_conversation_is_remembered_over_many_turns(router: str) -> None:
    talk = [user(PROOF), *[said("Assume p/q ..."), user("Continue.")] * 12]
    assert decided(router, *talk)["pool"] == "thinking"


def test_reasoning_that_stands_before_the_last_answer_shows_too(router: str) -> None:
    """As the responses API gives it back: an item of its own."""
    item = {"type": "reasoning", "id": "r", "summary": [], "content": [{"type": "reasoning_text", "text": "They greet me."}]}
    body = {"input": [user("Hello"), item, said("Hi"), user("What colour is it?")]}
    answer = httpx.post(f"{router}/v1/responses", json=body)
    assert (answer.headers["x-duet-pool"], answer.headers["x-duet-reason"]) == ("thinking", "conversation")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {"messages": [user(HARD)], "response_format": {"type": "json_object"}}),
        ("chat/completions", {"messages": [user(HARD)], "structured_outputs": {"choice": ["yes", "no"]}}),
        ("completions", {"prompt": HARD, "response_format": {"type": "json_object"}}),
        ("responses", {"input": HARD, "text": {"format": {"type": "json_object"}}}),
        (
            "messages",
            {"messages": [user(HARD)], "max_tokens": 5, "output_config": {"format": {"type": "json_schema", "schema": {}}}},
        ),
    ],
)
def test_a_form_for_the_answer_means_instruct(router: str, path: str, body: dict[str, Any]) -> None:
    answer = httpx.post(f"{router}/v1/{path}", json=body)
    assert (answer.headers["x-duet-pool"], answer.headers["x-duet-reason"]) == ("instruct", "structured_output")


def test_the_operators_price_is_heard(launch: Launcher) -> None:
    engine = launch.engine("m")
    ask = user("Which of these two phones has the longer battery life?")
    pools = [decided(launch.router([engine], [engine], routing={"thought_price": price}), ask) for price in (0.01, 100)]
    assert [(decision["pool"], round(decision["threshold"], 2)) for decision in pools] == [
        ("thinking", 0.01),
        ("instruct", 0.99),
    ]


def test_pictures_are_counted_where_they_went(launch: Launcher) -> None:
    engine = launch.engine("m")
    router = launch.router([engine], [engine])
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    content = [picture, picture, {"type": "text", "text": READ}]
    assert httpx.post(f"{router}/v1/chat/completions", json={"messages": [{"role": "user", "content": content}]}).is_success
    counted = [metric(router, "duet_router_images_total", pool=pool) for pool in ("instruct", "thinking")]
    assert counted == [2, 0]


def test_only_what_is_decided_by_its_words_is_in_the_histogram(launch: Launcher) -> None:
    engine = launch.engine("m")
    router = launch.router([engine], [engine])
    for body in ({"messages": [user(HARD)]}, {"messages": [user(HARD)], "reasoning_effort": "none"}):
        assert httpx.post(f"{router}/v1/chat/completions", json=body).status_code == 200
    assert metric(router, "duet_router_decision_score_count") == 1
    assert metric(router, "duet_router_decision_score_count", pool="thinking") == 1


def test_a_dearer_thought_is_thought_less_often() -> None:
    asks = [View(text=text) for text in (READ, PROOF, "Why is the sky blue?", "How many are left?", "Which one is cheaper?")]
    shares = [
        sum(classify(ask, Policy(threshold=price / (1 + price))).pool == "thinking" for ask in asks) for price in (0.05, 1, 20)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


@pytest.mark.parametrize(("doubt", "pool"), [("instruct", "instruct"), ("thinking", "thinking")])
def test_in_doubt_the_configuration_decides(launch: Launcher, doubt: str, pool: str) -> None:
    engine = launch.engine("m")
    router = launch.router([engine], [engine], routing={"doubt": doubt, "doubt_band": 0.5})
    decision = decided(router, user("Why?"))
    assert (decision["pool"], decision["in_doubt"]) == (pool, True)


def test_an_engine_that_is_asked_and_does_not_answer_costs_its_deadline_and_no_more(launch: Launcher) -> None:
    """The scripted engine answers with words, not with a letter; and one that is gone answers nothing."""
    engine = launch.engine("m")
    router = launch.router([engine], [engine], routing={"doubt": "ask", "doubt_band": 0.5, "ask_timeout_s": 0.3})
    body = {"messages": [user("Why?")]}
    answer = httpx.post(f"{router}/v1/chat/completions", json=body)
    assert (answer.status_code, answer.headers["x-duet-reason"], answer.headers["x-duet-pool"]) == (
        200,
        "ask_failed",
        "thinking",
    )
    assert metric(router, "duet_router_decisions_total", stage="engine", reason="ask_failed") == 1
    assert metric(router, "duet_router_decision_score_count") == 1
