"""Sends one engine the worst that its limits allow, phase by phase, and says what came back.

    python -m loadtests.memory.traffic --port 9100 --traffic '{"seqs": 64, "pixels": 1310720, …}'

Makes its pictures at once, says "prepared" and waits for a line on standard input. Then one line "phase NAME" as each phase begins, and
at the end one JSON object: phase → statuses with their counts, requests cut off by the phase's deadline, and seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING, Any

import aiohttp

from loadtests.memory import requests
from loadtests.memory.cases import Traffic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

OVER_FULL = 1.5  # requests at once for each place in the batch
PICTURE_THREADS = 6
ERROR = 300  # characters of the first one that are kept
LOGPROBS = 20
TOP = {"logprobs": True, "top_logprobs": LOGPROBS}
# of the phase's seconds
SHARE = {"pictures": 1.0, "many": 1.5, "video": 0.5, "full": 1.5, "logprobs": 0.5, "prompt_logprobs": 0.5}
PROMPT_LOGPROBS_TOKENS = 12_000
SMALL_PIXELS = 262_144
KV_OVER_FULL = 1.2
FULL_TOKENS = 256  # of each answer: the first must still be under way when the last prompt has been read


@dataclass
class Tally:
    """What came of one phase."""

    statuses: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    seconds: float = 0.0
    first_error: str = ""
    longest_tokens: int = 0  # of a request that was answered, with its answer

    def as_dict(self) -> dict[str, object]:
        return {
            "statuses": dict(self.statuses),
            "cut": self.cut,
            "seconds": round(self.seconds, 1),
            "error": self.first_error,
            "longest_tokens": self.longest_tokens,
        }

    def count(self, status: int, said: str) -> None:
        self.statuses[str(status)] += 1
        if status == HTTPStatus.OK:
            usage = json.loads(said).get("usage", {})
            self.longest_tokens = max(self.longest_tokens, usage.get("total_tokens", 0))
        else:
            self.first_error = self.first_error or said[:ERROR]


class Client:
    """One engine over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session, self._url, self.model = session, f"http://127.0.0.1:{port}", ""
        self.sentence_tokens = 1.0

    async def learn(self) -> None:
        """The model's name, and how many tokens the filler's sentence has."""
        async with self._session.get(f"{self._url}/v1/models") as answer:
            self.model = (await answer.json())["data"][0]["id"]
        asked = {"model": self.model, "prompt": requests.SENTENCE * 100, "add_special_tokens": False}
        async with self._session.post(f"{self._url}/tokenize", json=asked) as answer:
            self.sentence_tokens = (await answer.json())["count"] / 100

    async def ask(self, body: dict[str, Any], tally: Tally) -> None:
        try:
            async with self._session.post(f"{self._url}/v1/chat/completions", json={"model": self.model, **body}) as answer:
                tally.count(answer.status, await answer.text())
        except aiohttp.ClientError as error:
            tally.statuses[type(error).__name__] += 1
        except asyncio.CancelledError:
            tally.cut += 1
            raise


@dataclass(frozen=True)
class Prepared:
    """What takes time to make, made before the engine is up."""

    pictures: tuple[str, ...]
    video: dict[str, Any] | None


def prepare(traffic: Traffic) -> Prepared:
    large, small = requests.largest(traffic.pixels), requests.largest(min(SMALL_PIXELS, traffic.pixels))
    most, fit = int(traffic.seqs * OVER_FULL), requests.pictures_that_fit(traffic)
    of_batch = most if traffic.largest is None else min(most, traffic.largest)
    sizes = [large] * of_batch + [small] * (most - of_batch) + [large] * fit
    with ThreadPoolExecutor(PICTURE_THREADS) as threads:
        pictures = tuple(threads.map(lambda seed: requests.jpeg(Random(seed), sizes[seed]), range(len(sizes))))  # noqa: S311 pictures, no secrets
    video = requests.video_part(Random(0), traffic.video_pixels) if traffic.video_pixels else None  # noqa: S311
    return Prepared(pictures, video)


