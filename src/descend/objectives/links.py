"""Links: how the linear predictor of a family becomes what it predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from descend.base.typing import Floats

EDGE = 1e-12  # a probability nearer to 0 is taken for this one where its logarithm is wanted


class LinkFunction(Protocol):
    """A function from predictions to the linear predictor Z (rows x outputs), and its inverse."""

    @property
    def linear(self) -> bool:
        """Whether predictions are the linear predictor itself."""
        ...

    @property
    def outer(self) -> str:
        """The name of the formula's function that gives one prediction of one linear predictor; "" where none is."""
        ...

    def link(self, mean: Floats) -> Floats:
        """Return the linear predictor of predictions."""
        ...

    def inverse(self, Z: Floats) -> Floats:
        """Return the predictions of a linear predictor: rows x outputs, or rows x classes."""
        ...


class Identity:
    """The prediction is the linear predictor."""

    linear = True
    outer = ""

    def link(self, mean: Floats) -> Floats:
        """Return the prediction."""
        return mean

    def inverse(self, Z: Floats) -> Floats:
        """Return the linear predictor."""
        return Z


class Logit:
    """The logarithm of the odds of the second of two classes."""

    linear = False
    outer = "sigmoid"

    def link(self, mean: Floats) -> Floats:
        """Return log(p / (1 - p)) of the second class, rows x 1, from rows x 2 probabilities."""
        logs = np.log(np.maximum(mean, EDGE))
        return np.asarray(logs[:, 1:] - logs[:, :1])

    def inverse(self, Z: Floats) -> Floats:
        """Return the probabilities of both classes, rows x 2."""
        return np.concatenate([sigmoid(-Z), sigmoid(Z)], axis=1)


class MultinomialLogit:
    """The logarithm of each class's probability, up to a constant for each row."""

    linear = False
    outer = ""

    def link(self, mean: Floats) -> Floats:
        """Return log p, rows x classes."""
        return np.asarray(np.log(np.maximum(mean, EDGE)))

    def inverse(self, Z: Floats) -> Floats:
        """Return the probabilities, rows x classes."""
        return softmax(Z)


def sigmoid(Z: Floats) -> Floats:
    """Return 1 / (1 + e^-z) without overflow."""
    small = np.exp(-np.abs(Z))
    return np.asarray(np.where(Z >= 0, 1, small) / (1 + small))


def softmax(Z: Floats) -> Floats:
    """Return e^z over its row's sum, without overflow."""
    E: Floats = np.exp(Z - Z.max(axis=1, keepdims=True))
    E /= E.sum(axis=1, keepdims=True)
    return E
