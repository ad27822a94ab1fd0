"""The design: a hypothesis fitted on a table, which turns rows into the columns that the solver sees.

A term is a product of encoded factors: a number, the powers of one, or the levels of a category by treatment coding.
Columns are standardised inside; ``to_raw`` takes parameters back to the units of the table.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.errors import DesignError
from descend.terms import Arithmetic, Category, Expression, Factor, Hypothesis, Name, Poly, Term, grouped
from descend.transforms import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from descend.columns import Columns, Use

    Floats = NDArray[np.float64]

INTERCEPT = "(intercept)"


@dataclass(frozen=True)
class NumberCode:
    """One column: an expression's value."""

    expression: Expression
    text: str

    @property
    def names(self) -> list[str]:
        """The name of the column."""
        return [self.text]

    def columns(self, data: Columns) -> Floats:
        """Return the value for every row, rows x 1; raises DesignError where it is not defined."""
        return _defined(self.expression, self.text, data)[:, None]


@dataclass(frozen=True)
class PolyCode:
    """The powers 1 to degree of an expression; orthogonal on the rows it was fitted on unless ``norms`` is empty.

    Orthogonal polynomials by the three-term recurrence of Forsythe (1957), each of unit length, in the variable
    (x - centre) / half_range.
    """

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

    @classmethod
    def learn(cls, factor: Poly, data: Columns) -> PolyCode:
        """Fit the recurrence on the rows; raises DesignError when they have too few distinct values."""
        if factor.raw:
            return cls(factor.expression, factor.degree, str(factor))
        x = _defined(factor.expression, str(factor), data)
        distinct = np.unique(x).size
        if distinct <= factor.degree:
            raise DesignError("design.poly-degree", term=str(factor), distinct=distinct, most=max(distinct - 1, 0))
        low, high = float(x.min()), float(x.max())
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

    def columns(self, data: Columns) -> Floats:
        """Return the powers for every row, rows x degree."""
        return self.at(_defined(self.expression, self.text, data))

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

    name: str
    levels: tuple[str, ...]
    full: bool

    @property
    def names(self) -> list[str]:
        """``sex[male]`` and so on."""
        return [f"{self.name}[{level}]" for level in self.levels[0 if self.full else 1 :]]

    def columns(self, data: Columns) -> Floats:
        """Return the indicators for every row; raises DesignError for a level that was not seen in fitting."""
        codes = level_codes(self.name, data, self.levels)
        indicators = np.zeros((codes.size, len(self.levels)))
        indicators[np.arange(codes.size), codes] = 1.0
        return indicators[:, 0 if self.full else 1 :]


Code = NumberCode | PolyCode | LevelCode


@dataclass(frozen=True)
class Block:
    """The columns of one term: the products of its factors' columns, the first factor's running fastest."""

    term: Term
    codes: tuple[Code, ...]

    @property
    def names(self) -> list[str]:
        """The names of the columns, ``a:b`` for a product."""
        names = self.codes[0].names
        for code in self.codes[1:]:
            names = [f"{left}:{right}" for right in code.names for left in names]
        return names

    def columns(self, data: Columns) -> Floats:
        """Return rows x columns of the term."""
        made = self.codes[0].columns(data)
        for code in self.codes[1:]:
            right = code.columns(data)
            made = (right[:, :, None] * made[:, None, :]).reshape(len(data), -1)
        return made


