"""Puts questions to an endpoint, greedily: so many at once, alone or beside other pictures, from a cold cache or a warm one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from serve.nano.endpoint import Endpoint, conversation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.nano.endpoint import Conversation, Said
    from tests.quality.asks import Ask

MOST_TOKENS = 640  # of an answer with its thought: half as much again as the longest of the test set


class Answering:
    """One model behind one server's address."""

    def __init__(self, server: str, model: str) -> None:
        self._endpoint = Endpoint(f"{server}/v1", model)

    def answers(self, asks: Sequence[Ask], at_once: int, *, salt: str | None = None) -> list[Said]:
        """One answer for each question, in order. Requests of one `salt` share their prefixes with no others."""
        alone = [conversation(ask.text, [ask.picture]) for ask in asks]
        return self._ask(alone, at_once, {"cache_salt": salt} if salt else {})

    def among_others(self, asks: Sequence[Ask], at_once: int, *, others: int) -> list[Said]:
        """The same with so many other pictures in each request; the one that is asked about is the first or the second."""
        return self._ask(
            [_beside(ask, found, place % 2) for place, (ask, found) in enumerate(_with(asks, others))], at_once, {}
        )

    def _ask(self, conversations: Sequence[Conversation], at_once: int, extra: dict[str, str]) -> list[Said]:
        return asyncio.run(self._endpoint.answers(conversations, at_once, MOST_TOKENS, extra))


def _with(asks: Sequence[Ask], others: int) -> list[tuple[Ask, list[str]]]:
    """Each with the next pictures that are not its own."""
    pictures = list(dict.fromkeys(ask.picture for ask in asks))
    around = [*pictures, *pictures]
    return [(ask, around[(place := pictures.index(ask.picture)) + 1 : place + 1 + others]) for ask in asks]


def _beside(ask: Ask, others: list[str], place: int) -> Conversation:
    pictures = [*others[:place], ask.picture, *others[place:]]
    if ask.text.isascii():
        return conversation(f"In the {('first', 'second')[place]} picture: {ask.text}", pictures)
    return conversation(f"{('第一张图', '第二张图')[place]}:{ask.text}", pictures)
