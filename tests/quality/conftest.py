"""The runs that the gates look at, each made once, when a gate first asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.quality import figures
from tests.quality.answering import Answering
from tests.quality.asks import chosen, every_ask, several_steps
from tests.quality.bars import BARS
from tests.stack.conftest import cache_config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from serve.nano.endpoint import Said
    from tests.conftest import Stack
    from tests.quality.asks import Ask
    from tests.quality.figures import Pairs

ASKS, FEW = 1_000, 120
AT_ONCE = 32


@dataclass
class Gates:
    """The figures that were found, by the name of their bar."""

    found: dict[str, float] = field(default_factory=dict)

    def hold(self, name: str, value: float) -> None:
        """Keep the figure and fail where it is worse than its bar lets it be."""
        self.found[name] = value
        bar = BARS[name]
        assert bar.holds(value), f"{bar.what}: {value:.2f} {bar.unit}, and {bar} is asked for, {bar.held:g} at the worst"


@pytest.fixture(scope="session")
def gates() -> Gates:
    return Gates()


@pytest.fixture(scope="session")
def asks() -> list[Ask]:
    return chosen(every_ask(), ASKS)


@pytest.fixture(scope="session")
def few(asks: list[Ask]) -> list[Ask]:
    """Those that are asked one after the other."""
    return chosen(asks, FEW)


@pytest.fixture(scope="session")
def instruct(stack: Stack) -> Answering:
    return Answering(stack.url, "qwen3-vl-instruct")


@pytest.fixture(scope="session")
def by_instruct(instruct: Answering, asks: list[Ask]) -> Pairs:
    return figures.pairs(asks, instruct.answers(asks, AT_ONCE))


@pytest.fixture(scope="session")
def by_thinking(stack: Stack, asks: list[Ask]) -> Pairs:
    steps = several_steps(asks)
    return figures.pairs(steps, Answering(stack.url, "qwen3-vl-thinking").answers(steps, AT_ONCE))


@pytest.fixture(scope="session")
def with_bf16(stack: Stack, bf16_engine: Callable[[str], AbstractContextManager[str]], asks: list[Ask]) -> Pairs:
    """What `by_instruct` and `by_thinking` ask, one after the other."""
    assert {cache_config(engine)["cache_dtype"] for engine in stack.engines.values()} == {"fp8"}, "nothing to compare"
    found: Pairs = []
    for pool, these in (("instruct", asks), ("thinking", several_steps(asks))):
        with bf16_engine(pool) as engine:
            found += figures.pairs(these, Answering(engine, f"qwen3-vl-{pool}").answers(these, AT_ONCE))
    return found


@pytest.fixture(scope="session")
def cold(instruct: Answering, few: list[Ask]) -> list[Said]:
    """One after the other, from an empty prefix cache. A salt for each: two questions about one picture share its prefix."""
    return _one_by_one(instruct, few)


@pytest.fixture(scope="session")
def cached(cold: list[Said], instruct: Answering, few: list[Ask]) -> list[Said]:
    """The same requests again."""
    assert cold
    return _one_by_one(instruct, few)


def _one_by_one(instruct: Answering, few: Sequence[Ask]) -> list[Said]:
    return [answer for place, ask in enumerate(few) for answer in instruct.answers([ask], 1, salt=f"cold {place}")]


@pytest.fixture(scope="session")
def beside(instruct: Answering, few: list[Ask]) -> dict[int, Pairs]:
    """By how many other pictures are in the request."""
    return {others: figures.pairs(few, instruct.among_others(few, AT_ONCE, others=others)) for others in (1, 3)}