@dataclass(frozen=True)
class Design:
    """A hypothesis fitted on rows: its blocks, and the mean and scale of each column (0 and 1 for the intercept).

    ``sizes`` are the columns' root mean squares and ``spreads`` their standard deviations, as they are in the table.
    """

    hypothesis: Hypothesis
    uses: dict[str, Use]
    levels: dict[str, tuple[str, ...]]
    blocks: tuple[Block, ...]
    means: Floats
    scales: Floats
    sizes: Floats
    spreads: Floats

    @classmethod
    def learn(
        cls,
        hypothesis: Hypothesis,
        uses: dict[str, Use],
        data: Columns,
        *,
        rows: NDArray[np.int64] | None = None,
        standardize: bool = True,
        ddof: int = 0,
    ) -> Design:
        """Fit the design.

        Levels come from all rows of ``data``; polynomials, means and scales only from ``rows`` (default: all).
        standardize: scale columns to mean 0 and standard deviation 1 (``ddof`` 0: population, 1: sample); without an
            intercept columns are only scaled, by their root mean square.
        """
        seen = data if rows is None else data.take(rows)
        levels = {name: level_list(name, data) for name, use in uses.items() if use == "category"}
        blocks = _blocks(hypothesis, uses, levels, lambda factor: PolyCode.learn(factor, seen))
        for name in levels:
            _check_levels(name, levels[name], data)
        width = int(hypothesis.intercept) + sum(len(block.names) for block in blocks)
        nothing, one = np.zeros(width), np.ones(width)
        plain = cls(hypothesis, uses, levels, blocks, nothing, one, one, nothing)
        for name, count in Counter(plain.names).items():
            if count > 1:
                raise DesignError("design.same-name", column=name)
        if len(seen) == 0:
            return plain
        X = plain.matrix(seen)
        means, sizes = X.mean(axis=0), _root_mean_square(X)
        spreads = _root_mean_square(X - means)
        spreads[spreads <= 1e-14 * np.abs(X).max(axis=0)] = 0.0  # nothing but rounding
        if not standardize:
            means, scales = nothing, one
        elif not hypothesis.intercept:
            means, scales = nothing, np.where(sizes > 0, sizes, 1.0)
        else:
            scales = np.where(spreads > 0, spreads * np.sqrt(len(seen) / max(len(seen) - ddof, 1)), 1.0)
            means[0], scales[0] = 0.0, 1.0
        return cls(hypothesis, uses, levels, blocks, means, scales, sizes, spreads)

    def describe(self) -> dict[str, Any]:
        """Return what is needed to build the design again, besides its means and scales, as JSON can hold it."""
        codes = [code for block in self.blocks for code in block.codes]
        polys = [asdict(code) for code in codes if isinstance(code, PolyCode)]
        kept = ("centre", "half_range", "shifts", "norms")
        return {
            "uses": self.uses,
            "levels": {name: list(levels) for name, levels in self.levels.items()},
            "polys": [{key: poly[key] for key in kept} for poly in polys],
        }

    @classmethod
    def restore(cls, hypothesis: Hypothesis, described: dict[str, Any], moments: Sequence[Floats]) -> Design:
        """Build a design again from what ``describe`` gave and its means, scales, sizes and spreads."""
        uses = dict(described["uses"])
        levels = {name: tuple(map(str, found)) for name, found in described["levels"].items()}
        polys = iter(described["polys"])

        def poly(factor: Poly) -> PolyCode:
            kept = next(polys)
            shifts, norms = tuple(map(float, kept["shifts"])), tuple(map(float, kept["norms"]))
            centre, half_range = float(kept["centre"]), float(kept["half_range"])
            return PolyCode(factor.expression, factor.degree, str(factor), centre, half_range, shifts, norms)

        return cls(hypothesis, uses, levels, _blocks(hypothesis, uses, levels, poly), *moments)

    @property
    def names(self) -> list[str]:
        """The names of the columns, the intercept first where there is one."""
        return [INTERCEPT] * self.hypothesis.intercept + [name for block in self.blocks for name in block.names]

    @property
    def penalised(self) -> NDArray[np.bool_]:
        """Which parameters L2 shrinks: all but the intercept."""
        return np.array([name != INTERCEPT for name in self.names])

    @property
    def scaled_sizes(self) -> Floats:
        """The columns' sizes as the optimizer sees them: of a centred column, its spread."""
        return np.asarray(np.where(self.means != 0, self.spreads, self.sizes) / self.scales)

    def matrix(self, data: Columns) -> Floats:
        """Return the design matrix of some rows, rows x columns, standardised as it was learnt."""
        made = [np.ones((len(data), 1))] if self.hypothesis.intercept else []
        X = np.concatenate([*made, *(block.columns(data) for block in self.blocks)], axis=1)
        X -= self.means
        X /= self.scales
        return X

    def to_raw(self, weights: Floats) -> Floats:
        """Return parameters (columns x outputs) of the standardised columns as those of the columns themselves."""
        raw = weights / self.scales[:, None]
        if self.hypothesis.intercept:
            raw[0] -= self.means @ raw
        return raw


