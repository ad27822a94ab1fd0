"""The design: a hypothesis fitted on a table, which turns rows into the columns that the solver sees.

The columns of a term are the products of its factors' columns; see ``encodings`` for those of a factor. The design
standardises all columns but pixels; ``to_raw`` gives parameters in the units of the table.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base import stored_fields
from descend.base.double_double import pair
from descend.base.errors import DesignError
from descend.base.moments import moments, reading_rows, same, scaling
from descend.base.threads import map_slices
from descend.design.blocks import Block, blocks_of
from descend.design.encodings import ENCODINGS, FactorEncoding, StoredEncodings, kind_of_factor
from descend.design.encodings.image import ImageCode
from descend.tables.columns import USES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from descend.base.double_double import Pair
    from descend.base.typing import Floats
    from descend.formula.ast import Factor, Hypothesis
    from descend.tables.columns import Columns, Use

    Encode = Callable[[Factor], FactorEncoding]

INTERCEPT = "(intercept)"


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
        """Learn the design from rows.

        Levels come from all rows of ``data``; polynomials, means and scales only from ``rows`` (default: all).
        standardize: scale columns to mean 0 and standard deviation 1 (``ddof`` 0: population, 1: sample); without an
            intercept divide columns by their root mean square. Pixels stay as they are, from 0 to 1.
        settle: give no effect to columns that are the same in every row, even without ``standardize``.

        Raises DesignError where a factor cannot be learnt, for a category of one level, and for two columns of a name.
        """
        count = len(data) if rows is None else rows.size
        blocks = blocks_of(
            hypothesis, uses, _once(lambda factor: kind_of_factor(factor, uses).learn(factor, data, rows))
        )
        levels = _levels_of(blocks, uses)
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
        """Return the design of blocks, its columns not scaled; raises DesignError for two columns of one name."""
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
        """Return the design with its columns scaled by their means, sizes and spreads over ``count`` rows."""
        intercept = self.hypothesis.intercept
        means, scales = scaling(
            means, sizes, spreads, count, intercept=intercept, standardize=standardize, settle=settle, ddof=ddof
        )
        kept = self.pixels | ~self.penalised
        means, scales = np.where(kept, 0.0, means), np.where(kept, 1.0, scales)
        return replace(self, means=means, scales=scales, sizes=sizes, spreads=spreads)

    def learnt(self, X: Floats, rows: NDArray[np.int64], *, standardize: bool, ddof: int, settle: bool) -> Design:
        """Return the design scaled, as by ``learn``, on some rows of ``X``, its matrix of unscaled columns."""
        found = moments(lambda part: [X[rows[part]]], rows.size, self.means.size)
        return self.scaled(rows.size, *found, standardize=standardize, ddof=ddof, settle=settle)

    def describe(self) -> dict[str, Any]:
        """Return what is needed to build the design again, besides its means and scales, as JSON can hold it."""
        made: dict[str, Any] = {"uses": self.uses} | {group: container() for group, container in _groups().items()}
        for code in self.codes:
            if code.stored_as is not None:
                group, container = code.stored_as
                if container is list:
                    made[group].append(code.describe())
                else:
                    made[group][code.column] = code.describe()
        return made

    @classmethod
    def restore(cls, hypothesis: Hypothesis, described: dict[str, Any], moments: Sequence[Floats]) -> Design:
        """Build a design again from what ``describe`` gave and its means, scales, sizes and spreads.

        Raises ValueError for anything else.
        """
        groups = _groups()
        if isinstance(described, dict):  # a file from before there was a kind lacks what such encodings store
            described = {group: container() for group, container in groups.items()} | described
        found = stored_fields.facts(described, ("uses", *groups))
        uses = stored_fields.facts(found.pop("uses"), {name.name for name in hypothesis.inputs})
        named = {use: {name for name in uses if stored_fields.one_of(uses[name], USES) == use} for use in USES}
        if any(type(found[group]) is not container for group, container in groups.items()):
            raise ValueError("encodings")
        stored = StoredEncodings(found, moments[0].size)
        blocks = blocks_of(hypothesis, uses, lambda factor: kind_of_factor(factor, uses).restore(factor, stored))
        if stored.left():
            raise ValueError("encodings")
        for block in blocks:
            for code in block.codes:
                if not code.inputs <= named[code.use] or (code.use == "image" and len(block.codes) > 1):
                    raise ValueError(f"{code.inputs}"[:100])
        levels = _levels_of(blocks, uses)
        return cls(hypothesis, uses, levels, blocks, *moments)

    @property
    def codes(self) -> list[FactorEncoding]:
        """The encodings of all blocks, one after another."""
        return [code for block in self.blocks for code in block.codes]

    @property
    def images(self) -> dict[str, ImageCode]:
        """How each column of images is encoded."""
        return {code.column: code for code in self.codes if isinstance(code, ImageCode)}

    @cached_property
    def names(self) -> list[str]:
        """The names of the columns, the intercept first where there is one."""
        return [INTERCEPT] * self.hypothesis.intercept + [name for block in self.blocks for name in block.names]

    @cached_property
    def pixels(self) -> NDArray[np.bool_]:
        """Which columns are the pixels of images."""
        if "image" not in self.uses.values():
            return np.zeros(self.means.size, dtype=bool)
        return self._marked([block.codes[0].use == "image" for block in self.blocks])

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
        """What a person calls each column: its name; a pixel is called by its image's name."""
        return [name.rpartition("[")[0] if pixel else name for name, pixel in zip(self.names, self.pixels, strict=True)]

    @property
    def image(self) -> ImageCode | None:
        """The encoding of the image, where the hypothesis has one image and no other factor; else None."""
        return next(iter(self.images.values()), None) if len(self.codes) == 1 else None

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """The shape of that image where it is a picture, height x width (x 3); else None."""
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
        """Which columns have the same value in every fitted row, but for rounding, and so no effect.

        Without an intercept only columns of zeros: another constant column stands for the intercept.
        """
        alike = same(self.spreads, self.sizes) if self.hypothesis.intercept else self.sizes == 0
        return np.asarray(alike & self.penalised & ~self.pixels, dtype=np.bool_)

    @cached_property
    def idle(self) -> NDArray[np.bool_]:
        """Which columns are constant and centred: in the design matrix they are 0, without what rounding leaves."""
        return np.asarray(self.constant & (self.means != 0), dtype=np.bool_)

    @property
    def scaled_sizes(self) -> Floats:
        """The root mean squares of the design matrix's columns."""
        sizes = np.where(self.means != 0, self.spreads, self.sizes) / self.scales
        return np.asarray(np.where(self.idle, 0.0, sizes))

    @property
    def live(self) -> NDArray[np.bool_]:
        """Which columns of the design matrix have a value other than 0 in some fitted row."""
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

    def from_raw(self, raw: Floats) -> Floats:
        """Return parameters (columns x outputs) of the columns as they are as those of the standardised ones."""
        weights = raw * self.scales[:, None]
        if self.hypothesis.intercept:
            weights[0] += self.means @ raw
        return np.asarray(weights)


