import os

import pytest

from serve.nano.drawing import draw
from serve.nano.fonts import FontMissing, fonts, read
from serve.nano.sample import Sample


@pytest.fixture(scope="session")
def training() -> list[Sample]:
    """Pictures of the training split; the machine needs the listed font packages."""
    _need_fonts()
    return [draw(seed, "train") for seed in range(250)]


@pytest.fixture(scope="session")
def held_out() -> list[Sample]:
    _need_fonts()
    return [draw(seed, "test") for seed in range(150)]


def _need_fonts() -> None:
    try:
        for font in fonts():
            read(font)
    except FontMissing as missing:
        if os.environ.get("TESTS_REQUIRE_ALL") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
