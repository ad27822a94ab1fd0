"""How a factor becomes columns: a number, its powers, the levels of a category by treatment coding, or pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from descend.base import stored_fields
from descend.base.double_double import pair
from descend.base.errors import DesignError
from descend.base.moments import ROUNDING
from descend.formula.ast import Expression, Poly, grouped, names_of
from descend.formula.evaluate import evaluate_exactly, powers, undefined, values_of
from descend.tables.labels import ordered_levels, same_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from descend.base.double_double import Pair
    from descend.tables.columns import Columns, Use

    Floats = NDArray[np.floating[Any]]


POLY_FACTS = ("centre", "half_range", "shifts", "norms")  # of a fitted poly(), that a file keeps


@dataclass(frozen=True)
class NumberCode:
    """One column: an expression's value."""

    use: ClassVar[Use] = "number"
    expression: Expression
    text: str

    @property
    def names(self) -> list[str]:
        """The name of the column."""
        return [self.text]

    @property
    def width(self) -> int:
        """How many columns."""
        return 1

    def columns(self, data: Columns) -> Floats:
        """Return the value for every row, rows x 1; raises DesignError where it is not defined."""
        return defined(self.expression, self.text, data)[:, None]

    def exact_columns(self, data: Columns) -> Pair:
        """Return the same with twice the digits."""
        high, low = exactly_defined(self.expression, self.text, data)
        return high[:, None], low[:, None]


@dataclass(frozen=True)
class PolyCode:
    """The powers 1 to degree of an expression; orthogonal on the rows it was fitted on unless ``norms`` is empty.

    Orthogonal polynomials by the three-term recurrence of Forsythe (1957), each of unit length, in the variable
    (x - centre) / half_range.
    """

    use: ClassVar[Use] = "number"
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

    @classmethod
    def learn(cls, factor: Poly, data: Columns) -> PolyCode:
        """Fit the recurrence on the rows; raises DesignError when they have too few distinct values."""
        if factor.raw:
            return cls(factor.expression, factor.degree, str(factor))
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

    @classmethod
    def restore(cls, factor: Poly, found: Any, width: int) -> PolyCode:
        """Build it again for a factor from its POLY_FACTS; ``width`` is the most columns there can be.

        Raises ValueError for anything else.
        """
        facts = stored_fields.facts(found, POLY_FACTS)
        shifts = tuple(map(stored_fields.real, stored_fields.entries(facts["shifts"])))
        norms = tuple(map(stored_fields.real, stored_fields.entries(facts["norms"])))
        lengths = (0, 0) if factor.raw else (factor.degree, factor.degree + 1)
        centre, half_range = stored_fields.real(facts["centre"]), stored_fields.real(facts["half_range"])
        if (len(shifts), len(norms)) != lengths or min(half_range, *norms, 1) <= 0 or factor.degree > width:
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


@dataclass(frozen=True)
class LevelCode:
    """A column of 0 and 1 for each level; without the first, the reference, unless ``full``."""

    use: ClassVar[Use] = "category"
    name: str
    levels: tuple[str, ...]
    full: bool

    @property
    def names(self) -> list[str]:
        """``sex[male]`` and so on."""
        return [f"{self.name}[{level}]" for level in self.levels[0 if self.full else 1 :]]

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self.levels) - (0 if self.full else 1)

    def columns(self, data: Columns) -> Floats:
        """Return the indicators for every row; raises DesignError for a level that was not seen in fitting."""
        codes = level_codes(self.name, data, self.levels)
        indicators = np.zeros((codes.size, len(self.levels)))
        indicators[np.arange(codes.size), codes] = 1.0
        return indicators[:, 0 if self.full else 1 :]


