"""The levels of a category: a column of 0 and 1 for each, by treatment coding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from descend.base import stored_fields
from descend.base.errors import DesignError
from descend.design.encodings import ENCODINGS, Spelling, StoredEncodings
from descend.design.encodings._defaults import Defaults
from descend.formula.ast import Arithmetic, Category, Factor, Name, names_of
from descend.tables.labels import ordered_levels, same_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.design.encodings import Group
    from descend.tables.columns import Columns, Use


@ENCODINGS.add
@dataclass(frozen=True)
class LevelCode(Defaults):
    """A column of 0 and 1 for each level; without the first, the reference, unless ``full``."""

    name: ClassVar[str] = "levels"
    use: ClassVar[Use] = "category"
    expression: ClassVar[None] = None
    stored_as: ClassVar[Group | None] = ("levels", dict)
    column: str
    levels: tuple[str, ...]
    full: bool = False

    @classmethod
    def takes(cls, factor: Factor, uses: Mapping[str, Use]) -> bool:
        """Tell whether a factor is a category."""
        return category_of(factor, uses) is not None

    @classmethod
    def learn(cls, factor: Factor, data: Columns, rows: NDArray[np.int64] | None = None) -> LevelCode:  # noqa: ARG003
        """Return the levels of all rows, fitted or not."""
        column = _column_of(factor)
        return cls(column, level_list(column, data))

    @classmethod
    def restore(cls, factor: Factor, stored: StoredEncodings) -> LevelCode:
        """Build it again from its levels; raises ValueError for anything but two or more that differ."""
        levels = stored_fields.distinct(stored.of_column("levels", _column_of(factor)))
        if len(levels) < 2:
            raise ValueError(f"{levels}"[:100])
        return cls(_column_of(factor), levels)

    def describe(self) -> list[str]:
        """Return the levels in their order."""
        return list(self.levels)

    @property
    def inputs(self) -> set[str]:
        """The column."""
        return {self.column}

    @property
    def reference(self) -> str | None:
        """The first level, unless each has a column."""
        return None if self.full else self.levels[0]

    @property
    def has_sql(self) -> bool:
        """Whether a database can make its columns."""
        return True

    def with_every_level(self) -> LevelCode:
        """Return the encoding with a column for the reference, too."""
        return replace(self, full=True)

    def sql(self, spelling: Spelling) -> list[str]:
        """Return the SQL of the indicators."""
        return [spelling.indicator(self.column, level) for level in self._shown]

    @property
    def _shown(self) -> tuple[str, ...]:
        """The levels that have a column."""
        return self.levels[0 if self.full else 1 :]

    @property
    def names(self) -> list[str]:
        """``sex[male]`` and so on."""
        return [f"{self.column}[{level}]" for level in self._shown]

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self._shown)

    def columns(self, data: Columns) -> Floats:
        """Return the indicators for every row; raises DesignError for a level that was not seen in fitting."""
        codes = level_codes(self.column, data, self.levels)
        indicators = np.zeros((codes.size, len(self.levels)))
        indicators[np.arange(codes.size), codes] = 1.0
        return indicators[:, 0 if self.full else 1 :]


def _column_of(factor: Factor) -> str:
    (name,) = names_of(factor)
    return name.name


def category_of(factor: Factor, uses: Mapping[str, Use]) -> str | None:
    """Return the column of a factor whose levels are encoded; None of any other factor."""
    if isinstance(factor, Category):
        return factor.name.name
    if isinstance(factor, Arithmetic) and isinstance(factor.expression, Name):
        return factor.expression.name if uses[factor.expression.name] == "category" else None
    return None


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
