"""What a loss is, and what the losses of one output at a time have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


class Loss(Protocol):
    """What a solver's objective asks of a loss."""

    @property
    def name(self) -> str:
        """What the loss is called."""
        ...

    @property
    def mean(self) -> bool:
        """Whether the total is divided by its count."""
        ...

    @property
    def curvature_limit(self) -> float | None:
        """The largest second derivative that can occur, None where there is none."""
        ...

    @property
    def likelihood(self) -> bool:
        """Whether it is less a log-likelihood, so that a loss of 1 says the same whatever the target's unit."""
        ...

    @property
    def cornered(self) -> bool:
        """Whether the slope jumps, or as good as that, so that a solver is led there by rounder losses."""
        ...

    @property
    def convex(self) -> Loss | None:
        """A convex loss that is like this one where the error is small, where this one is not convex."""
        ...

    @property
    def shortfall(self) -> Loss | None:
        """By how much the minimum of a rounded loss can be above that of the loss itself, in the mean, if known."""
        ...

    @property
    def hollow(self) -> Loss | None:
        """What counts the elements that are where this loss is not convex, where it is not."""
        ...

    @property
    def measure(self) -> bool:
        """Whether it only measures, and is not made small."""
        ...

    def residual(self, value: float) -> float:
        """Return the size of the residuals that a mean loss of ``value`` tells of."""
        ...

    def rounded(self, size: float) -> Loss:
        """Return the loss with corners of that size of a residual; itself where its own are as round."""
        ...

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return each element's loss (rows x outputs; rows x 1 for cross-entropy over classes)."""
        ...

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return the derivative in Z, of Z's shape."""
        ...

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return the second derivative in Z, of Z's shape (its diagonal, for cross-entropy over classes)."""
        ...

    def total_and_slope(self, Z: Floats, Y: Floats) -> tuple[Any, Floats]:
        """Return the sum of all elements' losses, in Z's dtype, and the derivative, from what they share."""
        ...

    def expansion(self, Z: Floats, Y: Floats) -> tuple[Any, Floats, Floats]:
        """Return the sum of all elements' losses, the derivative and the second one (as ``curvature``)."""
        ...

    def curvatures(self, Z: Floats, Y: Floats) -> Iterator[tuple[int, int, Floats]]:
        """Yield outputs a <= b and the second derivative in z_a and z_b for every row, where it is not always 0."""
        ...

    def check(self, Y: Floats, column: str) -> None:
        """Raise DesignError when the loss is not defined for a target like that."""
        ...


class Elementwise:
    """What the losses of one output at a time have in common; any target will do unless a loss says otherwise."""

    @property
    def likelihood(self) -> bool:
        """Of numbers, whose unit is the target's."""
        return False

    @property
    def cornered(self) -> bool:
        """Nowhere."""
        return False

    @property
    def convex(self) -> Loss | None:
        """Nothing: it is convex."""
        return None

    @property
    def shortfall(self) -> Loss | None:
        """Nothing."""
        return None

    @property
    def hollow(self) -> Loss | None:
        """Nothing: it is convex."""
        return None

    @property
    def measure(self) -> bool:
        """It does not."""
        return False

    def residual(self, value: float) -> float:
        """Return the value."""
        return value

    def rounded(self: Loss, size: float) -> Loss:
        """Return itself."""
        return self

    def total_and_slope(self: Loss, Z: Floats, Y: Floats) -> tuple[Any, Floats]:
        """Return both."""
        return self.value(Z, Y).sum(), self.slope(Z, Y)

    def expansion(self: Loss, Z: Floats, Y: Floats) -> tuple[Any, Floats, Floats]:
        """Return all three."""
        return *self.total_and_slope(Z, Y), self.curvature(Z, Y)

    def curvatures(self: Loss, Z: Floats, Y: Floats) -> Iterator[tuple[int, int, Floats]]:
        """Yield each output with itself."""
        C = self.curvature(Z, Y)
        for output in range(Z.shape[1]):
            yield output, output, C[:, output]

    def check(self, Y: Floats, column: str) -> None:
        """Any number will do."""
