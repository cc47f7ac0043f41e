"""The model card says what the model is made of and how well it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.nano.card import card
from serve.nano.fonts import fonts

if TYPE_CHECKING:
    from pathlib import Path


def test_the_card_names_scores_and_every_font_package(folder: Path) -> None:
    scores = {"all": {"count": 40, "exact": 0.9, "error_rate": 0.0123}, "total": {"count": 10, "exact": 1.0, "error_rate": 0.0}}
    written = card(folder, scores)
    assert "| all | 40 | 90.0 % | 1.23 % |" in written
    assert "8 blocks of 160 channels" in written
    for font in fonts():
        assert f"| {font.package} | {font.version} | {font.licence} | {font.split} |" in written
