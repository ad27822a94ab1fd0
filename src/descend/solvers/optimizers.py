"""Update rules on a flat vector of parameters: those of torch.optim, equal to them to rounding.

An optimizer is its settings; what it remembers between steps is a state of its own, a dict of arrays, so that a run
can be stopped and taken up again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from descend.base.errors import OptionError

if TYPE_CHECKING:
    from descend.base.typing import Floats

    State = dict[str, Floats]


class Optimizer(Protocol):
    """``init`` gives a state for parameters like ``w``; ``update`` changes ``w`` and the state in place by one step."""

    @property
    def name(self) -> str:
        """What the optimizer is called."""
        ...

    @property
    def lr(self) -> float:
        """The learning rate."""
        ...

    def init(self, w: Floats) -> State:
        """Return the state before the first step."""
        ...

    def update(self, w: Floats, g: Floats, state: State, lr: float) -> None:
        """Take one step from ``w`` with gradient ``g`` and learning rate ``lr``."""
        ...


@dataclass(frozen=True)
class SGD:
    """v <- momentum v + g; w <- w - lr v, or w - lr (g + momentum v) with ``nesterov`` (Sutskever et al. 2013)."""

    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    name: str = "sgd"

    def init(self, w: Floats) -> State:
        """Return a velocity of zero."""
        return {"velocity": np.zeros_like(w)} if self.momentum else {}

    def update(self, w: Floats, g: Floats, state: State, lr: float) -> None:
        """Take one step."""
        g = _decayed(g, w, self.weight_decay)
        if self.momentum:
            velocity = state["velocity"]
            velocity *= self.momentum
            velocity += g
            g = g + self.momentum * velocity if self.nesterov else velocity
        w -= lr * g


@dataclass(frozen=True)
class RMSprop:
    """Step by g over the root of its running mean square (Tieleman and Hinton 2012)."""

    lr: float = 0.01
    alpha: float = 0.99
    momentum: float = 0.0
    eps: float = 1e-8
    weight_decay: float = 0.0
    name: str = "rmsprop"

    def init(self, w: Floats) -> State:
        """Return zeros."""
        return {"square": np.zeros_like(w), "velocity": np.zeros_like(w)}

    def update(self, w: Floats, g: Floats, state: State, lr: float) -> None:
        """Take one step."""
        g = _decayed(g, w, self.weight_decay)
        square, velocity = state["square"], state["velocity"]
        square *= self.alpha
        square += (1 - self.alpha) * g * g
        velocity *= self.momentum
        velocity += g / (np.sqrt(square) + self.eps)
        w -= lr * velocity


@dataclass(frozen=True)
class Adagrad:
    """Step by g over the root of the sum of its squares (Duchi et al. 2011)."""

    lr: float = 0.01
    lr_decay: float = 0.0
    eps: float = 1e-10
    weight_decay: float = 0.0
    name: str = "adagrad"

    def init(self, w: Floats) -> State:
        """Return zeros."""
        return {"sum": np.zeros_like(w), "steps": np.zeros(1)}

    def update(self, w: Floats, g: Floats, state: State, lr: float) -> None:
        """Take one step."""
        g = _decayed(g, w, self.weight_decay)
        state["sum"] += g * g
        lr = lr / (1 + float(state["steps"][0]) * self.lr_decay)
        state["steps"] += 1
        w -= lr * g / (np.sqrt(state["sum"]) + self.eps)


@dataclass(frozen=True)
class Adam:
    """Running means of g and its square, each freed of its bias towards zero (Kingma and Ba 2015)."""

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    name: str = "adam"

    def init(self, w: Floats) -> State:
        """Return zeros."""
        return {"mean": np.zeros_like(w), "square": np.zeros_like(w), "steps": np.zeros(1)}

    def update(self, w: Floats, g: Floats, state: State, lr: float) -> None:
        """Take one step."""
        g = _decayed(g, w, self.weight_decay)
        mean, square = state["mean"], state["square"]
        state["steps"] += 1
        t = float(state["steps"][0])
        mean += (1 - self.beta1) * (g - mean)
        square *= self.beta2
        square += (1 - self.beta2) * g * g
        root = np.sqrt(square) / np.sqrt(1 - self.beta2**t) + self.eps
        w -= lr / (1 - self.beta1**t) * mean / root


def _decayed(g: Floats, w: Floats, weight_decay: float) -> Floats:
    return g + weight_decay * w if weight_decay else g


NAMES = ("sgd", "rmsprop", "adagrad", "adam")
DEFAULT_RATES = {"rmsprop": RMSprop.lr, "adagrad": Adagrad.lr, "adam": Adam.lr}


def make_optimizer(name: str, lr: float, *, momentum: float = 0.0, nesterov: bool = False) -> Optimizer:
    """Return an optimizer by name; raises OptionError for settings that it does not have or that make no sense."""
    if name not in NAMES:
        raise OptionError("option.optimizer", value=name, known=", ".join(("auto", *NAMES)))
    if not (np.isfinite(lr) and lr > 0):
        raise OptionError("option.lr", value=lr)
    if not 0 <= momentum < 1:
        raise OptionError("option.momentum", value=momentum)
    if nesterov and (name != "sgd" or not momentum):
        raise OptionError("option.nesterov")
    if momentum and name not in ("sgd", "rmsprop"):
        raise OptionError("option.no-momentum", optimizer=name)
    if name == "sgd":
        return SGD(lr, momentum, nesterov)
    if name == "rmsprop":
        return RMSprop(lr, momentum=momentum)
    return Adagrad(lr) if name == "adagrad" else Adam(lr)
