import json
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from serve.nano.drawing import archive
from serve.nano.sample import Sample, Turn

FIXED = Path(__file__).parents[1] / "data" / "pictures.zip"


@pytest.fixture(scope="module")
def fixed() -> list[Sample]:
    return list(archive.read(FIXED))


def test_three_hundred_pictures_of_every_test_layout(fixed: list[Sample]) -> None:
    assert len(fixed) == 300
    assert len({sample.layout for sample in fixed}) == 11
    assert FIXED.stat().st_size < 3_000_000


def test_they_are_what_is_drawn_today(fixed: list[Sample]) -> None:
    """What is drawn may not drift away from what is scored. WebP and FreeType round a little."""
    for kept, drawn in zip(fixed, islice(archive.chosen(), 12), strict=False):
        assert kept.turns == drawn.turns
        assert kept.layout == drawn.layout
        assert kept.image
        assert drawn.image
        difference = ImageChops.difference(kept.image, drawn.image.convert("RGB"))
        assert sum(ImageStat.Stat(difference).mean) / 3 < 8


def test_they_ask_for_all_that_is_promised(fixed: list[Sample]) -> None:
    kinds = {turn.kind for sample in fixed for turn in sample.turns}
    assert kinds >= {"transcribe", "total", "date", "name", "rows", "highest", "caption", "json"}
    assert kinds >= {"sum", "change", "compare", "next", "words"}
    assert all(json.loads(turn.answer) for sample in fixed for turn in sample.turns if turn.kind == "json")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    turns = (Turn("总金额是多少", "¥12.50", "", "total"), Turn("Sum?", "3", "1 + 2: 1+2=3 -> 3", "sum"))
    sample = Sample(Image.new("RGB", (64, 32), "red"), (), turns, "menu")
    file = tmp_path / "few.zip"
    archive.write(file, [sample, sample])
    first, second = archive.read(file)
    assert first.turns == second.turns == turns
    assert first.layout == "menu"
    assert first.image
    assert first.image.size == (64, 32)
