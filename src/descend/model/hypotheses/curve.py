"""The hypothesis that is an equation in named parameters, of any form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from descend.base import stored_fields
from descend.base.errors import ModelError
from descend.base.messages import Note
from descend.formula.ast import Coefficient
from descend.formula.rebuilt import held_at
from descend.model.equation import written_lines
from descend.model.hypothesis import HYPOTHESES, Parameter
from descend.objectives.curve import CurveObjective, predictor_of, tangents_at
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from descend.analysis.inference import Inference
    from descend.analysis.profile import ProfileIntervals
    from descend.base.container import Tensors
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.formula.ast import Curve
    from descend.model.hypothesis import Stored
    from descend.objectives.losses import Loss
    from descend.objectives.target import Target
    from descend.tables.columns import Columns


@HYPOTHESES.add
@dataclass(frozen=True, eq=False)
class CurveHypothesis:
    """A linear predictor that is an expression in the columns and in parameters.

    ``weights`` (parameters x 1) are the parameters that were fitted, in the order of the curve's; ``held`` the others.
    ``drawn`` is the start of a run for which none was given.
    The design has the columns that the equation uses, as they are in the table.
    """

    name: ClassVar[str] = "curve"
    linear: ClassVar[bool] = False
    readable: ClassVar[bool] = True
    refusals: ClassVar[Mapping[str, str]] = {"sklearn": "model.sklearn-curve"}

    design: Design
    weights: Floats
    held: Mapping[str, float]
    drawn: Mapping[str, float] | None = None

    @cached_property
    def curve(self) -> Curve:
        """The equation in the parameters that were fitted."""
        curve = self.design.hypothesis.curve
        assert curve is not None
        return held_at(curve, self.held)

    @property
    def title(self) -> str:
        """The equation as it was written."""
        return self.design.hypothesis.text

    @property
    def network(self) -> None:
        """None: there is no network."""

    @property
    def exact(self) -> None:
        """None: the parameters have float64's digits."""

    @property
    def rest(self) -> None:
        """None: the parameters have float64's digits."""

    @property
    def raw(self) -> Floats:
        """The parameters, a row each."""
        return self.weights

    @property
    def scaled(self) -> bool:
        """False: the weights are the numbers of the equation."""
        return False

    def weight_names(self, target: Target) -> list[str]:
        """Return the names of the parameters."""
        return list(self.curve.parameters)

    def coefficient_names(self, output: int) -> list[Coefficient]:
        """Return the names of the parameters."""
        return [Coefficient(name) for name in self.curve.parameters]

    @property
    def finite(self) -> bool:
        """Whether all parameters are finite."""
        return bool(np.isfinite(self.weights).all())

    def at(self, weights: Floats) -> Self:
        """Return the equation with other parameters."""
        return replace(self, weights=np.asarray(weights, dtype=np.float64).reshape(self.weights.shape))

    def with_parameters(self, values: Mapping[str, float]) -> Self:
        """Return the equation with other values of the parameters that are not held."""
        return self.at(np.array([values[name] for name in self.curve.parameters]))

    def exactly(self, coefficients: Floats, rest: Floats | None) -> Self:
        """Raise ModelError: there are no more digits."""
        raise ModelError("model.no-coefficients", title=self.title)

    def predictor(self, X: Floats) -> Floats:
        """Return the linear predictor, rows x outputs; not finite where the equation is not defined."""
        return predictor_of(self.curve, X, self.weights.ravel())

    def of_rows(self, data: Columns) -> Floats:
        """Return the linear predictor of rows."""
        return self.predictor(self.design.matrix(data))

    def scores(self, inference: Inference, data: Columns) -> Floats:
        """Return the derivative of the predictor in the parameters, times the root of the covariance."""
        _, J = tangents_at(self.curve, self.design.matrix(data), self.weights.ravel())
        return J @ inference.root

    def profile(
        self,
        inference: Inference,
        level: float,
        loss: Loss,
        limits: Mapping[str, tuple[float, float]],
        rows: Callable[[], tuple[Floats, Floats]],
    ) -> ProfileIntervals:
        """Return the profile intervals, for which the other parameters are fitted again on the rows."""
        from descend.analysis.profile import profile_curve
        from descend.solvers.curve_minimum import box_of

        objective = self.objective(*rows(), loss, 0.0)
        box = box_of(limits, self.curve.parameters)
        return profile_curve(objective, self.weights.ravel(), inference, level, box)

    def objective(self, X: Floats, Y: Floats, loss: Loss, l2: float) -> CurveObjective:
        """Return the loss over rows."""
        return CurveObjective(DesignRows(X, Y), self.curve, loss, L2(l2, np.ones(self.weights.size)))

    def equation(self, target: Target) -> str:
        """Return the equation with its numbers, a line an output."""
        return "\n".join(written_lines(self.design.hypothesis, target, self.numbers))

    @property
    def numbers(self) -> dict[str, float]:
        """Every parameter's value, those that were held too, in the order of the equation."""
        found = dict(zip(self.curve.parameters, self.weights.ravel().tolist(), strict=True)) | dict(self.held)
        return {name: found[name] for name in self.design.hypothesis.parameters}

    def coefficients(self, target: Target) -> dict[str, Any]:
        """Return the parameters by name."""
        return self.numbers

    def parameters(self) -> list[Parameter]:
        """Return the parameters by name, those that were held too."""
        return [Parameter(name, np.asarray(value)) for name, value in self.numbers.items()]

    def facts(self) -> None:
        """Return None: the parameters say everything."""

    def notes(self, settings: Mapping[str, Any]) -> list[Note]:
        """Tell where a run started for which no start was given."""
        if self.drawn is None:
            return []
        start = ", ".join(f"{name}={value:.6g}" for name, value in self.drawn.items())
        return [Note("note.drawn-start", {"start": start, "seed": settings.get("seed", 0)})]

    def describe(self) -> tuple[dict[str, Any], Tensors]:
        """Return which parameters are held at what, and the values of the others."""
        return {"network": None, "hypothesis": self.name, "held": dict(self.held)}, {"weights": self.weights}

    @classmethod
    def restore(cls, stored: Stored, design: Design, target: Target) -> Self:
        """Return the equation that a model file holds; raises ValueError for parameters that are not the equation's."""
        curve = design.hypothesis.curve
        if curve is None or len(curve.expressions) != len(target.outputs):
            raise ValueError("equation")
        held = {name: stored_fields.real(value) for name, value in stored_fields.facts(stored.header["held"]).items()}
        if not set(held) <= set(curve.parameters):
            raise ValueError("held parameters")
        free = len(curve.parameters) - len(held)
        return cls(design, stored_fields.array(stored.tensors["weights"], (free, 1)), held)