@dataclass(frozen=True)
class ImageCode:
    """A column for each pixel, from 0 to 1; ``shape`` is height x width (x 3).

    Where the table holds arrays of floats, of any shape, ``scale`` is 1 and they are taken as they are.
    """

    use: ClassVar[Use] = "image"
    name: str
    shape: tuple[int, ...]
    scale: int = 255

    @classmethod
    def restore(cls, name: str, found: Any, width: int) -> ImageCode:
        """Build it again from its scale and shape; ``width`` is the most pixels there can be; raises ValueError."""
        scale, *shape = (stored_fields.whole_number(number, 1) for number in stored_fields.entries(found))
        if not shape or math.prod(shape) > width:
            raise ValueError(f"{shape}"[:100])
        return cls(name, tuple(shape), stored_fields.one_of(scale, (1, 255)))

    @property
    def pictures(self) -> bool:
        """Whether these are pictures, and not arrays of floats."""
        return self.scale == 255

    @property
    def names(self) -> list[str]:
        """``image[0,0]``, ``image[0,1]`` and so on."""
        return [f"{self.name}[{','.join(map(str, place))}]" for place in np.ndindex(self.shape)]

    @property
    def width(self) -> int:
        """How many columns."""
        return math.prod(self.shape)

    def columns(self, data: Columns) -> Floats:
        """Return the pixels of every row, rows x pixels; raises DesignError for images of another shape."""
        images = data.images[self.name]
        if images.shape[1:] != self.shape or (images.dtype == np.uint8) != self.pictures:
            found, expected = (" x ".join(map(str, shape)) for shape in (images.shape[1:], self.shape))
            values = {"column": self.name, "file": data.table.name, "found": found, "expected": expected}
            raise DesignError("design.image-shape", **values)
        return np.asarray(images.reshape(len(images), -1) / self.scale, dtype=np.float64)


Code = NumberCode | PolyCode | LevelCode | ImageCode


def inputs_of(code: Code) -> set[str]:
    """Return the columns that a code reads."""
    if isinstance(code, LevelCode | ImageCode):
        return {code.name}
    return {name.name for name in names_of(code.expression)}


def _same(low: float, high: float) -> bool:
    """Tell whether there is no range between two ends, but for rounding."""
    return not (high - low) / 2 > ROUNDING * max(abs(low), abs(high))


def power_name(expression: Expression, power: int) -> str:
    """Return the name of a power: ``x``, ``x^2``, ``(x + z)^2``."""
    return grouped(expression) if power == 1 else f"{grouped(expression)}^{power}"


def level_list(name: str, data: Columns) -> tuple[str, ...]:
    """Return the levels of a category in their order."""
    return ordered_levels(data.labels[name].unique().to_list(), data.table.declared(name))


def level_codes(name: str, data: Columns, levels: Sequence[str]) -> NDArray[np.int64]:
    """Return each row's position among ``levels``; raises DesignError where it is not there."""
    import polars as pl

    labels = data.labels[name]
    if isinstance(labels.dtype, pl.Enum):
        places = {level: code for code, level in enumerate(levels)}
        codes = np.array([places.get(level, -1) for level in labels.dtype.categories])[labels.to_physical().to_numpy()]
    else:
        codes = labels.replace_strict(list(levels), range(len(levels)), default=-1, return_dtype=pl.Int64).to_numpy()
    if (codes < 0).any():
        codes = _written_otherwise(name, data, levels, codes)
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise DesignError(
            "design.unseen-level",
            column=name,
            file=data.file(row),
            line=data.line(row),
            found=labels[row],
            known=", ".join(levels[:20]),
        )
    return np.asarray(codes)


def _written_otherwise(name: str, data: Columns, levels: Sequence[str], codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions with those of the labels that are a level's number, written otherwise."""
    left = codes < 0
    labels = data.labels[name].filter(left)
    numbers = data.table.frame[name].dtype.is_numeric()
    alike = same_numbers(labels.unique().to_list(), levels, numbers=numbers)
    made = np.array(codes, dtype=np.int64)
    made[left] = [levels.index(alike[label]) if label in alike else -1 for label in labels.to_list()]
    return made


def defined(expression: Expression, text: str, data: Columns) -> Floats:
    """Return an expression's value for every row; raises DesignError where it is not defined."""
    values = np.broadcast_to(values_of(expression, data.numbers), (len(data),))
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise undefined(expression, term=text, file=data.file(row), line=data.line(row))
    return values


def exactly_defined(expression: Expression, text: str, data: Columns) -> Pair:
    """Return the same with twice the digits."""
    high = defined(expression, text, data)
    made = evaluate_exactly(expression, data.numbers)
    if not np.isfinite(made[1]).all():  # near the largest number the arithmetic of pairs overflows
        return pair(high)
    return np.broadcast_to(made[0], high.shape), np.broadcast_to(made[1], high.shape)
