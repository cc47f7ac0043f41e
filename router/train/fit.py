"""Rows → weights: a logistic regression, groups left out whole, and the calibration on what they scored."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from router.ask import find_ask
from router.features import features

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from router.train.prompts import Row

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]

STRENGTH = 0.3
"""Inverse of the L2 penalty."""
LEAST_KINDS = 2
"""A feature must show in this many kinds of prompts or repositories: what only one has tells where a prompt is from."""
FOLDS = 10
"""Written prompts are left out by kind, in this many folds."""
SCALE = 50
"""Weights are whole numbers of 1/50 in log-odds; smaller ones are dropped."""


class Table(NamedTuple):
    matrix: sparse.csr_matrix
    """Rows by features, 0 or 1."""
    names: list[str]
    reasoning: NDArray[np.bool_]
    weight: Floats


class Calibration(NamedTuple):
    slope: float
    shift: float


def tabulate(rows: Sequence[Row]) -> Table:
    """The features of every row; rows of a kind share their kind's weight, which grows with the root of its size."""
    shown = [features(find_ask(row.text)) for row in rows]
    pairs = {(row.kind, feature) for row, found in zip(rows, shown, strict=True) for feature in found}
    kinds = Counter(feature for _, feature in pairs)
    names = sorted(feature for feature, count in kinds.items() if count >= LEAST_KINDS)
    column = {feature: index for index, feature in enumerate(names)}
    columns = [sorted(column[feature] for feature in found if feature in column) for found in shown]
    ends = np.cumsum([0, *map(len, columns)])
    indices = np.fromiter((index for found in columns for index in found), dtype=np.int32, count=int(ends[-1]))
    matrix = sparse.csr_matrix((np.ones(len(indices)), indices, ends), shape=(len(rows), len(names)))
    return Table(matrix, names, np.array([row.reasoning for row in rows]), _weights(rows))


def _weights(rows: Sequence[Row]) -> Floats:
    size: defaultdict[tuple[str, bool], float] = defaultdict(float)
    for row in rows:
        size[row.kind, row.reasoning] += row.weight
    weight = np.array([row.weight * size[row.kind, row.reasoning] ** -0.5 for row in rows])
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def fit(table: Table, chosen: Indices) -> tuple[Floats, float]:
    """Coefficients and intercept over the chosen rows."""
    model = LogisticRegression(C=STRENGTH, solver="liblinear", tol=1e-3, random_state=0)
    model.fit(table.matrix[chosen], table.reasoning[chosen], sample_weight=table.weight[chosen])
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


def held_out(table: Table, groups: Sequence[str], tested: Iterable[str]) -> tuple[Indices, Floats]:
    """Rows of the tested groups, and the log-odds that a model gave them that had not seen their group."""
    group = np.array(groups)
    rows: list[Indices] = []
    scores: list[Floats] = []
    for name in tested:
        inside = np.flatnonzero(group == name)
        coefficients, intercept = fit(table, np.flatnonzero(group != name))
        rows.append(inside)
        scores.append(table.matrix[inside] @ coefficients + intercept)
    return np.concatenate(rows), np.concatenate(scores)


def calibrate(scores: Floats, reasoning: NDArray[np.bool_]) -> Calibration:
    """Platt's sigmoid: the slope and shift that turn held-out log-odds into probabilities."""
    platt = LogisticRegression(C=1e6, solver="lbfgs").fit(scores.reshape(-1, 1), reasoning)
    return Calibration(float(platt.coef_[0][0]), float(platt.intercept_[0]))


def groups_of(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    """The group of each row and the groups to test: repositories where there are any, else folds of written kinds."""
    repositories = sorted({row.source for row in rows if row.source != "written"})
    if repositories:
        return [row.source for row in rows], repositories
    fold = {kind: f"fold {index % FOLDS}" for index, kind in enumerate(sorted({row.kind for row in rows}))}
    return [fold[row.kind] for row in rows], sorted(set(fold.values()))
