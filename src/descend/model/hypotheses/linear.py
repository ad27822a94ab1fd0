"""The hypothesis that is linear in the design's columns: an equation with a coefficient for each column."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from descend.analysis.refined_least_squares import in_blocks
from descend.base import stored_fields
from descend.base.double_double import rounded
from descend.base.errors import ModelError
from descend.formula.ast import Coefficient
from descend.model.equation import equation_lines, written_lines
from descend.model.hypothesis import HYPOTHESES, Parameter
from descend.objectives.in_memory import RowsObjective
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from descend.analysis.inference import Inference
    from descend.analysis.profile import ProfileIntervals
    from descend.base.container import Tensors
    from descend.base.messages import Note
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.model.hypothesis import Stored
    from descend.objectives.losses import Loss
    from descend.objectives.networks.network import Network
    from descend.objectives.objective import Objective
    from descend.objectives.target import Target
    from descend.tables.columns import Columns


@HYPOTHESES.add
@dataclass(frozen=True, eq=False)
class LinearHypothesis:
    """A linear predictor that is the design's matrix times the weights (columns x outputs).

    ``layer`` is the PyTorch module of one linear layer as which it was given.
    """

    name: ClassVar[str] = "linear"
    linear: ClassVar[bool] = True
    readable: ClassVar[bool] = True
    refusals: ClassVar[Mapping[str, str]] = {}

    design: Design
    weights: Floats
    exact: Floats | None = None
    rest: Floats | None = field(default=None, repr=False)
    layer: Network | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        """The formula."""
        return self.design.hypothesis.text

    @property
    def network(self) -> Network | None:
        """The linear layer as which the hypothesis was given, with the weights that were fitted; else None."""
        if self.layer is None:
            return None
        first = int(self.layer.intercept)
        state = np.concatenate([self.weights[first:].T.ravel(), self.weights[:first].ravel()])
        unscaled = replace(self.layer, centre=np.zeros(self.layer.outputs), spread=np.ones(self.layer.outputs))
        return unscaled.at(state)

    @property
    def raw(self) -> Floats:
        """The coefficients in the units of the table, columns x outputs."""
        return self.design.to_raw(self.weights) if self.exact is None else self.exact

    @property
    def scaled(self) -> bool:
        """Whether the design scales or centres a column."""
        return bool((self.design.means != 0).any() or (self.design.scales != 1).any())

    def coefficient_names(self, output: int) -> list[Coefficient]:
        """Return the parameters that an equation names, else the columns."""
        named = self.design.hypothesis.coefficients
        return list(named[output]) if named else [Coefficient(name) for name in self.design.names]

    def weight_names(self, target: Target) -> list[str]:
        """Return the parameters that an equation names, else the columns, after the outputs where there are several."""
        named, outputs = self.design.hypothesis.coefficients, target.outputs
        if named:
            return [("-" if one.sign < 0 else "") + one.parameter for each in zip(*named, strict=True) for one in each]
        names = self.design.names
        return list(names) if len(outputs) == 1 else [f"{output}: {name}" for name in names for output in outputs]

    @property
    def column_names(self) -> list[str]:
        """A name for each column: the parameter of an equation with one output, else what the column is called."""
        named = self.design.hypothesis.coefficients
        return [one.parameter for one in named[0]] if len(named) == 1 else self.design.names

    @property
    def finite(self) -> bool:
        """Whether the coefficients are finite in the units of the table."""
        with np.errstate(over="ignore", invalid="ignore"):
            return bool(np.isfinite(self.design.to_raw(self.weights)).all())

    def at(self, weights: Floats) -> Self:
        """Return the hypothesis with other weights."""
        made = np.asarray(weights, dtype=np.float64).reshape(self.weights.shape)
        return replace(self, weights=made, exact=None, rest=None)

    def with_parameters(self, values: Mapping[str, float]) -> Self:
        """Return an equation with other values of its parameters."""
        named = self.design.hypothesis.coefficients
        assert named, "a formula has no parameters by name"
        raw = np.array([[one.sign * values[one.parameter] for one in each] for each in named]).T
        return self.at(self.design.from_raw(raw))

    def exactly(self, coefficients: Floats, rest: Floats | None) -> Self:
        """Return the hypothesis with coefficients to more digits than its weights give."""
        return replace(self, exact=coefficients, rest=rest)

    def predictor(self, X: Floats) -> Floats:
        """Return the linear predictor, rows x outputs, of rows of the design's matrix."""
        return X @ self.weights

    def of_rows(self, data: Columns) -> Floats:
        """Return the linear predictor of rows, with twice float64's digits where it needs them."""
        if self.exact is None or self.rest is None:
            return self.predictor(self.design.matrix(data))
        return rounded(in_blocks(self.design.exact_matrix(data), (self.exact, self.rest)))

    def scores(self, inference: Inference, data: Columns) -> Floats:
        """Return the rows' columns, which are the derivative, times the root of the covariance."""
        if inference.rest is None:
            return inference.scores(self.design.matrix(data))
        return inference.exact_scores(self.design.exact_matrix(data))

    def profile(
        self,
        inference: Inference,
        level: float,
        loss: Loss,
        limits: Mapping[str, tuple[float, float]],
        rows: Callable[[], tuple[Floats, Floats]],
    ) -> ProfileIntervals:
        """Return the t intervals of least squares, whose profile they are: its loss is a parabola.

        Of columns of which the rows say nothing they have no ends. Raises ModelError for a likelihood.
        """
        from descend.analysis.profile import ProfileIntervals

        if not loss.quadratic:
            raise ModelError("model.no-profile", title=self.title)
        reach = inference.quantile(level) * inference.errors
        reach = np.where(np.isnan(reach), np.inf, reach).T.ravel()
        named = [one for each in self._named() for one in each.items()]
        names, values = tuple(name for name, _ in named), np.array([value for _, value in named])
        return ProfileIntervals(names, values, values - reach, values + reach, level)

    def objective(self, X: Floats, Y: Floats, loss: Loss, l2: float) -> Objective:
        """Return the loss over rows, with the penalty on the columns' squared weights."""
        return RowsObjective(DesignRows(X, Y), loss, self.weights.shape[1], L2(l2, self.design.penalised))

    def equation(self, target: Target) -> str:
        """Return the equation in the units of the table, a line an output."""
        hypothesis = self.design.hypothesis
        if hypothesis.written:
            return "\n".join(written_lines(hypothesis, target, self.coefficients(target)))
        return "\n".join(equation_lines(self.design, target, self.raw))

    def coefficients(self, target: Target) -> dict[str, Any]:
        """Return the coefficients in raw units by column (``(intercept)`` too), of an equation by its parameters."""
        return self.named(target.outputs)

    def named(self, outputs: Sequence[str]) -> dict[str, Any]:
        """Return the coefficients in raw units as ``coefficients`` does, for outputs of those names."""
        each = self._named()
        if self.design.hypothesis.coefficients:
            found = {name: value for one in each for name, value in one.items()}
            return {name: found[name] for name in self.design.hypothesis.parameters}
        return dict(zip(outputs, each, strict=True)) if len(each) > 1 else each[0]

    def _named(self) -> list[dict[str, float]]:
        """Return the coefficients of each output by name, with the signs of the named parameters."""
        raw, made = self.raw, []
        for output in range(raw.shape[1]):
            named = zip(self.coefficient_names(output), raw[:, output].tolist(), strict=True)
            made.append({one.parameter: one.sign * value for one, value in named})
        return made

    def parameters(self) -> list[Parameter]:
        """Return the coefficients in raw units, a number for each output; pixels' are left out: they are pictures.

        Of an equation its parameters, a number each.
        """
        if self.design.hypothesis.coefficients:
            return [Parameter(name, np.asarray(value)) for name, value in self.named(()).items()]
        named = zip(self.design.names, self.design.pixels, self.raw, strict=True)
        return [Parameter(name, values) for name, pixel, values in named if not pixel]

    def facts(self) -> None:
        """Return None: the coefficients say everything."""

    def notes(self, settings: Mapping[str, Any]) -> list[Note]:
        """Return none."""
        return []

    def describe(self) -> tuple[dict[str, Any], Tensors]:
        """Return no header of its own, and the weights with what is exact."""
        tensors: Tensors = {"weights": self.weights}
        if self.exact is not None:
            tensors["exact"] = self.exact
        if self.rest is not None:
            tensors["exact.rest"] = self.rest
        return {"network": None}, tensors

    @classmethod
    def restore(cls, stored: Stored, design: Design, target: Target) -> Self:
        """Return the hypothesis that a model file holds; raises ValueError for weights that are not of the design."""
        tensors = stored.tensors
        weights = stored_fields.array(tensors["weights"], (len(design.names), len(target.outputs)))
        exact = stored_fields.array(tensors["exact"], weights.shape) if "exact" in tensors else None
        rest = stored_fields.array(tensors["exact.rest"], tensors["exact"].shape) if "exact.rest" in tensors else None
        made = cls(design, weights, exact, rest)
        if exact is None and not made.finite:
            raise ValueError("weights beyond all numbers")
        return made
