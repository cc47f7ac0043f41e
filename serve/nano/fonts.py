"""The fonts that pictures are drawn with: Debian packages, listed with version and licence in fonts.tsv.

`python -m serve.nano.fonts` packs them into one folder, for a machine that has no packages.
"""

from __future__ import annotations

import argparse
import csv
import lzma
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast

from PIL import ImageFont

Split = Literal["train", "test"]
Script = Literal["latin", "chinese"]

COPIES = Path("dist/nano-fonts")  # looked at before the packages' own folders
_LIST = Path(__file__).with_name("fonts.tsv")
_BUILTIN = Path("builtin")  # the face that Pillow carries itself


class FontMissing(Exception):
    """A listed font is neither among the copies nor where its package puts it."""


@dataclass(frozen=True, slots=True)
class Font:
    """One font file. `file` is where its Debian package puts it."""

    package: str
    version: str
    licence: str
    split: Split
    script: Script
    file: Path


@cache
def fonts() -> tuple[Font, ...]:
    with _LIST.open(encoding="utf-8", newline="") as file:
        return tuple(_font(row) for row in csv.DictReader(file, delimiter="\t"))


def _font(row: dict[str, str]) -> Font:
    split, script = cast("Split", row["split"]), cast("Script", row["script"])
    return Font(row["package"], row["version"], row["licence"], split, script, Path(row["file"]))


def read(font: Font) -> bytes:
    """The font file's bytes. Raises `FontMissing` with the package to install."""
    if (packed := _packed(COPIES, font)).is_file():
        return lzma.decompress(packed.read_bytes())
    return _installed(font)


def _installed(font: Font) -> bytes:
    if font.file == _BUILTIN:
        return _builtin()
    if font.file.is_file():
        return font.file.read_bytes()
    raise FontMissing(f"{font.file} is not here: apt-get install {font.package}")


def _builtin() -> bytes:
    face = ImageFont.load_default(16)
    if not isinstance(face, ImageFont.FreeTypeFont):
        raise FontMissing("Pillow was built without FreeType")
    return bytes(face.font_bytes)


def copy(folder: Path) -> int:
    """Write all files, packed, into `folder`; return the bytes that they take."""
    folder.mkdir(parents=True, exist_ok=True)
    return sum(_packed(folder, font).write_bytes(lzma.compress(_installed(font))) for font in fonts() if font.file != _BUILTIN)


def _packed(folder: Path, font: Font) -> Path:
    return folder / f"{font.file.name}.xz"


def main() -> int:
    """Pack the fonts; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serve.nano.fonts", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=COPIES, help=f"where to; {COPIES} unless told")
    folder = parser.parse_args().folder
    try:
        size = copy(folder)
    except FontMissing as missing:
        parser.error(str(missing))
    print(f"{size / 1e6:.1f} MB of fonts in {folder}")  # noqa: T201 - the command's answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
