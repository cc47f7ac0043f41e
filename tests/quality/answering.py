"""Puts questions to an endpoint, greedily: so many at once, alone or beside another picture, from a cold cache or a warm one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.quality.asks import Ask

MOST_TOKENS = 640  # of an answer with its thought: half as much again as the longest of the test set
PATIENCE_S = 240


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said after the thought, and how many of the prompt's tokens came from the prefix cache."""

    text: str
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask (the address up to /v1, without it), and which model."""

    url: str
    model: str

    def answers(self, asks: Sequence[Ask], at_once: int, *, salt: str | None = None) -> list[Answer]:
        """One answer for each question, in order. Requests of one `salt` share their prefixes with no others."""
        extra = {"cache_salt": salt} if salt else {}
        return self.ask([_messages(ask.text, [ask.picture]) for ask in asks], at_once, extra)

    def among_others(self, asks: Sequence[Ask], at_once: int) -> list[Answer]:
        """The same with a second picture in each request, before the one that is asked about or after it."""
        return self.ask([_beside(ask, other, place % 2) for place, (ask, other) in enumerate(_pairs(asks))], at_once, {})

    def ask(self, conversations: Sequence[list[dict[str, Any]]], at_once: int, extra: dict[str, Any]) -> list[Answer]:
        return asyncio.run(self._ask(conversations, at_once, extra))

    async def _ask(self, conversations: Sequence[list[dict[str, Any]]], at_once: int, extra: dict[str, Any]) -> list[Answer]:
        free = asyncio.Semaphore(at_once)
        async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S) as client:

            async def answer(messages: list[dict[str, Any]]) -> Answer:
                body = {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": MOST_TOKENS} | extra
                async with free:
                    response = await client.post("/v1/chat/completions", json=body)
                assert response.status_code == 200, response.text
                document = response.json()
                details = document["usage"].get("prompt_tokens_details") or {}
                return Answer((document["choices"][0]["message"]["content"] or "").strip(), details.get("cached_tokens") or 0)

            return list(await asyncio.gather(*map(answer, conversations)))


def _pairs(asks: Sequence[Ask]) -> list[tuple[Ask, Ask]]:
    """Each with the next one that is about another picture."""
    around = [*asks, *asks]
    return [
        (ask, next(other for other in around[place + 1 :] if other.picture != ask.picture)) for place, ask in enumerate(asks)
    ]


def _beside(ask: Ask, other: Ask, place: int) -> list[dict[str, Any]]:
    pictures = [ask.picture, other.picture] if place == 0 else [other.picture, ask.picture]
    if ask.text.isascii():
        return _messages(f"In the {('first', 'second')[place]} picture: {ask.text}", pictures)
    return _messages(f"{('第一张图', '第二张图')[place]}:{ask.text}", pictures)


def _messages(text: str, pictures: Sequence[str]) -> list[dict[str, Any]]:
    shown = [{"type": "image_url", "image_url": {"url": picture}} for picture in pictures]
    return [{"role": "user", "content": [*shown, {"type": "text", "text": text}]}]
