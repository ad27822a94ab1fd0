"""Squared error with the linear parameters solved for: variable projection (Golub and Pereyra 1973).

At every value of the nonlinear parameters the linear ones are those of least squares, so that only the nonlinear ones
are searched for. Without linear parameters it is plain nonlinear least squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from descend.solvers._scaled_svd import ScaledSVD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective
    from descend.objectives.penalties import Penalty


class System(NamedTuple):
    """A loss near a point: its slope is 2 K'r and its curvature about 2 K'K.

    r: residuals, for squared error with r'r the loss. K: their derivative in the parameters that are searched for.
    linear: the values of those that are solved for.
    """

    r: Floats
    K: Floats
    linear: Floats
    loss: float


@dataclass(frozen=True)
class PenaltyRows:
    """A penalty on parameters as residuals: a row for each that is penalised, whose squares sum to the penalty."""

    penalty: Penalty

    @cached_property
    def root(self) -> Floats:
        """The root of what each parameter's square adds."""
        return np.asarray(np.sqrt(self.penalty.curvatures / 2))

    def under(self, r: Floats, w: Floats) -> Floats:
        """Return residuals with the penalty's under them."""
        return np.concatenate([r, (self.root * w)[self.root > 0]]) if self.penalty.active else r

    def under_slopes(self, J: Floats) -> Floats:
        """Return the derivative of residuals with the penalty's under it."""
        return np.vstack([J, np.diag(self.root)[self.root > 0]]) if self.penalty.active else J


@dataclass(frozen=True)
class Projection:
    """Squared error as a function of the nonlinear parameters alone.

    linear: the names of the parameters that are solved for. The residuals are a row's outputs after another's, each
    times the root of what it counts for in the loss, and then a row for each penalised parameter.
    """

    objective: CurveObjective
    linear: tuple[str, ...] = ()

    @cached_property
    def solved(self) -> NDArray[np.intp]:
        """The places of the linear parameters."""
        return np.array([self.objective.curve.parameters.index(name) for name in self.linear], dtype=np.intp)

    @cached_property
    def searched(self) -> NDArray[np.intp]:
        """The places of the nonlinear parameters."""
        return np.setdiff1d(np.arange(self.objective.shape[0]), self.solved)

    def parameters(self, nonlinear: Floats, linear: Floats) -> Floats:
        """Return all parameters in their order."""
        w = np.zeros(self.objective.shape[0])
        w[self.searched], w[self.solved] = nonlinear, linear
        return w

    def residual(self, nonlinear: Floats) -> Floats | None:
        """Return the residuals with the linear parameters solved for; None where they are not defined."""
        if not self.linear:
            return self.plain(nonlinear)
        found = self._solved(nonlinear)
        return None if found is None else found[1]

    def system(self, nonlinear: Floats) -> System | None:
        """Return the residuals and their derivative by Kaufman (1975); None where they are not defined."""
        if not self.linear:
            made = self.full(nonlinear)
            return None if made is None else System(*made, np.empty(0), float(made[0] @ made[0]))
        found = self._solved(nonlinear)
        if found is None:
            return None
        basis, r, linear = found
        at = self.full(self.parameters(nonlinear, linear))
        return None if at is None else System(r, basis.off(at[1][:, self.searched]), linear, float(r @ r))

    def plain(self, w: Floats) -> Floats | None:
        """Return the residuals at all parameters; None where they are not defined."""
        with np.errstate(all="ignore"):
            r = self.weighed(self.objective.predictor(w) - self.objective.Y, w)
        return r if np.isfinite(r).all() else None

    def full(self, w: Floats) -> tuple[Floats, Floats] | None:
        """Return the residuals at all parameters and their derivative in all; None where they are not defined."""
        with np.errstate(all="ignore"):
            Z, J = self.objective.linearised(w)
            r = self.weighed(Z - self.objective.Y, w)
            J = self.penalty.under_slopes((J * self._root[:, :, None]).reshape(-1, len(w)))
        return (r, J) if np.isfinite(r).all() and np.isfinite(J).all() else None

    def weighed(self, errors: Floats, w: Floats) -> Floats:
        """Return the residuals of errors (rows x outputs), with the penalty's."""
        return self.penalty.under((errors * self._root).ravel(), w)

    @cached_property
    def penalty(self) -> PenaltyRows:
        """The penalty as residuals."""
        return PenaltyRows(self.objective.penalty)

    def _solved(self, nonlinear: Floats) -> tuple[ScaledSVD, Floats, Floats] | None:
        """Return the basis of the linear parameters' columns, the residuals beside it, and their values."""
        origin = self.full(self.parameters(nonlinear, np.zeros(len(self.linear))))
        if origin is None:
            return None
        basis = ScaledSVD.of(origin[1][:, self.solved])
        linear = -basis.solve(origin[0])
        return (basis, basis.off(origin[0]), linear) if np.isfinite(linear).all() else None

    @cached_property
    def _root(self) -> Floats:
        """The root of what each element's square counts for, rows x outputs or 1 x 1."""
        weight = self.objective.data.weight
        counts = np.ones((1, 1)) if weight is None else weight
        return np.asarray(np.sqrt(counts * self.objective.share))
