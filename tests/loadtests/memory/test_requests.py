"""The largest picture is the largest: what is sent is what a cap allows, and no two pictures share an embedding."""

import base64
import io
from random import Random

import pytest
from PIL import Image

from loadtests.memory.cases import Traffic
from loadtests.memory.requests import FACTOR, FRAMES, filler, jpeg, largest, pictures_that_fit, tokens, video_part


def opened(picture: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture, validate=True)))


@pytest.mark.parametrize(
    ("pixels", "size"), [(1_310_720, (1280, 1024)), (4_194_304, (2048, 2048)), (16_777_216, (4096, 4096)), (65_536, (256, 256))]
)
def test_the_published_caps_are_filled_to_the_pixel(pixels: int, size: tuple[int, int]) -> None:
    assert largest(pixels) == size
    assert tokens(size) == pixels // 1024


def test_no_cap_is_exceeded_and_little_of_it_is_left() -> None:
    random = Random(4)
    for pixels in (random.randrange(65_536, 16_777_216) for _ in range(500)):
        width, height = largest(pixels)
        assert width % FACTOR == height % FACTOR == 0
        assert 0.97 * pixels < width * height <= pixels
        assert 0.4 < width / height < 2.5


def test_pictures_open_at_their_size_and_all_differ() -> None:
    pictures = [jpeg(Random(seed), (320, 256)) for seed in range(8)]
    assert {opened(picture).size for picture in pictures} == {(320, 256)}
    assert len({opened(picture).tobytes() for picture in pictures}) == len(pictures)


def test_a_video_has_its_pixels_over_all_frames() -> None:
    frames = video_part(Random(1), 1_048_576)["video_url"]["url"].removeprefix("data:video/jpeg;base64,").split(",")
    sizes = [opened(frame).size for frame in frames]
    assert len(sizes) == FRAMES
    assert sum(width * height for width, height in sizes) == 1_048_576


def test_a_request_has_no_more_pictures_than_the_context_holds() -> None:
    assert pictures_that_fit(Traffic(seqs=1, pixels=1_310_720)) == 8
    assert pictures_that_fit(Traffic(seqs=1, pixels=4_194_304)) == 7
    assert pictures_that_fit(Traffic(seqs=1, pixels=16_777_216)) == 1
    assert filler(100, 14.5).count("twice") == 6
