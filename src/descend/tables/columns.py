"""The columns that a hypothesis uses, taken from a table: typed, and with missing cells settled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import polars as pl

from descend.base.errors import DesignError, OptionError, TableError
from descend.base.messages import Note
from descend.base.moments import average
from descend.base.texts import cut_short
from descend.formula.ast import Arithmetic, Category, Name, label, names_of
from descend.tables.labels import number_label
from descend.tables.text.numerals import parse_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.formula.ast import Hypothesis
    from descend.tables.table import Table
    from descend.tables.text.numerals import Notation

Use = Literal["number", "category", "image"]
USES: tuple[Use, ...] = get_args(Use)
POLICIES = ("error", "drop", "mean")


@dataclass(frozen=True)
class Columns:
    """Columns ready for a design, all of the same rows.

    ``numbers`` are float64, ``labels`` text, ``images`` uint8 (rows x height x width, x 3 for colour)
    or floats of any shape. ``rows`` are
    their indices in the table; ``means`` the means of the number columns before any were filled in.
    """

    numbers: dict[str, Floats]
    labels: dict[str, pl.Series]
    rows: NDArray[np.int64]
    table: Table
    means: dict[str, float]
    notes: list[Note] = field(default_factory=list)
    images: dict[str, NDArray[np.uint8 | np.floating[Any]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.rows.size)

    def take(self, chosen: NDArray[np.int64]) -> Columns:
        """Return the columns of some of the rows, by position."""
        return Columns(
            {name: values[chosen] for name, values in self.numbers.items()},
            {name: labels.gather(chosen) for name, labels in self.labels.items()},
            self.rows[chosen],
            self.table,
            self.means,
            images={name: images[chosen] for name, images in self.images.items()},
        )

    def part(self, rows: slice, among: NDArray[np.int64] | None = None) -> Columns:
        """Return the columns of consecutive rows, uncopied; with ``among`` of the rows that these chosen ones are."""
        if among is not None:
            return self.take(among[rows])
        return Columns(
            {name: values[rows] for name, values in self.numbers.items()},
            {name: labels[rows] for name, labels in self.labels.items()},
            self.rows[rows],
            self.table,
            self.means,
            images={name: images[rows] for name, images in self.images.items()},
        )

    def only(self, names: Iterable[str]) -> Columns:
        """Return some of the columns, uncopied."""
        kept = set(names)
        return Columns(
            {name: values for name, values in self.numbers.items() if name in kept},
            {name: labels for name, labels in self.labels.items() if name in kept},
            self.rows,
            self.table,
            self.means,
            images={name: images for name, images in self.images.items() if name in kept},
        )

    def line(self, row: int) -> int:
        """Return where a person finds row ``row`` of these columns."""
        return self.table.line(int(self.rows[row]))

    def file(self, row: int) -> str:
        """Return the file in which a person finds row ``row`` of these columns."""
        return self.table.file(int(self.rows[row]))


def uses(hypothesis: Hypothesis, table: Table) -> dict[str, Use]:
    """Tell for each input column whether the hypothesis takes it as a number, as a category or as an image.

    Text and boolean columns standing alone are categories; inside a function, as ``poly`` and in an equation, a column
    is a number. Raises DesignError when one column is used as both, for images anywhere but as a term of their own, and
    for text in an equation.
    """
    for name in hypothesis.outputs:
        if table.kind(name.name) == "image":
            raise DesignError("design.image-target", column=name.name)
    found: dict[str, Use] = {}
    for term in hypothesis.terms:
        for factor in term:
            alone = isinstance(factor, Category) or (
                isinstance(factor, Arithmetic) and isinstance(factor.expression, Name) and not hypothesis.written
            )
            for name in names_of(factor):
                if table.kind(name.name) == "image":
                    if not alone or isinstance(factor, Category) or len(term) > 1:
                        raise DesignError("design.image-in-term", column=name.name, term=label(term))
                    use: Use = "image"
                elif hypothesis.written and table.kind(name.name) == "text":
                    raise DesignError("design.text-in-equation", column=name.name)
                elif isinstance(factor, Category):
                    use = "category"
                else:
                    use = "category" if alone and table.kind(name.name) in ("text", "boolean") else "number"
                if found.setdefault(name.name, use) != use:
                    raise DesignError("design.both-uses", column=name.name)
    return found


def reading_notes(wanted: Mapping[str, Use], table: Table) -> list[Note]:
    """Return what a person is to know of how the numbers of columns were read, and whether float64 may hold them."""
    numbers = [name for name, use in wanted.items() if use == "number"]
    first = {name: table.first_beyond(name) for name in numbers}
    beyond = [Note("note.rounded", {"column": name, "found": found}) for name, found in first.items() if found]
    return [*notation_notes(numbers, table), *beyond]


def notation_notes(columns: Iterable[str], table: Table) -> list[Note]:
    """Return notes on how the numbers of columns of text are written, where that is not plain."""

    def values(column: str, notation: Notation, cell: str) -> dict[str, Any]:
        number = parse_numbers(pl.Series([cell]), notation)[0][0]
        return {"column": column, "found": cut_short(cell), "number": number_label(float(number))}

    notes = []
    for column in columns:
        notation = table.notations.get(column)
        if notation is None or table.kind(column) != "number":
            continue
        if notation.bracketed:
            notes.append(Note("note.brackets", values(column, notation, notation.bracketed)))
        if not notation.example:
            continue
        example = values(column, notation, notation.example)
        if notation.unit:
            notes.append(Note("note.unit", {**example, "unit": notation.unit}))
        if notation.spread:
            notes.append(Note("note.uncertainty", example))
        if notation.decimal != table.decimal:
            notes.append(Note("note.decimal-comma", example))
        if notation.doubtful:
            comma = "," in notation.example
            notes.append(Note("note.comma-thousands" if comma else "note.point-decimal", example))
    return notes


def gather(
    wanted: Mapping[str, Use],
    table: Table,
    *,
    missing: str = "error",
    means: Mapping[str, float] | None = None,
    required: Iterable[str] = (),
    whole: bool = True,
) -> Columns:
    """Take columns from a table.

    wanted: each column and how it is used.
    missing: "error" raises TableError naming the first rows and the count; "drop" leaves those rows out; "mean" puts
        the column's mean (or the one in ``means``) into number columns that are not ``required``.
    whole: the table is all there is; of a part of one, a column may be empty and every row may be dropped.
    """
    if not isinstance(missing, str) or missing not in POLICIES:
        raise OptionError("option.missing", value=missing, known=", ".join(POLICIES))
    numbers = {name: table.numbers(name) for name, use in wanted.items() if use == "number"}
    labels = {name: table.labels(name) for name, use in wanted.items() if use == "category"}
    images = {name: table.images(name) for name, use in wanted.items() if use == "image"}
    gaps = {name: np.isnan(values) for name, values in numbers.items()}
    gaps |= {name: series.is_null().to_numpy() for name, series in labels.items()}
    known = {name: _mean(values[~gaps[name]] if gaps[name].any() else values) for name, values in numbers.items()}
    fillable = set(means or {}) - set(required) if missing == "mean" else set()
    for name, gap in gaps.items():
        if whole and table.rows and gap.all() and name not in fillable:
            raise TableError("table.all-missing", file=table.name, column=name)
    keep = np.ones(table.rows, dtype=bool)
    notes: list[Note] = []
    for name, gap in gaps.items():
        if not gap.any():
            continue
        if missing == "mean" and name in numbers and name not in required:
            fill = dict(means or {}).get(name, known[name])
            numbers[name] = np.where(gap, fill, numbers[name])
            notes.append(Note("note.filled", {"count": int(gap.sum()), "column": name, "mean": fill}))
        elif missing == "drop":
            keep &= ~gap
        else:
            _refuse(name, gap, table, "table.missing" if missing == "error" else "table.missing-no-mean", whole=whole)
    if not keep.all():
        if whole and not keep.any():
            raise TableError("table.all-dropped", file=table.name, rows=table.rows)
        notes.append(Note("note.dropped", {"count": int((~keep).sum()), "rows": table.rows}))
        numbers = {name: values[keep] for name, values in numbers.items()}
        labels = {name: series.filter(keep) for name, series in labels.items()}
        images = {name: pixels[keep] for name, pixels in images.items()}
    return Columns(numbers, labels, np.flatnonzero(keep), table, known, notes, images)


def _mean(values: Floats) -> float:
    """Return the mean, which rounding takes no farther than the numbers lie; NaN where there are none."""
    return float(np.clip(average(values), values.min(), values.max())) if values.size else np.nan


def _refuse(column: str, gap: NDArray[np.bool_], table: Table, code: str, *, whole: bool) -> None:
    file = table.file(int(np.argmax(gap)))
    first = [table.line(row) for row in np.flatnonzero(gap)[:3].tolist() if table.file(row) == file]
    more = "" if gap.sum() <= len(first) else ", …"
    markers = "".join(f"{', ' if place else '; '}'{text}'" for place, text in enumerate(table.markers(column, gap)[:5]))
    raise TableError(
        code,
        file=file,
        column=column,
        line=first[0],
        lines=", ".join(map(str, first)) + more,
        markers=markers,
        count=int(gap.sum()) if whole else f"≥ {gap.sum()}",  # the other parts were not looked at
    )


def require_columns(columns: Mapping[str, Use], table: Table, finder: Callable[[str], list[str]]) -> None:
    """Raise DesignError when a column that a model needs is missing from a table or is of the wrong kind."""
    for name, use in columns.items():
        if name not in table.columns:
            near = finder(name)
            code = "design.no-column-near" if near else "design.no-column"
            raise DesignError(
                code,
                column=name,
                file=table.name,
                near="".join(near[:1]),
                known=", ".join(table.columns[:12]),
            )
        if name in table.repeated:
            raise TableError("table.repeated-header", file=table.name, column=name)
        kind = table.kind(name)
        if (use == "image") != (kind == "image"):
            raise DesignError(
                "design.not-image" if use == "image" else "design.neither-kind", column=name, file=table.name
            )
        if use == "number" and kind == "text":
            raise DesignError("design.not-of-numbers", column=name, file=table.name)
        if kind == "other" and (use == "number" or not table.is_moment(name)):
            raise DesignError("design.neither-kind", column=name, file=table.name)
