"""What a diagnosis looks at: a fit, its rows and its run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np

from descend.analysis.diagnosis.subsample import Subsample
from descend.objectives.in_memory import RowsObjective
from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.analysis.forecast import Forecast
    from descend.analysis.inference import Inference
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.objectives.curve import CurveObjective
    from descend.objectives.quadratic import GramObjective
    from descend.objectives.target import Target
    from descend.objectives.torch_module import ModuleObjective
    from descend.solvers.history import History
    from descend.solvers.recipe import Recipe
    from descend.solvers.search import Search
    from descend.tables.columns import Columns

Seen = TypeVar("Seen")
Need = Literal["run", "classes", "design", "equation", "errors", "curve", "minimum"]
MOST = 20_000_000  # numbers of a curve's derivative: of more the errors are not looked at


@dataclass(frozen=True)
class Evidence:
    """What a diagnosis looks at.

    ``over`` holds the fitted rows as the solver saw them, ``data`` the same rows as the table has them (its
    ``line`` says where a person finds one), ``weights`` (columns x outputs) the parameters of the fit. ``quadratic``,
    ``forecast``, and of a curve its ``search`` and ``inference``, are there where they were made; ``networked`` tells
    whether the hypothesis is a network, ``rows`` how many were fitted, of which ``over`` may hold some only.
    """

    design: Design
    target: Target
    data: Columns
    over: RowsObjective | ModuleObjective | CurveObjective
    weights: Floats
    history: History
    recipe: Recipe
    quadratic: GramObjective | None = None
    forecast: Forecast | None = None
    networked: bool = False
    rows: int = 0
    search: Search | None = None
    inference: Inference | None = None
    _seen: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def objective(self) -> RowsObjective:
        """The fitted rows as the solver of columns saw them; a network's and a curve's is ``over``."""
        assert isinstance(self.over, RowsObjective)
        return self.over

    @property
    def curve(self) -> CurveObjective | None:
        """The fitted rows of a curve; None where the hypothesis is none."""
        return None if self.design.hypothesis.curve is None else cast("CurveObjective", self.over)

    @property
    def holds(self) -> frozenset[Need]:
        """What kinds of findings may need of it."""
        if self.networked:
            return frozenset({"run", "classes"})
        ever: Need = "design" if self.curve is None else "curve"
        sound: Need = "equation" if self.curve is None else "minimum"
        if not self.sound:
            return frozenset({"run", ever})
        errors: set[Need] = {"errors"} if self._has_errors else set()
        return frozenset({"run", ever, "classes", sound} | errors)

    @property
    def _has_errors(self) -> bool:
        """Whether there are errors that resemble those of least squares: of a curve at its minimum only."""
        if self.curve is None:
            return True
        arrived = self.history.stop in ("optimum", "converged")
        numbers = self.curve.rows * self.curve.outputs * len(self.weights)
        return arrived and self.curve.outputs == 1 and self.curve.loss.quadratic and numbers <= MOST

    @cached_property
    def linearised(self) -> RowsObjective:
        """The rows of least squares at the fit: those of a design, or a curve's tangents with its errors.

        At a curve's minimum its errors are those of least squares on its tangents (Bates and Watts 1988, section 2.3).
        """
        if self.curve is None:
            return self.objective
        w = self.weights.ravel()
        Z, J = self.curve.linearised(w)
        rows = DesignRows(J[:, 0], self.curve.Y - Z + J[:, 0] @ self.weights, self.curve.data.weight)
        return RowsObjective(rows, self.curve.loss, 1, self.curve.penalty.scaled(0.0))

    @cached_property
    def linearised_sample(self) -> Subsample:
        """The rows of least squares that are looked at closely."""
        return self.sample if self.curve is None else Subsample.of(self.linearised)

    def expected(self, data: Columns, weights: Floats) -> Floats:
        """Return what is predicted of rows: with the weights of least squares, or by a curve as it is."""
        X = self.design.matrix(data)
        if self.curve is None:
            return self.target.predict(X @ weights)
        from descend.objectives.curve import predictor_of

        return self.target.predict(predictor_of(self.curve.curve, X, self.weights.ravel()))

    @property
    def sound(self) -> bool:
        """Whether the run ended with finite weights."""
        return not self.history.diverged and bool(np.isfinite(self.weights).all())

    @cached_property
    def sample(self) -> Subsample:
        """The rows of a design that are looked at closely."""
        return Subsample.of(self.objective)

    def once(self, look: Callable[[Evidence], Seen]) -> Seen:
        """Return what a look at this evidence gives; it is taken once, however many ask for it."""
        if look not in self._seen:
            self._seen[look] = look(self)
        seen: Seen = self._seen[look]
        return seen
