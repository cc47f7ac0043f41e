"""Ask → the probability that thinking helps: a logistic regression over features, calibrated on repositories it had not seen.

The weights are data (`weights.json`), written by `python -m router.train` and read once.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib import resources
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

from router.features import features
from router.lexicon import CLASSES

if TYPE_CHECKING:
    from router.ask import Ask

WEIGHTS = "weights.json"
_CLASS_FEATURES = {f"K:{name}" for name in CLASSES}


class Weights(NamedTuple):
    """A fitted model: `probability = sigmoid(slope * (bias + sum of weights) / scale + shift)`."""

    features: dict[str, int]
    """Feature → weight, in units of 1 / scale."""
    bias: int
    scale: int
    slope: float
    shift: float
    card: dict[str, object]
    """What it was made from: hashes, counts, seeds, metrics."""


@lru_cache(maxsize=1)
def weights() -> Weights:
    """The shipped weights."""
    return read(resources.files("router").joinpath(WEIGHTS).read_text(encoding="utf-8"))


def read(text: str) -> Weights:
    """Weights from the text of a weights file; `TypeError` names a key that is missing or unknown."""
    return Weights(**json.loads(text))


class Weighed(NamedTuple):
    probability: float
    classes: dict[str, int]
    """Class of words (`router.lexicon`) → its weight, > 0 for thinking."""

    def reason(self, pool: str) -> str:
        """The class that spoke loudest for `pool`, or `wording` when none did."""
        side = 1 if pool == "thinking" else -1
        name, weight = max(self.classes.items(), key=lambda pair: (pair[1] * side, pair[0]), default=("", 0))
        return name if weight * side > 0 else "wording"


def score(ask: Ask, model: Weights | None = None) -> float:
    """The probability, from 0 to 1, that `ask` wants reasoning."""
    return weigh(ask, model).probability


def weigh(ask: Ask, model: Weights | None = None) -> Weighed:
    """The probability that `ask` wants reasoning, and the classes of words that spoke."""
    model = model or weights()
    found = features(ask)
    total = model.bias + sum(map(model.features.get, found, repeat(0)))
    spoken = {feature.removeprefix("K:"): model.features.get(feature, 0) for feature in _CLASS_FEATURES & found}
    return Weighed(calibrated(total / model.scale, model), spoken)


def calibrated(log_odds: float, model: Weights) -> float:
    """Log-odds of the regression → probability; never beyond what a double holds."""
    return 1 / (1 + math.exp(-max(min(model.slope * log_odds + model.shift, 60), -60)))


def explain(ask: Ask, most: int = 12, model: Weights | None = None) -> list[tuple[str, float]]:
    """The `most` features that spoke loudest and what each added to the log-odds, loudest first; > 0 is for thinking."""
    model = model or weights()
    spoken = [(feature, weight) for feature in features(ask) if (weight := model.features.get(feature))]
    spoken.sort(key=lambda pair: (-abs(pair[1]), pair[0]))
    return [(feature, round(model.slope * weight / model.scale, 3)) for feature, weight in spoken[:most]]
