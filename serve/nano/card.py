"""`python -m serve.nano.card FOLDER SCORES`: the model card of a trained checkpoint, from what `evaluate --out` wrote."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serve.nano.drawing.alphabet import chinese
from serve.nano.fonts import fonts

if TYPE_CHECKING:
    from serve.nano.fonts import Font

_HEAD = """---
license: apache-2.0
language: [en, zh]
pipeline_tag: image-text-to-text
tags: [qwen3_vl, ocr, tiny]
---
# Duet embedded {kind}

A Qwen3-VL of {millions:.1f} million parameters that reads: printed lines, receipts, tables, forms, signs and small charts, in
English letters, digits and {chinese} common Chinese characters. It is what Duet serves where there is no GPU, so that answers
mean something there. It knows nothing of the world and reads no photographs; for that, serve the real models.

- **Architecture**: transformers' `Qwen3VLForConditionalGeneration`, every part of it, small: {vision} in the tower, {text} in
  the language model.
- **Data**: drawn by `serve/nano/drawing` while it trained; no picture, text or person of the world outside is in it.
- **Recipe**: `python -m serve.nano.train`; one base, then one end for Instruct and one for Thinking.
- **Weights**: Apache-2.0, as the rest of Duet. The fonts below drew the pictures and are not part of the weights.

## What it gets right

{count} questions about pictures of the test split: faces and layouts that training never showed. Greedy decoding. *Exact*: the
whole answer, to the letter; *CER*: character error rate.

| kind | questions | exact | CER |
|---|---|---|---|
{scores}

## Fonts

| package | version | licence | split |
|---|---|---|---|
{fonts}
"""


def card(folder: Path, scores: dict[str, dict[str, Any]]) -> str:
    """The whole card. `scores` is what `evaluate --out` keeps under that name."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    parameters = (folder / "model.safetensors").stat().st_size / 2
    vision, text = config["vision_config"], config["text_config"]
    return _HEAD.format(
        kind=folder.name.capitalize(),
        millions=parameters / 1e6,
        chinese=len(chinese()),
        vision=f"{vision['depth']} blocks of {vision['hidden_size']} channels",
        text=f"{text['num_hidden_layers']} layers of {text['hidden_size']} channels",
        count=scores["all"]["count"],
        scores="\n".join(_score(kind, score) for kind, score in scores.items()),
        fonts="\n".join(_font(package) for package in _packages()),
    )


def _score(kind: str, score: dict[str, Any]) -> str:
    return f"| {kind} | {score['count']} | {100 * score['exact']:.1f} % | {100 * score['error_rate']:.2f} % |"


def _packages() -> list[list[Font]]:
    ordered = sorted(fonts(), key=lambda font: (font.split == "test", font.package))
    return [list(group) for _, group in groupby(ordered, key=lambda font: (font.split, font.package, font.licence))]


def _font(package: list[Font]) -> str:
    first = package[0]
    return f"| {first.package} | {first.version} | {first.licence} | {first.split} |"


def main() -> int:
    """Write README.md into the folder; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serve.nano.card", description=__doc__)
    parser.add_argument("folder", type=Path, help="a checkpoint folder")
    parser.add_argument("scores", type=Path, help="what `python -m serve.nano.evaluate --out` wrote")
    asked = parser.parse_args()
    try:
        found = json.loads(asked.scores.read_text(encoding="utf-8"))
        model, written = found["model"], card(asked.folder, found["scores"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"{asked.folder}, {asked.scores}: not a checkpoint's folder and its scores: {error!r}")
    if not model.endswith(asked.folder.name):
        parser.error(f"{asked.scores}: these are the scores of {model}, not of {asked.folder}")
    (asked.folder / "README.md").write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
