import json
import re

import numpy as np
import pytest
from PIL import ImageChops

from serve.nano.drawing import characters, draw
from serve.nano.drawing.faces import names
from serve.nano.sample import Sample

WHOLE_TEXT = {"lines", "paragraph", "receipt", "price_line", "address_label", "sign", "sequence", "word_problem"}
WHOLE_TEXT |= {"bullets", "headline", "menu", "business_card", "banner", "slate"}


@pytest.fixture(scope="session", params=["training", "held_out"])
def samples(request: pytest.FixtureRequest) -> list[Sample]:
    drawn: list[Sample] = request.getfixturevalue(request.param)
    return drawn


def test_the_same_seed_draws_the_same_picture(training: list[Sample]) -> None:
    for seed in (0, 7, 41):
        again = draw(seed, "train")
        first = training[seed]
        assert again.glyphs == first.glyphs
        assert again.turns == first.turns
        assert (again.image is None) == (first.image is None)
        if again.image and first.image:
            assert ImageChops.difference(again.image, first.image).getbbox() is None


def test_what_is_transcribed_is_what_was_drawn(samples: list[Sample]) -> None:
    """Blanks apart, each character of the transcript has its box, in the same order."""
    checked = 0
    for sample in samples:
        said = {turn.answer for turn in sample.turns if turn.kind == "transcribe"}
        if said and sample.layout in WHOLE_TEXT:
            assert len(said) == 1
            assert "".join(glyph.char for glyph in sample.glyphs) == "".join(said.pop().split())
            checked += 1
    assert checked > 40


def test_boxes_lie_in_the_picture_and_hold_ink(samples: list[Sample]) -> None:
    blank = total = 0
    for sample in samples:
        if sample.image is None:
            continue
        grey = np.asarray(sample.image.convert("L"), dtype=np.int16)
        for glyph in sample.glyphs:
            x0, y0, x1, y1 = (round(side) for side in glyph.box)
            assert 0 <= x0 < x1 <= sample.image.width + 1
            assert 0 <= y0 < y1 <= sample.image.height + 1
            cell = grey[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1]
            blank += int(np.ptp(cell)) < 25
            total += 1
    assert blank < 0.01 * total


def test_every_character_has_a_token(samples: list[Sample]) -> None:
    known = set(characters())
    for sample in samples:
        assert {glyph.char for glyph in sample.glyphs} <= known
        for turn in sample.turns:
            assert set(turn.ask + turn.thought + turn.answer) <= known


def test_json_answers_parse_and_agree_with_the_total(samples: list[Sample]) -> None:
    checked = 0
    for sample in samples:
        for turn in sample.turns:
            if turn.kind == "json":
                record = json.loads(turn.answer)
                items = record.get("items") or record.get("商品")
                total = record.get("total") or record.get("合计")
                if items and total is not None:
                    amounts = [amount for item in items for amount in item.values() if not isinstance(amount, str)]
                    assert sum(amounts) == pytest.approx(total)
                    checked += 1
    assert checked > 5


def test_thoughts_come_to_their_answers(samples: list[Sample]) -> None:
    """The last result of a thought that reckons is the answer, whatever currency it is written in."""
    checked = 0
    for sample in samples:
        for turn in sample.turns:
            if turn.thought and turn.kind in {"sum", "change", "compare", "product", "words", "next"} and "->" in turn.thought:
                assert re.findall(r"\d[\d.,]*", turn.answer) == [_result(turn.thought)]
                checked += 1
    assert checked > 100


def _result(thought: str) -> str:
    """The number that a thought comes to. A division is proved by multiplying back: its result stands above the proof."""
    *_, above, last = ["", *thought.splitlines()]
    shown = last.split("-> ")[1]
    if division := re.fullmatch(r"(\d+) / \d+ = (\d+)", above):
        assert shown == division[1]
        return division[2]
    return shown


def test_sizes_are_those_that_users_send(samples: list[Sample]) -> None:
    tokens = sorted(sample.image.width * sample.image.height / 1024 for sample in samples if sample.image)
    assert 60 < tokens[len(tokens) // 2] < 250
    assert tokens[-1] < 1600


def test_no_face_is_in_both_splits() -> None:
    for script in ("latin", "chinese"):
        assert not set(names("train", script)) & set(names("test", script))


def test_layouts_of_the_test_split_are_never_trained(training: list[Sample], held_out: list[Sample]) -> None:
    trained = {sample.layout for sample in training}
    assert {sample.layout for sample in held_out} & trained <= {"small_talk"}