def power_name(expression: Expression, power: int) -> str:
    """Return the name of a power: ``x``, ``x^2``, ``(x + z)^2``."""
    return grouped(expression) if power == 1 else f"{grouped(expression)}^{power}"


def level_list(name: str, data: Columns) -> tuple[str, ...]:
    """Return the levels of a category, numbers in their order, texts in the alphabet's."""
    found: Sequence[str] = data.labels[name].unique().sort().to_list()
    if data.table.kind(name) == "number":
        found = sorted(found, key=_by_number)
    return tuple(found)


def level_codes(name: str, data: Columns, levels: Sequence[str]) -> NDArray[np.int64]:
    """Return each row's position among ``levels``; raises DesignError where it is not there."""
    import polars as pl

    labels = data.labels[name]
    codes = labels.replace_strict(list(levels), range(len(levels)), default=-1, return_dtype=pl.Int64).to_numpy()
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise DesignError(
            "design.unseen-level",
            column=name,
            file=data.table.name,
            line=data.line(row),
            found=labels[row],
            known=", ".join(levels[:20]),
        )
    return np.asarray(codes)


def _by_number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text


def _blocks(
    hypothesis: Hypothesis,
    uses: Mapping[str, Use],
    levels: Mapping[str, tuple[str, ...]],
    poly: Callable[[Poly], PolyCode],
) -> tuple[Block, ...]:
    """Encode every term; a category keeps all its levels where the rest of its term is not in the model.

    (Chambers and Hastie 1992, section 2.4.1: so the columns span the term without repeating the others.)
    """
    present: set[frozenset[Factor]] = {frozenset()} if hypothesis.intercept else set()
    blocks = []
    for term in hypothesis.terms:
        codes: list[Code] = []
        for factor in term:
            rest = frozenset(term) - {factor}
            column = _category(factor, uses)
            if column is not None:
                codes.append(LevelCode(column, levels[column], full=rest not in present))
            elif isinstance(factor, Poly):
                codes.append(poly(factor))
            else:
                assert isinstance(factor, Arithmetic)
                codes.append(NumberCode(factor.expression, str(factor)))
        blocks.append(Block(term, tuple(codes)))
        present.add(frozenset(term))
        if len(codes) == 1 and isinstance(codes[0], LevelCode) and codes[0].full:
            present.add(frozenset())  # all its levels together are the intercept
    return tuple(blocks)


def _check_levels(name: str, levels: Sequence[str], data: Columns) -> None:
    if len(levels) < 2:
        raise DesignError("design.one-level", column=name, level="".join(levels))
    if len(levels) == len(data) > 20:
        raise DesignError("design.all-distinct", column=name, rows=len(data))


def _category(factor: Factor, uses: Mapping[str, Use]) -> str | None:
    if isinstance(factor, Category):
        return factor.name.name
    if isinstance(factor, Arithmetic) and isinstance(factor.expression, Name):
        name = factor.expression.name
        return name if uses[name] == "category" else None
    return None


def _defined(expression: Expression, text: str, data: Columns) -> Floats:
    values = np.broadcast_to(evaluate(expression, data.numbers), (len(data),))
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise DesignError("design.undefined", term=text, file=data.table.name, line=data.line(row))
    return values


def _root_mean_square(X: Floats) -> Floats:
    """Return each column's, without overflow."""
    largest = np.abs(X).max(axis=0)
    return np.asarray(largest * np.sqrt(np.square(X / np.where(largest > 0, largest, 1.0)).mean(axis=0)))
