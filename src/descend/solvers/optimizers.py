"""Update rules on a flat vector of parameters: those of torch.optim, equal to them to rounding.

An optimizer is its settings; what it remembers between steps is a state of its own, a dict of arrays, so that a run
can be stopped and taken up again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from descend.base.registry import Registry

if TYPE_CHECKING:
    from descend.base.typing import Floats

    State = dict[str, Floats]

OPTIMIZERS: Registry[type[Optimizer]] = Registry("optimizer")


@dataclass(frozen=True)
class Optimizer(ABC):
    """An update rule: its fields beside ``lr`` are its own settings, each with a row in ``solvers.settings``.

    name: what it is called, as in torch.optim. network_rate: the rate for a network where none is given, where it is
    not PyTorch's. folded: own settings that the page shows only where they are set, for another control does the same.
    """

    lr: float
    name: ClassVar[str]
    network_rate: ClassVar[float | None] = None
    folded: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def init(self, w: Floats) -> State:
        """Return the state before the first step from parameters like ``w``."""

    @abstractmethod
    def update(self, w: Floats, g: Floats, state: State, lr: float) -> None:
        """Change ``w`` and the state in place by one step with gradient ``g`` and learning rate ``lr``."""

    @classmethod
    def usual(cls, name: str) -> Any:
        """Return the default of a setting, None where there is none: of ``lr``, where the best rate can be found."""
        field = next(field for field in fields(cls) if field.name == name)
        return None if field.default is MISSING else field.default

    @classmethod
    def own(cls) -> tuple[str, ...]:
        """Return the names of its own settings."""
        return tuple(field.name for field in fields(cls) if field.name != "lr")

    @property
    def recurrence(self) -> SGD | None:
        """The SGD whose epochs on a quadratic are these, in closed form; None where there is no such form."""
        return None

    @property
    def unforetold(self) -> str | None:
        """The code of the sentence that says why its epochs cannot be foretold; None where they can."""
        return "forecast.adaptive"

    @property
    def conflict(self) -> str | None:
        """The code of the error that says which settings make no sense together; None where all do."""
        return None


@OPTIMIZERS.add
@dataclass(frozen=True)
class SGD(Optimizer):
    """v <- momentum v + g; w <- w - lr v, or w - lr (g + momentum v) with ``nesterov`` (Sutskever et al. 2013)."""

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    name: ClassVar[str] = "sgd"
    network_rate: ClassVar[float | None] = 0.01
    folded: ClassVar[tuple[str, ...]] = ("weight_decay",)  # of SGD it is twice l2

    @property
    def recurrence(self) -> SGD | None:
        """Itself, where no weight decay moves the minimum."""
        return None if self.weight_decay else self

    @property
    def unforetold(self) -> str | None:
        """Why not, with weight decay."""
        return "forecast.decay" if self.weight_decay else None

    @property
    def conflict(self) -> str | None:
        """Nesterov's step needs a momentum."""
        return "option.nesterov" if self.nesterov and not self.momentum else None

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


@OPTIMIZERS.add
@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Step by g over the root of its running mean square (Tieleman and Hinton 2012)."""

    lr: float = 0.01
    alpha: float = 0.99
    momentum: float = 0.0
    eps: float = 1e-8
    weight_decay: float = 0.0
    name: ClassVar[str] = "rmsprop"

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


@OPTIMIZERS.add
@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Step by g over the root of the sum of its squares (Duchi et al. 2011)."""

    lr: float = 0.01
    lr_decay: float = 0.0
    eps: float = 1e-10
    weight_decay: float = 0.0
    name: ClassVar[str] = "adagrad"

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


@OPTIMIZERS.add
@dataclass(frozen=True)
class Adam(Optimizer):
    """Running means of g and its square, each freed of its bias towards zero (Kingma and Ba 2015)."""

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    name: ClassVar[str] = "adam"

    def init(self, w: Floats) -> State:
        """Return zeros."""
        return {"mean": np.zeros_like(w), "square": np.zeros_like(w), "steps": np.zeros(1)}

    def update(self, w: Floats, g: Floats, state: State, lr: float) -> None:
        """Take one step."""
        self._step(w, _decayed(g, w, self.weight_decay), state, lr)

    def _step(self, w: Floats, g: Floats, state: State, lr: float) -> None:
        mean, square = state["mean"], state["square"]
        state["steps"] += 1
        t = float(state["steps"][0])
        mean += (1 - self.beta1) * (g - mean)
        square *= self.beta2
        square += (1 - self.beta2) * g * g
        root = np.sqrt(square) / np.sqrt(1 - self.beta2**t) + self.eps
        w -= lr / (1 - self.beta1**t) * mean / root


@OPTIMIZERS.add
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay draws the parameters, and not the gradient (Loshchilov and Hutter 2019)."""

    weight_decay: float = 0.01
    name: ClassVar[str] = "adamw"

    def update(self, w: Floats, g: Floats, state: State, lr: float) -> None:
        """Take one step."""
        w *= 1 - lr * self.weight_decay
        self._step(w, g, state, lr)


def _decayed(g: Floats, w: Floats, weight_decay: float) -> Floats:
    return g + weight_decay * w if weight_decay else g


def optimizers_with(setting: str) -> list[str]:
    """Return the names of the optimizers that have a setting of that name."""
    return [name for name, kind in OPTIMIZERS.items() if setting in kind.own()]
