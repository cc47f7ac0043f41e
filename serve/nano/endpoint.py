"""Questions put to an OpenAI endpoint."""

from __future__ import annotations

import asyncio
import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL.Image import Image

Conversation = list[dict[str, Any]]


class Refused(Exception):
    """The endpoint cannot be reached, or answered with an error: its address and its own words."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was said after the thought, and how many of the prompt's tokens came from the prefix cache."""

    text: str
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask (the address up to /v1), and which model."""

    url: str
    model: str

    async def answers(
        self, conversations: Sequence[Conversation], at_once: int, longest: int, extra: Mapping[str, str] | None = None
    ) -> list[Said]:
        """Greedy answers of up to `longest` tokens, in order; `at_once` of them are under way at a time. Raises `Refused`."""
        free = asyncio.Semaphore(at_once)
        timeout = aiohttp.ClientTimeout(total=None, sock_read=600)
        async with aiohttp.ClientSession(timeout=timeout) as session:

            async def answer(messages: Conversation) -> Said:
                body = {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": longest, **(extra or {})}
                async with free:
                    return await self._said(session, body)

            return list(await asyncio.gather(*map(answer, conversations)))

    async def _said(self, session: aiohttp.ClientSession, body: dict[str, Any]) -> Said:
        try:
            async with session.post(f"{self.url.rstrip('/')}/chat/completions", json=body) as response:
                if response.status != 200:
                    raise Refused(f"{self.url}: {response.status} {await response.text()}")
                document = await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Refused(f"{self.url}: {error}") from error
        details = document["usage"].get("prompt_tokens_details") or {}
        text = document["choices"][0]["message"]["content"] or ""
        return Said(text.strip(), details.get("cached_tokens") or 0)


def conversation(text: str, pictures: Sequence[str]) -> Conversation:
    """Pictures (data URLs) and, behind them, what is asked."""
    shown = [{"type": "image_url", "image_url": {"url": picture}} for picture in pictures]
    return [{"role": "user", "content": [*shown, {"type": "text", "text": text}]}]


def data_url(picture: Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
