"""What a loss is: everything that the rest of the program asks about one, and the registry of those that can be fitted.

A loss knows nothing of parameters. Z is the linear predictor (rows x outputs) and Y the target of the same shape, or
rows x 1 of class codes for ``cross_entropy``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from descend.base.errors import OptionError
from descend.base.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from descend.base.typing import Floats

    Criterion = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class LossParameter:
    """A number above 0 that a loss has: a field of the loss, and the setting of that name.

    wrong: the code of the error that refuses another number.
    """

    name: str
    wrong: str

    def require(self, value: float) -> None:
        """Raise OptionError for what is not a finite number above 0."""
        if value <= 0 or not np.isfinite(value):
            raise OptionError(self.wrong, value=value)


class Loss(ABC):
    """A loss of an element (a row and an output), its derivatives, and what is known about it.

    Each loss is a frozen dataclass with a ``name``; the facts below are attributes of its class, or properties where
    they depend on its fields.
    """

    families: ClassVar[tuple[str, ...]] = ()
    """The names of the families of targets that the loss serves, the one that it asks for first."""

    parameters: ClassVar[tuple[LossParameter, ...]] = ()
    """The numbers that the loss has."""

    curvature_limit: ClassVar[float | None] = None
    """The largest second derivative in z that can occur; None where there is none, or where the slope jumps."""

    quadratic: ClassVar[bool] = False
    """Whether it is the square of z - y: a fit is then solved exactly and its whole run told in closed form."""

    likelihood: ClassVar[bool] = False
    """Whether it is minus the log-likelihood of a target without a unit: its Hessian is then the information."""

    endless: ClassVar[bool] = False
    """Whether it falls for ever where every row is told for certain, so that its least value is never reached."""

    concordance: ClassVar[float | None] = None
    """M where |third derivative in z| <= M times the second (Bach 2010), None where there is no such M.

    The distance to the minimum can then be bounded from the Hessian at one point.
    """

    shift_invariant: ClassVar[bool] = False
    """Whether it stays the same when a number is added to all outputs of a row."""

    even_at_zero: ClassVar[bool] = False
    """Whether it is the same for every target where the predictor is 0."""

    degree: ClassVar[int] = 0
    """The power of the target's unit with which it grows far from the target; 0 where the target cannot be rescaled."""

    measure: ClassVar[bool] = False
    """Whether it is only measured, and never minimised."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the loss is called, on the command line and in model files."""

    @property
    def mean(self) -> bool:
        """Whether the total is divided by the number of elements: a mean runs over rows and targets, a sum does not."""
        return True

    @property
    def message(self) -> str:
        """The key of the sentence that names it in a report."""
        return f"loss.{self.name}"

    @property
    def label(self) -> str:
        """The key of the words that name it on the studio's page."""
        return f"studio.loss-{self.name}"

    @property
    def sklearn(self) -> str | None:
        """What scikit-learn's SGDRegressor and SGDClassifier call it, None where they do not have it."""
        return None

    @property
    def cornered(self) -> bool:
        """Whether the slope jumps, or changes so fast that a solver must come by way of ``rounded`` losses."""
        return False

    @property
    def convex(self) -> Loss | None:
        """A convex loss that is like this one where the error is small; None where this one is convex itself."""
        return None

    @property
    def shortfall(self) -> Loss | None:
        """The measure of how far, in the mean, the minimum of a rounded loss can lie above that of the loss itself."""
        return None

    @property
    def hollow(self) -> Loss | None:
        """The measure that counts the elements at which the loss is not convex; None where it is convex."""
        return None

    def having(self, **given: float) -> Self:
        """Return the loss with those of the given parameters that it has; raises OptionError for one out of range."""
        own = {parameter.name: given[parameter.name] for parameter in self.parameters if parameter.name in given}
        for parameter in self.parameters:
            if parameter.name in own:
                parameter.require(own[parameter.name])
        return replace(self, **own) if own else self  # type: ignore[type-var]

    def residual(self, value: float) -> float:
        """Return the size of the residuals that a mean loss of ``value`` stands for."""
        return value

    def rounded(self, size: float) -> Loss:
        """Return the loss with corners of the size of a residual; itself where its own are as round."""
        return self

    def constant_loss(self, Y: Floats) -> float | None:
        """Return the least mean loss that one prediction for all rows reaches, None where no formula gives it."""
        return None

    def check(self, Y: Floats, column: str) -> None:  # noqa: B027, most losses take any number
        """Raise DesignError where the loss is not defined for the target."""

    @abstractmethod
    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return each element's loss (rows x outputs; rows x 1 for cross-entropy over classes)."""

    @abstractmethod
    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return the derivative in Z, of Z's shape."""

    @abstractmethod
    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return the second derivative in Z, of Z's shape (its diagonal, for cross-entropy over classes)."""

    @abstractmethod
    def curvatures(self, Z: Floats, Y: Floats) -> Iterator[tuple[int, int, Floats]]:
        """Yield outputs a <= b and the second derivative in z_a and z_b for every row, where it is not always 0."""

    @abstractmethod
    def curvature_root(self, Z: Floats, Y: Floats) -> Floats:
        """Return B (rows x roots x outputs) with B'B the second derivative of a row in its outputs.

        Of a ``shift_invariant`` loss it is that in all outputs but the first.
        """

    @abstractmethod
    def criterion(self, torch: Any) -> Criterion:
        """Return the loss in PyTorch: a function of Z and Y (tensors) that gives the mean, or the sum.

        torch: the module, which is imported by whoever needs it.
        """

    def total_and_slope(self, Z: Floats, Y: Floats) -> tuple[Any, Floats]:
        """Return the sum of all elements' losses, in Z's dtype, and the derivative, from what they share."""
        return self.value(Z, Y).sum(), self.slope(Z, Y)

    def expansion(self, Z: Floats, Y: Floats) -> tuple[Any, Floats, Floats]:
        """Return the sum of all elements' losses, the derivative and the second one (as ``curvature``)."""
        return *self.total_and_slope(Z, Y), self.curvature(Z, Y)


