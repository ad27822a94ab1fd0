"""The design: a hypothesis fitted on a table, which turns rows into the columns that the solver sees.

A term is a product of encoded factors: a number, the powers of one, or the levels of a category by treatment coding; or
it is an image and its columns are pixels. Columns are standardised inside, but for pixels; ``to_raw`` takes parameters
back to the units of the table.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base import stored_fields
from descend.base.double_double import multiply, pair
from descend.base.errors import DesignError
from descend.base.moments import moments, reading_rows, same, scaling
from descend.base.threads import map_slices
from descend.design._contrasts import subterms_of
from descend.design.encodings import POLY_FACTS, Code, ImageCode, LevelCode, NumberCode, PolyCode, inputs_of, level_list
from descend.formula.ast import Arithmetic, Category, Factor, Hypothesis, Name, Poly, Term
from descend.tables.columns import USES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from descend.base.double_double import Pair
    from descend.tables.columns import Columns, Use

    Floats = NDArray[np.floating[Any]]

INTERCEPT = "(intercept)"


@dataclass(frozen=True)
class Block:
    """The columns of a term, or of some of its factors: the products of theirs, the first factor's running fastest."""

    term: Term
    codes: tuple[Code, ...]

    @cached_property
    def names(self) -> list[str]:
        """The names of the columns, ``a:b`` for a product."""
        names = self.codes[0].names
        for code in self.codes[1:]:
            names = [f"{left}:{right}" for right in code.names for left in names]
        return names

    @property
    def computed(self) -> bool:
        """Whether its columns are more than one of the table's numbers, or 0."""
        numbers = [code for code in self.codes if isinstance(code, NumberCode | PolyCode)]
        return len(numbers) > 1 or any(
            not (isinstance(c, NumberCode) and isinstance(c.expression, Name)) for c in numbers
        )

    @cached_property
    def width(self) -> int:
        """How many columns."""
        return math.prod(code.width for code in self.codes)

    def columns(self, data: Columns) -> Floats:
        """Return rows x columns of the term; raises DesignError where it is not defined."""
        made = self.codes[0].columns(data)
        for code in self.codes[1:]:
            right = code.columns(data)
            made = (right[:, :, None] * made[:, None, :]).reshape(len(data), -1)
        return made

    def exact_columns(self, data: Columns) -> Pair:
        """Return the same with twice the digits."""
        pairs = [
            code.exact_columns(data) if isinstance(code, NumberCode | PolyCode) else pair(code.columns(data))
            for code in self.codes
        ]
        made = pairs[0]
        for right in pairs[1:]:
            wide = multiply((right[0][:, :, None], right[1][:, :, None]), (made[0][:, None, :], made[1][:, None, :]))
            made = wide[0].reshape(len(data), -1), wide[1].reshape(len(data), -1)
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
        settle: bool = False,
    ) -> Design:
        """Fit the design.

        Levels come from all rows of ``data``; polynomials, means and scales only from ``rows`` (default: all).
        standardize: scale columns to mean 0 and standard deviation 1 (``ddof`` 0: population, 1: sample); without an
            intercept columns are only scaled, by their root mean square. Pixels stay as they are: from 0 to 1.
        settle: without ``standardize``, too, leave no effect to columns that are the same in every row.
        """
        count = len(data) if rows is None else rows.size
        levels = {name: level_list(name, data) for name, use in uses.items() if use == "category"}
        images = {
            name: ImageCode(name, found.shape[1:], 255 if found.dtype == np.uint8 else 1)
            for name, found in data.images.items()
        }

        def poly(factor: Poly) -> PolyCode:
            return PolyCode.learn(factor, data if rows is None else data.take(rows))

        blocks = blocks_of(hypothesis, uses, levels, images, poly)
        for name in levels:
            require_levels(name, levels[name], len(data))
        plain = cls.unscaled(hypothesis, uses, levels, blocks)
        if count == 0:
            return plain
        found = moments(lambda part: plain._columns(data.part(part, rows)), count, plain.means.size)
        return plain.scaled(count, *found, standardize=standardize, ddof=ddof, settle=settle)

    @classmethod
    def unscaled(
        cls, hypothesis: Hypothesis, uses: dict[str, Use], levels: dict[str, tuple[str, ...]], blocks: tuple[Block, ...]
    ) -> Design:
        """Return the design of blocks, with its columns as they are; raises DesignError for two of a name."""
        width = int(hypothesis.intercept) + sum(len(block.names) for block in blocks)
        nothing, one = np.zeros(width), np.ones(width)
        plain = cls(hypothesis, uses, levels, blocks, nothing, one, one, nothing)
        for name, times in Counter(plain.names).items():
            if times > 1:
                raise DesignError("design.same-name", column=name)
        return plain

    def scaled(
        self, count: int, means: Floats, sizes: Floats, spreads: Floats, *, standardize: bool, ddof: int, settle: bool
    ) -> Design:
        """Return the design with its columns scaled by what was found of ``count`` rows."""
        intercept = self.hypothesis.intercept
        means, scales = scaling(
            means, sizes, spreads, count, intercept=intercept, standardize=standardize, settle=settle, ddof=ddof
        )
        kept = self.pixels | ~self.penalised
        means, scales = np.where(kept, 0.0, means), np.where(kept, 1.0, scales)
        return replace(self, means=means, scales=scales, sizes=sizes, spreads=spreads)

    def learnt(self, X: Floats, rows: NDArray[np.int64], *, standardize: bool, ddof: int, settle: bool) -> Design:
        """Return the design of columns as they are with the scales of some rows of ``X``, its matrix, as ``learn``."""
        found = moments(lambda part: [X[rows[part]]], rows.size, self.means.size)
        return self.scaled(rows.size, *found, standardize=standardize, ddof=ddof, settle=settle)

    def describe(self) -> dict[str, Any]:
        """Return what is needed to build the design again, besides its means and scales, as JSON can hold it."""
        codes = [code for block in self.blocks for code in block.codes]
        polys = [asdict(code) for code in codes if isinstance(code, PolyCode)]
        return {
            "uses": self.uses,
            "levels": {name: list(levels) for name, levels in self.levels.items()},
            "polys": [{key: poly[key] for key in POLY_FACTS} for poly in polys],
            "images": {code.name: [code.scale, *code.shape] for code in codes if isinstance(code, ImageCode)},
        }

    @classmethod
    def restore(cls, hypothesis: Hypothesis, described: dict[str, Any], moments: Sequence[Floats]) -> Design:
        """Build a design again from what ``describe`` gave and its means, scales, sizes and spreads.

        Raises ValueError for anything else.
        """
        found, width = stored_fields.facts(described, ("uses", "levels", "polys", "images")), moments[0].size
        uses = stored_fields.facts(found["uses"], {name.name for name in hypothesis.inputs})
        named = {use: {name for name in uses if stored_fields.one_of(uses[name], USES) == use} for use in USES}
        levels = {
            name: stored_fields.distinct(kept)
            for name, kept in stored_fields.facts(found["levels"], named["category"]).items()
        }
        images = {
            name: ImageCode.restore(name, kept, width)
            for name, kept in stored_fields.facts(found["images"], named["image"]).items()
        }
        polys = iter(stored_fields.entries(found["polys"]))
        blocks = blocks_of(
            hypothesis, uses, levels, images, lambda factor: PolyCode.restore(factor, next(polys), width)
        )
        if next(polys, None) is not None or any(len(known) < 2 for known in levels.values()):
            raise ValueError("levels or polynomials")
        for block in blocks:
            for code in block.codes:
                if not inputs_of(code) <= named[code.use] or (code.use == "image" and len(block.codes) > 1):
                    raise ValueError(f"{inputs_of(code)}"[:100])
        return cls(hypothesis, uses, levels, blocks, *moments)

    @cached_property
    def names(self) -> list[str]:
        """The names of the columns, the intercept first where there is one."""
        return [INTERCEPT] * self.hypothesis.intercept + [name for block in self.blocks for name in block.names]

    @cached_property
    def pixels(self) -> NDArray[np.bool_]:
        """Which columns are the pixels of images."""
        if "image" not in self.uses.values():
            return np.zeros(self.means.size, dtype=bool)
        return self._marked([isinstance(block.codes[0], ImageCode) for block in self.blocks])

    @property
    def computed(self) -> NDArray[np.bool_]:
        """Which columns are powers, products or functions of the table's numbers, and so rounded as they are made."""
        return self._marked([block.computed for block in self.blocks])

    def _marked(self, blocks: list[bool]) -> NDArray[np.bool_]:
        """Return which columns are those of marked blocks."""
        widths = [block.width for block in self.blocks]
        return np.concatenate([np.zeros(int(self.hypothesis.intercept), dtype=bool), np.repeat(blocks, widths)]) > 0

    @property
    def owners(self) -> list[str]:
        """What a person calls each column: its name, or of a pixel that of its image."""
        return [name.rpartition("[")[0] if pixel else name for name, pixel in zip(self.names, self.pixels, strict=True)]

    @property
    def image(self) -> ImageCode | None:
        """The image that the hypothesis is about, where it is one and nothing else; else None."""
        codes = [code for block in self.blocks for code in block.codes]
        return codes[0] if len(codes) == 1 and isinstance(codes[0], ImageCode) else None

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """Its shape where it is a picture, height x width (x 3); else None."""
        return self.image.shape if self.image is not None and self.image.pictures else None

    @property
    def mean_pixels(self) -> Floats:
        """The mean of each pixel over the fitted images, 0 to 1, from its mean square and its spread."""
        squares = np.square(self.sizes[self.pixels]) - np.square(self.spreads[self.pixels])
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)))

    @property
    def penalised(self) -> NDArray[np.bool_]:
        """Which parameters L2 shrinks: all but the intercept."""
        return np.arange(self.means.size) >= int(self.hypothesis.intercept)

    @cached_property
    def constant(self) -> NDArray[np.bool_]:
        """Which columns are the same in every fitted row, but for rounding, and so without effect.

        Where there is no intercept only those of zeros, for another one does what the intercept would.
        """
        alike = same(self.spreads, self.sizes) if self.hypothesis.intercept else self.sizes == 0
        return np.asarray(alike & self.penalised & ~self.pixels, dtype=np.bool_)

    @cached_property
    def idle(self) -> NDArray[np.bool_]:
        """Which columns are constant and their mean is taken off: in the design matrix they, and then what they are
        multiplied by, are 0, whatever rounding left of them.
        """
        return np.asarray(self.constant & (self.means != 0), dtype=np.bool_)

    @property
    def scaled_sizes(self) -> Floats:
        """The columns' sizes as the optimizer sees them: of a centred column, its spread."""
        sizes = np.where(self.means != 0, self.spreads, self.sizes) / self.scales
        return np.asarray(np.where(self.idle, 0.0, sizes))

    @property
    def live(self) -> NDArray[np.bool_]:
        """Which columns of the design matrix are not 0 in every fitted row; of the others the rows say nothing."""
        return np.asarray(self.scaled_sizes > 0)

    def matrix(self, data: Columns, rows: NDArray[np.int64] | None = None, *, out: Floats | None = None) -> Floats:
        """Return the design matrix of some rows (default: all), rows x columns, standardised as it was learnt.

        out: where to write it.
        """
        count, width = len(data) if rows is None else rows.size, self.means.size
        X = np.empty((count, width)) if out is None else out

        def fill(part: slice) -> None:
            first = 0
            for columns in self._columns(data.part(part, rows)):
                own = slice(first, first + columns.shape[1])
                made = np.subtract(columns, self.means[own], out=X[part, own])
                made /= self.scales[own]
                made[:, self.idle[own]] = 0.0
                first = own.stop

        for _ in map_slices(fill, count, reading_rows(width)):
            pass
        return X

    def standardized(self, X: Floats) -> Floats:
        """Return columns as they are in the table, rows x columns, standardised as the design was learnt."""
        made = X - self.means
        made /= self.scales
        made[:, self.idle] = 0.0
        return np.asarray(made)

    def _columns(self, data: Columns) -> Iterator[Floats]:
        """Yield the columns as they are in the table, a term's at a time."""
        if self.hypothesis.intercept:
            yield np.ones((len(data), 1))
        for block in self.blocks:
            yield block.columns(data)

    def exact_matrix(self, data: Columns) -> Pair:
        """Return the design matrix in the units of the table, products and powers with twice float64's digits."""
        made = [pair(np.ones((len(data), 1)))] if self.hypothesis.intercept else []
        made += [block.exact_columns(data) for block in self.blocks]
        return np.concatenate([high for high, _ in made], axis=1), np.concatenate([low for _, low in made], axis=1)

    def to_raw(self, weights: Floats) -> Floats:
        """Return parameters (columns x outputs) of the standardised columns as those of the columns themselves."""
        with np.errstate(over="ignore"):  # of columns nearer to 0 than float64's digits go
            raw = np.where(self.idle[:, None], 0.0, weights / self.scales[:, None])
        if self.hypothesis.intercept:
            raw[0] -= self.means @ raw
        return raw


