"""What a diagnosis looks at: a fit, its rows and its run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np

from descend.analysis.diagnosis.subsample import Subsample
from descend.objectives.in_memory import RowsObjective

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
Need = Literal["run", "classes", "design", "equation", "curve", "minimum"]


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
        return frozenset({"run", ever, "classes", sound} if self.sound else {"run", ever})

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
