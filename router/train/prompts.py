"""The project's written prompts: `prompts/*.txt` → rows, and JSONL rows from elsewhere.

A file starts with `# label: simple` or `# label: reasoning`; then one prompt a line. `[[a|b|]]` stands for one of its parts, `[[2..99]]`
for a number, `\\n` for a line break. The name is `LANGUAGE-KIND.txt`.
"""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROMPTS = Path(__file__).parent / "prompts"
_ROUTER = Path(__file__).parents[1]
SCRIPT = tuple(
    _ROUTER / name
    for name in ("ask.py", "marks.py", "features.py", "lexicon.py", "train/fit.py", "train/prompts.py", "train/__main__.py")
)
"""The code that decides what the weights are."""
_CHOICE = re.compile(r"\[\[([^\[\]]*)\]\]")
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_COPIES = ((1, 1), (16, 2), (40, 6), (100, 12))
_MOST_COPIES = 20


class Row(NamedTuple):
    text: str
    reasoning: bool
    language: str
    source: str
    """The group that is left out as a whole: a repository, or a family of written prompts."""
    kind: str
    weight: float


class PromptError(ValueError):
    """A prompt file or row that cannot be read; names the file and the line."""


def written(folder: Path, seed: int) -> list[Row]:
    """All rows of a folder of prompt files; the same seed gives the same rows."""
    rng = random.Random(seed)  # noqa: S311 - variety, not secrecy
    rows = [row for path in sorted(folder.glob("*.txt")) for row in _file_rows(path, rng)]
    if not rows:
        raise PromptError(f"{folder}: no prompts, looked for *.txt")
    return rows


class _Labelled(msgspec.Struct):
    """A row of a JSONL file."""

    text: str
    label: Literal["simple", "reasoning"]
    lang: str
    source: str


def labelled(path: Path) -> list[Row]:
    """Rows of a JSONL file of `{"text", "label", "lang", "source"}`; a source is `REPOSITORY:PATH`."""
    rows = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=_Labelled)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PromptError(f"{path}:{number}: no row of text, label, lang and source: {error}") from error
        repository = row.source.split(":")[0]
        rows.append(Row(row.text, row.label == "reasoning", row.lang, repository, repository, 1.0))
    return rows


def digest(folder: Path = PROMPTS) -> str:
    """SHA-256 over the names and contents of the prompt files."""
    return _sha256(sorted(folder.glob("*.txt")))


def script_digest() -> str:
    """SHA-256 over the code that decides what the weights are."""
    return _sha256(SCRIPT)


def _sha256(paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _file_rows(path: Path, rng: random.Random) -> Iterator[Row]:
    head, *lines = path.read_text(encoding="utf-8").split("\n")
    label = head.removeprefix("# label:").strip()
    if label not in {"simple", "reasoning"}:
        raise PromptError(f"{path}:1: expected `# label: simple` or `# label: reasoning`, found {head!r}")
    language, _, kind = path.stem.partition("-")
    for line in filter(str.strip, lines):
        texts = sorted({_expand(line, rng) for _ in range(_copies(line))})
        for text in texts:
            yield Row(text, label == "reasoning", language, "written", f"{language}-{kind}", len(texts) ** -0.5)


def _copies(line: str) -> int:
    """How often a line is drawn: more often, the more prompts it stands for."""
    stands_for = 1
    for choice in _CHOICE.finditer(line):
        stands_for *= 5 if _RANGE.fullmatch(choice[1]) else choice[1].count("|") + 1
    return next((copies for limit, copies in _COPIES if stands_for <= limit), _MOST_COPIES)


def _expand(line: str, rng: random.Random) -> str:
    while _CHOICE.search(line):
        line = _CHOICE.sub(lambda choice: _draw(choice[1], rng), line)
    return line.replace("\\n", "\n")


def _draw(choice: str, rng: random.Random) -> str:
    numbers = _RANGE.fullmatch(choice)
    return str(rng.randint(*sorted((int(numbers[1]), int(numbers[2]))))) if numbers else rng.choice(choice.split("|"))
