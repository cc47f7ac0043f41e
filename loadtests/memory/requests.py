"""The worst requests that limits allow: the largest picture, a text to the end of the context, several pictures, a whole video."""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from loadtests.memory.cases import Traffic

FACTOR = 32  # pixels a side of one visual token of Qwen3-VL: patch 16, merge 2
NOISE = 16  # pixels a side of one speck: files stay small, and no two pictures are alike
FRAMES = 32
TEMPLATE_TOKENS = 96  # chat template, vision marks and the question, generously
SENTENCE = "The meter was read at noon and the figure was written down twice. "


def largest(pixels: int) -> tuple[int, int]:
    """Width and height, whole tokens both, of the picture with most tokens within `pixels`; the squarest of those."""
    most = math.isqrt(pixels) // FACTOR
    heights = [side * FACTOR for side in range(max(1, most * 2 // 3), most + 1)]
    sizes = [(pixels // height // FACTOR * FACTOR, height) for height in heights]
    return max(sizes, key=lambda size: (size[0] * size[1], size[1]))


def tokens(size: tuple[int, int]) -> int:
    """Visual tokens of a picture whose sides are whole tokens."""
    return size[0] * size[1] // FACTOR**2


def jpeg(random: Random, size: tuple[int, int]) -> str:
    """A picture of noise as base64 of a JPEG file."""
    specks = (size[0] // NOISE, size[1] // NOISE)
    image = Image.frombytes("RGB", specks, random.randbytes(3 * specks[0] * specks[1]))
    file = io.BytesIO()
    image.resize(size, Image.Resampling.NEAREST).save(file, "JPEG", quality=60)
    return base64.b64encode(file.getvalue()).decode()


def picture_part(picture: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{picture}"}}


def video_part(random: Random, pixels: int) -> dict[str, Any]:
    """A video of FRAMES frames, all its pixels together within `pixels`, as vLLM takes it without a container."""
    side = largest(pixels // FRAMES)
    frames = ",".join(jpeg(random, side) for _ in range(FRAMES))
    return {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{frames}"}}


def chat(parts: Sequence[dict[str, Any]], words: str, output_tokens: int, **more: object) -> dict[str, Any]:
    """A request body without its model; every answer is as long as it may be."""
    content = [*parts, {"type": "text", "text": words}]
    return {"messages": [{"role": "user", "content": content}], "max_tokens": output_tokens, "ignore_eos": True, **more}


def filler(wanted_tokens: int, sentence_tokens: float) -> str:
    """Text of about `wanted_tokens`, never more."""
    return SENTENCE * max(0, int(wanted_tokens / sentence_tokens))


def pictures_that_fit(traffic: Traffic) -> int:
    """As many of the largest pictures as one request may have and the context holds."""
    room = traffic.context - traffic.output_tokens - TEMPLATE_TOKENS
    return max(1, min(traffic.images_per_request, room // (tokens(largest(traffic.pixels)) + 2)))
