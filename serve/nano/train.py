"""`python -m serve.nano.train --minutes N --out DIR`: from nothing to the two embedded checkpoints, on one GPU.

A base learns everything, half of it with thoughts; from it two ends are trained, each on its own mixture. The clock decides:
learning rates follow the time that has passed, so the same command makes a usable pair in a few minutes and a good one in 25.
A run that was cut off goes on with `--resume`, from what it saved in `--out` every two minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from serve.nano import drawing, export
from serve.nano.dialogue import WORDED
from serve.nano.feed import Feed, Progress, Source, loader
from serve.nano.fonts import FontMissing
from serve.nano.held_out import HeldOut
from serve.nano.journal import Journal
from serve.nano.learning import Learner
from serve.nano.model import fresh
from serve.nano.optimizer import Optimizer
from serve.nano.options import at_least
from serve.nano.packing import MAX_PICTURE, Budget
from serve.nano.shape import shape
from serve.nano.stages import BASE, STAGES, THINKING, Stage
from serve.nano.state import BASE as BASE_WEIGHTS
from serve.nano.state import LATEST, State, load
from serve.nano.stepping import COMPILED_AFTER, Stepper
from serve.nano.supply import Supply
from serve.nano.tokenizer import Tokenizer, learn
from serve.nano.watch import Watch
from serve.values import POOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serve.nano.feed import Draw
    from serve.values import PoolName

_WORDED_SAMPLES = 1_500  # that the tokenizer is trained on
_LOOK_EVERY = 60.0  # seconds
JOURNAL = "journal.jsonl"
_RESUME = "go on from what an earlier run saved in --out; with another --seed, else the same drawings come again"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for. `patches` is the size of a step, `held_out` counts test pictures, `rate` scales learning."""

    minutes: float
    out: Path
    workers: int
    patches: int
    seed: int
    rate: float
    held_out: int
    compiled: bool
    captured: bool
    resume: bool


class Training:
    """One model on its way through the stages."""

    def __init__(self, wish: Wish, draw: Draw, characters: str, tokenizer: Tokenizer) -> None:
        alphabet = {ord(character): index for index, character in enumerate(sorted(set(characters)))}
        self._wish = wish
        self._source = Source(draw, tokenizer, Budget.of(wish.patches), alphabet)
        # Before the GPU is touched: worker processes are forks.
        self._held_out = {kind: HeldOut(self._source, wish.held_out, kind, wish.workers) for kind in POOLS}
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._shape = shape(len(tokenizer.vocabulary.pieces))
        self._learner = Learner(fresh(self._shape, wish.seed), len(alphabet)).to(self._device)
        self._optimizer = Optimizer([self._learner])
        forward = torch.compile(self._learner, dynamic=False) if wish.compiled else self._learner
        self._stepper = Stepper(forward, self._optimizer, self._device, captured=wish.captured)
        self._journal = Journal(wish.out / JOURNAL)
        self._watch = Watch(self._learner, self._optimizer, self._journal, wish.out)

    def run(self) -> None:
        """All stages, or those that are left; a checkpoint folder after each."""
        latest = self._wish.out / LATEST
        reached = load(latest) if self._wish.resume else None
        for stage in STAGES[[stage.name for stage in STAGES].index(reached.stage) if reached else 0 :]:
            if reached:
                self._learner.load_state_dict(reached.weights)
            elif stage is not BASE:
                self._learner.load_state_dict(load(self._wish.out / BASE_WEIGHTS).weights)
            self._stage(stage, reached.part if reached else 0.0)
            reached = None
            if stage is BASE:
                State.of(self._learner, stage.name, 1.0).save(self._wish.out / BASE_WEIGHTS)
            self._save("thinking" if stage is THINKING else "instruct", stage.name)

    def _stage(self, stage: Stage, part: float) -> None:
        """`part` of it has been learnt already."""
        seconds = stage.share * self._wish.minutes * 60
        progress = Progress()
        progress.set(part)
        feed = Feed(self._source, stage.diet, progress if stage is BASE else None, self._wish.seed)
        supply = Supply(iter(loader(feed, self._wish.workers)), self._device, self._wish.seed)
        self._optimizer.forget()
        self._watch.begin(stage.name, part)
        for _ in range(COMPILED_AFTER):  # they wait for workers, compile and are captured: the clock runs from there
            self._step(stage, part, supply)
        looked = time.monotonic()
        began = looked - part * seconds
        while (part := (time.monotonic() - began) / seconds) < 1:
            progress.set(part)
            self._step(stage, part, supply)
            if time.monotonic() - looked > _LOOK_EVERY:
                self._look(stage)
                looked = time.monotonic()
        self._look(stage)

    def _step(self, stage: Stage, part: float, supply: Supply) -> None:
        rate = stage.rate(part) * self._watch.scale * self._wish.rate
        losses = self._stepper.step(supply.next(), rate, stage.auxiliary_weight(part))
        if self._journal.step(supply.waited, new=supply.new):
            self._journal.tell(stage.name, rate, losses)
            self._watch.look(losses, stage.name, part)

    def _look(self, stage: Stage) -> None:
        """How well it reads test pictures now."""
        for name, held_out in self._held_out.items():
            if name == stage.name or stage is BASE:
                right = held_out.exact(self._learner.model, self._device)
                self._journal.note(stage=stage.name, held_out=name, **{kind: round(part, 3) for kind, part in right.items()})

    def _save(self, kind: PoolName, name: str) -> None:
        export.write(self._wish.out / name, kind, self._learner.model, self._shape, self._source.tokenizer.vocabulary)


