"""The powers of an expression, plain or made orthogonal on the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from descend.base import stored_fields
from descend.base.double_double import pair
from descend.base.errors import DesignError
from descend.base.moments import ROUNDING
from descend.design.encodings import CONSTANT, ENCODINGS, Spelling, StoredEncodings
from descend.design.encodings._defaults import Defaults
from descend.design.encodings._values import defined, exactly_defined
from descend.formula.ast import Expression, Factor, Poly, grouped, names_of
from descend.formula.evaluate import powers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from descend.base.double_double import Pair
    from descend.base.typing import Floats
    from descend.design.encodings import Group
    from descend.tables.columns import Columns, Use

FACTS = ("centre", "half_range", "shifts", "norms")  # of fitted polynomials, that a file keeps


@ENCODINGS.add
@dataclass(frozen=True)
class PolyCode(Defaults):
    """The powers 1 to degree of an expression; orthogonal on the rows it was fitted on unless ``norms`` is empty.

    Orthogonal polynomials by the three-term recurrence of Forsythe (1957), each of unit length, in the variable
    (x - centre) / half_range.
    """

    name: ClassVar[str] = "poly"
    use: ClassVar[Use] = "number"
    column: ClassVar[str] = ""
    levels: ClassVar[tuple[str, ...]] = ()
    stored_as: ClassVar[Group | None] = ("polys", list)
    expression: Expression
    degree: int
    text: str
    centre: float = 0.0
    half_range: float = 1.0
    shifts: tuple[float, ...] = ()
    norms: tuple[float, ...] = ()

    @property
    def names(self) -> list[str]:
        """``poly(x, 2)[1]`` and so on, or ``x^2`` where the powers are raw."""
        if self.norms:
            return [f"{self.text}[{power}]" for power in range(1, self.degree + 1)]
        return [power_name(self.expression, power) for power in range(1, self.degree + 1)]

    @property
    def width(self) -> int:
        """How many columns."""
        return self.degree

    @property
    def inputs(self) -> set[str]:
        """The columns that the expression uses."""
        return {name.name for name in names_of(self.expression)}

    @classmethod
    def takes(cls, factor: Factor, uses: Mapping[str, Use]) -> bool:  # noqa: ARG003
        """Tell whether a factor is ``poly(...)``."""
        return isinstance(factor, Poly)

    @classmethod
    def sized(cls, factor: Factor, data: Columns) -> PolyCode:  # noqa: ARG003
        """Return the plain powers, which are as many."""
        assert isinstance(factor, Poly)
        return cls(factor.expression, factor.degree, str(factor))

    @classmethod
    def learn(cls, factor: Factor, data: Columns, rows: NDArray[np.int64] | None = None) -> PolyCode:
        """Fit the recurrence on the rows; raises DesignError when they have too few distinct values."""
        assert isinstance(factor, Poly)
        if factor.raw:
            return cls(factor.expression, factor.degree, str(factor))
        data = data if rows is None else data.take(rows)
        x = defined(factor.expression, str(factor), data)
        low, high = float(x.min()), float(x.max())
        distinct = 1 if _same(low, high) else np.unique(x).size
        if distinct <= factor.degree:
            raise DesignError("design.poly-degree", term=str(factor), distinct=distinct, most=max(distinct - 1, 0))
        centre, half_range = (low + high) / 2, (high - low) / 2
        u = (x - centre) / half_range
        before, now = np.zeros_like(u), np.ones_like(u)
        shifts, norms = [], [float(u.size)]
        for _ in range(factor.degree):
            shifts.append(float(u @ (now * now)) / norms[-1])
            ratio = norms[-1] / norms[-2] if len(norms) > 1 else 0.0
            before, now = now, (u - shifts[-1]) * now - ratio * before
            norms.append(float(now @ now))
        return cls(factor.expression, factor.degree, str(factor), centre, half_range, tuple(shifts), tuple(norms))

    @classmethod
    def legendre(cls, factor: Poly, low: float, high: float) -> PolyCode:
        """Return the polynomials that are orthogonal over the whole range, from which ``on_rows`` goes on.

        Raises DesignError where there is no range.
        """
        if factor.raw:
            return cls(factor.expression, factor.degree, str(factor))
        if _same(low, high):
            raise DesignError("design.poly-degree", term=str(factor), distinct=1, most=0)
        norms = [1.0]
        for k in range(1, factor.degree + 1):
            norms.append(norms[-1] * k * k / (4.0 * k * k - 1))
        centre, half_range = (low + high) / 2, (high - low) / 2
        shifts = (0.0,) * factor.degree
        return cls(factor.expression, factor.degree, str(factor), centre, half_range, shifts, tuple(norms))

    def on_rows(self, products: Floats) -> PolyCode:
        """Return the polynomials that are orthogonal on rows, of these and the products of their columns there.

        products: sums over the rows of each pair of 1 and the columns. With the rows known by these alone, by the
        modified Chebyshev algorithm (Gautschi 1982). Raises DesignError when the rows have too few distinct values.
        """
        lengths = np.sqrt(self.norms)
        products = products * np.outer(lengths, lengths)
        times = np.eye(self.degree + 1, k=-1)  # a polynomial's coefficients in the basis, times u
        for k in range(1, self.degree + 1):
            times[k - 1, k] = self.norms[k] / self.norms[k - 1]
        before, now = np.zeros(self.degree + 1), np.eye(self.degree + 1)[0]
        shifts, norms = [], [float(now @ products @ now)]
        for k in range(self.degree):
            raised = times @ now
            shifts.append(float(raised @ products @ now) / norms[-1])
            ratio = norms[-1] / norms[-2] if k else 0.0
            before, now = now, raised - shifts[-1] * now - ratio * before
            norms.append(float(now @ products @ now))
            if not norms[-1] > 1e-13 * self.norms[k + 1] * norms[0]:
                raise DesignError("design.poly-degree", term=self.text, distinct=k + 1, most=k)
        return replace(self, shifts=tuple(shifts), norms=tuple(norms))

    def describe(self) -> dict[str, Any]:
        """Return the recurrence."""
        return {"centre": self.centre, "half_range": self.half_range, "shifts": self.shifts, "norms": self.norms}

    @classmethod
    def restore(cls, factor: Factor, stored: StoredEncodings) -> PolyCode:
        """Build it again from the recurrence that follows; raises ValueError for anything else."""
        assert isinstance(factor, Poly)
        facts = stored_fields.facts(stored.following("polys"), FACTS)
        shifts = tuple(map(stored_fields.real, stored_fields.entries(facts["shifts"])))
        norms = tuple(map(stored_fields.real, stored_fields.entries(facts["norms"])))
        lengths = (0, 0) if factor.raw else (factor.degree, factor.degree + 1)
        centre, half_range = stored_fields.real(facts["centre"]), stored_fields.real(facts["half_range"])
        if (len(shifts), len(norms)) != lengths or min(half_range, *norms, 1) <= 0 or factor.degree > stored.width:
            raise ValueError(str(factor))
        return cls(factor.expression, factor.degree, str(factor), centre, half_range, shifts, norms)

    def columns(self, data: Columns) -> Floats:
        """Return the powers for every row, rows x degree."""
        return self.at(defined(self.expression, self.text, data))

    def at(self, x: Floats) -> Floats:
        """Return the powers of given values of the expression, rows x degree."""
        if not self.norms:
            return np.stack([x**power for power in range(1, self.degree + 1)], axis=1)
        u = (x - self.centre) / self.half_range
        before, now = np.zeros_like(u), np.ones_like(u)
        made = []
        for power in range(self.degree):
            ratio = self.norms[power] / self.norms[power - 1] if power else 0.0
            before, now = now, (u - self.shifts[power]) * now - ratio * before
            made.append(now / np.sqrt(self.norms[power + 1]))
        return np.stack(made, axis=1)

    def exact_columns(self, data: Columns) -> Pair:
        """Return the columns with twice the digits where they are plain powers, else as they are."""
        if self.norms:
            return pair(self.columns(data))
        made = powers(exactly_defined(self.expression, self.text, data), self.degree)
        return np.stack([high for high, _ in made], axis=1), np.stack([low for _, low in made], axis=1)

    @property
    def has_sql(self) -> bool:
        """Whether the powers are plain ones."""
        return not self.norms

    def sql(self, spelling: Spelling) -> list[str]:
        """Return the SQL of plain powers; raises NotImplementedError for orthogonal ones."""
        if self.norms:
            raise NotImplementedError(self.name)
        number = spelling.number(self.expression)
        return [number, *(f"power({number}, {power})" for power in range(2, self.degree + 1))]

    def addends(self, weights: Floats) -> dict[str, float]:
        """Return the polynomial that the columns' weights make: its constant and its coefficients of plain powers."""
        made = self.powers(weights)
        names = [CONSTANT, *(power_name(self.expression, power) for power in range(1, made.size))]
        return dict(zip(names, map(float, made), strict=True))

    def largest(self, weights: Floats) -> float:
        """Return the size of the largest plain power, at the end of the range, where the columns are others."""
        if not self.norms:
            return 0.0
        reach = abs(self.centre) + self.half_range
        return float((np.abs(self.powers(weights)) * reach ** np.arange(self.degree + 1)).max())

    def powers(self, weights: Floats) -> Floats:
        """Return the coefficients of 1, x, x^2 ... of the polynomial that ``weights`` (degree,) makes."""
        from numpy.polynomial import Polynomial

        if not self.norms:
            return np.concatenate([[0.0], weights])
        u = Polynomial([-self.centre / self.half_range, 1 / self.half_range])
        before, now, total = Polynomial([0.0]), Polynomial([1.0]), Polynomial([0.0])
        for power in range(self.degree):
            ratio = self.norms[power] / self.norms[power - 1] if power else 0.0
            before, now = now, (u - self.shifts[power]) * now - ratio * before
            total = total + now * float(weights[power] / np.sqrt(self.norms[power + 1]))
        made = np.zeros(self.degree + 1)
        made[: total.coef.size] = total.coef
        return made


def _same(low: float, high: float) -> bool:
    """Tell whether there is no range between two ends, but for rounding."""
    return not (high - low) / 2 > ROUNDING * max(abs(low), abs(high))


def power_name(expression: Expression, power: int) -> str:
    """Return the name of a power: ``x``, ``x^2``, ``(x + z)^2``."""
    return grouped(expression) if power == 1 else f"{grouped(expression)}^{power}"
