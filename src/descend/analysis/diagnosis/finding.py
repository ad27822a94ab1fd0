"""What a diagnosis says and what it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from descend.base.messages import has, say
from descend.objectives.in_memory import RowsObjective

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from descend.analysis.forecast import Forecast
    from descend.design.matrix import Design
    from descend.objectives.quadratic import GramObjective
    from descend.objectives.target import Target
    from descend.objectives.torch_module import ModuleObjective
    from descend.solvers.history import History
    from descend.solvers.recipe import Recipe
    from descend.tables.columns import Columns

    Floats = NDArray[np.floating[Any]]

Severity = Literal["error", "warning", "hint"]
ENDLESS = ("finding.separable", "finding.quasi-separable")
UNFINISHED = ("untrained", "not-", "rate-")  # how the codes of what is left to train begin
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "hint")


@dataclass(frozen=True)
class Finding:
    """Something that the numbers of a fit say: a code, how bad it is, its evidence in numbers, and what to type.

    "error": the answer cannot be used as it is; "warning": look before using it; "hint": it could be better.
    """

    code: str
    severity: Severity
    values: dict[str, Any]

    @property
    def unfinished(self) -> bool:
        """Whether it says that the fit ended before it had arrived."""
        return self.code.removeprefix("finding.").startswith(UNFINISHED)

    @property
    def endless(self) -> bool:
        """Whether it says that there is nowhere to arrive, as the loss has no minimum."""
        return self.code in ENDLESS

    def tell(self, lang: str = "en") -> str:
        """Return what was found, as a sentence."""
        told = dict(self.values)
        if isinstance(told.get("last"), float) and isinstance(told.get("first"), float):
            told |= dict(zip(("first", "last"), _unlike(told["first"], told["last"]), strict=True))
        return say(self.code, lang, **told)

    def remedy(self, lang: str = "en") -> str:
        """Return what to do about it: of several remedies the one that the values name."""
        named = str(self.values.get("remedy", ""))
        own = named.startswith(f"{self.code}.") and has(f"{named}.remedy")
        return say(f"{named if own else self.code}.remedy", lang, **self.values)


@dataclass(frozen=True)
class Evidence:
    """What a diagnosis looks at.

    ``over`` holds the fitted rows as the solver saw them, ``data`` the same rows as the table has them (its
    ``line`` says where a person finds one), ``weights`` (columns x outputs) the parameters of the fit. ``quadratic``
    and ``forecast`` are there where they were made; ``networked`` tells whether the hypothesis is a network,
    ``rows`` how many were fitted, of which ``over`` may hold some only.
    """

    design: Design
    target: Target
    data: Columns
    over: RowsObjective | ModuleObjective
    weights: Floats
    history: History
    recipe: Recipe
    quadratic: GramObjective | None = None
    forecast: Forecast | None = None
    networked: bool = False
    rows: int = 0

    @property
    def objective(self) -> RowsObjective:
        """The fitted rows as an equation's solver saw them; a network's is ``over``."""
        assert isinstance(self.over, RowsObjective)
        return self.over


def _unlike(first: float, last: float) -> tuple[str, str]:
    """Return two numbers with four digits, or with as many as tell them apart where that is more than rounding."""
    digits = next((digits for digits in range(4, 13) if f"{first:.{digits}g}" != f"{last:.{digits}g}"), 4)
    return f"{first:.{digits}g}", f"{last:.{digits}g}"
