"""Scores of predictions: errors of numbers, and of probabilities of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.moments import deviations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from descend.base.typing import Floats

LEAST_PROBABILITY = 1e-15
ROUNDING = 1e-12  # of a target's largest value: a smaller error is none


def number_scores(truth: Floats, predicted: Floats) -> dict[str, float]:
    """Return rmse, mae and r2 of one target (rows,); r2 is against the rows' own mean, NaN where they do not vary."""
    with np.errstate(over="ignore", invalid="ignore"):
        rmse, spread = _root_mean_square(truth - predicted), _root_mean_square(truth - truth.mean())
        return {
            "rmse": rmse,
            "mae": float(np.abs(truth - predicted).mean()),
            "r2": float(1 - np.square(rmse / spread)) if deviations(truth[:, None]).any() else float("nan"),
        }


def row_squared_errors(truth: Floats, predicted: Floats) -> Floats:
    """Return each row's squared error in units of each target's spread, averaged over the targets."""
    size = np.abs(truth).max(axis=0)
    size[size == 0] = 1.0
    with np.errstate(over="ignore"):
        spread = (truth / size).std(axis=0)
        missed = (truth - predicted) / size
    missed[np.abs(missed) <= ROUNDING] = 0.0
    varies = deviations(truth) > 0
    with np.errstate(over="ignore"):
        return np.asarray(np.square(missed / np.where(varies, spread, 1.0)).mean(axis=1))


def _root_mean_square(values: Floats) -> float:
    """Return it also where the squares overflow or vanish."""
    largest = float(np.abs(values).max())
    if not 0 < largest < np.inf:
        return largest
    return float(largest * np.sqrt(np.square(values / largest).mean()))


def class_scores(codes: NDArray[np.int64], probabilities: Floats) -> dict[str, float]:
    """Return accuracy, log_loss (nats) and, for two classes, auc of the second, from rows x classes probabilities."""
    scores = {
        "accuracy": float((probabilities.argmax(axis=1) == codes).mean()),
        "log_loss": float(row_log_loss(codes, probabilities).mean()),
    }
    if probabilities.shape[1] == 2:
        scores["auc"] = auc(codes == 1, probabilities[:, 1])
    return scores


def row_log_loss(codes: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Return minus the log of the probability given to each row's class, held above 1e-15."""
    given = np.take_along_axis(probabilities, codes[:, None], axis=1)[:, 0]
    return -np.log(np.maximum(given, LEAST_PROBABILITY))


def auc(positive: NDArray[np.bool_], score: Floats) -> float:
    """Return the chance that a positive row scores above a negative one, ties for half (Mann and Whitney 1947)."""
    many, few = int(positive.sum()), int((~positive).sum())
    if not many or not few:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))


def confusion(codes: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the counts, rows the true class and columns the predicted one."""
    return np.bincount(codes * classes + predicted, minlength=classes**2).reshape(classes, classes)


def most_confused(levels: Sequence[str], matrix: NDArray[np.int64], most: int = 5) -> list[dict[str, Any]]:
    """Return the pairs of an ``actual`` class and the one ``predicted`` in its stead, the highest ``count`` first.

    Only pairs that occur, and none of two classes: there the matrix says it all.
    """
    if len(levels) < 3:
        return []
    wrong = np.where(np.eye(len(levels), dtype=bool), 0, matrix)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    found = [{"actual": levels[i], "predicted": levels[j], "count": int(wrong[i, j])} for i, j in pairs]
    return [pair for pair in found if pair["count"]]


def per_class(levels: Sequence[str], matrix: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return each class's rows, precision and recall; NaN where there is nothing to divide by."""
    told = []
    for index, level in enumerate(levels):
        hits, guessed, there = (
            int(matrix[index, index]),
            int(matrix[:, index].sum()),
            int(matrix[index].sum()),
        )
        precision = hits / guessed if guessed else float("nan")
        recall = hits / there if there else float("nan")
        told.append({"class": level, "rows": there, "precision": precision, "recall": recall})
    return told