def main() -> int:
    """Return the exit code."""
    wish = _wish()
    wish.out.mkdir(parents=True, exist_ok=True)
    if not wish.resume:  # of a run that ended before it saved anything
        (wish.out / JOURNAL).unlink(missing_ok=True)
    if not torch.cuda.is_available():
        print("No GPU answers: on a CPU this time teaches next to nothing.", file=sys.stderr)  # noqa: T201 for who waits
    torch.set_float32_matmul_precision("high")
    characters = drawing.characters()
    try:
        tokenizer = Tokenizer(learn(characters, _worded(drawing.draw)))
    except FontMissing as missing:
        print(missing, file=sys.stderr)  # noqa: T201 for who waits
        return 1
    Training(wish, drawing.draw, characters, tokenizer).run()
    return 0


def _worded(draw: Draw) -> Iterator[str]:
    """What is said in words: asks, typed lists left out, and the answers that are not read off a picture."""
    for seed in range(_WORDED_SAMPLES):
        for turn in draw(seed, "train").turns:
            if "\n" not in turn.ask:
                yield turn.ask
            if turn.kind in WORDED:
                yield turn.answer


def _wish() -> Wish:
    parser = argparse.ArgumentParser(prog="python -m serve.nano.train", description=__doc__)
    parser.add_argument("--minutes", type=at_least(float, 0.01), default=23, help="of training, all stages together")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoints and the journal")
    cores = min(47, max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--workers", type=at_least(int, 0), default=cores, help="processes that draw")
    parser.add_argument(
        "--patches", type=at_least(int, MAX_PICTURE, step=4), default=65_536, help="of 16 x 16 pixels in one step"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=at_least(float, 0), default=0.7, help="of learning, in those of serve/nano/optimizer.py")
    parser.add_argument("--held-out", type=at_least(int, 1), default=192, help="test pictures that are looked at every minute")
    parser.add_argument("--no-compile", dest="compiled", action="store_false", help="run without torch.compile")
    parser.add_argument("--resume", action="store_true", help=_RESUME)
    parser.add_argument("--no-graph", dest="captured", action="store_false", help="launch every kernel of every step anew")
    wish = Wish(**vars(parser.parse_args()))
    if trouble := _trouble(wish):
        parser.error(trouble)
    return wish


def _trouble(wish: Wish) -> str:
    """Why this `--out` will not do, or nothing."""
    if wish.out.exists() and not wish.out.is_dir():
        return f"--out {wish.out}: that is no folder"
    if wish.resume and not (wish.out / LATEST).is_file():
        return f"--resume: nothing was saved in --out {wish.out}"
    if not wish.resume and (wish.out / LATEST).exists():
        return f"--out {wish.out}: holds an earlier run; --resume goes on with it"
    return ""


if __name__ == "__main__":
    sys.exit(main())
