"""What a load test asks: which pool, which picture, which words. Pure: the same mix, user and number give the same bytes.

Some pictures come back (`repeat_share`), because that is what the prefix cache and the picture cache are for; the others are
drawn anew for each request, because a load of one picture would measure the caches alone.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random

from loadtests import pictures
from loadtests.pictures import Size

# (width, height) → 64, 300, 768 and 880 picture tokens: height · width / 32², as Qwen3-VL counts them, 64 at least
SIZES: tuple[Size, ...] = ((256, 256), (640, 480), (1024, 768), (1280, 720))
REPEATED_PICTURES = 4  # half of them for each sort of question
# What one look answers (False) and what takes several steps (True); a sign gives nothing to reckon with.
QUESTIONS = {
    ("receipt", False): "Read the total on this receipt. Answer with the number only.",
    ("receipt", True): "Add up all the prices on the receipt, step by step.",
    ("sign", False): "What is written on the sign?",
    ("chart", False): "Which bar is the highest?",
    ("chart", True): "Think step by step: what is the difference between the highest and the lowest bar?",
}


@dataclass(frozen=True, slots=True)
class Mix:
    """The load as shares between 0 and 1. `auto_share` of the requests leave the pool to the router; the rest name it."""

    seed: int = 1
    thinking_share: float = 0.3
    auto_share: float = 0.34
    repeat_share: float = 0.5
    max_tokens: int = 256
    instruct_model: str = "qwen3-vl-instruct"
    thinking_model: str = "qwen3-vl-thinking"

    def __post_init__(self) -> None:
        for name in ("thinking_share", "auto_share", "repeat_share"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise ValueError(f"{name} is {share}; a share lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: `asked` is `instruct`, `thinking` or `auto`; `body` is the JSON to post."""

    asked: str
    kind: str
    size: Size
    repeated: bool
    body: bytes


def asks(mix: Mix, user: int) -> Iterator[Ask]:
    """Everything that `user` will ask, without end."""
    return (ask(mix, user, number) for number in count())


def ask(mix: Mix, user: int, number: int) -> Ask:
    """Build the request `number` of `user`."""
    random = Random(f"{mix.seed}/{user}/{number}")  # noqa: S311  a reproducible load, not a secret
    thinks = random.random() < mix.thinking_share
    asked = "auto" if random.random() < mix.auto_share else "thinking" if thinks else "instruct"
    if repeated := random.random() < mix.repeat_share:
        random = Random(f"{mix.seed}/repeated/{thinks}/{random.randrange(REPEATED_PICTURES // 2)}")  # noqa: S311
    kind = random.choice([kind for kind, steps in QUESTIONS if steps == thinks])
    size = random.choice(SIZES)
    body = _body(_model(mix, asked), QUESTIONS[kind, thinks], pictures.png(kind, random, size), mix.max_tokens)
    return Ask(asked, kind, size, repeated, body)


def _model(mix: Mix, asked: str) -> str:
    return {"auto": "auto", "instruct": mix.instruct_model, "thinking": mix.thinking_model}[asked]


def _body(model: str, question: str, picture: bytes, max_tokens: int) -> bytes:
    url = "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": question}]
    return json.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": content}],
            "max_completion_tokens": max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ).encode()
