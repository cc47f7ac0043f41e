"""The five situations in which people report that a card of 24 GB was or was not enough, asked of running engines one by one.

    python -m loadtests.memory.situations --instruct 9100 --thinking 9101 --context 32768 --images 16 --names picture,turns

Prints "prepared" and waits for a line on standard input; then "phase NAME" as each begins, and when it is over one JSON object with all
so far: situation → requests sent, statuses with their counts, tokens of the longest request, the first refusal, and for a document the
parts it took.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
from dataclasses import asdict, dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import aiohttp

from loadtests.memory import requests
from loadtests.memory.traffic import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

SCREEN = (1920, 1088)  # 2,040 tokens, below every cap on a picture's area
PAGE = (704, 1000)  # a page of A4, 1,000 pixels high: about 680 tokens
PAGES = 100
PAGE_TOKENS = 700
SHORT_CONTEXT, LONG_CONTEXT = 8_192, 32_768
TURNS = 10
ANSWER, THOUGHTS = 256, 512
TURN_TOKENS = 3_050  # of a turn with its picture and answer: ten fill the context but for the last thoughts
REFUSAL = 400  # characters of it that are kept


@dataclass
class Told:
    """What came of one situation."""

    requests: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    longest_tokens: int = 0
    refusal: str = ""
    parts: int = 0
    pages_in_a_part: int = 0

    def count(self, status: str) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1


class Asker(Client):
    """An engine, asked one request after another."""

    async def tell(self, body: dict[str, Any], told: Told) -> bool:
        """Whether it answered; an engine that is gone is a status like others."""
        told.requests += 1
        try:
            # as a file: a hundred pages are more than aiohttp likes to write at once
            data, kind = io.BytesIO(json.dumps({"model": self.model, **body}).encode()), {"content-type": "application/json"}
            async with self._session.post(f"{self._url}/v1/chat/completions", data=data, headers=kind) as answer:
                said = await answer.json(content_type=None)
                told.count(str(answer.status))
        except aiohttp.ClientError as error:
            told.count(type(error).__name__)
            return False
        if answer.status != 200:
            told.refusal = told.refusal or json.dumps(said)[:REFUSAL]
            return False
        told.longest_tokens = max(told.longest_tokens, said["usage"]["total_tokens"])
        return True


@dataclass(frozen=True)
class Engines:
    """Who answers, and within which limits. Without a pool of its own, Thinking is asked of the same engine."""

    instruct: Asker
    thinking: Asker
    context: int
    images: int


async def picture(engines: Engines) -> Told:
    """One picture, and text to the end of 8,192 tokens."""
    told, asker = Told(), engines.instruct
    room = SHORT_CONTEXT - THOUGHTS - requests.tokens(SCREEN) - requests.TEMPLATE_TOKENS
    words = requests.filler(room, asker.sentence_tokens)
    await asker.tell(requests.chat([_picture(1)], words, THOUGHTS), told)
    return told


async def turns(engines: Engines) -> Told:
    """Ten turns, a picture each, to the end of 32,768 tokens."""
    return await _conversation(engines.instruct, ANSWER, seed=100)


async def turns_thinking(engines: Engines) -> Told:
    """The same of Thinking, with thoughts before each answer that the chat template drops from past turns."""
    return await _conversation(engines.thinking, THOUGHTS, seed=200)


async def turns_fp8(engines: Engines) -> Told:
    """The same of an engine whose KV cache is FP8."""
    return await _conversation(engines.instruct, ANSWER, seed=300)


async def document(engines: Engines) -> Told:
    """A document of a hundred pages: whole at first, then in parts that fit, to its end."""
    told, asker = Told(), engines.instruct
    pages = [_part(page, PAGE) for page in range(1000, 1000 + PAGES)]
    if await asker.tell(requests.chat(pages, "Sum this up.", ANSWER), told):
        return told
    fit = (engines.context - ANSWER - requests.TEMPLATE_TOKENS) // PAGE_TOKENS
    told.pages_in_a_part = min(fit, engines.images)
    for first in range(0, PAGES, told.pages_in_a_part):
        part = pages[first : first + told.pages_in_a_part]
        told.parts += await asker.tell(requests.chat(part, "Sum this part up.", ANSWER), told)
    return told


SITUATIONS: dict[str, Callable[[Engines], Coroutine[Any, Any, Told]]] = {
    "picture": picture,
    "turns": turns,
    "turns_thinking": turns_thinking,
    "turns_fp8": turns_fp8,
    "document": document,
}


async def _conversation(asker: Asker, output_tokens: int, seed: int) -> Told:
    """What an engine of noise answers is not what it would read next: past answers are plain text of the same length."""
    told = Told()
    words = requests.filler(
        TURN_TOKENS - ANSWER - requests.tokens(SCREEN) - requests.TEMPLATE_TOKENS // 4, asker.sentence_tokens
    )
    answer = {"role": "assistant", "content": requests.filler(ANSWER, asker.sentence_tokens)}
    said: list[dict[str, Any]] = []
    for turn in range(TURNS):
        body = requests.chat([_picture(seed + turn)], f"Turn {turn}. {words}", output_tokens)
        body["messages"] = [*said, *body["messages"]]
        if not await asker.tell(body, told):
            break
        said = [*body["messages"], answer]
    return told


def _picture(seed: int) -> dict[str, Any]:
    return _part(seed, SCREEN)


def _part(seed: int, size: tuple[int, int]) -> dict[str, Any]:
    return requests.picture_part(requests.jpeg(Random(seed), size))  # noqa: S311 pictures, no secrets


async def ask(asked: argparse.Namespace) -> None:
    """One situation after the other; nothing else is under way meanwhile."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        instruct, thinking = Asker(session, asked.instruct), Asker(session, asked.thinking)
        await instruct.learn()
        await thinking.learn()
        engines = Engines(instruct, thinking, asked.context, asked.images)
        found: dict[str, object] = {}
        for name in asked.names.split(","):
            print(f"phase {name}", flush=True)
            found[name] = asdict(await SITUATIONS[name](engines))
            print(json.dumps(found), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="situations", description="Asks engines what people report of cards of 24 GB.")
    parser.add_argument("--instruct", type=int, required=True, metavar="PORT")
    parser.add_argument("--thinking", type=int, required=True, metavar="PORT")
    parser.add_argument("--context", type=int, required=True, metavar="TOKENS")
    parser.add_argument("--images", type=int, required=True, help="most in a request")
    parser.add_argument("--names", default=",".join(SITUATIONS))
    asked = parser.parse_args()
    print("prepared", flush=True)
    if sys.stdin.readline():
        asyncio.run(ask(asked))


if __name__ == "__main__":
    main()
