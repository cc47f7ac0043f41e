"""The same questions, put to an OpenAI endpoint."""

from __future__ import annotations

import asyncio
import base64
import io
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from serve.nano.cases import Case


async def answers(endpoint: str, model: str, cases: Sequence[Case], at_once: int, longest: int) -> list[str]:
    """Greedy answers of `model` at `endpoint`, in order; `at_once` questions are under way at a time.

    Raises aiohttp.ClientError where a question is refused or fails.
    """
    free = asyncio.Semaphore(at_once)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=600)
    async with aiohttp.ClientSession(f"{endpoint.rstrip('/')}/", timeout=timeout, raise_for_status=True) as session:

        async def answer(case: Case) -> str:
            async with free, session.post("chat/completions", json=_body(case, model, longest)) as response:
                message = (await response.json())["choices"][0]["message"]
                return (message["content"] or "").strip("\n")

        return list(await asyncio.gather(*map(answer, cases)))


def _body(case: Case, model: str, longest: int) -> dict[str, object]:
    shown = [] if case.picture is None else [{"type": "image_url", "image_url": {"url": _url(case.picture)}}]
    content = [*shown, {"type": "text", "text": case.ask}]
    return {"model": model, "messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": longest}


def _url(picture: Image) -> str:
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
