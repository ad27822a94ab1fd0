"""What a fitted hypothesis is: the function from a table's columns to the linear predictor, with its weights.

A kind of hypothesis (linear in the design's columns, a network) is a class in ``model/hypotheses``. Everything above
asks the object: it never asks which kind it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from descend.base.errors import ModelError
from descend.base.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from descend.analysis.inference import Inference
    from descend.analysis.profile import ProfileIntervals
    from descend.base.container import Tensors
    from descend.base.messages import Note
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.formula.ast import Coefficient
    from descend.objectives.losses import Loss
    from descend.objectives.networks.network import Network
    from descend.objectives.objective import Objective
    from descend.objectives.target import Target
    from descend.tables.columns import Columns


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter by its name: one number for each output, a single number, or a tensor of a network."""

    name: str
    values: Floats


@dataclass(frozen=True)
class Stored:
    """What a model file holds of a hypothesis: the file's header and all its tensors, and the file's name.

    module: the module that the reader of the file gave, for a network that is no named architecture.
    """

    header: dict[str, Any]
    tensors: Tensors
    file: str
    module: Any = None


class FittedHypothesis(Protocol):
    """A hypothesis with its weights.

    ``weights`` are as the solver has them: columns x outputs, or numbers x 1. ``linear`` says whether the linear
    predictor is the design's matrix times the weights, so that each weight belongs to a column; ``readable`` whether
    each parameter says something by itself. ``refusals`` are the codes of messages that say why something cannot be
    asked of this kind: "coefficients", "intervals", "inference", "certificate", "forecast", "sklearn".
    """

    name: ClassVar[str]
    linear: ClassVar[bool]
    readable: ClassVar[bool]
    refusals: ClassVar[Mapping[str, str]]

    @property
    def design(self) -> Design:
        """The design that turns rows of a table into the columns that the hypothesis takes."""
        ...

    @property
    def weights(self) -> Floats:
        """The weights as the solver has them, two-dimensional, float64."""
        ...

    @property
    def title(self) -> str:
        """What the hypothesis is called in a report."""
        ...

    @property
    def network(self) -> Network | None:
        """The network with its PyTorch module, None where the hypothesis is none."""
        ...

    @property
    def exact(self) -> Floats | None:
        """The coefficients in the units of the table to more digits than the weights give, where they are known."""
        ...

    @property
    def rest(self) -> Floats | None:
        """What float64 leaves of ``exact``, where predictions need twice its digits."""
        ...

    @property
    def raw(self) -> Floats:
        """The coefficients in the units of the table, columns x outputs; raises ModelError where there are none."""
        ...

    @property
    def scaled(self) -> bool:
        """Whether the weights are of scaled columns, so that they are not the numbers of the equation."""
        ...

    def weight_names(self, target: Target) -> list[str]:
        """Return a name for each of the flat weights, where the kind is ``readable``."""
        ...

    def coefficient_names(self, output: int) -> list[Coefficient]:
        """Return the name of each row of ``raw`` in an output, with the sign that the named parameter has."""
        ...

    @property
    def finite(self) -> bool:
        """Whether the numbers of the equation are finite in the units of the table."""
        ...

    def at(self, weights: Floats) -> Self:
        """Return the hypothesis with other weights (flat, or of the same shape), and nothing exact about them."""
        ...

    def with_parameters(self, values: Mapping[str, float]) -> Self:
        """Return an equation with other values of its parameters, by name, in the units of the table.

        Those that are held keep theirs. Only of a hypothesis whose design has named ``parameters``.
        """
        ...

    def exactly(self, coefficients: Floats, rest: Floats | None) -> Self:
        """Return the hypothesis with coefficients to more digits than its weights; raises ModelError for a network."""
        ...

    def predictor(self, X: Floats) -> Floats:
        """Return the linear predictor, rows x outputs, of rows of the design's matrix."""
        ...

    def of_rows(self, data: Columns) -> Floats:
        """Return the linear predictor of rows, with twice float64's digits where it needs them."""
        ...

    def scores(self, inference: Inference, data: Columns) -> Floats:
        """Return the derivative of the linear predictor of rows times the root of the covariance.

        Raises ModelError where the kind has no intervals.
        """
        ...

    def profile(
        self,
        inference: Inference,
        level: float,
        loss: Loss,
        limits: Mapping[str, tuple[float, float]],
        rows: Callable[[], tuple[Floats, Floats]],
    ) -> ProfileIntervals:
        """Return the profile intervals of the parameters, with the probability ``level``.

        limits: the bounds by parameter. rows: gives those that were fitted, X and Y, where they are needed.
        Raises ModelError where the kind has none with this loss.
        """
        ...

    def objective(self, X: Floats, Y: Floats, loss: Loss, l2: float) -> Objective:
        """Return the loss over rows of the design's matrix as a function of the weights, with its derivative.

        A costly kind may take fewer of the rows.
        """
        ...

    def equation(self, target: Target) -> str:
        """Return the equation in the units of the table, a line an output."""
        ...

    def coefficients(self, target: Target) -> dict[str, Any]:
        """Return the numbers of the equation by name; by output first where there are several. Raises ModelError."""
        ...

    def parameters(self) -> list[Parameter]:
        """Return every parameter, in the units of the table where these are known."""
        ...

    def facts(self) -> dict[str, Any] | None:
        """Return the facts of a report about the kind itself (a network's size), None where there are none."""
        ...

    def notes(self, settings: Mapping[str, Any]) -> list[Note]:
        """Return what there is to note about a fit with such settings."""
        ...

    def describe(self) -> tuple[dict[str, Any], Tensors]:
        """Return the entries of a model file's header and the tensors from which ``restore`` makes the hypothesis."""
        ...

    @classmethod
    def restore(cls, stored: Stored, design: Design, target: Target) -> Self:
        """Return the hypothesis that a model file holds.

        Raises ModelError for what the reader must give besides, ValueError or KeyError for a file that is inconsistent.
        """
        ...


HYPOTHESES: Registry[type[FittedHypothesis]] = Registry("hypothesis", "descend.model.hypotheses")


def require_answerable(hypothesis: FittedHypothesis, what: str) -> None:
    """Raise ModelError where a kind of hypothesis cannot be asked for something, such as "intervals"."""
    if what in hypothesis.refusals:
        raise ModelError(hypothesis.refusals[what], title=hypothesis.title)