def width_of(hypothesis: Hypothesis, uses: Mapping[str, Use], data: Columns) -> int:
    """Return how many columns a hypothesis has, without encoding rows; raises DesignError as ``Design.learn``."""
    blocks = blocks_of(hypothesis, uses, _once(lambda factor: kind_of_factor(factor, uses).sized(factor, data)))
    for name, levels in _levels_of(blocks, uses).items():
        require_levels(name, levels, len(data))
    return int(hypothesis.intercept) + sum(block.width for block in blocks)


def _groups() -> dict[str, type]:
    """Return the entries of a description that hold encodings, and the type of each."""
    return dict(kind.stored_as for kind in ENCODINGS.values() if kind.stored_as is not None)


def _once(encode: Encode) -> Encode:
    """Return a function that encodes each factor once, even where several terms have it."""
    made: dict[Factor, FactorEncoding] = {}

    def encoded(factor: Factor) -> FactorEncoding:
        if factor not in made:
            made[factor] = encode(factor)
        return made[factor]

    return encoded


def _levels_of(blocks: Iterable[Block], uses: Mapping[str, Use]) -> dict[str, tuple[str, ...]]:
    """Return the levels of each category, in the order in which the columns are used."""
    found = {code.column: code.levels for block in blocks for code in block.codes if code.use == "category"}
    return {name: found[name] for name in uses if name in found}


def require_levels(name: str, levels: Sequence[str], rows: int) -> None:
    """Raise DesignError for a category with one level only, or with one for every row."""
    if len(levels) < 2:
        raise DesignError("design.one-level", column=name, level="".join(levels))
    if len(levels) == rows > 20:
        raise DesignError("design.all-distinct", column=name, rows=rows)
