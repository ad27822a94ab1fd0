"""What a family is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from descend.base.errors import DesignError
from descend.base.registry import Registry
from descend.formula.ast import Name
from descend.objectives.losses import LOSSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.messages import Note
    from descend.base.typing import Floats
    from descend.formula.ast import Expression, Hypothesis
    from descend.objectives.links import LinkFunction
    from descend.tables.columns import Columns, Use


@dataclass(frozen=True)
class TargetColumn:
    """What the columns of a target hold, as far as a family is recognised by it.

    name: of the column, or of several with commas between. plain: whether it is one column, without a function.
    numbers: whether it holds numbers; zero_one: of these 0 and 1 alone. levels: the classes, where it holds none.
    """

    name: str
    plain: bool = True
    numbers: bool = True
    zero_one: bool = False
    levels: Sequence[str] = ()


class TargetFields(Protocol):
    """What a family asks of a target: its expressions, the columns under them, and its classes."""

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The targets as written."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns under them."""
        ...

    @property
    def levels(self) -> tuple[str, ...]:
        """The classes, none of numbers."""
        ...


class Family(ABC):
    """What a kind of target needs, from the table to the picture.

    ``target`` is in every method the target that the family serves, Z the linear predictor (rows x outputs), ``truth``
    what ``Target.truth`` gives, and ``predicted`` what ``predict`` gives: rows x targets, or rows x classes.

    name: what the family is called. classes: whether it predicts probabilities of classes, else means of numbers.
    one_column: whether the target is one column as it is. most_levels: how many classes there may be; None: any number.
    dispersion: whether the variance about the mean is estimated from the rows (t), else the mean settles it (z).
    loss: the name of the loss that is taken where none is asked for. use: how the target's columns are read.
    verdict: how the codes of its verdicts end. error: what the mean of ``row_errors`` is called, of those that are
        ``squared`` its root: ``compare`` scores by it. estimator: the class of sklearn.linear_model that predicts as
        the family does.
    """

    name: ClassVar[str]
    link: ClassVar[LinkFunction]
    classes: ClassVar[bool]
    one_column: ClassVar[bool]
    most_levels: ClassVar[int | None] = None
    dispersion: ClassVar[bool]
    loss: ClassVar[str]
    use: ClassVar[Use]
    verdict: ClassVar[str]
    error: ClassVar[str]
    estimator: ClassVar[str]
    squared: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Be copied, and sent to another process, as the one family of that name."""
        return _family_named, (self.name,)

    def __repr__(self) -> str:
        return f"<family {self.name}>"

    @property
    def solved(self) -> bool:
        """Whether the minimum of its own loss is found in closed form."""
        return LOSSES[self.loss].quadratic

    @property
    def label(self) -> str:
        """The key of the words that name it on the studio's page."""
        return f"studio.family-{self.name}"

    # what it serves

    @abstractmethod
    def recognised(self, column: TargetColumn) -> Note | None:
        """Return why a target that nobody has named a family for is of this one; None where it is not."""

    def require(self, hypothesis: Hypothesis, columns: Sequence[str]) -> None:
        """Raise DesignError for a target that the family does not predict."""
        if self.one_column and (len(columns) > 1 or not isinstance(hypothesis.targets[0], Name)):
            raise DesignError("design.one-class-target", family=self.name)

    def require_levels(self, column: str, levels: Sequence[str]) -> None:
        """Raise DesignError for classes that are more than the family tells apart."""
        if self.most_levels is not None and len(levels) > self.most_levels:
            raise DesignError(
                "design.not-two", column=column, count=len(levels), levels=", ".join(levels[:5]), first=levels[0]
            )

    @abstractmethod
    def encode(self, target: TargetFields, data: Columns) -> Floats:
        """Return the target's values for the solver: rows x targets, or rows x 1 of class codes (0, 1, ...).

        Raises DesignError for a value that the family does not know.
        """

    @abstractmethod
    def truth(self, target: TargetFields, data: Columns) -> Floats:
        """Return what predictions are held against: the columns in their own units, or the class codes."""

    # what it predicts

    @abstractmethod
    def outputs(self, target: TargetFields) -> list[str]:
        """Return a name for each column of the linear predictor."""

    @abstractmethod
    def predictions(self, target: TargetFields) -> list[str]:
        """Return a name for each column of predictions: the targets, or the classes."""

    @abstractmethod
    def predict(self, target: TargetFields, Z: Floats) -> Floats:
        """Return the predictions of a linear predictor."""

    @abstractmethod
    def null(self, target: TargetFields, truth: Floats) -> Floats:
        """Return what no hypothesis predicts, 1 x predictions: the mean, or the classes' shares, of some rows."""

    @abstractmethod
    def null_predictor(self, target: TargetFields, Y: Floats) -> Floats:
        """Return the linear predictor of that, 1 x outputs, from the values for the solver."""

    def contrasts(self, raw: Floats) -> Floats:
        """Return the coefficients (columns x outputs) that the rows determine, and so those that inference is about."""
        return raw

    def overdispersion(self, Y: Floats, means: Floats, columns: int) -> tuple[float, float] | None:
        """Return by how many times the rows vary more than their means say, and the chance of so much if they do not.

        columns: of the design. None where the variance is estimated, or cannot be other than the mean says.
        """
        return None

    # how it is scored

    @abstractmethod
    def metrics(self, target: TargetFields) -> tuple[str, ...]:
        """Return the names of the scores of a test."""

    @abstractmethod
    def score(self, target: TargetFields, truth: Floats, predicted: Floats) -> list[tuple[str, dict[str, float]]]:
        """Return the scores by metric of each column that has some, with its name."""

    @abstractmethod
    def headline(self, target: TargetFields) -> str:
        """Return the metric that is told first, a mean over the columns where these are several."""

    @abstractmethod
    def row_errors(self, target: TargetFields, truth: Floats, predicted: Floats) -> Floats:
        """Return each row's error, (rows,), whose mean is less the better predictions are."""

    def unit(self, truth: Floats) -> float:
        """Return what one of ``error`` is in the unit in which it is told."""
        return 1.0

    # how it is told

    @abstractmethod
    def equation(self, target: TargetFields, sums: Sequence[str], names: Sequence[str]) -> list[str]:
        """Return the lines of the equation, from what is added up for each output; ``names`` are of the columns."""

    @abstractmethod
    def network_equation(self, target: TargetFields, told: str) -> str:
        """Return the equation of a network, which is ``told`` as a function of its columns."""


FAMILIES: Registry[Family] = Registry("family", "descend.objectives.families")


def recognise_family(column: TargetColumn) -> tuple[Family, Note]:
    """Return the family that what a target's column holds asks for, and why."""
    for family in FAMILIES.values():
        why = family.recognised(column)
        if why is not None:
            return family, why
    raise AssertionError(column)


def _family_named(name: str) -> Family:
    return FAMILIES[name]
