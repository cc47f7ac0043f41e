"""Tokens of pictures and videos against the processors of transformers and the room that vLLM makes."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

from serve.memory.card import PUBLISHED_IMAGE_PIXELS, PUBLISHED_VIDEO_PIXELS
from serve.memory.tokens import (
    image_size,
    image_tokens,
    largest_image_tokens,
    largest_video_tokens,
    video_size,
    video_tokens,
)
from serve.values import PixelLimits

IMAGES = [PUBLISHED_IMAGE_PIXELS, PixelLimits(65_536, 1_310_720), PixelLimits(65_536, 4_194_304), PixelLimits(1_024, 102_400)]
VIDEOS = [PUBLISHED_VIDEO_PIXELS, PixelLimits(4_096, 8_388_608), PixelLimits(131_072, 786_432)]


def image_processor(limits: PixelLimits) -> Qwen2VLImageProcessor:
    size = {"shortest_edge": limits.least, "longest_edge": limits.most}
    return Qwen2VLImageProcessor(patch_size=16, merge_size=2, temporal_patch_size=2, size=size)


def video_processor(limits: PixelLimits) -> Qwen3VLVideoProcessor:
    size = {"shortest_edge": limits.least, "longest_edge": limits.most}
    return Qwen3VLVideoProcessor(size=size, do_sample_frames=False, cap_pixels_per_frame=False)


def sides(count: int) -> list[tuple[int, int]]:
    """Heights and widths as they come, small ones as often as large ones, some too long for their width."""
    draw = random.Random(20251121)
    return [(round(2 ** draw.uniform(0, 14)), round(2 ** draw.uniform(0, 14))) for _ in range(count)]


@pytest.mark.parametrize("limits", IMAGES)
def test_no_picture_is_a_token_off(limits: PixelLimits) -> None:
    processor = image_processor(limits)
    for height, width in sides(5_000):
        try:
            expected = processor.get_number_of_image_patches(height, width, {}) // 4
        except ValueError:
            with pytest.raises(ValueError, match="at most 200 times"):
                image_tokens(height, width, limits)
        else:
            assert image_tokens(height, width, limits) == expected, (height, width)


@pytest.mark.parametrize("limits", VIDEOS)
def test_no_video_is_a_token_off(limits: PixelLimits) -> None:
    processor = video_processor(limits)
    draw = random.Random(20251122)
    for height, width in sides(5_000):
        frames = draw.choice([2, 3, 4, 5, 7, 8, 9, 15, 16, 32, 33, 64, 128, 255, 768])
        try:
            expected = processor.get_num_of_video_patches(frames, height, width, {}) // 4
        except ValueError:
            with pytest.raises(ValueError, match="at most 200 times"):
                video_tokens(frames, height, width, limits)
        else:
            assert video_tokens(frames, height, width, limits) == expected, (frames, height, width)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (28, 28), (10, 1_990), (33, 640), (768, 1_024), (1_081, 1_919), (2_000, 3_000)]
)
def test_the_processor_makes_such_patches_of_a_true_picture(height: int, width: int) -> None:
    grid = image_processor(IMAGES[2])(Image.new("RGB", (width, height)), return_tensors="np")["image_grid_thw"][0]
    assert (int(grid[1]) * 16, int(grid[2]) * 16) == image_size(height, width, IMAGES[2])


@pytest.mark.parametrize(("frames", "height", "width"), [(2, 40, 30), (5, 360, 640), (7, 20, 700), (16, 480, 270)])
def test_the_processor_makes_such_patches_of_a_true_video(frames: int, height: int, width: int) -> None:
    video = np.zeros((frames, 3, height, width), np.uint8)
    grid = video_processor(VIDEOS[2])([video], return_tensors="np")["video_grid_thw"][0]
    assert (int(grid[1]) * 16, int(grid[2]) * 16) == video_size(frames, height, width, VIDEOS[2])
    assert math.prod(map(int, grid)) // 4 == video_tokens(frames, height, width, VIDEOS[2])


def test_the_room_that_vllm_makes() -> None:
    """What `get_max_image_tokens` and `get_max_video_tokens` of vLLM 0.32 give, for the published limits and for tighter ones."""
    assert [largest_image_tokens(limits) for limits in IMAGES] == [16_384, 1_280, 4_096, 100]
    assert [largest_video_tokens(limits) for limits in VIDEOS] == [12_288, 4_096, 384]
    assert largest_image_tokens(PixelLimits(1_024, 211 * 1_024)) == 210  # a strip of 211, a prime, would be too long


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 30_000), st.integers(1, 30_000), st.integers(200, 20_000), st.sampled_from([2, 4, 5, 8, 31, 64]))
def test_nothing_is_larger_than_the_largest(height: int, width: int, tokens: int, frames: int) -> None:
    height, width = sorted((height, width))
    width = min(width, 200 * height)
    images, videos = PixelLimits(65_536, tokens * 1_024), PixelLimits(4_096, tokens * 1_024 * frames)
    assert image_tokens(height, width, images) <= largest_image_tokens(images)
    assert video_tokens(frames, height, width, videos) <= largest_video_tokens(videos, frames)


@pytest.mark.parametrize(("height", "width"), [(0, 640), (640, -1), (1, 201)])
def test_what_is_no_picture_is_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"{height} x {width} pixels"):
        image_tokens(height, width, PUBLISHED_IMAGE_PIXELS)


def test_one_frame_is_no_video() -> None:
    with pytest.raises(ValueError, match="at least 2 frames, this one has 1"):
        video_tokens(1, 640, 480, PUBLISHED_VIDEO_PIXELS)
