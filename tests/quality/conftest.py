"""The runs that the gates look at, each made once, when a gate first asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.quality import figures
from tests.quality.answering import Endpoint
from tests.quality.asks import chosen, every_ask, several_steps
from tests.quality.bars import BARS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Stack
    from tests.quality.answering import Answer
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
def instruct(stack: Stack) -> Endpoint:
    return Endpoint(stack.url, "qwen3-vl-instruct")


@pytest.fixture(scope="session")
def by_instruct(instruct: Endpoint, asks: list[Ask]) -> Pairs:
    return figures.pairs(asks, instruct.answers(asks, AT_ONCE))


@pytest.fixture(scope="session")
def by_thinking(stack: Stack, asks: list[Ask]) -> Pairs:
    steps = several_steps(asks)
    return figures.pairs(steps, Endpoint(stack.url, "qwen3-vl-thinking").answers(steps, AT_ONCE))


@pytest.fixture(scope="session")
def with_bf16(bf16_engine: str, asks: list[Ask]) -> Pairs:
    return figures.pairs(asks, Endpoint(bf16_engine, "qwen3-vl-instruct").answers(asks, AT_ONCE))


@pytest.fixture(scope="session")
def cold(instruct: Endpoint, few: list[Ask]) -> list[Answer]:
    """One after the other, from an empty prefix cache. A salt for each: two questions about one picture share its prefix."""
    return _one_by_one(instruct, few)


@pytest.fixture(scope="session")
def cached(cold: list[Answer], instruct: Endpoint, few: list[Ask]) -> list[Answer]:
    """The same requests again."""
    assert cold
    return _one_by_one(instruct, few)


def _one_by_one(instruct: Endpoint, few: Sequence[Ask]) -> list[Answer]:
    return [answer for place, ask in enumerate(few) for answer in instruct.answers([ask], 1, salt=f"cold {place}")]


@pytest.fixture(scope="session")
def beside(instruct: Endpoint, few: list[Ask]) -> Pairs:
    return figures.pairs(few, instruct.among_others(few, AT_ONCE))
