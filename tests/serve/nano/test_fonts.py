import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFont

from serve.nano import fonts


def test_the_list_holds_what_the_model_card_promises() -> None:
    def families(split: str, script: str) -> set[str]:
        return {font.package for font in fonts.fonts() if (font.split, font.script) == (split, script)}

    assert len(families("train", "latin")) >= 25
    assert len(families("train", "chinese")) >= 4
    assert len(families("test", "latin")) >= 5
    assert len(families("test", "chinese")) >= 2
    assert not families("train", "latin") & families("test", "latin")
    assert all(font.version and font.licence for font in fonts.fonts())


@pytest.mark.parametrize(("script", "characters"), [("latin", "aegRSQy25&Gtk"), ("chinese", "的永国总额")])
def test_no_test_face_is_a_training_face_under_another_name(script: fonts.Script, characters: str) -> None:
    """Carlito is Lato with other widths: of such pairs, 0.9 of all black is common; of any two sans serifs, three quarters."""
    trained, held_out = (
        {font.file.name: _shapes(font, characters) for font in fonts.fonts() if (font.split, font.script) == (split, script)}
        for split in ("train", "test")
    )
    for name, shapes in held_out.items():
        nearest = max(trained, key=lambda other: _alike(shapes, trained[other]))
        assert _alike(shapes, trained[nearest]) < 0.85, f"{name} is {nearest}"


def _shapes(font: fonts.Font, characters: str) -> list[npt.NDArray[np.bool_]]:
    """Each character's black, stretched to one size."""
    face = ImageFont.truetype(io.BytesIO(fonts.read(font)), 96)
    masks = [face.getmask(character, "L") for character in characters]
    return [np.asarray(Image.frombytes("L", mask.size, bytes(mask)).resize((48, 48))) > 127 for mask in masks]


def _alike(one: list[npt.NDArray[np.bool_]], other: list[npt.NDArray[np.bool_]]) -> float:
    return float(np.mean([(a & b).sum() / max(1, (a | b).sum()) for a, b in zip(one, other, strict=True)]))


def test_a_missing_font_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    lost = fonts.Font("fonts-lost", "1", "OFL-1.1", "train", "latin", Path("/no/such/face.ttf"))
    with pytest.raises(fonts.FontMissing, match="apt-get install fonts-lost"):
        fonts.read(lost)
