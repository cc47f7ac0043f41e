"""`python -m serve.nano.evaluate`: what a checkpoint, or a server, answers about the test pictures, scored by kind.

Greedy decoding, either by transformers from a folder (`--model DIR`) or by an OpenAI endpoint (`--endpoint URL --name MODEL`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import zipfile
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from serve.nano.cases import drawn, kept
from serve.nano.endpoint import Endpoint, Refused, conversation, data_url
from serve.nano.fonts import FontMissing
from serve.nano.options import at_least
from serve.nano.score import Answered, by_kind

if TYPE_CHECKING:
    from serve.nano.cases import Case
    from serve.nano.score import Score


def main() -> int:
    """Print a table, and with `--out` write the scores and every answer as JSON; return the exit code."""
    asked = _asked()
    try:
        cases = list(kept(asked.archive, asked.asks) if asked.archive else drawn(asked.pictures, asked.asks))
    except FontMissing as missing:
        print(missing, file=sys.stderr)  # noqa: T201 the command's answer
        return 1
    if asked.model:
        from serve.nano.generate import Generator  # noqa: PLC0415 brings torch, which an endpoint needs not

        given = list(chain.from_iterable(Generator(asked.model).answers(cases, asked.batch, asked.longest)))
    else:
        try:
            given = _told(Endpoint(asked.endpoint, asked.name), cases, asked.batch, asked.longest)
        except Refused as refused:
            print(refused, file=sys.stderr)  # noqa: T201 the command's answer
            return 1
    answered = [Answered(case.kind, case.answer, said) for case, said in zip(cases, given, strict=True)]
    scores = by_kind(answered)
    print(table(scores))  # noqa: T201 the command's answer
    if asked.out:
        _keep(asked.out, asked.name or str(asked.model), cases, given, scores)
    return 0


def table(scores: dict[str, Score]) -> str:
    """One line a kind: how many, how many to the letter, and the character error rate."""
    lines = [f"{'kind':<12}{'count':>6}{'exact %':>9}{'CER %':>8}{'JSON %':>8}"]
    for kind, score in scores.items():
        parsed = f"{100 * score.parsed:8.1f}" if kind == "json" else ""
        lines.append(f"{kind:<12}{score.count:6}{100 * score.exact:9.1f}{100 * score.error_rate:8.2f}{parsed}")
    return "\n".join(lines)


def _told(endpoint: Endpoint, cases: list[Case], at_once: int, longest: int) -> list[str]:
    conversations = [conversation(case.ask, [data_url(case.picture)] if case.picture else []) for case in cases]
    return [said.text for said in asyncio.run(endpoint.answers(conversations, at_once, longest))]


def _keep(file: Path, model: str, cases: list[Case], given: list[str], scores: dict[str, Score]) -> None:
    answers = [
        {"kind": case.kind, "ask": case.ask, "right": case.answer, "given": said}
        for case, said in zip(cases, given, strict=True)
    ]
    whole = {"model": model, "scores": {kind: asdict(score) for kind, score in scores.items()}, "answers": answers}
    file.write_text(json.dumps(whole, ensure_ascii=False, indent=1), encoding="utf-8")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serve.nano.evaluate", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", type=Path, help="a checkpoint folder")
    what.add_argument("--endpoint", help="the address of an OpenAI endpoint, up to /v1")
    parser.add_argument("--name", default="", help="the model to ask the endpoint for")
    parser.add_argument("--archive", type=Path, help="a fixed test set; without it, test pictures are drawn")
    parser.add_argument("--pictures", type=at_least(int, 1), default=300, help="to draw")
    parser.add_argument("--asks", type=at_least(int, 1), default=4, help="about each picture, at most")
    parser.add_argument("--batch", type=at_least(int, 1), default=32, help="how many at once")
    parser.add_argument("--longest", type=at_least(int, 1), default=1024, help="tokens of an answer, thoughts included")
    parser.add_argument("--out", type=Path, help="a file for scores and answers")
    found = parser.parse_args()
    if trouble := _trouble(found):
        parser.error(trouble)
    return found


def _trouble(asked: argparse.Namespace) -> str:
    """What is wrong with the options, or nothing."""
    if asked.archive and not zipfile.is_zipfile(asked.archive):
        return f"--archive {asked.archive}: there is no such zip file"
    if asked.model and not (asked.model / "config.json").is_file():
        return f"--model {asked.model}: no folder of a checkpoint"
    if asked.endpoint and not asked.name:
        return "--endpoint needs --name, the model to ask for"
    if asked.out and not asked.out.parent.is_dir():
        return f"--out {asked.out}: there is no folder {asked.out.parent}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
