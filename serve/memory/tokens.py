"""How many tokens a picture or a video becomes: the processor's own arithmetic, to the last bit of its floats.

One token is `factor` x `factor` pixels: 2 x 2 patches of 16 pixels. The marks around a picture, and the seconds that stand
before each pair of a video's frames, come on top and are text.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serve.values import PixelLimits

FACTOR = 32
PAIR = 2  # frames of a video that share their tokens
MOST_ASPECT = 200


def image_size(height: int, width: int, limits: PixelLimits, factor: int = FACTOR) -> tuple[int, int]:
    """The height and width, in pixels, to which the processor scales a picture: both multiples of `factor`.

    `smart_resize` of transformers/models/qwen2_vl/image_processing_qwen2_vl.py. ValueError for a side of less than a pixel
    and for one side more than 200 times as long as the other.
    """
    _check(height, width)
    rows, columns = round(height / factor) * factor, round(width / factor) * factor
    return _within(limits, (height, width), (rows, columns), (1, 1), factor)


def image_tokens(height: int, width: int, limits: PixelLimits, factor: int = FACTOR) -> int:
    """The tokens of a picture, without the two marks around it."""
    rows, columns = image_size(height, width, limits, factor)
    return rows * columns // factor**2


def video_size(frames: int, height: int, width: int, limits: PixelLimits, factor: int = FACTOR) -> tuple[int, int]:
    """The height and width, in pixels, to which the processor scales each of `frames` sampled frames.

    `smart_resize` of transformers/models/qwen3_vl/video_processing_qwen3_vl.py, whose limits are areas of all frames together.
    ValueError for fewer than two frames, for a side of less than a pixel and for a picture too long for its width.
    """
    if frames < PAIR:
        raise ValueError(f"a video has at least {PAIR} frames, this one has {frames}")
    _check_sides(height, width)
    if height < factor or width < factor:
        scale = max(factor / height, factor / width)
        height, width = int(height * scale), int(width * scale)
    _check(height, width)
    rows, columns = round(height / factor) * factor, round(width / factor) * factor
    return _within(limits, (height, width), (rows, columns), (frames, round(frames / PAIR) * PAIR), factor)


def video_tokens(frames: int, height: int, width: int, limits: PixelLimits, factor: int = FACTOR) -> int:
    """The tokens of a video, without the seconds and marks between its pairs of frames; an odd frame is taken twice."""
    rows, columns = video_size(frames, height, width, limits, factor)
    return -(-frames // PAIR) * (rows * columns // factor**2)


def largest_image_tokens(limits: PixelLimits, factor: int = FACTOR) -> int:
    """The tokens of the largest picture, for which vLLM makes room before it takes requests.

    `get_image_size_with_most_features` of vllm/model_executor/models/qwen2_vl.py. Where `limits.most` is below 200 tokens, a
    long strip may have more, for no side is scaled to less than one token; vLLM refuses such a picture.
    """
    rows, columns = _largest_grid(limits.most // factor**2)
    return image_tokens(rows * factor, columns * factor, limits, factor)


def largest_video_tokens(limits: PixelLimits, frames: int = PAIR, factor: int = FACTOR) -> int:
    """The tokens of the largest video of so many sampled frames; of two frames, what vLLM makes room for.

    `get_max_video_tokens` of vllm/model_executor/models/qwen3_vl.py. A video of an odd number of frames may have more: half
    as many again for 5, a third for 3; the more frames, the less. vLLM refuses what it has no room for.
    """
    counted = min(frames, round(frames / PAIR) * PAIR)
    rows, columns = _largest_grid(limits.most // counted // factor**2)
    return video_tokens(frames, rows * factor, columns * factor, limits, factor)


def _within(
    limits: PixelLimits, asked: tuple[int, int], rounded: tuple[int, int], frames: tuple[int, int], factor: int
) -> tuple[int, int]:
    """Scale so that the area is within limits; of `frames`, the first is the true number and the second the rounded one."""
    (height, width), (rows, columns) = asked, rounded
    area = frames[1] * rows * columns
    if area > limits.most:
        beta = math.sqrt((frames[0] * height * width) / limits.most)
        return _floor(height, beta, factor), _floor(width, beta, factor)
    if area < limits.least:
        beta = math.sqrt(limits.least / (frames[0] * height * width))
        return math.ceil(height * beta / factor) * factor, math.ceil(width * beta / factor) * factor
    return rows, columns


def _floor(side: int, beta: float, factor: int) -> int:
    return max(factor, math.floor(side / beta / factor) * factor)


def _largest_grid(tokens: int) -> tuple[int, int]:
    """The most tokens, and no more than given, that fill a rectangle which is not too long."""
    for count in range(tokens, 0, -1):
        rows = next(rows for rows in range(math.isqrt(count), 0, -1) if count % rows == 0)
        if count // rows / rows <= MOST_ASPECT:
            return rows, count // rows
    return 1, 1


def _check(height: int, width: int) -> None:
    _check_sides(height, width)
    if max(height, width) / min(height, width) > MOST_ASPECT:
        raise ValueError(f"{height} x {width} pixels: one side may be at most {MOST_ASPECT} times as long as the other")


def _check_sides(height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise ValueError(f"{height} x {width} pixels: a picture has at least one of each")