class Elementwise(Loss):
    """A loss of one output at a time, with its ``formula`` written once for NumPy and PyTorch."""

    @abstractmethod
    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return each element's loss from the functions of ``xp``: the module numpy with arrays, or torch with tensors.

        Both have the functions that it may use: abs, clip, exp, log1p, sinh, square, where ...
        """

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return each element's loss, rows x outputs."""
        return np.asarray(self.formula(np, Z, Y))

    def criterion(self, torch: Any) -> Criterion:
        """Return the mean or the sum of the formula's losses, from which autograd takes the slope."""
        if self.mean:
            return lambda Z, Y: self.formula(torch, Z, Y).mean()
        return lambda Z, Y: self.formula(torch, Z, Y).sum()

    def curvatures(self, Z: Floats, Y: Floats) -> Iterator[tuple[int, int, Floats]]:
        """Yield each output with itself."""
        C = self.curvature(Z, Y)
        for output in range(Z.shape[1]):
            yield output, output, C[:, output]

    def curvature_root(self, Z: Floats, Y: Floats) -> Floats:
        """Return a diagonal matrix a row: the roots of the curvatures."""
        return np.asarray(np.sqrt(self.curvature(Z, Y))[:, :, None] * np.eye(Z.shape[1]))


class LossUser(Protocol):
    """What a loss is made for: a family, by its name, and the name of the loss that it has where none is asked for."""

    @property
    def name(self) -> str:
        """What the family is called."""
        ...

    @property
    def loss(self) -> str:
        """The name of the loss."""
        ...


LOSSES: Registry[Loss] = Registry("loss", "descend.objectives.losses", "descend.objectives.families")
"""The losses that can be fitted, each with the parameters that it has by default."""


def make_loss(name: str, family: LossUser, **parameters: float) -> Loss:
    """Return a loss by name ("auto": the family's own), with those of the ``parameters`` that it has (delta).

    Raises OptionError for an unknown name, for a loss that the family cannot use and for a parameter out of range.

    >>> from descend.objectives.families import FAMILIES
    >>> make_loss("huber", FAMILIES["linear"], delta=2.0)
    Huber(delta=2.0, name='huber', mean=True)
    """
    loss = LOSSES.require(family.loss if name == "auto" else name)
    if family.name not in loss.families:
        known = ", ".join(other.name for other in LOSSES.values() if family.name in other.families)
        raise OptionError("option.loss-family", value=name, family=family.name, known=known)
    return loss.having(**parameters)


def losses_with(parameter: str) -> tuple[str, ...]:
    """Return the names of the losses that have a parameter."""
    return tuple(loss.name for loss in LOSSES.values() if parameter in {one.name for one in loss.parameters})
