"""`python -m serve.nano.evaluate`: what a checkpoint, or a server, answers about the test pictures, scored by kind.

Greedy decoding, either by transformers from a folder (`--model DIR`) or by an OpenAI endpoint (`--endpoint URL --name MODEL`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from serve.nano.cases import drawn, kept
from serve.nano.score import Answered, by_kind

if TYPE_CHECKING:
    from serve.nano.cases import Case
    from serve.nano.score import Score


def main() -> int:
    """Print a table, and with `--out` write the scores and every answer as JSON; return the exit code."""
    asked = _asked()
    cases = list(kept(asked.archive, asked.asks) if asked.archive else drawn(asked.pictures, asked.asks))
    if asked.model:
        from serve.nano.generate import Generator  # noqa: PLC0415 brings torch, which an endpoint needs not

        given = list(chain.from_iterable(Generator(asked.model).answers(cases, asked.batch, asked.longest)))
    else:
        from serve.nano.endpoint import answers  # noqa: PLC0415

        given = asyncio.run(answers(asked.endpoint, asked.name, cases, asked.batch, asked.longest))
    answered = [Answered(case.kind, case.answer, said) for case, said in zip(cases, given, strict=True)]
    scores = by_kind(answered)
    print(table(scores))  # noqa: T201 the command's answer
    if asked.out:
        _keep(asked.out, cases, given, scores)
    return 0


def table(scores: dict[str, Score]) -> str:
    """One line a kind: how many, how many to the letter, and the character error rate."""
    lines = [f"{'kind':<12}{'count':>6}{'exact %':>9}{'CER %':>8}{'JSON %':>8}"]
    for kind, score in scores.items():
        parsed = f"{100 * score.parsed:8.1f}" if kind == "json" else ""
        lines.append(f"{kind:<12}{score.count:6}{100 * score.exact:9.1f}{100 * score.error_rate:8.2f}{parsed}")
    return "\n".join(lines)


def _keep(file: Path, cases: list[Case], given: list[str], scores: dict[str, Score]) -> None:
    answers = [
        {"kind": case.kind, "ask": case.ask, "right": case.answer, "given": said}
        for case, said in zip(cases, given, strict=True)
    ]
    whole = {"scores": {kind: asdict(score) for kind, score in scores.items()}, "answers": answers}
    file.write_text(json.dumps(whole, ensure_ascii=False, indent=1), encoding="utf-8")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serve.nano.evaluate", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", type=Path, help="a checkpoint folder")
    what.add_argument("--endpoint", help="the address of an OpenAI endpoint, up to /v1")
    parser.add_argument("--name", default="", help="the model to ask the endpoint for")
    parser.add_argument("--archive", type=Path, help="a fixed test set; without it, test pictures are drawn")
    parser.add_argument("--pictures", type=int, default=300, help="to draw")
    parser.add_argument("--asks", type=int, default=4, help="about each picture, at most")
    parser.add_argument("--batch", type=int, default=32, help="how many at once")
    parser.add_argument("--longest", type=int, default=1024, help="tokens of an answer, thoughts included")
    parser.add_argument("--out", type=Path, help="a file for scores and answers")
    found = parser.parse_args()
    if found.archive and not found.archive.is_file():
        parser.error(f"--archive {found.archive}: there is no such file")
    if found.endpoint and not found.name:
        parser.error("--endpoint needs --name, the model to ask for")
    return found


if __name__ == "__main__":
    sys.exit(main())