def width_of(hypothesis: Hypothesis, uses: Mapping[str, Use], data: Columns) -> int:
    """Return how many columns a hypothesis will have, without encoding a row; raises DesignError."""
    levels = {name: level_list(name, data) for name, use in uses.items() if use == "category"}
    for name in levels:
        require_levels(name, levels[name], len(data))
    images = {name: ImageCode(name, found.shape[1:], 1) for name, found in data.images.items()}

    def poly(factor: Poly) -> PolyCode:
        return PolyCode(factor.expression, factor.degree, str(factor), 0.0, 1.0, (), ())

    return int(hypothesis.intercept) + sum(block.width for block in blocks_of(hypothesis, uses, levels, images, poly))


def blocks_of(
    hypothesis: Hypothesis,
    uses: Mapping[str, Use],
    levels: Mapping[str, tuple[str, ...]],
    images: Mapping[str, ImageCode],
    poly: Callable[[Poly], PolyCode],
) -> tuple[Block, ...]:
    """Encode every term, a block for each of its subterms: see ``subterms_of``."""
    categories = {factor for term in hypothesis.terms for factor in term if _category(factor, uses) is not None}
    blocks = []
    for term, subterms in zip(hypothesis.terms, subterms_of(hypothesis, categories), strict=True):
        for subterm in subterms:
            codes: list[Code] = []
            own = tuple(factor for factor in term if factor in subterm or factor not in categories)
            for factor in own:
                column = _category(factor, uses)
                if column is not None:
                    codes.append(LevelCode(column, levels[column], full=subterm[factor]))
                elif isinstance(factor, Poly):
                    codes.append(poly(factor))
                elif isinstance(factor, Arithmetic) and isinstance(factor.expression, Name) and str(factor) in images:
                    codes.append(images[factor.expression.name])
                else:
                    assert isinstance(factor, Arithmetic)
                    codes.append(NumberCode(factor.expression, str(factor)))
            blocks.append(Block(own, tuple(codes)))
    return tuple(blocks)


def require_levels(name: str, levels: Sequence[str], rows: int) -> None:
    """Raise DesignError for a category with one level only, or with one for every row."""
    if len(levels) < 2:
        raise DesignError("design.one-level", column=name, level="".join(levels))
    if len(levels) == rows > 20:
        raise DesignError("design.all-distinct", column=name, rows=rows)


def _category(factor: Factor, uses: Mapping[str, Use]) -> str | None:
    if isinstance(factor, Category):
        return factor.name.name
    if isinstance(factor, Arithmetic) and isinstance(factor.expression, Name):
        name = factor.expression.name
        return name if uses[name] == "category" else None
    return None
