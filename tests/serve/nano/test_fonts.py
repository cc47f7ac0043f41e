from pathlib import Path

import pytest

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


def test_a_missing_font_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    lost = fonts.Font("fonts-lost", "1", "OFL-1.1", "train", "latin", Path("/no/such/face.ttf"))
    with pytest.raises(fonts.FontMissing, match="apt-get install fonts-lost"):
        fonts.read(lost)