def pictures(traffic: Traffic, made: Prepared, client: Client) -> list[dict[str, Any]]:
    """More than the batch holds, a picture each; the first ones with text to the end of the context."""
    room = traffic.context - traffic.output_tokens - requests.TEMPLATE_TOKENS
    text = requests.filler(room - requests.tokens(requests.largest(traffic.pixels)), client.sentence_tokens)
    count = int(traffic.seqs * OVER_FULL)
    words = [text] * traffic.long_texts + ["What is this?"] * (count - traffic.long_texts)
    parts = ([requests.picture_part(picture)] for picture in made.pictures)
    return [requests.chat(part, word, traffic.output_tokens) for part, word in zip(parts, words, strict=False)]


def many(traffic: Traffic, made: Prepared, _: Client) -> list[dict[str, Any]]:
    fit = requests.pictures_that_fit(traffic)
    parts = [requests.picture_part(picture) for picture in made.pictures[-fit:]]
    return [requests.chat(parts, "What do they share?", traffic.output_tokens)]


def video(traffic: Traffic, made: Prepared, _: Client) -> list[dict[str, Any]]:
    return [requests.chat([made.video], "What happens?", traffic.output_tokens)] if made.video else []


def full(traffic: Traffic, _: Prepared, client: Client) -> list[dict[str, Any]]:
    """A full batch whose texts are together more than the KV cache holds; no two begin alike."""
    room = traffic.context - FULL_TOKENS - requests.TEMPLATE_TOKENS
    each = min(room, int(traffic.kv_tokens * KV_OVER_FULL / traffic.seqs))
    count = traffic.seqs if traffic.kv_tokens else 0
    text = requests.filler(each, client.sentence_tokens)
    return [requests.chat([], f"{number}. {text}", FULL_TOKENS) for number in range(count)]


def logprobs(traffic: Traffic, _: Prepared, __: Client) -> list[dict[str, Any]]:
    """A full batch, with the probabilities of every token."""
    return [requests.chat([], f"Count to {number}.", 24, **TOP) for number in range(traffic.seqs)]


def prompt_logprobs(traffic: Traffic, _: Prepared, client: Client) -> list[dict[str, Any]]:
    """One long prompt with the probabilities of its own tokens: a row of logits for each of them."""
    text = requests.filler(min(PROMPT_LOGPROBS_TOKENS, traffic.context // 2), client.sentence_tokens)
    return [requests.chat([], text, 4, prompt_logprobs=1)]


PHASES: dict[str, Callable[[Traffic, Prepared, Client], list[dict[str, Any]]]] = {
    "pictures": pictures,
    "many": many,
    "video": video,
    "full": full,
    "logprobs": logprobs,
    "prompt_logprobs": prompt_logprobs,
}


async def send(traffic: Traffic, made: Prepared, port: int) -> dict[str, dict[str, object]]:
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        client, tallies = Client(session, port), {}
        await client.learn()
        for name in traffic.phases:
            print(f"phase {name}", flush=True)
            tally = Tally()
            asked = [client.ask(body, tally) for body in PHASES[name](traffic, made, client)]
            await _within(asked, tally, traffic.seconds * SHARE[name])
            tallies[name] = tally.as_dict()
        return tallies


async def _within(asked: Sequence[Awaitable[None]], tally: Tally, seconds: float) -> None:
    """All of them at once; what is not answered in `seconds` is cut off."""
    began = time.monotonic()
    if tasks := [asyncio.ensure_future(one) for one in asked]:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    tally.seconds = time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="traffic", description="Sends one engine the worst that its limits allow.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--traffic", type=json.loads, required=True, metavar="JSON")
    asked = parser.parse_args()
    traffic = Traffic(**{**asked.traffic, "phases": tuple(asked.traffic.get("phases", PHASES))})
    made = prepare(traffic)
    print("prepared", flush=True)
    if not sys.stdin.readline():
        return  # told to go home
    print(json.dumps(asyncio.run(send(traffic, made, asked.port))), flush=True)


if __name__ == "__main__":
    main()
