"""Asks a server whether it is ready. vLLM listens early but answers only when it is."""

from __future__ import annotations

from http import HTTPStatus

import aiohttp

ANSWER_TIMEOUT = aiohttp.ClientTimeout(total=2)


async def is_ok(url: str) -> bool:
    """Tell whether the server answers 200; no answer at all, or none in time, is no."""
    try:
        async with aiohttp.ClientSession(timeout=ANSWER_TIMEOUT) as session, session.get(url) as answer:
            return answer.status == HTTPStatus.OK
    except (aiohttp.ClientError, TimeoutError):
        return False


async def pools_without_replica(ready_url: str) -> list[str]:
    """Ask the router's `/ready` which pools lack a ready replica: `{"pools": {NAME: {"ready": 0, ...}}}`; none if it does not say."""
    try:
        async with aiohttp.ClientSession(timeout=ANSWER_TIMEOUT) as session, session.get(ready_url) as answer:
            pools = (await answer.json())["pools"]
            return [pool for pool, count in pools.items() if not count["ready"]]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
        return []
