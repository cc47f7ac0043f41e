"""The fixed test set: 300 pictures of the test split in one zip file, so that scores can be compared without the fonts.

`python -m serve.nano.drawing.archive FILE` draws it anew. Pictures are WebP; `turns.jsonl` has a row for each.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import zipfile
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from serve.nano.drawing import draw
from serve.nano.fonts import FontMissing
from serve.nano.sample import Sample, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PICTURES = 300
_FIRST_SEED = 10**9  # far from the seeds that are looked at while a model trains
_MOST_PIXELS = 400 * 32 * 32  # of one picture: 400 visual tokens
_QUALITY = 66
_ROWS = "turns.jsonl"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same file for the same pictures


def chosen() -> Iterator[Sample]:
    """The first test pictures that are not too large."""
    drawn = (draw(seed, "test") for seed in count(_FIRST_SEED))
    fitting = (sample for sample in drawn if sample.image and sample.image.width * sample.image.height <= _MOST_PIXELS)
    return (_asked_once(sample) for sample, _ in zip(fitting, range(_PICTURES), strict=False))


def _asked_once(sample: Sample) -> Sample:
    """One turn for each kind and answer."""
    turns = {(turn.kind, turn.answer): turn for turn in reversed(sample.turns)}
    return replace(sample, turns=tuple(turns.values()))


def write(path: Path, samples: Iterable[Sample]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        rows = []
        for index, sample in enumerate(samples):
            if sample.image is None:
                continue
            name = f"{index:03}.webp"
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), _packed(sample.image))
            rows.append({"picture": name, "layout": sample.layout, "turns": [asdict(turn) for turn in sample.turns]})
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        archive.writestr(zipfile.ZipInfo(_ROWS, _EPOCH), text, zipfile.ZIP_DEFLATED)


def read(path: Path) -> Iterator[Sample]:
    """The samples, without glyphs."""
    with zipfile.ZipFile(path) as archive:
        for line in archive.read(_ROWS).decode().splitlines():
            row = json.loads(line)
            picture = Image.open(io.BytesIO(archive.read(row["picture"]))).convert("RGB")
            yield Sample(picture, (), tuple(Turn(**turn) for turn in row["turns"]), row["layout"])


def _packed(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=_QUALITY, method=6)
    return file.getvalue()


def main() -> int:
    """Draw the set; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serve.nano.drawing.archive", description=__doc__)
    parser.add_argument("file", type=Path, help="the zip file to write")
    try:
        write(parser.parse_args().file, chosen())
    except (FontMissing, OSError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
