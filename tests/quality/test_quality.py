"""What the models get right through the whole stack, and that no part of it changes that: router, FP8 KV, chunks, caches, company."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.quality import figures, page
from tests.quality.conftest import AT_ONCE

if TYPE_CHECKING:
    from serve.nano.endpoint import Said
    from tests.quality.asks import Ask
    from tests.quality.conftest import Gates
    from tests.quality.figures import Pairs

pytestmark = pytest.mark.timeout(900)  # the first to ask waits for an engine and for a thousand answers


@pytest.mark.parametrize("script", ["latin", "chinese"])
def test_what_is_printed_is_read(by_instruct: Pairs, gates: Gates, script: str) -> None:
    read = figures.of(by_instruct, lambda ask: ask.group == "reading" and ask.chinese == (script == "chinese"))
    gates.hold(script, figures.error_rate(read))


def test_fields_are_found(by_instruct: Pairs, gates: Gates) -> None:
    gates.hold("fields", figures.exact(figures.of(by_instruct, lambda ask: ask.group == "fields")))


def test_json_parses(by_instruct: Pairs, gates: Gates) -> None:
    gates.hold("json", figures.parsed(figures.of(by_instruct, lambda ask: ask.group == "json")))


def test_thinking_solves_what_takes_steps(by_thinking: Pairs, gates: Gates) -> None:
    gates.hold("steps", figures.exact(by_thinking))


def test_thinking_is_worth_its_time(by_instruct: Pairs, by_thinking: Pairs, gates: Gates) -> None:
    at_once = figures.of(by_instruct, lambda ask: ask.steps)
    gates.hold("lead", figures.exact(by_thinking) - figures.exact(at_once))


def test_fp8_kv_costs_no_answers(by_instruct: Pairs, by_thinking: Pairs, with_bf16: Pairs, gates: Gates) -> None:
    gates.hold("fp8", figures.exact(with_bf16) - figures.exact([*by_instruct, *by_thinking]))


def test_the_prefix_cache_changes_no_answer(cold: list[Said], cached: list[Said], gates: Gates) -> None:
    again = [place for place, answer in enumerate(cached) if answer.cached_tokens]
    assert not any(answer.cached_tokens for answer in cold)
    assert len(again) > len(cold) / 2, "prompts of more than a block come from the cache"
    gates.hold("cached", figures.differing([cold[place] for place in again], [cached[place] for place in again]))


def test_company_costs_no_answers(by_instruct: Pairs, cold: list[Said], few: list[Ask], gates: Gates) -> None:
    """Batches of other sizes round otherwise, so that a near tie between two tokens may fall the other way."""
    gates.hold("batch", figures.exact(zip(few, cold, strict=True)) - figures.exact(figures.of(by_instruct, few.__contains__)))


@pytest.mark.parametrize(("bar", "others"), [("pictures", 1), ("many", 3)])
def test_a_picture_is_told_from_others(
    by_instruct: Pairs, beside: dict[int, Pairs], few: list[Ask], gates: Gates, *, bar: str, others: int
) -> None:
    gates.hold(bar, figures.exact(figures.of(by_instruct, few.__contains__)) - figures.exact(beside[others]))


def test_the_page_is_written_where_asked(
    pytestconfig: pytest.Config,
    gates: Gates,
    by_instruct: Pairs,
    by_thinking: Pairs,
    with_bf16: Pairs,
    *,
    cold: list[Said],
    few: list[Ask],
) -> None:
    if not (file := pytestconfig.getoption("--quality-page")):
        pytest.skip("`make quality` writes it")
    alone = [answer for _, answer in figures.of(by_instruct, few.__contains__)]
    other_kv = figures.differing([answer for _, answer in (*by_instruct, *by_thinking)], [answer for _, answer in with_bf16])
    note = (
        f"{len(by_instruct)} questions, {len(few)} of them also one after the other and beside other pictures. {other_kv:.1f} % of the "
        f"answers of both models are another text with BF16 KV, and {figures.differing(cold, alone):.1f} % another one alone than at {AT_ONCE} at once."
    )
    page.write(file, page.markdown(gates.found, by_instruct, by_thinking, note))
